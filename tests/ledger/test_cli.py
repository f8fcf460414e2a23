"""The command as people and scripts call it: what it prints, what it exits with, and how it fails."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ledger.cli.app import exit_code
from ledger.cli.app import run as frame
from ledger.errors import (
    ConflictError,
    FormatError,
    FrozenError,
    LedgerError,
    ProofError,
    RefusedError,
    SignatureError,
    StoreError,
)
from ledger.genesis import key_object
from ledger.keyfile import KeyMaterial, load_key, write_key
from ledger.proof import parse_receipt
from ledger.verify.main import main as verify
from tests.behind import altering, reading
from tests.ledger.small_ledger import DEFINITION, seed

INSTALLED = Path(sys.executable).with_name("trial-ledger")
BY_MODULE = [sys.executable, "-c", "from ledger.cli import main; main()"]
COMMAND = [str(INSTALLED)] if INSTALLED.exists() else BY_MODULE
STUDY = ["--study", str(DEFINITION)]
ROOT = ["--person", "root1", "--name", "R. Holder", "--organisation", "Sponsor"]


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: exit code and what was printed."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path, **environment: str) -> Ran:
    """Run the command's frame in this process, in an environment without settings but those given."""
    out, err = io.BytesIO(), io.BytesIO()
    words = [str(argument) for argument in arguments]
    with (
        mock.patch.dict(os.environ, clean(environment), clear=True),
        mock.patch.object(sys, "stdin", io.StringIO()),  # no terminal: nobody is asked for anything
        contextlib.redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)),
        contextlib.redirect_stderr(io.TextIOWrapper(err, encoding="utf-8", write_through=True)),
    ):
        code = verify(words[1:]) if words[:1] == ["verify"] else frame(words)
        return Ran(code, out.getvalue().decode(), err.getvalue().decode())


def command(*arguments: str | Path, **environment: str) -> Ran:
    """Run the installed command in a process of its own."""
    words = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, env=clean(environment), check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def clean(environment: dict[str, str]) -> dict[str, str]:
    """Return this process's environment without the project's settings, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_LEDGER_")}
    return {**kept, **environment}


@dataclass(slots=True)
class Made:
    """A ledger on disk with its root key file, and the ids that `init` printed."""

    path: Path
    printed: dict[str, Any]
    actions: int = 0
    keys: dict[str, Path] = field(default_factory=dict)

    def record(self, signer: str, action: dict[str, Any], *further: str) -> Ran:
        """Write an ACTION.json and record it."""
        self.actions += 1
        file = self.path.parent / f"action-{self.path.name}-{self.actions}.json"
        file.write_text(json.dumps(action, ensure_ascii=False, indent=2), encoding="utf-8")
        others = [argument for name in further for argument in ("--with", str(self.keys[name]))]
        return run("record", self.path, file, "--key", self.keys[signer], *others, "--json")

    def size(self) -> int:
        """Return how many entries the log has."""
        with reading(self.path / "ledger.db") as store:
            (count,) = store.execute("SELECT count(*) FROM events").fetchone()
        return int(count)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A new ledger with plain keys."""
    path = tmp_path / "ledger"
    done = run("init", path, *STUDY, *ROOT, "--plain-keys", "--json")
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    return Made(path, printed, keys={"root": Path(printed["root_key"])})


def test_the_version_names_what_a_report_of_a_fault_needs() -> None:
    """One line: name, version, Python and SQLite."""
    ran = run("--version")
    sqlite, python = sqlite3.sqlite_version, platform.python_version()
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"trial-ledger {version('trial-ledger')} (Python {python}, SQLite {sqlite})\n"


