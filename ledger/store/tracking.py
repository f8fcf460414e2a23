"""How far each projection has read: the `eventsourcing` tracking recorder over one SQLite file.

The position and what was derived from the log up to it are written in one transaction, so that every event is
counted exactly once whatever fails. A page of a thousand events needs one position at its end.

    with tracking.transaction() as connection:
        connection.executemany("INSERT INTO …", rows)
        tracking.insert_tracking(Tracking("enrolment", index + 1))

The file is not the record: it may be deleted and rebuilt from the log. Still nothing creates itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder

from ledger.store.sqlite import BUSY_TIMEOUT_S
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

APPLICATION_ID: Final = 0x544C4750
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a file of projections",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="tracking.sql",
    write_ahead=True,
)

_MOVE = """
INSERT INTO tracking (projection, notification_id) VALUES (?, ?)
ON CONFLICT (projection) DO UPDATE SET notification_id = excluded.notification_id
WHERE tracking.notification_id < excluded.notification_id
RETURNING notification_id
"""


class LedgerTrackingRecorder(TrackingRecorder):
    """Positions of projections, with one connection that one thread at a time holds."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over an open connection; use `create` or `open`."""
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def create(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Make a new, empty file.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, FORM, busy_timeout_s)
        return cls.open(path, busy_timeout_s=busy_timeout_s)

    @classmethod
    def open(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        connection = open_file(path, FORM, busy_timeout_s)
        return cls(path, connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a write transaction: committed at the end, rolled back on an error.

        Inside another transaction of the same thread it is a part of that one.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO; also for a failing statement of the caller.
        """
        with self._lock:
            connection = self._connection
            if connection.in_transaction:
                yield connection
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise translate(error) from error
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move a projection's position forward, in the caller's transaction where there is one.

        Raises:
            IntegrityError: the position is at, or past, the given one; another runner was here.
        """
        with self.transaction() as connection:
            moved = connection.execute(
                _MOVE, (tracking.application_name, tracking.notification_id)
            ).fetchall()
            if not moved:
                raise IntegrityError(f"expected a position below {tracking.notification_id}")

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the notification id up to which a projection has read: log index + 1."""
        with self._lock:
            try:
                row = self._connection.execute(
                    "SELECT notification_id FROM tracking WHERE projection = ?", (application_name,)
                ).fetchone()
            except sqlite3.Error as error:
                raise translate(error) from error
        return None if row is None else row[0]

    def positions(self) -> dict[str, int]:
        """Return how far every projection has read, by its name."""
        with self._lock:
            try:
                rows = self._connection.execute("SELECT projection, notification_id FROM tracking").fetchall()
            except sqlite3.Error as error:
                raise translate(error) from error
        return dict(rows)

    def forget(self, application_name: str) -> None:
        """Forget a projection's position, so that it is built from the start."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM tracking WHERE projection = ?", (application_name,))

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()
