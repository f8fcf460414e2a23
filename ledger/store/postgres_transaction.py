"""One write transaction of the PostgreSQL store: what is asked and added while the write lock is held."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

import psycopg

from ledger.earlier import Earlier
from ledger.errors import StoreError
from ledger.store.port import Commit, Slot
from ledger.store.postgres_append import columns, send
from ledger.store.postgres_connections import QUERIES, select
from ledger.store.postgres_errors import translate
from ledger.store.postgres_wire import Step, Wire
from ledger.store.rows import Row, RowReads, slot_rows

_ID: Final = re.compile(r"[0-9A-Za-z-]+")  # what needs no quotes in an array; others are asked for one by one


class Writing(Protocol):
    """What a transaction wants of its store."""

    earlier: Earlier
    told: list[Step]

    def begin(self, ids: Sequence[str]) -> tuple[Wire, list[Row], dict[str, int]]:
        """Take the write lock; return the connection that has it, the newest head, and the ids' indexes."""

    def end(self, wire: Wire, *, commit: bool, sent: bool) -> None:
        """Commit or roll back, and give the lock back; with `sent` the COMMIT is on its way already."""


class PostgresTransaction(RowReads):
    """A held write lock. Made by `PostgresStore.write`, used once, by one thread."""

    __slots__ = (
        *("_asked", "_failed", "_found", "_heads", "_ids", "_sent", "_store", "_wire"),
        *("_written", "earlier"),
    )

    def __init__(self, store: Writing, ids: Sequence[str]) -> None:
        self._store = store
        self.earlier = store.earlier
        self._ids = [each for each in ids if _ID.fullmatch(each)]
        self._asked = frozenset(self._ids)
        self._wire: Wire | None = None
        self._heads: list[Row] | None = None
        self._found: dict[str, int] = {}
        self._written = self._failed = self._sent = False

    def __enter__(self) -> Self:
        self._wire, self._heads, self._found = self._store.begin(self._ids)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            commit = self._sent or (error is None and self._written and not self._failed)
            self._store.end(wire, commit=commit, sent=self._sent)

    def append(self, commit: Commit, *, last: bool = False) -> None:
        def send_all(wire: Wire) -> int:
            send(wire, commit, last=last, after=self._store.told)
            self._sent = last
            return len(commit.events) if last else len(wire.hear())

        self._change(send_all)

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        digest = hashlib.sha256(data).digest()
        if digest.hex() != sha256:
            raise StoreError("STORE_CORRUPT", f"expected bytes of {sha256}, got bytes of {digest.hex()}")
        if not self._rows("attachment_exists", (digest,)):
            self._write([("insert_attachment", columns([(digest, media_type, data)]))])

    def put_slots(self, slots: Sequence[Slot]) -> None:
        self._write([(name, columns(rows)) for name, rows in slot_rows(slots) if rows])

    def erase(self, name: str, rows: Sequence[Row]) -> int:
        """Zero the rows that a named statement finds; return how many there were."""
        return self._write([(name, columns(rows))]) if rows else 0

    def index_of_id(self, statement_id: str) -> int | None:
        if statement_id in self._asked:
            return self._found.get(statement_id)
        return super().index_of_id(statement_id)

    def ids_taken(self, statement_ids: Sequence[str]) -> set[str]:
        if self._asked.issuperset(statement_ids):
            return self._found.keys() & set(statement_ids)
        return super().ids_taken(statement_ids)

    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        if self._wire is None or self._sent:
            raise StoreError("STORE_CLOSED", "the write transaction is over")
        if name == "head" and self._heads is not None:
            return self._heads  # came with the lock, and nobody else has changed it since
        return select(self._wire.connection, name, parameters)

    def _write(self, statements: Sequence[tuple[str, Sequence[object]]]) -> int:
        """Run named statements with the columns of their rows; return how many rows the last one changed."""

        def run(wire: Wire) -> int:
            changed = 0
            for name, values in statements:
                changed = wire.connection.execute(QUERIES[name], values, prepare=True).rowcount
            return changed

        return self._change(run)

    def _change(self, change: Callable[[Wire], int]) -> int:
        """Change something over the connection that has the lock; return how many rows it was."""
        wire = self._wire
        if wire is None or self._failed or self._sent:
            raise StoreError("STORE_CLOSED", "the write transaction is over")
        self._heads = None
        self._asked = frozenset()
        try:
            changed = change(wire)
        except BaseException as error:
            # The server has given the transaction up already; nothing more may be asked of it.
            self._failed = True
            if isinstance(error, psycopg.Error):
                raise translate(error) from None
            raise
        self._written = True
        return changed
