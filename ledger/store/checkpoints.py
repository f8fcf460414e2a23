"""Published checkpoints, kept apart from the events: what was shown to the world is never shown differently.

A checkpoint is published only by compare-and-swap: whoever publishes names the size that was the newest, and
is refused when it no longer is. So no two notes are ever published for one size, and a log whose database was
put back to an older copy finds here what it had promised (record-format.md §5).

It is small, written at most once a second, and is meant to lie on other storage than the events: a file
here, or a schema of another PostgreSQL cluster (`postgres_checkpoints`).
"""

from __future__ import annotations

from typing import Final, Protocol

from ledger.errors import ConflictError
from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

APPLICATION_ID: Final = 0x544C4743
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a checkpoint store",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="checkpoints.sql",
    write_ahead=False,
)


class CheckpointStore(Protocol):
    """Published checkpoints, shared by threads and processes. A size is a number of entries.

    Every method raises StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
    """

    def latest(self) -> tuple[int, bytes] | None:
        """Return size and note of the newest published checkpoint."""

    def newest_within(self, size: int) -> tuple[int, bytes] | None:
        """Return size and note of the newest published checkpoint of at most `size`."""

    def get(self, size: int) -> bytes | None:
        """Return the note published for exactly `size`."""

    def publish(self, note: bytes, size: int, expected_previous_size: int | None) -> None:
        """Publish a checkpoint after the one of `expected_previous_size`; None or 0 where there is none yet.

        Raises:
            ConflictError: CHECKPOINT_CONFLICT when the newest published one is another, or not smaller.
        """

    def close(self) -> None:
        """Release it; closing twice is allowed."""


class CheckpointFile(SmallFile):
    """Published checkpoints in one SQLite file."""

    form = FORM

    def latest(self) -> tuple[int, bytes] | None:
        return self._one("SELECT size, note FROM checkpoints ORDER BY previous DESC LIMIT 1", ())

    def newest_within(self, size: int) -> tuple[int, bytes] | None:
        return self._one(
            "SELECT size, note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1", (size,)
        )

    def get(self, size: int) -> bytes | None:
        found = self._one("SELECT size, note FROM checkpoints WHERE size = ?", (size,))
        return None if found is None else found[1]

    def publish(self, note: bytes, size: int, expected_previous_size: int | None) -> None:
        previous = check_step(size, expected_previous_size)
        try:
            self.change(
                "INSERT INTO checkpoints (previous, size, note) VALUES (?, ?, ?)", (previous, size, note)
            )
        except ConflictError as error:
            raise conflict(previous) from error

    def _one(self, query: str, parameters: tuple[int, ...]) -> tuple[int, bytes] | None:
        for size, note in self.read(query, parameters):
            return size, note
        return None


def check_step(size: int, expected_previous_size: int | None) -> int:
    """Return the size to publish after, 0 for none.

    Raises:
        ConflictError: CHECKPOINT_CONFLICT for a size that is not above it.
    """
    previous = expected_previous_size or 0
    if size <= previous:
        raise ConflictError("CHECKPOINT_CONFLICT", f"expected a size above {previous}, got {size}")
    return previous


def conflict(previous: int) -> ConflictError:
    """Return the error of who named another size than the newest."""
    return ConflictError(
        "CHECKPOINT_CONFLICT", f"expected {previous} to be the newest published size; it is not"
    )
