"""A small SQLite file beside the log: one connection, made, opened, read, written and closed in one way.

    class Notes(SmallFile):
        form = FileFormat(what="a file of notes", …)

    with Notes.create(path) as notes, notes.writing() as connection:
        connection.execute("INSERT …")

Each kind of file adds what it keeps. Every failure of the database leaves as an error of the store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self

from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import BUSY_TIMEOUT_S, FileFormat, make_file, open_file


class SmallFile:
    """One file of a kind; threads share its connection, one at a time, and processes the file."""

    form: ClassVar[FileFormat]

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        self.path = path
        self._lock = threading.RLock()
        self._connection = open_file(path, self.form, busy_timeout_s)

    @classmethod
    def create(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Make a new, empty file.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, cls.form, busy_timeout_s)
        return cls(path, busy_timeout_s=busy_timeout_s)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            StoreError: STORE_BUSY, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
        """
        with self._held() as connection:
            return connection.execute(query, parameters).fetchall()

    def change(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement that changes something, durably when it returns.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
            ConflictError: DUPLICATE.
        """
        with self._held() as connection:
            connection.execute(statement, parameters)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file's write lock; commit at the end, or undo everything on an error.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
            ConflictError: DUPLICATE.
        """
        with self._held() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first failure is the one to tell
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise translate(error) from error
