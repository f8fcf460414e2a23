"""Write a file that somebody asked for: whole or not at all, under its own name only once it is whole.

    with new_file(out) as file:     # that there is something, or no room for a file, is found before anything
        file.write(…)

Its bytes go to `<name>.partial` beside the place, are made durable, and then get the name. Whatever goes
wrong leaves neither. An error is one line that names the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from ledger.errors import RefusedError, StoreError

PARTIAL: Final = ".partial"
CODE: Final = "STORE_IO"


@contextmanager
def new_file(out: Path, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file; one that is there is written over where `replace` says so.

    Raises:
        RefusedError: `OUT_EXISTS`.
        StoreError: `STORE_IO`.
    """
    if not replace and (out.exists() or out.is_symlink()):
        raise RefusedError("OUT_EXISTS", f"there is something at {out.name} already")
    if out.exists() and not out.is_file():  # a device or a pipe, which nothing takes the place of
        with _straight(out) as file:
            yield file
        return
    out = out.resolve()
    partial = out.with_name(out.name + PARTIAL)
    try:
        file = partial.open("wb" if replace else "xb")
    except FileExistsError as error:
        raise RefusedError("OUT_EXISTS", f"an unfinished {partial.name} lies beside the place") from error
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(out)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise unwritable(out, error) from error
        raise


@contextmanager
def _straight(out: Path) -> Iterator[IO[bytes]]:
    try:
        with out.open("wb") as file:
            yield file
    except OSError as error:
        raise unwritable(out, error) from error


def unwritable(out: Path, error: OSError) -> StoreError:
    """Say in one line that a file can't be written, and why."""
    return StoreError(CODE, f"{out.name} can't be written: {error.strerror or 'the system refused'}")
