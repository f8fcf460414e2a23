"""The queue of emergency unblindings: one small file beside the log, written when the log can't be.

What is put in is durable when `put` returns (`synchronous=FULL`, no write-ahead log). Rows keep their order;
each is sealed by the caller, so that the file tells nothing but how many wait.

Left out on purpose: what a row says, and when it enters the log (`ledger.unblinding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

FORM: Final = FileFormat(
    what="a queue of unblindings",
    application_id=0x544C4755,
    version=1,
    script="unblindings.sql",
    write_ahead=False,
)
_ALL: Final = "SELECT event, nonce, ciphertext FROM waiting ORDER BY position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One statement that waits, by its event hash, and its sealed submission."""

    event: str
    nonce: bytes
    ciphertext: bytes


class UnblindingQueue(SmallFile):
    """The queue in one SQLite file; threads and processes may share it."""

    form = FORM

    def waiting(self) -> tuple[Waiting, ...]:
        """Return what waits, in order.

        Raises:
            StoreError: STORE_BUSY, STORE_IO, STORE_CORRUPT.
        """
        return _waiting(self.read(_ALL))

    def put(self, make: Callable[[Sequence[Waiting]], Waiting]) -> Waiting:
        """Add one at the end; `make` is called under the file's write lock with what waits already.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO. Nothing was added then.
        """
        with self.writing() as connection:
            added = make(_waiting(connection.execute(_ALL).fetchall()))
            connection.execute(
                "INSERT INTO waiting (event, nonce, ciphertext) VALUES (?, ?, ?)",
                (added.event, added.nonce, added.ciphertext),
            )
        return added

    def replace(self, event: str, by: Waiting) -> None:
        """Put another statement in the place of one that waits.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO.
        """
        self.change(
            "UPDATE waiting SET event = ?, nonce = ?, ciphertext = ? WHERE event = ?",
            (by.event, by.nonce, by.ciphertext, event),
        )

    def remove(self, event: str) -> None:
        """Take one away that the log has.

        Raises:
            StoreError: STORE_BUSY, STORE_IO.
        """
        self.change("DELETE FROM waiting WHERE event = ?", (event,))


def _waiting(rows: Iterable[tuple[str, bytes, bytes]]) -> tuple[Waiting, ...]:
    return tuple(Waiting(event=event, nonce=nonce, ciphertext=text) for event, nonce, text in rows)
