"""The verifier's command: the public bundle, exit codes, options, and what it may import."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.note import NoteSigner, format_note, parse_note
from ledger.policy import Witness
from ledger.verify.findings import ALIASES, CODES, Verdict, finding, findings_csv
from ledger.verify.judge import verify
from ledger.verify.main import main
from ledger.verify.options import Scope, parse_scope
from ledger.verify.report import as_text
from tests.ledger.verifying import MINIMAL, MINIMAL_POLICY, found, minimal, options, problems
from tests.shared import ROOT

FILES = sorted(path for path in MINIMAL.rglob("*") if path.is_file() and path.stat().st_size)
ALLOWED = "ledger cryptography nacl orjson"
FORBIDDEN = "sqlite3 ssl http asyncio _argon2_cffi_bindings"


def run(*arguments: object) -> int:
    """Run the command."""
    return main([str(each) for each in arguments])


def copy(place: Path) -> Path:
    """Copy the minimal bundle so that it can be changed."""
    shutil.copytree(MINIMAL, place)
    for path in place.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return place


def test_minimal_bundle_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """The public vector verifies, with all three verdicts."""
    assert run(MINIMAL, "--policy", MINIMAL_POLICY, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verdicts"] == {"integrity": "holds", "completeness": "holds", "conduct": "holds"}
    assert report["counts"]["statements resting on a client key"] == 11
    assert report["findings"] == []


def test_text_names_what_was_verified(capsys: pytest.CaptureFixture[str]) -> None:
    """People read origin, size, root, verdicts and one summary."""
    assert run(MINIMAL, "--policy", MINIMAL_POLICY) == 0
    text = capsys.readouterr().out
    assert "ledger.example/minimal" in text
    assert "4CndoWL3FQYff5w0B3rGrAziFv4QuGzgXa8xFJFJj0o=" in text
    assert text.endswith("VERIFIED: integrity and completeness hold, and no breach is unrecorded\n")


def test_several_workers_find_the_same() -> None:
    """Checking signatures side by side changes nothing."""
    assert verify(MINIMAL, minimal(workers=3)) == verify(MINIMAL, minimal())


@pytest.mark.sqlite_only("a process of a run over PostgreSQL imports what leads there")
def test_imports_are_few() -> None:
    """Verifying needs the standard library, cryptography, pynacl and orjson alone."""
    program = (
        "import sys\n"
        "from ledger.verify.main import main\n"
        f"code = main([{str(MINIMAL)!r}, '--policy', {str(MINIMAL_POLICY)!r}])\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "ours = tops - set(sys.stdlib_module_names)\n"
        "ours = {name for name in ours if not name.startswith('_')}\n"
        f"bad = ours - set({ALLOWED!r}.split()) | tops & set({FORBIDDEN!r}.split())\n"
        "sys.exit(f'imported {sorted(bad)}' if bad else code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["demo", "d"], ["--help"], []])
def test_other_commands_say_what_an_auditors_machine_lacks(arguments: list[str], tmp_path: Path) -> None:
    """Where only what `verify` needs is installed, nothing else ends in a stack trace."""
    program = (
        "import sys\n"
        "sys.modules['typer'] = None\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from ledger.cli import main\n"
        "main()\n"
    )
    python = [sys.executable, "-c", program]
    done = subprocess.run(python, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == "error: only `verify` can be run here: typer is not installed\n"


def test_findings_csv_is_published() -> None:
    """docs/spec/findings.csv is the table of the code: `python -m ledger.verify.findings` writes it."""
    assert (ROOT / "docs" / "spec" / "findings.csv").read_text(encoding="utf-8") == findings_csv()


def test_codes_are_a_closed_set() -> None:
    """A code that the table lacks is reported under one that it has, never invented."""
    assert finding("NO_SUCH_CODE", "x").code in CODES
    assert {row.verdict for row in CODES.values()} == set(Verdict)


@pytest.mark.parametrize(
    "module",
    ["authorisation", "chain", "statement", "keys", "leaf", "webauthn", "times", "actions/registry"],
)
def test_every_code_of_the_judges_is_in_the_table(module: str) -> None:
    """What the pure modules can object to has its own line in the table of findings."""
    source = (ROOT / "ledger" / f"{module}.py").read_text(encoding="utf-8")
    raised = re.compile(r'(?:[Pp]roblem|Error|code=|CODE: Final =)\(?\s*(?:code=)?\s*"([A-Z][A-Z0-9_]+)"')
    assert {code for code in raised.findall(source) if code not in ALIASES} <= CODES.keys()


def test_unpinned_without_a_ledger_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a ledger id everything is judged, and the verdict is unpinned: exit 3."""
    policy = tmp_path / "policy"
    policy.write_bytes(MINIMAL_POLICY.read_bytes().partition(b"\n")[2])
    assert run(MINIMAL, "--policy", policy) == 3
    assert "UNPINNED" in capsys.readouterr().out