def approve(type_: str, person: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return an action that root approves in a person's stream."""
    return {"type": type_, "stream": f"person/{person}", "role": "root", "meaning": "approval", "data": data}


ACCOUNT = approve(
    "account.created", "aruiz", {"person": "aruiz", "name": "Dr. Ana Ruíz", "organisation": "Site SA-01"}
)


def test_the_installed_command_makes_records_and_verifies(tmp_path: Path) -> None:
    """The whole way once through processes: init, record, a refusal in one line, export, verify."""
    path, action, policy = tmp_path / "ledger", tmp_path / "action.json", tmp_path / "policy"
    made = command("init", path, *STUDY, *ROOT, "--plain-keys", "--json")
    assert made.code == 0, made.err
    action.write_text(json.dumps(ACCOUNT))
    record = ("record", path, action, "--key", json.loads(made.out)["root_key"])
    first, again = command(*record), command(*record)
    assert (first.code, parse_receipt(first.out.encode()).index) == (0, 4)
    assert (again.code, again.out) == (1, "")
    assert again.err == "error: PERSON_ID_REUSED at /data/person: an id is never used again\n"
    policy.write_text(run("trust", path).out)
    assert run("export", path, tmp_path / "bundle").code == 0
    assert command("verify", tmp_path / "bundle", "--policy", policy).code == 0
    nothing = command("trust", tmp_path / "nothing")
    assert (nothing.code, nothing.err.count("\n"), nothing.err[:21]) == (3, 1, "error: LEDGER_MISSING")


def test_init_prints_the_ledger_id_that_trust_pins(made: Made) -> None:
    """One ledger id everywhere, and a policy of both log keys."""
    trust = run("trust", made.path)
    assert trust.code == 0
    lines = trust.out.splitlines()
    assert lines[0] == f"# ledger-id {made.printed['ledger_id']}"
    assert sum(line.startswith("log ") for line in lines) == 2
    assert made.printed["origin"] == "ledger.local/nct06414356"


def test_a_person_is_taken_on_signs_and_the_export_verifies(made: Made, tmp_path: Path) -> None:
    """Account, identity, key, role, acknowledgement by ACTION.json; then export, verify and prove."""
    key = KeyMaterial(alg="ed25519", secret=seed("cli key"))
    made.keys["aruiz"] = made.path / "keys" / "aruiz.json"
    write_key(made.keys["aruiz"], key, None)
    described = key_object(key.signing_key(), "aruiz", "client")
    shown = {name: getattr(described, name) for name in ("alg", "grade", "id", "person", "spki")}
    evidence = {"kind": "signed-form", "sha256": "ab" * 32}
    identity = {"person": "aruiz", "by": "root1", "method": "in person", "document": "passport"}
    role = {"person": "aruiz", "role": "investigator", "sites": ["SA-01"], "blinded": True}
    letter = {"person": "aruiz", "version": "1", "letter": "LNR-1"}
    steps: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("root", ACCOUNT, ()),
        ("root", {**approve("identity.verified", "aruiz", identity), "meaning": "verification"}, ()),
        ("root", approve("key.enrolled", "aruiz", {"evidence": evidence, "key": shown}), ("aruiz",)),
        ("root", approve("role.granted", "aruiz", role), ()),
        (
            "aruiz",
            {
                **approve("esignature_policy.acknowledged", "aruiz", letter),
                "role": "investigator",
                "meaning": "responsibility",
            },
            (),
        ),
    ]
    for number, (signer, action, further) in enumerate(steps, start=4):
        done = made.record(signer, action, *further)
        assert done.code == 0, done.err
        printed = json.loads(done.out)
        assert (printed["index"], printed["breaches"]) == (number, [])
        assert parse_receipt(printed["receipt"].encode()).index == number
    bundle, policy = tmp_path / "bundle", tmp_path / "policy"
    exported = run("export", made.path, bundle, "--json")
    assert exported.code == 0, exported.err
    assert json.loads(exported.out)["size"] == 9
    policy.write_text(run("trust", made.path).out)
    verified = run("verify", bundle, "--policy", policy)
    assert verified.code == 0, verified.out + verified.err
    proof = run("prove", made.path, "8")
    assert proof.code == 0
    assert parse_receipt(proof.out.encode()).index == 8
    by_hash = run("prove", made.path, printed["event"])
    assert by_hash.out == proof.out
    checked = run("fsck", made.path)
    assert checked.code == 0, checked.out


def test_a_zip_verifies_and_a_changed_one_does_not(made: Made, tmp_path: Path) -> None:
    """Exit 0 for the bundle as it was written; 1 or 3 for one with a byte changed, 3 without a ledger id."""
    bundle, policy = tmp_path / "bundle.zip", tmp_path / "policy"
    assert run("export", made.path, bundle).code == 0
    text = run("trust", made.path).out
    policy.write_text(text)
    assert run("verify", bundle, "--policy", policy).code == 0
    policy.write_text(text.split("\n", 1)[1])
    assert run("verify", bundle, "--policy", policy).code == 3
    policy.write_text(text)
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    assert run("verify", bundle, "--policy", policy).code in (1, 3)


def test_what_is_refused_exits_1_and_says_its_code(made: Made) -> None:
    """A rule's refusal is one line with the code; the log has the refusal and nothing else."""
    assert made.record("root", ACCOUNT).code == 0
    before = made.size()
    done = made.record("root", ACCOUNT)
    assert done.code == 1
    assert done.err.splitlines() == ["error: PERSON_ID_REUSED at /data/person: an id is never used again"]
    assert made.size() == before + 1


