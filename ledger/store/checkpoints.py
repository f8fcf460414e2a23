"""Published checkpoints, kept apart from the events: what was shown to the world is never shown differently.

A checkpoint is published only by compare-and-swap: whoever publishes names the size that was the newest, and
is refused when it no longer is. So no two notes are ever published for one size, and a log whose database was
put back to an older copy finds here what it had promised (record-format.md §5).

It is small, written at most once a second, and is meant to lie on other storage than the events: a file
here, or a schema of another PostgreSQL cluster (`postgres_checkpoints`).
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final, Self

from ledger.errors import ConflictError
from ledger.store.sqlite import BUSY_TIMEOUT_S
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

APPLICATION_ID: Final = 0x544C4743
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a checkpoint store",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="checkpoints.sql",
    write_ahead=False,
)


class CheckpointStore:
    """The compare-and-swap store of published checkpoints in one SQLite file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over an open connection; use `create` or `open`."""
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Make a new, empty store.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, FORM, busy_timeout_s)
        return cls.open(path, busy_timeout_s=busy_timeout_s)

    @classmethod
    def open(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open an existing store.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        connection = open_file(path, FORM, busy_timeout_s)
        return cls(path, connection)

    def latest(self) -> tuple[int, bytes] | None:
        """Return size and note of the newest published checkpoint."""
        return self._one("SELECT size, note FROM checkpoints ORDER BY previous DESC LIMIT 1", ())

    def newest_within(self, size: int) -> tuple[int, bytes] | None:
        """Return size and note of the newest published checkpoint of at most `size`."""
        return self._one(
            "SELECT size, note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1", (size,)
        )

    def get(self, size: int) -> bytes | None:
        """Return the note published for exactly `size`."""
        found = self._one("SELECT size, note FROM checkpoints WHERE size = ?", (size,))
        return None if found is None else found[1]

    def publish(self, note: bytes, size: int, expected_previous_size: int | None) -> None:
        """Publish a checkpoint after the one of `expected_previous_size`; None or 0 where there is none yet.

        Raises:
            ConflictError: CHECKPOINT_CONFLICT when the newest published one is another, or not smaller.
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO.
        """
        previous = expected_previous_size or 0
        if size <= previous:
            raise ConflictError("CHECKPOINT_CONFLICT", f"expected a size above {previous}, got {size}")
        self._put(previous, size, note)

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()

    def _put(self, previous: int, size: int, note: bytes) -> None:
        with self._lock:
            try:
                self._connection.execute(
                    "INSERT INTO checkpoints (previous, size, note) VALUES (?, ?, ?)", (previous, size, note)
                )
            except sqlite3.IntegrityError as error:
                raise conflict(previous) from error
            except sqlite3.Error as error:
                raise translate(error) from error

    def _one(self, query: str, parameters: tuple[int, ...]) -> tuple[int, bytes] | None:
        with self._lock:
            try:
                row = self._connection.execute(query, parameters).fetchone()
            except sqlite3.Error as error:
                raise translate(error) from error
        return None if row is None else (row[0], row[1])


def conflict(previous: int) -> ConflictError:
    """Return the error of who named another size than the newest."""
    return ConflictError(
        "CHECKPOINT_CONFLICT", f"expected {previous} to be the newest published size; it is not"
    )
