"""The queue of emergency unblindings: one small file beside the log, written when the log can't be.

What is put in is durable when `put` returns (`synchronous=FULL`, no write-ahead log). Rows keep their order;
each is sealed by the caller, so that the file tells nothing but how many wait.

Left out on purpose: what a row says, and when it enters the log (`ledger.unblinding`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ledger.store.sqlite import BUSY_TIMEOUT_S
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

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


class UnblindingQueue:
    """The queue in one SQLite file; threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        self.path = path
        self._lock = threading.Lock()
        self._connection = open_file(path, FORM, BUSY_TIMEOUT_S)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new, empty file.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, FORM, BUSY_TIMEOUT_S)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def waiting(self) -> tuple[Waiting, ...]:
        """Return what waits, in order.

        Raises:
            StoreError: STORE_BUSY, STORE_IO, STORE_CORRUPT.
        """
        with self._lock:
            return self._read()

    def put(self, make: Callable[[Sequence[Waiting]], Waiting]) -> Waiting:
        """Add one at the end; `make` is called under the file's write lock with what waits already.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO. Nothing was added then.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    added = make(self._read())
                    self._connection.execute(
                        "INSERT INTO waiting (event, nonce, ciphertext) VALUES (?, ?, ?)",
                        (added.event, added.nonce, added.ciphertext),
                    )
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # the first failure is the one to tell
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise translate(error) from error
        return added

    def replace(self, event: str, by: Waiting) -> None:
        """Put another statement in the place of one that waits.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO.
        """
        self._change(
            "UPDATE waiting SET event = ?, nonce = ?, ciphertext = ? WHERE event = ?",
            (by.event, by.nonce, by.ciphertext, event),
        )

    def remove(self, event: str) -> None:
        """Take one away that the log has.

        Raises:
            StoreError: STORE_BUSY, STORE_IO.
        """
        self._change("DELETE FROM waiting WHERE event = ?", (event,))

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()

    def _change(self, query: str, parameters: tuple[str | bytes, ...]) -> None:
        with self._lock:
            try:
                self._connection.execute(query, parameters)
            except sqlite3.Error as error:
                raise translate(error) from error

    def _read(self) -> tuple[Waiting, ...]:
        try:
            rows = self._connection.execute(_ALL).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error
        return tuple(Waiting(event=event, nonce=nonce, ciphertext=text) for event, nonce, text in rows)
