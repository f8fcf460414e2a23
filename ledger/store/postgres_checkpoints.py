"""Published checkpoints in PostgreSQL, so that several hosts can serve one ledger: sibling of the file.

The cluster is another than the events', so that no backup holds both. Compare-and-swap is the table's: of two
who saw the same newest checkpoint one is refused, on whatever host they are.
"""

from __future__ import annotations

import threading
from typing import Self

from ledger.errors import ConflictError
from ledger.store.checkpoints import check_step, conflict
from ledger.store.postgres_migrations import CHECKPOINTS, create_schema
from ledger.store.postgres_place import Place
from ledger.store.sqlite_files import BUSY_TIMEOUT_S
from ledger.store.urls import parse_schema_url


class CheckpointSchema:
    """Published checkpoints in one schema."""

    def __init__(self, url: str, place: Place) -> None:
        """Take over an open place; use `create_at` or `open_at`."""
        self.url = url
        self._place = place
        self._lock = threading.RLock()

    @classmethod
    def create_at(cls, url: str, owner: str) -> None:
        """Make a new, empty store as its owner, to which the role of `url` publishes.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_EXISTS, STORE_MISSING for the role, STORE_ROLE, STORE_VERSION, STORE_IO.
        """
        create_schema(parse_schema_url(url), parse_schema_url(owner), CHECKPOINTS)

    @classmethod
    def open_at(cls, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open an existing store.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
        """
        return cls(url, Place(url, CHECKPOINTS, busy_timeout_s))

    def latest(self) -> tuple[int, bytes] | None:
        return self._found("newest_checkpoint")

    def newest_within(self, size: int) -> tuple[int, bytes] | None:
        return self._found("checkpoint_within", size)

    def get(self, size: int) -> bytes | None:
        found = self._found("checkpoint", size)
        return None if found is None else found[1]

    def publish(self, note: bytes, size: int, expected_previous_size: int | None) -> None:
        previous = check_step(size, expected_previous_size)
        try:
            with self._lock:
                self._place.change("insert_checkpoint", previous, size, note)
        except ConflictError:
            raise conflict(previous) from None

    def close(self) -> None:
        with self._lock:
            self._place.close()

    def _found(self, name: str, *parameters: int) -> tuple[int, bytes] | None:
        with self._lock:
            rows = self._place.rows(name, *parameters)
        return (rows[0][0], rows[0][1]) if rows else None
