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
from collections.abc import Iterator
from typing import Final

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder

from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

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


class LedgerTrackingRecorder(SmallFile, TrackingRecorder):
    """Positions of projections, with one connection that one thread at a time holds."""

    form = FORM

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a write transaction: committed at the end, rolled back on an error.

        Inside another transaction of the same thread it is a part of that one.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO; also for a failing statement of the caller.
        """
        with self._held() as connection:
            if connection.in_transaction:
                yield connection
            else:
                with self.writing():
                    yield connection

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
        query = "SELECT notification_id FROM tracking WHERE projection = ?"
        for (position,) in self.read(query, (application_name,)):
            return int(position)
        return None

    def positions(self) -> dict[str, int]:
        """Return how far every projection has read, by its name."""
        return dict(self.read("SELECT projection, notification_id FROM tracking"))

    def forget(self, application_name: str) -> None:
        """Forget a projection's position, so that it is built from the start."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM tracking WHERE projection = ?", (application_name,))
