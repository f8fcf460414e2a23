"""`trail` as a file: recorded with the service's key, and said not to be where there is none."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.cli.app import run
from ledger.directory import KEYS, open_store
from tests.api.client import PARTICIPANT, write_directory


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small ledger that the command can open."""
    made = write_directory(tmp_path / "ledger")
    made.ledger.close()
    return tmp_path / "ledger"


def exports(directory: Path) -> list[dict[str, Any]]:
    """Return the data of every `export.generated` of the log."""
    with closing(open_store(directory)) as store:
        entries = store.entries(0, store.head().size, types=("export.generated",))
        return [orjson.loads(entry.statement)["data"] for entry in entries]


@pytest.mark.parametrize("format_", ["csv", "json", "xlsx"])
def test_a_trail_that_is_written_as_a_file_is_recorded(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes], format_: str
) -> None:
    """The hash is that of what was written; who asked stands with it."""
    asked = ["trail", str(directory), "--participant", PARTICIPANT, "--format", format_]
    assert run([*asked, "--requested-by", "bchan"]) == 0
    written = capfdbinary.readouterr().out
    [data] = exports(directory)
    assert data.pop("size") > 20
    assert data == {
        "id": PARTICIPANT,
        "kind": "participant",
        "manifest_sha256": hashlib.sha256(written).hexdigest(),
        "purpose": "audit_trail",
        "requested_by": "bchan",
        "role": "auditor",
    }


def test_a_table_on_a_terminal_is_no_export(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It is looked at; nothing leaves."""
    assert run(["trail", str(directory)]) == 0
    assert b"B. Chan" in capfdbinary.readouterr().out
    assert exports(directory) == []


def test_nothing_is_written_when_it_cannot_be_recorded(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Asked for in the name of nobody: refused, and not one line of the trail is out."""
    asked = ["trail", str(directory), "--format", "csv", "--requested-by", "nobody-known"]
    assert run(asked) == 1
    printed = capfdbinary.readouterr()
    assert printed.out == b""
    assert b"PERSON_UNKNOWN" in printed.err
    assert exports(directory) == []


def test_without_a_key_it_is_said_that_nothing_records_it(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A copy of the stores alone: read, and said."""
    for path in (directory / KEYS).iterdir():
        path.unlink()
    assert run(["trail", str(directory), "--format", "csv"]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out
    assert printed.err.decode() == "not recorded: this directory holds no key of the service\n"
    assert exports(directory) == []
