"""A file that somebody asks for is whole or not there, and what hinders it is one line with its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.cli.app import run
from ledger.errors import RefusedError, StoreError
from ledger.export import export_bundle
from ledger.new_file import new_file
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.api.client import write_directory
from tests.full_disk import no_room
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import MINIMAL, MINIMAL_POLICY

STUDY = Scope(kind="study")
ROOM = 2_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, SmallLedger]]:
    """A small ledger and its directory."""
    place = tmp_path_factory.mktemp("files") / "ledger"
    small = write_directory(place)
    yield place, small
    small.ledger.close()


def test_a_whole_file_has_its_name(tmp_path: Path) -> None:
    """And nothing else is left beside it."""
    with new_file(tmp_path / "out") as file:
        file.write(b"whole")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    """A file, a link to nowhere, an unfinished one: none is written over."""
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "new.partial").write_bytes(b"of somebody else")
    for name in ("file", "link", "new"):
        with pytest.raises(RefusedError, match=f"OUT_EXISTS.*{name}"), new_file(tmp_path / name):
            pass
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert (tmp_path / "new.partial").read_bytes() == b"of somebody else"


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path) -> None:
    """Neither the name nor the bytes that did fit."""
    with (
        pytest.raises(StoreError, match="STORE_IO: out can't be written: "),
        no_room(ROOM),
        new_file(tmp_path / "out") as file,
    ):
        file.write(b"x" * 2 * ROOM)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_one_leaves_nothing(tmp_path: Path) -> None:
    """Also where somebody ends the command."""

    def interrupted() -> None:
        with new_file(tmp_path / "out") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_written_to_and_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """What is no file stays what it is."""
    assert run(["verify-page", "/dev/full"]) == 3
    assert "STORE_IO: full can't be written: No space left on device" in capsys.readouterr().err
    assert Path("/dev/full").is_char_device()
    assert run(["verify-page", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()


def test_a_page_that_does_not_fit_leaves_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An auditor is never left with half a verifier."""
    (tmp_path / "verify.html").write_bytes(b"the older release's")
    with no_room(ROOM):
        assert run(["verify-page", str(tmp_path / "verify.html")]) == 3
    assert "STORE_IO: verify.html can't be written" in capsys.readouterr().err
    assert (tmp_path / "verify.html").read_bytes() == b"the older release's"
    assert run(["verify-page", str(tmp_path / "none" / "verify.html")]) == 3
    assert "STORE_IO: verify.html can't be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_a_bundle_that_does_not_fit(made: tuple[Path, SmallLedger], tmp_path: Path, name: str) -> None:
    """One line with its name, and nothing is left, whichever form was asked for."""
    small = made[1]
    note = small.publish()
    wanted = (small.ledger.store, small.ledger.data_keys, note, tmp_path / name)
    with pytest.raises(StoreError, match=rf"^STORE_IO: {name} can't be written: "), no_room(ROOM):
        export_bundle(*wanted, scope=STUDY, role="auditor")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_not_there_is_found_before_a_copy_is_issued(
    made: tuple[Path, SmallLedger], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log says of no copy that it was issued that nobody ever had."""
    directory, small = made
    assert run(["copy-key", str(directory), "--organisation", "Sponsor"]) == 0
    size = small.ledger.store.head().size
    capsys.readouterr()
    asked = ["--to", "aruiz", "--role", "investigator", "--participant", "SA-01-001"]
    assert run(["copy", str(directory), str(tmp_path / "none" / "c.pdf"), *asked]) == 3
    assert "STORE_IO: c.pdf can't be written: No such file or directory" in capsys.readouterr().err
    assert small.ledger.store.head().size == size


def test_times_that_do_not_fit_are_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The auditor's own file is named, and nothing is said of the bundle."""
    words = [str(MINIMAL), "--policy", str(MINIMAL_POLICY), "--times", str(tmp_path / "times")]
    with no_room(10):
        assert verify(words) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "STORE_IO at --times: times can't be written: " in told.err