def test_input_that_is_out_of_form_exits_3_without_repeating_it(made: Made, tmp_path: Path) -> None:
    """No JSON, a float, an unknown member, a wrong type: the code and the member, never the value."""
    before = made.size()
    name = {"name": "Jane Doe\u202e", "person": "x", "organisation": "o"}
    for action, code in (
        ({**ACCOUNT, "colour": "Jane Doe"}, "STATEMENT"),
        ({**ACCOUNT, "data": {"person": "Jane Doe"}}, "DATA"),
        ({**ACCOUNT, "data": name}, "CANONICAL"),
        ({**ACCOUNT, "open": "Jane Doe"}, "ACTION"),
        ({**ACCOUNT, "seq": 5}, "ACTION"),
        ({**ACCOUNT, "schema": 1.5}, "JSON"),
        ({**ACCOUNT, "stream": None}, "ACTION"),
        ({**ACCOUNT, "type": "account.deleted"}, "UNKNOWN_TYPE"),
    ):
        done = made.record("root", action)
        assert (done.code, f"error: {code}" in done.err) == (3, True), done.err
        assert "Jane" not in done.err
    broken = tmp_path / "broken.json"
    for data in (b"", b"{", b'{"type":"a.b","type":"a.b"}', b"\xff"):
        broken.write_bytes(data)
        done = run("record", made.path, broken, "--key", made.keys["root"])
        assert (done.code, done.err.startswith("error: JSON")) == (3, True)
    done = run("record", made.path, tmp_path / "none.json", "--key", made.keys["root"])
    assert (done.code, done.err.startswith("error: ACTION")) == (3, True)
    assert made.size() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["record"],
        ["trust"],
        ["trust", "x", "--colour"],
        ["init", "x", "--person", "p"],
        ["export", "x", "y", "--participant", "P", "--site", "S"],
        ["prove", "{made}", "no-index"],
        ["init", "{new}", *STUDY, *ROOT, "--plain-keys", "--store", "postgresql://x"],
        ["init", "{new}", *STUDY, *ROOT, "--plain-keys", "--origin", "Not An Origin"],
        ["init", "{new}", *STUDY, "--person", "kek", "--name", "N", "--organisation", "O", "--plain-keys"],
        ["init", "{new}", *STUDY, "--person", "a b", "--name", "N", "--organisation", "O", "--plain-keys"],
        ["init", "{new}", *STUDY, "--person", "p", "--name", "", "--organisation", "O", "--plain-keys"],
        [
            "init",
            "{new}",
            *STUDY,
            "--person",
            "p",
            "--name",
            "N\u200e",
            "--organisation",
            "O",
            "--plain-keys",
        ],
    ],
)
def test_a_wrong_call_exits_2_and_makes_nothing(made: Made, arguments: list[str]) -> None:
    """Usage errors are told apart from refusals and from unusable input, and leave no directory behind."""
    new = made.path.parent / "new"
    filled = [each.format(made=made.path, new=new) for each in arguments]
    done = run(*filled)
    assert done.code == 2, done.err
    assert done.err
    assert not new.exists()


def test_an_unknown_setting_stops_every_command(made: Made) -> None:
    """A misspelt setting is an error that names it, even where no setting is needed."""
    done = run("trust", made.path, TRIAL_LEDGER_PASPHRASE_FILE="secret")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == ["error: SETTING at TRIAL_LEDGER_PASPHRASE_FILE: no such setting"]


@pytest.mark.parametrize("command", ["trust", "prove", "export", "fsck"])
def test_a_directory_without_a_ledger_exits_3(tmp_path: Path, command: str) -> None:
    """Nothing creates itself."""
    more = {"prove": ["0"], "export": [str(tmp_path / "out")]}.get(command, [])
    done = run(command, tmp_path / "nothing", *more)
    assert (done.code, done.err.startswith("error: LEDGER_MISSING")) == (3, True), done.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_left_alone(made: Made) -> None:
    """`init` into a ledger's directory is refused and the ledger stays what it was."""
    before = run("trust", made.path).out
    done = run("init", made.path, *STUDY, *ROOT, "--plain-keys")
    assert (done.code, done.err.startswith("error: LEDGER_EXISTS")) == (3, True)
    assert run("trust", made.path).out == before


