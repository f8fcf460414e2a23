"""What was made elsewhere goes again where the whole fails; what can't be removed is named."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from ledger.cli.app import run
from ledger.errors import LedgerError, StoreError
from ledger.new_directory import new_directory
from ledger.undoing import made, undone_on_failure
from tests.ledger.test_cli import ROOT, STUDY


def test_what_was_made_last_goes_first() -> None:
    """Of blocks within one another the outermost decides."""
    undone: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _two_and_fail(undone)
    assert undone == ["two", "one"]


def test_what_is_whole_stays() -> None:
    """And outside of a block nothing is kept to be undone."""
    undone: list[str] = []
    with undone_on_failure():
        made("one", lambda: undone.append("one"))
    made("two", lambda: undone.append("two"))
    with pytest.raises(KeyboardInterrupt), undone_on_failure():
        raise KeyboardInterrupt
    assert undone == []


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    """Also where the error is told as one of the directory; the others go all the same."""
    undone: list[str] = []
    with pytest.raises(StoreError) as caught:
        _fill(tmp_path / "new", undone)
    assert caught.value.__notes__ == ["left behind: schema two; it could not be removed (STORE_IO)"]
    assert undone == ["one"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("stopped_by", "code"),
    [
        (StoreError("STORE_FULL", "no room is left"), 3),
        (OSError("no room is left"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=["refused", "the system", "Ctrl-C"],
)
def test_a_command_tells_what_is_left(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stopped_by: BaseException,
    code: int,
) -> None:
    """Beside the error, on standard error: nobody looks for a schema that nobody named."""

    def create(*_: object, **__: object) -> None:
        made("schema one", _gone)
        raise stopped_by

    monkeypatch.setattr("ledger.cli.opening.create", create)
    assert run(["init", str(tmp_path / "new"), *STUDY, *ROOT, "--plain-keys"]) == code
    told = capsys.readouterr().err
    assert told.endswith("\nleft behind: schema one; it could not be removed (STORE_IO)\n")
    assert "nothing is half-written" not in told
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("broken_by", "why"), [(OSError("the network"), "OSError"), (ValueError("what else"), "ValueError")]
)
def test_the_others_go_whatever_hinders_one(broken_by: Exception, why: str) -> None:
    """And the error stays the one that it all began with."""
    undone: list[str] = []
    with pytest.raises(StoreError, match="no room is left") as caught:
        _three_and_fail(undone, broken_by)
    assert undone == ["three", "one"]
    assert caught.value.__notes__ == [f"left behind: two; it could not be removed ({why})"]


def test_who_is_interrupted_meanwhile_is_told_of_all_that_is_left() -> None:
    """Removing may wait for a server: a second Ctrl-C ends that, and names what it was waiting for."""
    undone: list[str] = []
    with pytest.raises(StoreError, match="no room is left") as caught:
        _three_and_fail(undone, KeyboardInterrupt())
    assert undone == ["three"]
    assert caught.value.__notes__ == [
        "left behind: two; removing it was interrupted",
        "left behind: one; removing it was interrupted",
    ]


def _three_and_fail(undone: list[str], broken_by: BaseException) -> None:
    with undone_on_failure():
        made("one", lambda: undone.append("one"))
        made("two", partial(_fail, broken_by))
        made("three", lambda: undone.append("three"))
        raise StoreError("STORE_FULL", "no room is left")


def _two_and_fail(undone: list[str]) -> None:
    with undone_on_failure():
        made("one", lambda: undone.append("one"))
        with suppress(LedgerError), undone_on_failure():
            made("two", lambda: undone.append("two"))
            raise StoreError("STORE_FULL", "no room is left")
        assert undone == []
        raise KeyboardInterrupt


def _fill(place: Path, undone: list[str]) -> None:
    with new_directory(place):
        made("schema one", lambda: undone.append("one"))
        made("schema two", _gone)
        raise StoreError("STORE_FULL", "no room is left")


def _gone() -> None:
    raise StoreError("STORE_IO", "the server is gone")


def _fail(error: BaseException) -> None:
    raise error
