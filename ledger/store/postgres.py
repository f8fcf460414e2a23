"""The PostgreSQL store: one schema of a database, every commit on disk before it is answered.

Crash story, in the order of the code. An advisory lock of the transaction is the write lock, so the head
that is read next stays the newest until the end; both come in one exchange with the server. The rows of a
commit and its `COMMIT` go out in another, and nothing is believed of them before the answer: `COMMIT` syncs
the server's own log (synchronous_commit; a synchronous standby's where there is one) before it answers. A
process that dies before that leaves a transaction that the server takes back; one that dies after it has
committed, whether or not anybody heard. Whoever then asks under the write lock learns which: the lock is
given back only when the transaction has come to its end.

One connection writes, under a lock; reads borrow connections from a pool, so that threads read while another
writes. Several processes may write to one schema. Nothing creates itself. The role that writes can add rows
and zero what is erasable, nothing else; another role owns the tables and applies migrations.

Erasing zeroes rows and then rewrites the table, as an update leaves the old row version behind. The server's
own log, its archive and base backups hold the old bytes until they are recycled: they are backups, and are
named so.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Final, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from ledger.earlier import Earlier
from ledger.errors import StoreError
from ledger.store.port import Slot
from ledger.store.postgres_append import COMMIT
from ledger.store.postgres_connections import (
    QUERIES,
    Connection,
    check_idle,
    check_role,
    check_server,
    connect_writer,
    lock_statement,
    reader_pool,
    select,
)
from ledger.store.postgres_erasing import clear, rewrite
from ledger.store.postgres_errors import translate
from ledger.store.postgres_migrations import create_schema, migrate, missing
from ledger.store.postgres_news import News, channel
from ledger.store.postgres_transaction import PostgresTransaction
from ledger.store.postgres_wire import Step, Wire, rows_of
from ledger.store.rows import Row, RowReads, digest_bytes
from ledger.store.urls import SchemaUrl, parse_schema_url

__all__ = ["PostgresStore", "migrate"]

BUSY_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.02  # how soon another process's commit is seen while no news is heard
HEARING_POLL_S: Final = 0.5  # and while it is
_BEGIN: Final = "begin"
_LOCK: Final = "lock"
_NOTIFY: Final = "notify"
_PREPARED: Final = (
    *("head", "indexes_of_ids", "insert_stream", "insert_event", "insert_tile_hash"),
    *("insert_guard", "insert_disclosure", "insert_head"),
)


class PostgresSnapshot(RowReads):
    """Reads of one connection inside one read transaction."""

    __slots__ = ("_connection", "earlier", "size")

    def __init__(self, connection: Connection, earlier: Earlier) -> None:
        self._connection = connection
        self.earlier = earlier
        self.size: int = self._first("size", ()) or 0  # the first read fixes what all others see

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        return select(self._connection, name, parameters)


class PostgresStore(RowReads):
    """A ledger's storage in one schema of a PostgreSQL database."""

    def __init__(self, url: SchemaUrl, writer: Connection, lock: int, busy_timeout_s: float) -> None:
        """Take over an open writer connection; use `create` or `open`."""
        self.schema = url.schema
        self._url = url
        self._writer = writer
        notify = sql.SQL("NOTIFY {}").format(channel(url.schema)).as_string()
        self._statements = {
            **{name: QUERIES[name] for name in _PREPARED},
            _BEGIN: "BEGIN ISOLATION LEVEL READ COMMITTED",
            _LOCK: lock_statement(lock),
            COMMIT: "COMMIT",
            _NOTIFY: notify,
        }
        self.told: list[Step] = [(_NOTIFY, ())]
        self._wire = Wire(writer, self._statements)
        self._busy_timeout_s = busy_timeout_s
        self._write_lock = threading.Lock()
        self._readers: ConnectionPool[Connection] = reader_pool(url)
        # From Python 3.13 on a pool that nobody closed keeps its process from ending.
        self._close_readers = weakref.finalize(self, self._readers.close)
        self._news = News(url)
        self._closed = False

    @classmethod
    def create(cls, url: str, owner: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Make a new, empty store as its owner, in which the role of `url` writes.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_EXISTS, STORE_MISSING for the role, STORE_ROLE, STORE_VERSION, STORE_FULL,
                STORE_IO.
        """
        create_schema(parse_schema_url(url), parse_schema_url(owner))
        return cls.open(url, busy_timeout_s=busy_timeout_s)

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open an existing store.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
        """
        place = parse_schema_url(url)
        connection = connect_writer(place, busy_timeout_s)
        try:
            lock = check_server(connection, place.schema)
            pending = missing(connection)
            if pending:
                raise StoreError("STORE_VERSION", f"expected {pending[0].name} to be applied: migrate first")
            check_role(connection, place.schema)
            _check_sizes(connection)
        except BaseException:
            connection.close()
            raise
        return cls(place, connection, lock, busy_timeout_s)

    def write(self, ids: Sequence[str] = ()) -> PostgresTransaction:
        return PostgresTransaction(self, ids)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        with self._reader() as connection:
            _run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield PostgresSnapshot(connection, self.earlier)
            finally:
                _roll_back(connection)

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        with self.write() as transaction:
            transaction.put_attachment(sha256, media_type, data)

    def put_slots(self, slots: Sequence[Slot]) -> None:
        with self.write() as transaction:
            transaction.put_slots(slots)

    def delete_disclosures(self, event: str, paths: Sequence[str]) -> int:
        digest = digest_bytes(event)
        return self._erase("disclosures", "erase_disclosure", [(digest, path) for path in paths])

    def delete_slots(self, list_name: str) -> int:
        return self._erase("slots", "erase_slots", [(list_name,)])

    def wait_for(self, size: int, timeout_s: float) -> int:
        deadline = time.monotonic() + timeout_s
        while True:
            heard = self._news.count()
            present = self._first("size", ()) or 0
            remaining = deadline - time.monotonic()
            if present >= size or remaining <= 0:
                return present
            self._news.wait(heard, min(remaining, HEARING_POLL_S if self._news.hearing else POLL_S))

    def begin(self, ids: Sequence[str]) -> tuple[Wire, list[Row], dict[str, int]]:
        """Take the write lock; return the connection that has it, the newest head, and the ids' indexes.

        All in one exchange with the server. Each statement sees what was committed before it began, so the
        head is the one under the lock.
        """
        if not self._write_lock.acquire(timeout=self._busy_timeout_s):
            raise StoreError("STORE_BUSY", "another writer holds the store")
        try:
            wire = self._live_wire()
            steps: list[Step] = [(_BEGIN, ()), (_LOCK, ()), ("head", ())]
            if ids:
                steps.append(("indexes_of_ids", ["{" + ",".join(ids) + "}"]))
            wire.send(steps)
            answers = wire.hear()
        except BaseException as error:
            self._wire.roll_back()
            self._write_lock.release()
            if isinstance(error, psycopg.Error):
                raise translate(error) from None
            raise
        heads = [(_int(size), *rest) for size, *rest in rows_of(answers[2])]
        found = {name.decode(): _int(index) for name, index in rows_of(answers[3])} if ids else {}
        return wire, heads, found

    def end(self, wire: Wire, *, commit: bool, sent: bool) -> None:
        try:
            if commit:
                self._commit(wire, sent=sent)
            else:
                wire.roll_back()
        except BaseException:
            wire.roll_back()
            raise
        finally:
            self._write_lock.release()
        if commit:
            self._news.tell()

    def close(self) -> None:
        with self._write_lock:
            if self._closed:
                return
            self._closed = True
            self.earlier.close()
            self._news.close()
            self._close_readers()
            self._writer.close()

    def _live_wire(self) -> Wire:
        """Return the connection that writes, a new one where the server has ended it."""
        if self._closed:
            raise StoreError("STORE_CLOSED", "the store was closed")
        try:
            self._wire.hear_out()
            check_idle(self._writer)
        except psycopg.Error:
            self._writer.close()
            self._writer = connect_writer(self._url, self._busy_timeout_s)
            self._wire = Wire(self._writer, self._statements)
        return self._wire

    def _commit(self, wire: Wire, *, sent: bool) -> None:
        """Hear whether the commit is durable, having sent it unless that was done; and tell of it."""
        warnings: list[str] = []
        notice = lambda diagnostic: warnings.append(diagnostic.sqlstate or "")  # noqa: E731
        wire.connection.add_notice_handler(notice)
        try:
            if not sent:
                wire.send([(COMMIT, ())], self.told)
            committed = wire.hear()[-1]
            with contextlib.suppress(psycopg.Error):  # news that can't be told is no failure of the commit
                if not wire.has_more:
                    wire.send(self.told)
        except psycopg.Error as error:
            raise translate(error) from None
        finally:
            wire.connection.remove_notice_handler(notice)
        if committed.command_status != b"COMMIT":
            raise StoreError("STORE_IO", "the database took the transaction back")
        if warnings:  # a wait for the standby that somebody cancelled: durable here alone
            raise StoreError("STORE_IO", "the commit is not known to have reached the standby")

    def _erase(self, table: LiteralString, name: str, rows: Sequence[Row]) -> int:
        with self.write() as transaction:
            erased = transaction.erase(name, rows)
        clear(lambda: self._rewrite(table), self._busy_timeout_s)
        return erased

    def _rewrite(self, table: LiteralString) -> int:
        with self._write_lock:
            return rewrite(self._live_wire().connection, table)

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._reader() as connection:
            return select(connection, name, parameters)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Connection]:
        try:
            connection = self._readers.getconn()
        except psycopg.Error as error:
            raise translate(error) from None
        try:
            yield connection
        finally:
            self._readers.putconn(connection)


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _run(connection: Connection, statement: LiteralString) -> None:
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        raise translate(error) from None


def _roll_back(connection: Connection) -> None:
    """End a transaction that is still open; a connection that can't even do that is closed."""
    if connection.closed or connection.info.transaction_status == TransactionStatus.IDLE:
        return
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _check_sizes(connection: Connection) -> None:
    size, found = select(connection, "sizes", ())[0]  # one question: somebody may be writing
    if found != size:
        raise StoreError("STORE_CORRUPT", f"expected {size} events as the head says, found {found}")