def test_keys_are_written_under_the_passphrase_and_open_with_it_alone(tmp_path: Path) -> None:
    """From a file: right opens, wrong and none do not; without a terminal nobody is asked."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    path = tmp_path / "ledger"
    made = run("init", path, *STUDY, *ROOT, TRIAL_LEDGER_PASSPHRASE_FILE=str(right))
    assert made.code == 0, made.err
    assert run("trust", path, TRIAL_LEDGER_PASSPHRASE_FILE=str(right)).code == 0
    for environment in ({"TRIAL_LEDGER_PASSPHRASE_FILE": str(wrong)}, {}):
        done = run("trust", path, **environment)
        assert (done.code, done.err.startswith("error: KEY_PASSPHRASE")) == (3, True), done.err
        assert "staple" not in done.err
    assert b"correct horse" not in b"".join(file.read_bytes() for file in (path / "keys").iterdir())


def test_without_passphrase_or_terminal_no_ledger_is_made(tmp_path: Path) -> None:
    """Keys without a passphrase are asked for by name: `--plain-keys`."""
    done = run("init", tmp_path / "ledger", *STUDY, *ROOT)
    assert (done.code, "--plain-keys" in done.err) == (3, True)
    assert not (tmp_path / "ledger").exists()


def test_a_study_file_that_is_none_makes_no_ledger(tmp_path: Path) -> None:
    """A missing or malformed definition is found before anything is made."""
    broken = tmp_path / "study.json"
    broken.write_text("{}")
    for study in (tmp_path / "none.json", broken):
        done = run("init", tmp_path / "ledger", "--study", study, *ROOT, "--plain-keys")
        assert done.code == 3, done.err
        assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("CONSENT_MISSING", ""), 1),
        (ConflictError("STALE", ""), 1),
        (SignatureError("SIGNATURE", ""), 1),
        (ProofError("INCLUSION_PROOF", ""), 1),
        (FormatError("SETTING", ""), 2),
        (FormatError("DATA", ""), 3),
        (StoreError("STORE_BUSY", ""), 3),
        (FrozenError("LOG_BEHIND_CHECKPOINT", ""), 3),
        (LedgerError("KEY_PASSPHRASE", ""), 3),
    ],
)
def test_the_exit_code_tells_what_kind_of_failure_it_was(error: LedgerError, code: int) -> None:
    """1 refused, 2 asked wrongly, 3 unusable: an error is never a success."""
    assert exit_code(error) == code


def test_an_index_that_is_not_there_exits_1(made: Made) -> None:
    """Neither a number beyond the log nor an unknown event has a receipt."""
    for what in ("4", "ab" * 32):
        done = run("prove", made.path, what)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error:")


def test_damage_that_fsck_finds_exits_1(made: Made) -> None:
    """One byte changed in one statement is named with its index."""
    with altering(made.path / "ledger.db") as store:
        (statement,) = store.execute("SELECT statement FROM events WHERE idx = 3").fetchone()
        changed = statement.replace(b"Sponsor", b"sponsor")
        assert changed != statement
        store.execute("UPDATE events SET statement = ? WHERE idx = 3", (changed,))
    done = run("fsck", made.path)
    assert done.code == 1, done.out + done.err
    assert "index 3" in done.out


def test_a_store_that_fsck_cannot_read_is_not_said_to_be_read(made: Made) -> None:
    """Of a file that is no store any more no entry is counted as read."""
    file = made.path / "ledger.db"
    file.write_bytes(bytes(len(file.read_bytes())))
    done = run("fsck", made.path)
    assert (done.code, "Traceback" in done.err) == (1, False)
    assert "STORE_CORRUPT in store" in done.out
    assert "no entry could be read, 1 finding" in done.out


def test_attachments_are_handed_in_with_the_action(made: Made, tmp_path: Path) -> None:
    """`--attach` keeps the file's bytes; an export has them."""
    document = tmp_path / "note.txt"
    document.write_bytes(b"note\n")
    file = tmp_path / "action.json"
    file.write_text(json.dumps(ACCOUNT))
    done = run("record", made.path, file, "--key", made.keys["root"], "--attach", document)
    assert done.code == 0, done.err
    digest = hashlib.sha256(b"note\n").hexdigest()
    assert f"attached text/plain {digest} of 5 bytes" in done.err


def test_json_is_one_object_for_programs(made: Made) -> None:
    """`--json` prints one line of JSON and nothing else on standard output."""
    done = run("export", made.path, made.path.parent / "out", "--json")
    assert len(done.out.splitlines()) == 1
    assert set(json.loads(done.out)) == {"out", "scope", "role", "size", "files", "manifest_sha256"}


@contextlib.contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start the command and let it go on; end it at the latest when the block ends."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean({}),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_exits_130_and_leaves_the_ledger_whole(
    made: Made, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C or SIGTERM while a command reads its action: no entry, no trace, and the next one works."""
    file = tmp_path / "action.json"
    os.mkfifo(file)
    with started("record", made.path, file, "--key", made.keys["root"]) as process:
        writer = os.open(file, os.O_WRONLY)  # returns once the command is reading its action
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        os.close(writer)
    assert process.returncode == 130
    assert "Traceback" not in err
    before = made.size()
    assert made.record("root", ACCOUNT).code == 0
    assert made.size() == before + 1


def test_the_root_key_file_holds_the_key_of_its_holder(made: Made) -> None:
    """The file that `init` names opens without a passphrase, is private, and names whose key it is."""
    path = made.keys["root"]
    key = load_key(path, None)
    assert key.holder is not None
    assert (key.holder.person, key.holder.name, key.holder.origin) == (
        "root1",
        "R. Holder",
        "ledger.local/nct06414356",
    )
    assert path.stat().st_mode & 0o777 == 0o600
