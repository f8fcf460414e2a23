"""Fill a new directory: with all that belongs in it, or leave the place as it was.

    with new_directory(directory):      # that it is not empty is found before anything
        …

One within another is one directory: what goes wrong in either leaves nothing. Schemas of PostgreSQL that were
made meanwhile, which lie elsewhere, go with it (`ledger.undoing`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from ledger.errors import StoreError
from ledger.new_file import unwritable
from ledger.undoing import undone_on_failure

_OF_THE_MEDIUM: Final = frozenset({"STORE_FULL", "STORE_IO"})
_held: Final[ContextVar[frozenset[Path]]] = ContextVar("held", default=frozenset())


@contextmanager
def new_directory(directory: Path, *, what: str = "a ledger", code: str = "LEDGER_EXISTS") -> Iterator[None]:
    """Make a directory, or take one that is empty; what was made in it goes again where something fails.

    Raises:
        StoreError: `code` where something is there already, `STORE_IO` where the place can't be written.
    """
    missing = _missing(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(code, "a file stands where the directory should be") from error
    except OSError as error:
        raise unwritable(directory, error) from error
    with alone_in(directory, code):
        if any(directory.iterdir()):
            name = directory.resolve().name
            raise StoreError(code, f"{name} is not empty; {what} is made in a new directory")
        with _undone(directory, missing):
            yield


@contextmanager
def alone_in(directory: Path, code: str) -> Iterator[None]:
    """Keep other commands from filling the same directory: one that fails would take away what is another's.

    Raises:
        StoreError: `code` where another command fills it, `STORE_IO` where it can't be read.
    """
    place, held = directory.resolve(), _held.get()
    if place in held:
        yield
        return
    try:
        handle = os.open(place, os.O_RDONLY)
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        with suppress(OSError):  # there are file systems without locks
            _lock(handle, StoreError(code, f"another command is filling {place.name}"))
        token = _held.set(held | {place})
        try:
            yield
        finally:
            _held.reset(token)
    finally:
        os.close(handle)


def _lock(handle: int, taken: StoreError) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise taken from None


@contextmanager
def _undone(directory: Path, missing: list[Path]) -> Iterator[None]:
    """Take away what was made in the block, where the block fails, and say so in one line."""
    try:
        with undone_on_failure():
            yield
    except BaseException as error:
        _undo(directory, missing)
        if isinstance(error, OSError):
            raise _noting(unwritable(_named(error, directory), error), error) from error
        if isinstance(error, StoreError) and error.code in _OF_THE_MEDIUM and "can't be" not in error.message:
            again = StoreError(error.code, f"{directory.name} can't be made: {error.message}")
            raise _noting(again, error) from error
        raise


def _noting(error: StoreError, before: BaseException) -> StoreError:
    """Keep the notes of an error that another one takes the place of."""
    for note in getattr(before, "__notes__", ()):
        error.add_note(note)
    return error


def _missing(directory: Path) -> list[Path]:
    """Return the directories that have to be made, the innermost first."""
    return [each for each in (directory, *directory.parents) if not each.exists() and not each.is_symlink()]


def _undo(directory: Path, made: list[Path]) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):  # where somebody else put something there meanwhile, it stays
        for each in made:
            each.rmdir()


def _named(error: OSError, directory: Path) -> Path:
    return Path(error.filename) if isinstance(error.filename, str) else directory
