"""`--json` everywhere (interfaces.md, "Command line"): each command has it, and prints one object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer

from ledger.cli.app import build, run
from ledger.keyfile import KeyMaterial, write_key
from ledger.witness.store import Evidence, WitnessStore
from tests.api.client import write_directory
from tests.ledger.small_ledger import ORIGIN, seed

OF_ITS_OWN = ("verify",)
"""Parses its own arguments; `tests/ledger/test_verify.py` asks for its JSON."""


def commands(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that call it."""
    if hasattr(found, "commands"):
        for name, each in found.commands.items():
            yield from commands(each, (*path, name))
    else:
        yield path, found


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    """Run a command with --json; return its one object."""
    assert run([*map(str, words), "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    value: dict[str, Any] = json.loads(printed)
    return value


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ledger's directory."""
    place = tmp_path_factory.mktemp("json") / "ledger"
    write_directory(place).ledger.close()
    return place


def test_every_command_has_it() -> None:
    """A command without would stop a script that asks all of them the same way."""
    found = dict(commands(typer.main.get_command(build())))
    lacking = [
        path for path, each in found.items() if not any("--json" in option.opts for option in each.params)
    ]
    assert lacking == [OF_ITS_OWN]
    assert len(found) > 50


def test_the_page_that_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is, and the hash to compare with the release's."""
    value = told(capsys, "verify-page", tmp_path / "verify.html")
    page = (tmp_path / "verify.html").read_bytes()
    assert value == {
        "file": str(tmp_path / "verify.html"), "sha256": sha256(page).hexdigest(), "size": len(page),
    }  # fmt: skip


def test_an_assertion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The assertion, whose it is and for whom."""
    key = tmp_path / "key.json"
    write_key(key, KeyMaterial(alg="ed25519", secret=seed("bchan")), None)
    value = told(capsys, "people", "assert", key, "--person", "bchan", "--audience", ORIGIN)
    assert (value["person"], value["audience"], value["assertion"].count(".")) == ("bchan", ORIGIN, 2)


def test_a_slot_key(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same key that is printed without."""
    value = told(capsys, "randomization", "slot-key", ledger)
    assert run(["randomization", "slot-key", str(ledger)]) == 0
    assert value == {"slot_key": capsys.readouterr().out.strip()}


def test_a_proposed_webhook(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The action to sign, and beside it the endpoint and the key that its receiver needs."""
    reads = ("--role", "investigator", "--person", "aruiz", "--sites", "SA-01")
    value = told(capsys, "webhooks", "propose", ledger, "--url", "https://receiver.example/h", *reads)
    assert value["action"]["type"] == "configuration.changed"
    assert value["public_key"] in json.dumps(value["action"])
    assert value["endpoint"] in json.dumps(value["action"])


def test_a_witness(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys of each log that it cosigns for, and what it keeps as evidence, with the files written."""
    place = tmp_path / "w"
    assert run(["trust", str(ledger)]) == 0
    (tmp_path / "policy").write_text(capsys.readouterr().out)
    told(capsys, "witness", "init", place, "--name", "witness.example/w", "--plain-keys")
    logs = told(capsys, "witness", "add-log", place, tmp_path / "policy")["logs"]
    assert [len(keys) for keys in logs.values()] == [2]
    assert told(capsys, "witness", "evidence", place) == {"evidence": []}
    with closing(WitnessStore(place / "witness.db")) as store:
        store.keep_evidence(
            Evidence(origin=ORIGIN, time_s=1_717_400_000, status=409, head="9 head", request=b"signed")
        )
    (kept,) = told(capsys, "witness", "evidence", place, tmp_path / "kept")["evidence"]
    assert (kept["origin"], kept["time_s"], kept["status"]) == (ORIGIN, 1_717_400_000, 409)
    assert Path(kept["file"]).read_bytes() == b"signed"