def test_ledger_id_may_come_from_the_command_line(tmp_path: Path) -> None:
    """The ledger id pins as well when it is typed in."""
    first, _, rest = MINIMAL_POLICY.read_bytes().partition(b"\n")
    policy = tmp_path / "policy"
    policy.write_bytes(rest)
    assert run(MINIMAL, "--policy", policy, "--ledger-id", first.split()[-1].decode()) == 0


def test_another_ledger_id_is_found() -> None:
    """A bundle of another ledger with the same keys does not pass."""
    report = verify(MINIMAL, minimal(ledger_id="0" * 64))
    assert found(report, "LEDGER_ID") == [0]
    assert report.exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scope", "everything"],
        ["--scope", "site"],
        ["--role", "king"],
        ["--ledger-id", "abc"],
        ["--ledger-id", "0" * 64],
        ["--workers", "0"],
        ["--classical", "--post-quantum"],
        ["--outbox", "/no/such/directory"],
        ["--no-such-option"],
        ["--pol", "x"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """What contradicts itself or is not of its form is a usage error."""
    assert run(MINIMAL, "--policy", MINIMAL_POLICY, *arguments) == 2


def test_missing_input_exits_3(tmp_path: Path) -> None:
    """No bundle, or no policy: unusable."""
    assert run(tmp_path / "none", "--policy", MINIMAL_POLICY) == 3
    assert run(MINIMAL, "--policy", tmp_path / "none") == 3
    (tmp_path / "junk").write_bytes(b"junk" * 100)
    assert run(tmp_path / "junk", "--policy", MINIMAL_POLICY) == 3
    assert run(MINIMAL, "--policy", tmp_path / "junk") == 3


@settings(max_examples=100)
@given(data=st.data())
def test_no_changed_byte_passes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One byte changed anywhere in the bundle is never verified, and never a crash."""
    source = data.draw(st.sampled_from(FILES))
    content = bytearray(source.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    bundle = copy(tmp_path_factory.mktemp("flip") / "bundle")
    (bundle / source.relative_to(MINIMAL)).write_bytes(content)
    assert verify(bundle, minimal()).exit_code in (1, 3)


@settings(max_examples=40)
@given(data=st.data())
def test_no_cut_file_passes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file cut short or lengthened is never verified."""
    source = data.draw(st.sampled_from(FILES))
    content = source.read_bytes()
    keep = data.draw(st.integers(0, len(content) - 1))
    changed = content[:keep] if data.draw(st.booleans()) else content + content[keep : keep + 5]
    bundle = copy(tmp_path_factory.mktemp("cut") / "bundle")
    (bundle / source.relative_to(MINIMAL)).write_bytes(changed)
    assert verify(bundle, minimal()).exit_code in (1, 3)


def test_changed_leaf_is_named_by_its_index(tmp_path: Path) -> None:
    """The tile that differs gives the index of the leaf, and nothing else is drowned by it."""
    bundle = copy(tmp_path / "bundle")
    path = bundle / "tile" / "entries" / "000.p" / "11"
    content = path.read_bytes()
    at = content.index(b'"index":7,') + len(b'"index":')
    path.write_bytes(content[:at] + b"8" + content[at + 1 :])
    report = verify(bundle, minimal())
    assert found(report, "TILE") == [7]
    assert found(report, "INDEX")[0] == 7
    assert report.first_index == 7
    assert found(report, "SEEN_ROOT") == []


def test_nothing_is_read_before_the_log_signature_holds(tmp_path: Path) -> None:
    """With a wrong signature of the log there is one finding, whatever else is wrong."""
    bundle = copy(tmp_path / "bundle")
    note = (bundle / "checkpoint").read_bytes().replace(b"\n11\n", b"\n12\n")
    (bundle / "checkpoint").write_bytes(note)
    (bundle / "scope.json").write_bytes(b"\xff")
    report = verify(bundle, minimal())
    assert [each.code for each in report.problems] == ["LOG_SIGNATURE"]
    assert report.verdict(Verdict.CONDUCT) == "not judged"


def test_dropped_line_of_the_log_is_found(tmp_path: Path) -> None:
    """Every log key of the policy must have signed; --classical waives one that is not listed only."""
    bundle = copy(tmp_path / "bundle")
    lines = (bundle / "checkpoint").read_bytes().split(b"\n")
    (bundle / "checkpoint").write_bytes(b"\n".join([*lines[:5], b""]))
    assert problems(verify(bundle, minimal())) == {"LOG_SIGNATURE"}
    assert problems(verify(bundle, minimal(classical=True))) == {"LOG_SIGNATURE"}
    policy = minimal().policy
    classical = options(
        type(policy)(
            ledger_id=policy.ledger_id, log_keys=policy.log_keys[:1], witnesses=(), groups=(), quorum=None
        ),
        classical=True,
    )
    report = verify(bundle, classical)
    assert problems(report) == {"LOG_KEYS"}  # the log itself says that it has two
    assert found(report, "CLASSICAL") == [None]


def test_missed_quorum_is_found() -> None:
    """A witness that the auditor demands and that did not sign is a finding."""
    policy = minimal().policy
    key = NoteSigner("witness.example/w1", bytes(32)).key
    cosigner = type(key)(name=key.name, algorithm=4, public=key.public)
    demanding = type(policy)(
        ledger_id=policy.ledger_id,
        log_keys=policy.log_keys,
        witnesses=(Witness(name="w1", key=cosigner, url=None),),
        groups=(),
        quorum="w1",
    )
    assert problems(verify(MINIMAL, options(demanding))) == {"QUORUM"}


def test_earlier_checkpoint_of_the_same_log_holds() -> None:
    """The checkpoint that an auditor kept is of this log's past."""
    note = (MINIMAL / "checkpoint").read_bytes()
    report = verify(MINIMAL, minimal(previous=note))
    assert report.exit_code == 0
    assert report.facts["previous"] == "of 11 events, and this log goes on from it"
    assert "goes on from it" in as_text(report)
    assert "previous" not in verify(MINIMAL, minimal()).facts


def test_earlier_checkpoint_that_does_not_verify_is_found() -> None:
    """A note that the log did not sign is no evidence of its past."""
    note = parse_note((MINIMAL / "checkpoint").read_bytes())
    forged = type(note)(text=note.text.replace("11", "10"), signatures=note.signatures)
    report = verify(MINIMAL, minimal(previous=format_note(forged)))
    assert problems(report) == {"PREVIOUS"}
    assert report.problems[0].detail.startswith("the earlier checkpoint does not stand: ")
    assert "previous" not in report.facts


@pytest.mark.parametrize(
    "name", ["extra", "tile/0/001", "attachments/" + "0" * 64, "forks/x", "shown/x.json"]
)
def test_other_files_are_found(tmp_path: Path, name: str) -> None:
    """Exactly the files of §9: whatever else lies there is a finding."""
    bundle = copy(tmp_path / "bundle")
    (bundle / name).parent.mkdir(exist_ok=True, parents=True)
    (bundle / name).write_bytes(b"x")
    assert problems(verify(bundle, minimal())) <= {"FILE_EXTRA", "FILE_UNJUDGED"}
    assert verify(bundle, minimal()).exit_code == 1


@pytest.mark.parametrize("name", ["VERIFY.md", "verify.html"])
def test_conveniences_are_no_evidence(tmp_path: Path, name: str) -> None:
    """The two convenience files may say anything: they are not read."""
    bundle = copy(tmp_path / "bundle")
    (bundle / name).write_bytes(b"\xff\x00")
    assert verify(bundle, minimal()).exit_code == 0


@pytest.mark.parametrize("name", [str(path.relative_to(MINIMAL)) for path in FILES] + ["withheld.jsonl"])
def test_missing_file_is_found(tmp_path: Path, name: str) -> None:
    """Each file that must be there is missed."""
    bundle = copy(tmp_path / "bundle")
    (bundle / name).unlink()
    assert "FILE_MISSING" in problems(verify(bundle, minimal()))


def test_scope_is_what_the_auditor_states() -> None:
    """A bundle of the study is no answer to another scope or role, and an empty scope is no success."""
    assert problems(verify(MINIMAL, minimal(role="inspector"))) == {"SCOPE_MISMATCH"}
    report = verify(MINIMAL, minimal(scope=Scope(kind="site", id="SA-01")))
    assert problems(report) == {"SCOPE_MISMATCH", "SCOPE_EMPTY"}
    assert report.verdict(Verdict.COMPLETENESS) == "fails"
    assert report.verdict(Verdict.INTEGRITY) == "holds"


def test_outbox_finds_what_was_never_recorded(tmp_path: Path) -> None:
    """A signed statement in the auditor's hands that the log lacks is a finding; one that it has is none."""
    statements = (MINIMAL / "payloads" / "000.p" / "11").read_bytes().split(b"\n")
    (tmp_path / "kept.json").write_bytes(statements[5])
    assert verify(MINIMAL, minimal(outbox=tmp_path)).exit_code == 0
    (tmp_path / "lost.json").write_bytes(
        statements[5].replace(b"2026-01-05T08:00:06", b"2026-01-05T08:00:07")
    )
    (tmp_path / "torn.json").write_bytes(statements[5][:-1])
    assert problems(verify(MINIMAL, minimal(outbox=tmp_path))) == {"OUTBOX_MISSING", "OUTBOX_FORM"}


def test_scope_texts() -> None:
    """study, site:S and participant:P, strictly."""
    assert parse_scope("participant:SA-01-007") == Scope(kind="participant", id="SA-01-007")
    assert str(parse_scope("site:SA-01")) == "site:SA-01"
