"""The SQLite store: one file in write-ahead mode, every commit on disk before it is answered.

Crash story, in the order of the code. `BEGIN IMMEDIATE` takes the write lock of the file, so the head that is
read next stays the newest until the end. Rows of one commit go into the write-ahead log; `COMMIT` writes the
last frame and syncs it (synchronous=FULL). A process that dies before that leaves frames without a commit
mark, which the next reader skips; one that dies after it has committed, whether or not anybody heard.

One connection writes, under a lock; reads borrow connections from a pool, so that threads read while another
writes. Several processes may open one file. Nothing creates itself: `create` makes a file and refuses an
existing one, `open` refuses a missing one.

Erasing zeroes rows in place and then empties the write-ahead log, which still holds the old pages.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ledger.earlier import Earlier
from ledger.errors import StoreError
from ledger.store.port import Commit, Slot
from ledger.store.rows import Row, RowReads, Statements, commit_rows, digest_bytes, slot_rows
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, connect, make_file, make_room, open_file
from ledger.store.sqlite_reads import QUERIES, select

APPLICATION_ID: Final = 0x544C4731
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a store",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="schema.sql",
    write_ahead=True,
)
BUSY_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.01  # how soon another process's commit is seen
MANY: Final = 64
"""Who has committed so often will go on: then the write-ahead log is given its whole length at once."""


class SqliteTransaction(RowReads):
    """A held write lock. Made by `SqliteStore.write`, used once, by one thread."""

    __slots__ = ("_connection", "_failed", "_store", "_written", "earlier")

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.earlier = store.earlier
        self._connection: sqlite3.Connection | None = None
        self._written = False
        self._failed = False

    def __enter__(self) -> Self:
        self._connection = self._store._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._store._end(connection, commit=error is None and self._written and not self._failed)

    def append(self, commit: Commit, *, last: bool = False) -> None:
        self._write(commit_rows(commit))

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        digest = hashlib.sha256(data).digest()
        if digest.hex() != sha256:
            raise StoreError("STORE_CORRUPT", f"expected bytes of {sha256}, got bytes of {digest.hex()}")
        if not self._rows("attachment_exists", (digest,)):
            self._write([("insert_attachment", [(digest, media_type, data)])])

    def put_slots(self, slots: Sequence[Slot]) -> None:
        self._write(slot_rows(slots))

    def erase(self, name: str, rows: Sequence[Row]) -> int:
        """Zero the rows that a named statement finds; return how many there were."""
        return self._write([(name, rows)])

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        if self._connection is None:
            raise StoreError("STORE_CLOSED", "the write transaction is over")
        return select(self._connection, name, parameters)

    def _write(self, statements: Statements) -> int:
        """Run named statements, each for all its rows; return how many rows the last one changed."""
        connection = self._connection
        if connection is None or self._failed:
            raise StoreError("STORE_CLOSED", "the write transaction is over")
        changed = 0
        try:
            for name, rows in statements:
                changed = connection.executemany(QUERIES[name], rows).rowcount
        except BaseException as error:
            # Rows before the failing one are in the transaction: it must never be committed afterwards.
            self._failed = True
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise
        self._written = True
        return changed


class SqliteSnapshot(RowReads):
    """Reads of one connection inside one read transaction."""

    __slots__ = ("_connection", "earlier", "size")

    def __init__(self, connection: sqlite3.Connection, earlier: Earlier) -> None:
        self._connection = connection
        self.earlier = earlier
        self.size: int = self._first("size", ()) or 0  # the first read fixes what all others see

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        return select(self._connection, name, parameters)


class SqliteStore(RowReads):
    """A ledger's storage in one SQLite file."""

    def __init__(self, path: Path, writer: sqlite3.Connection, busy_timeout_s: float) -> None:
        """Take over an open writer connection; use `create` or `open`."""
        self.path = path
        self._writer = writer
        self._busy_timeout_s = busy_timeout_s
        self._write_lock = threading.Lock()
        self._readers: deque[sqlite3.Connection] = deque()
        self._committed = threading.Condition()
        self._commits = 0
        self._closed = False

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
        connection = open_file(path, FORM, busy_timeout_s, _check_sizes)
        return cls(path, connection, busy_timeout_s)

    def write(self, ids: Sequence[str] = ()) -> SqliteTransaction:
        return SqliteTransaction(self)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        with self._reader() as connection:
            connection.execute("BEGIN")
            try:
                yield SqliteSnapshot(connection, self.earlier)
            finally:
                connection.execute("ROLLBACK")

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        with self.write() as transaction:
            transaction.put_attachment(sha256, media_type, data)

    def put_slots(self, slots: Sequence[Slot]) -> None:
        with self.write() as transaction:
            transaction.put_slots(slots)

    def delete_disclosures(self, event: str, paths: Sequence[str]) -> int:
        digest = digest_bytes(event)
        return self._erase("erase_disclosure", [(digest, path) for path in paths])

    def delete_slots(self, list_name: str) -> int:
        return self._erase("erase_slots", [(list_name,)])

    def wait_for(self, size: int, timeout_s: float) -> int:
        # Commits of this process notify; those of others are found by asking. The size itself is asked for,
        # which costs no more than PRAGMA data_version and needs no connection of its own.
        deadline = time.monotonic() + timeout_s
        while True:
            with self._committed:
                present = self._first("size", ()) or 0
                remaining = deadline - time.monotonic()
                if present >= size or remaining <= 0:
                    return present
                self._committed.wait(min(remaining, POLL_S))

    def close(self) -> None:
        with self._write_lock:
            if self._closed:
                return
            self._closed = True
            self.earlier.close()
            self._close_readers()
            # Left busy by a reader in another process, the log is emptied by whoever closes last.
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._writer.close()

    def _begin(self) -> sqlite3.Connection:
        if not self._write_lock.acquire(timeout=self._busy_timeout_s):
            raise StoreError("STORE_BUSY", "another writer holds the store")
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._write_lock.release()
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise
        return self._writer

    def _end(self, connection: sqlite3.Connection, *, commit: bool) -> None:
        try:
            if commit:
                connection.execute("COMMIT")
                self._make_room()
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            # A full disk may have ended the transaction already; a failed COMMIT has not.
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            self._write_lock.release()
        if commit:
            with self._committed:
                self._committed.notify_all()

    def _make_room(self) -> None:
        self._commits += 1
        if self._commits == MANY:
            with contextlib.suppress(sqlite3.Error, OSError):  # it is for speed alone
                make_room(self.path, self._busy_timeout_s)

    def _erase(self, name: str, rows: Sequence[Row]) -> int:
        with self.write() as transaction:
            erased = transaction.erase(name, rows)
        with self._write_lock:
            try:
                busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                self._commits = 0  # the log begins anew
            except sqlite3.Error as error:
                raise translate(error) from error
        if busy:
            raise StoreError(
                "STORE_BUSY", "the values are destroyed, but an open snapshot keeps their remains"
            )
        return erased

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._reader() as connection:
            return select(connection, name, parameters)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreError("STORE_CLOSED", "the store was closed")
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._new_reader()
        try:
            yield connection
        finally:
            self._readers.append(connection)
            if self._closed:
                self._close_readers()

    def _close_readers(self) -> None:
        with contextlib.suppress(IndexError):  # another thread may take the last one
            while True:
                self._readers.pop().close()

    def _new_reader(self) -> sqlite3.Connection:
        try:
            connection = connect(self.path, self._busy_timeout_s)
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise translate(error) from error
        return connection


def _check_sizes(connection: sqlite3.Connection) -> None:
    size, found = select(connection, "sizes", ())[0]  # one question: somebody may be writing
    if found != size:
        raise StoreError("STORE_CORRUPT", f"expected {size} events as the head says, found {found}")
