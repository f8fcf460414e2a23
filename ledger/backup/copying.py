"""Copy files while others write to them: SQLite's through its online backup, the rest byte by byte.

A copy is one moment of its file: the whole of it is copied in one read transaction, so a commit is in it or
not. Writers of a file in write-ahead mode go on meanwhile; those of the small files wait for milliseconds.

Events and data keys that lie in PostgreSQL become SQLite files of the same form, the events out of one
REPEATABLE READ transaction, so that whatever a backup was taken of, it is tried and put back the same way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, StoreError
from ledger.new_file import unwritable
from ledger.store.moving import move_log
from ledger.store.port import Head, Store
from ledger.store.sqlite import SqliteStore
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import claim
from ledger.store.wrapped_keys import KeyFile, WrappedKeys

BUSY_TIMEOUT_S: Final = 5.0


def copy_log(store: Store, target: Path) -> Head:
    """Copy a log as it is at one moment to a new SQLite file, durably; return the head that the copy has.

    Raises:
        StoreError: as `copy_database`; STORE_CORRUPT for a log in PostgreSQL that has a gap.
        ConflictError: HEAD_STALE, DUPLICATE for one whose order is broken.
    """
    if isinstance(store, SqliteStore):
        copy_database(store.path, target)
    else:
        with _named(target), closing(SqliteStore.create(target)) as made:
            move_log(store, made, at_once=False)
        sync(target)
    with closing(open_log(target)) as copied:
        return copied.head()


def open_log(path: Path) -> SqliteStore:
    """Open the copy of a log.

    Raises:
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
    """
    return SqliteStore.open(path)


def copy_keys(keys: WrappedKeys, target: Path) -> None:
    """Copy wrapped data keys as they are at one moment to a new SQLite file, durably.

    Raises:
        StoreError: as `copy_database`.
    """
    if isinstance(keys, KeyFile):
        copy_database(keys.path, target)
    else:
        with _named(target):
            KeyFile.make(target, keys.check(), keys.rows())
        sync(target)


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file as it is at one moment to a new file, durably.

    Raises:
        StoreError: STORE_MISSING, STORE_EXISTS, STORE_CORRUPT, STORE_BUSY, STORE_FULL, STORE_IO.
    """
    if not source.is_file():
        raise StoreError("STORE_MISSING", f"expected {source.name}, found no such file")
    claim(target)
    try:
        with (
            closing(
                sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
            ) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written, pages=-1)
    except sqlite3.Error as error:
        raise _not_copied(target, translate(error)) from error
    sync(target)


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Have an error of the medium name the file that is written."""
    try:
        yield
    except StoreError as error:
        if error.code in ("STORE_FULL", "STORE_IO"):
            raise _not_copied(target, error) from error
        raise


def _not_copied(target: Path, error: LedgerError) -> StoreError:
    return StoreError(error.code, f"{target.name} can't be copied: {error.message}")


def copy_bytes(source: Path, target: Path) -> None:
    """Copy a small file that nobody writes to, durably, for its owner alone.

    Raises:
        StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_IO.
    """
    write_bytes(target, source.read_bytes())


def write_bytes(target: Path, data: bytes) -> None:
    """Write a new file, durably, for its owner alone.

    Raises:
        StoreError: as `copy_bytes`.
    """
    claim(target)
    try:
        with target.open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(target, error) from error


def sync(path: Path) -> None:
    """Make a file's bytes durable."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
