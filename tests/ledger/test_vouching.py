"""What others say of a ledger, by the commands: witnesses over HTTP, time stamps, proofs of forks."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, sign_head
from ledger.note import NoteSigner
from tests.authority import OPENSSL, make_authority
from tests.authority import serving as serving_stamps
from tests.ledger.small_ledger import seed
from tests.ledger.test_cli import ROOT, STUDY, Ran, run

COMMAND = Path(sys.executable).with_name("trial-ledger")
NAME = "witness.example/w1"


def done(*words: str | Path) -> Ran:
    """Run a command that succeeds."""
    ran = run(*words)
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A new ledger with plain keys."""
    done("init", tmp_path / "d", *STUDY, *ROOT, "--plain-keys")
    return tmp_path / "d"


@pytest.fixture
def policy(ledger: Path, tmp_path: Path) -> Path:
    """Its trust policy."""
    path = tmp_path / "policy"
    path.write_text(done("trust", ledger).out, encoding="utf-8")
    return path


@pytest.fixture
def witness(tmp_path: Path, policy: Path) -> Iterator[tuple[str, str]]:
    """A witness that knows the ledger, served by the command; yields its verifier key and address."""
    place = tmp_path / "w"
    made = done("witness", "init", place, "--name", NAME, "--plain-keys", "--json")
    key = json.loads(made.out)["witness"]
    done("witness", "add-log", place, policy)
    words = [COMMAND, "witness", "serve", str(place), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        yield key, serving.stdout.readline().split()[-1]
        serving.terminate()
        assert serving.wait(timeout=20) == 0


def root_says(ledger: Path, place: Path, data: dict[str, object]) -> None:
    """Let the root change the policy, by the command."""
    action = {
        "type": "policy.changed",
        "schema": 1,
        "stream": "study",
        "data": data,
        "meaning": "approval",
        "role": "root",
    }
    file = place / "action.json"
    file.write_text(json.dumps(action), encoding="utf-8")
    key = ledger / "keys" / "root1.json"
    done("record", ledger, "--key", key, file)


def test_a_quorum_over_http(ledger: Path, policy: Path, witness: tuple[str, str], tmp_path: Path) -> None:
    """Once the log asks for a witness, its line stands under exports; `verify` holds with it, not without."""
    key, address = witness
    text = f"witness w1 {key} {address}\nquorum w1\n"
    root_says(ledger, tmp_path, {"witness_policy": text})
    stricter = done("trust", ledger).out
    assert f"witness w1 {key}" in stricter
    assert "quorum w1" in stricter
    policy.write_text(stricter, encoding="utf-8")
    done("export", ledger, tmp_path / "b")
    assert NAME in (tmp_path / "b" / "checkpoint").read_text(encoding="utf-8")
    done("verify", tmp_path / "b", "--policy", policy)
    lines = (tmp_path / "b" / "checkpoint").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "b" / "checkpoint").write_text("".join(lines[:-1]), encoding="utf-8")
    ran = run("verify", tmp_path / "b", "--policy", policy)
    assert (ran.code, "QUORUM" in ran.out) == (1, True)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not there: no authority to ask")
def test_a_stamp_over_http(ledger: Path, policy: Path, tmp_path: Path) -> None:
    """With an authority in the settings exports are stamped; `verify --tsa` says since when they exist."""
    authority = make_authority(tmp_path / "tsa")
    (ledger / "tsa.pem").write_bytes(authority.anchor)
    config = ledger / "ledger.toml"
    with serving_stamps(authority) as url:
        table = f'\n[timestamps]\nurl = "{url}"\ncertificates = "tsa.pem"\n'
        config.write_text(config.read_text(encoding="utf-8") + table, encoding="utf-8")
        done("stamp", ledger)
        done("export", ledger, tmp_path / "b")
    anchor = tmp_path / "anchor.pem"
    anchor.write_bytes(authority.anchor)
    assert "stamped_at" in done("verify", tmp_path / "b", "--policy", policy, "--tsa", anchor).out
    assert "not vouched for by time stamp: TSA_UNREACHABLE" in done("export", ledger, tmp_path / "c").err
    assert not (tmp_path / "c" / "checkpoint.tsr").exists()


def test_a_fork_that_was_handed_in(ledger: Path, policy: Path, tmp_path: Path) -> None:
    """A note over another tree is kept and exported; one that proves nothing is refused."""
    secret = json.loads((ledger / "keys" / "log.json").read_text(encoding="utf-8"))["secret"]
    origin = policy.read_text(encoding="utf-8").splitlines()[1].split()[1].partition("+")[0]
    signer = NoteSigner(origin, base64.b64decode(secret))
    note = tmp_path / "note"
    note.write_bytes(sign_head(Checkpoint(origin=origin, size=2, root=bytes(32)), signer))
    done("fork", ledger, note)
    done("export", ledger, tmp_path / "b")
    ran = run("verify", tmp_path / "b", "--policy", policy)
    assert (ran.code, "FORK" in ran.out) == (1, True)
    thief = NoteSigner(origin, seed("thief"))
    note.write_bytes(sign_head(Checkpoint(origin=origin, size=2, root=bytes(32)), thief))
    assert run("fork", ledger, note).code != 0
    note.write_bytes((tmp_path / "b" / "checkpoint").read_bytes())
    assert run("fork", ledger, note).code == 1
