"""A directory that a command makes is whole or not there, and what hinders it is one line with a name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.cli.app import run
from ledger.errors import StoreError
from ledger.new_directory import new_directory
from tests.api.client import write_directory
from tests.full_disk import no_room
from tests.ledger.test_cli import ROOT, STUDY


def test_what_is_whole_stays(tmp_path: Path) -> None:
    """With the directories above it that were missing."""
    with new_directory(tmp_path / "above" / "new"):
        (tmp_path / "above" / "new" / "file").write_bytes(b"whole")
    assert (tmp_path / "above" / "new" / "file").read_bytes() == b"whole"


def test_what_fails_leaves_the_place_as_it_was(tmp_path: Path) -> None:
    """A new directory goes with those made above it; one that was there is empty again."""
    (tmp_path / "there").mkdir()
    for name in ("above/new", "there"):
        with pytest.raises(KeyboardInterrupt):
            _interrupted(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def _interrupted(directory: Path) -> None:
    with new_directory(directory), new_directory(directory):
        (directory / "keys").mkdir()
        (directory / "keys" / "key").write_bytes(b"half")
        raise KeyboardInterrupt


def _refused(directory: Path) -> None:
    with new_directory(directory):
        raise StoreError("STORE_EXISTS", "expected no schema, found one")


@pytest.mark.parametrize("place", ["file", "full"])
def test_what_is_there_stays(tmp_path: Path, place: str) -> None:
    """A file, or a directory with something in it, is never taken."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"kept")
    with pytest.raises(StoreError, match="LEDGER_EXISTS"), new_directory(tmp_path / place):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "file", "full"]


@pytest.mark.parametrize("there", [True, False])
def test_two_commands_do_not_fill_one_directory(tmp_path: Path, there: bool) -> None:
    """The second one is refused while the first has written nothing yet, and takes nothing of it away."""
    place = tmp_path / "new"
    if there:
        place.mkdir()
    with new_directory(place), ThreadPoolExecutor(1) as another:
        with pytest.raises(StoreError, match="LEDGER_EXISTS: another command is filling new"):
            another.submit(_refused, place).result()
        (place / "file").write_bytes(b"whole")
    assert [path.name for path in place.iterdir()] == ["file"]
    with pytest.raises(StoreError, match="LEDGER_EXISTS: new is not empty"), new_directory(place):
        pass


@pytest.mark.parametrize(
    "command",
    [
        ("init", *STUDY, *ROOT, "--plain-keys"),
        ("witness", "init", "--name", "w.example/w1", "--plain-keys"),
    ],
    ids=["init", "witness"],
)
def test_a_disk_that_fills_up_leaves_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    """The next try in the same place works."""
    arguments = [*map(str, command), str(tmp_path / "made")]
    with no_room(2_000):
        assert run(arguments) == 3
    error = capsys.readouterr().err
    assert error.startswith("error: STORE_")
    assert "made can't be made: " in error
    assert list(tmp_path.iterdir()) == []
    assert run(arguments) == 0


def test_a_backup_that_does_not_fit_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves neither part."""
    write_directory(tmp_path / "ledger").ledger.close()
    with no_room(1_000_000):
        assert run(["backup", str(tmp_path / "ledger"), str(tmp_path / "out")]) == 0
    with no_room(40_000):
        assert run(["backup", str(tmp_path / "ledger"), str(tmp_path / "two")]) == 3
    assert ".db can't be copied: " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger", "out", "out.datakeys.db"]


def test_a_certificate_that_does_not_fit_is_named_and_its_key_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key without its certificate would refuse the next try."""
    write_directory(tmp_path / "ledger").ledger.close()
    before = set((tmp_path / "ledger" / "keys").iterdir())
    arguments = ["copy-key", str(tmp_path / "ledger"), "--organisation", "Sponsor"]
    with no_room(1_000):
        assert run(arguments) == 3
    assert "STORE_IO: document.crt can't be written: " in capsys.readouterr().err
    assert set((tmp_path / "ledger" / "keys").iterdir()) == before
    assert run(arguments) == 0
