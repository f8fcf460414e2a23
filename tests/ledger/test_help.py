"""What the command's help lists, and how wrong input and an interruption leave it."""

from __future__ import annotations

import inspect
from pathlib import Path

import orjson
import pytest
import typer

from ledger.cli import opening
from ledger.cli.app import build, run
from ledger.cli.help import SECTIONS
from ledger.errors import FormatError
from ledger.exports import export_ledger, has_named
from ledger.verify.options import Scope
from tests.ledger.small_ledger import DEFINITION, make


def test_every_command_stands_in_one_section() -> None:
    """None is listed twice, none is left for the end."""
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(typer.main.get_command(build()).commands)


def test_help_cuts_no_sentence_off(capsys: pytest.CaptureFixture[str]) -> None:
    """The first paragraph of each command's help is there whole, of groups' commands too."""
    for words in (["--help"], ["keys", "--help"]):
        assert run(words) == 0
        assert "..." not in capsys.readouterr().out.replace("[ARGS]...", "")
    run(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert " ".join((inspect.getdoc(opening.demo) or "").split()) in printed
    assert "Exit codes: 0" in printed


def test_a_group_without_a_command_prints_its_help_once(capsys: pytest.CaptureFixture[str]) -> None:
    """It is usage, exit code 2, without a second word for it."""
    assert run(["keys"]) == 2
    assert capsys.readouterr().err.startswith("Usage: ")


def test_what_an_auditor_takes_along_comes_as_json_too(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Trust policy and receipt are members of one object, the same text; what is not there has a code."""
    directory = str(tmp_path / "ledger")
    made = ["--study", str(DEFINITION), "--person", "root1", "--name", "R", "--organisation", "S"]
    assert run(["init", directory, *made, "--plain-keys"]) == 0
    for words, member in ((["trust", directory], "policy"), (["prove", directory, "1"], "receipt")):
        capfdbinary.readouterr()
        assert run(words) == 0
        text = capfdbinary.readouterr().out.decode()
        assert run([*words, "--json"]) == 0
        assert orjson.loads(capfdbinary.readouterr().out)[member] == text
    assert run(["prove", directory, "9"]) == 1
    assert "UNKNOWN_EVENT" in capfdbinary.readouterr().err.decode()


def test_an_interrupted_demonstration_says_what_it_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C: exit code 130, one line for the command and one for the directory that is left."""

    def interrupted(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "play_demo", interrupted)
    assert run(["demo", str(tmp_path / "demo")]) == 130
    said = capsys.readouterr().err
    assert "remove it to begin anew" in said
    assert "interrupted: what was acknowledged is recorded" in said


def test_nobody_gets_a_bundle_of_a_misspelt_participant(tmp_path: Path) -> None:
    """SCOPE, nothing is written, and no export is recorded."""
    made = make(tmp_path / "ledger", participants=1)
    size = made.ledger.store.head().size
    for scope in (Scope(kind="participant", id="SA-01-01"), Scope(kind="site", id="SA-1")):
        with pytest.raises(FormatError) as refused:
            export_ledger(made.ledger, tmp_path / "out", scope=scope, role="auditor")
        assert refused.value.code == "SCOPE"
    assert has_named(made.ledger.store, "site", "SA-01")
    assert not (tmp_path / "out").exists()
    assert made.ledger.store.head().size == size
