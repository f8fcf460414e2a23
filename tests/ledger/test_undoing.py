"""What was made elsewhere goes again where the whole fails; what can't be removed is named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from ledger.cli.app import run
from ledger.errors import LedgerError, StoreError
from ledger.new_directory import new_directory
from ledger.undoing import made, undone_on_failure


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


def test_a_command_tells_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the error, on standard error."""
    monkeypatch.setattr("ledger.cli.app.build", lambda: lambda **_: _fill(tmp_path / "new", []))
    assert run([]) == 3
    assert "\nleft behind: schema two;" in capsys.readouterr().err


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
