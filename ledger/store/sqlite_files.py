"""SQLite files of the project: how one comes into being, is opened, and is known for what it is.

Nothing creates itself. A new file is claimed first, so that two processes never make the same one; a file
that exists is opened only as what its application id and version say.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import StoreError
from ledger.store.sql import HERE, script
from ledger.store.sqlite_errors import translate

BUSY_TIMEOUT_S: Final = 5.0
OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables
_CACHE_KIB: Final = 32 * 1024
_LOG_PAGES: Final = 4_000
"""Pages of the write-ahead log before they are put in place, 16 MB: the more, the fewer are written twice."""
_PAGE_BYTES: Final = 4_096
_SPARE: Final = 10  # times its length are free where the log is made longer ahead
_SETTINGS: Final = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "recursive_triggers = ON",
    "secure_delete = ON",
    "trusted_schema = OFF",
    f"cache_size = -{_CACHE_KIB}",
    f"wal_autocheckpoint = {_LOG_PAGES}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """One kind of SQLite file: what it is called, how it is known, and the script that makes its tables."""

    what: str
    application_id: int
    version: int
    script: str
    write_ahead: bool
    package: str = HERE


def make_file(
    path: Path,
    form: FileFormat,
    busy_timeout_s: float,
    fill: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> None:
    """Make a new file of a kind, with what `fill` puts into its tables, whole or not at all.

    Raises:
        StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
    """
    claim(path)
    try:
        with contextlib.closing(connect(path, busy_timeout_s)) as connection:
            if form.write_ahead:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN IMMEDIATE;\n{script(form.script, form.package)}\n")
            fill(connection)
            connection.execute("COMMIT")
        sync_directory(path.parent)
    except sqlite3.Error as error:
        path.unlink(missing_ok=True)
        raise translate(error) from error


def open_file(
    path: Path,
    form: FileFormat,
    busy_timeout_s: float,
    check: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> sqlite3.Connection:
    """Open an existing file of a kind, and let `check` look at it before anyone relies on it.

    Raises:
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
    """
    if not path.is_file():
        raise StoreError("STORE_MISSING", f"expected {form.what}, found no such file")
    try:
        connection = connect(path, busy_timeout_s)
        try:
            check_format(connection, form.application_id, form.version)
            check(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise translate(error) from error
    return connection


def claim(path: Path) -> None:
    """Make an empty file that only its owner can read, and that was not there before.

    Raises:
        StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_IO.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        raise StoreError("STORE_EXISTS", "expected no file, found one") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError("STORE_MISSING", "expected a directory for the store, found none") from error
    except OSError as error:
        raise StoreError("STORE_IO", f"the store's file cannot be made: error {error.errno}") from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a connection to an existing file with every setting that the schema relies on."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError("STORE_VERSION", f"expected SQLite 3.37 or newer, found {sqlite3.sqlite_version}")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,  # transactions begin and end where the code says so
        check_same_thread=False,  # the write lock and the pool give a connection to one thread at a time
        timeout=busy_timeout_s,
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:  # a file that is no database tells it only now
        connection.close()
        raise
    return connection


def make_room(path: Path, busy_timeout_s: float) -> None:
    """Let the write-ahead log have its whole length before it is needed.

    To sync a file that grows takes twice as long as one that is overwritten: the file system then has its own
    journal to write. So pages are written into the log by a transaction that is rolled back; with hardly any
    cache they go there at once, without a commit mark, and whoever commits next writes over them. On a disk
    that is nearly full nothing is done.

    Raises:
        sqlite3.Error, OSError: another process writes, or the disk does not; the log is as good as it was.
    """
    length = _LOG_PAGES * _PAGE_BYTES
    if shutil.disk_usage(path.parent).free < _SPARE * length:
        return
    with contextlib.closing(connect(path, busy_timeout_s)) as connection:
        connection.execute("PRAGMA cache_size = 10")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO attachments (sha256, media_type, data) VALUES (zeroblob(32), '', zeroblob(?))",
            (length,),
        )
        connection.execute("ROLLBACK")


def check_format(connection: sqlite3.Connection, application_id: int, version: int) -> None:
    """Check that a file is what it is taken for.

    Raises:
        StoreError: STORE_CORRUPT for another kind of file, STORE_VERSION for another version of its tables.
    """
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found != application_id:
        raise StoreError("STORE_CORRUPT", f"expected application id {application_id}, found {found}")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != version:
        raise StoreError("STORE_VERSION", f"expected version {version} of the tables, found {found}")
