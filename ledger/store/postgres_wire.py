"""Several statements in one exchange with the server: sent together, answered together.

What a commit says to the server is known before: begin, lock, newest head, ids; then rows and COMMIT. Each
of these groups is sent at once, and the server answers when it has done all of it; the first statement that
fails ends its group. Statements are prepared once for a connection.

Sending and hearing are two calls, so whoever has something to do meanwhile does it. What was sent has to be
heard before anything else is said over the connection, by this class or by the driver.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from ledger.store.postgres_connections import Connection

Value = int | str | bytes
Step = tuple[str, Sequence[Value]]
"""A prepared statement by its name, and its parameters."""
Copied = tuple[str, bytes]
"""A table with its columns, and its rows as `COPY … (FORMAT BINARY)` reads them."""

_Encoded = tuple[bytes, list[bytes], list[int]]
"""A step as libpq takes it: bytes go as they are, all else as text."""

_TEXT, _BINARY = 0, 1
_PLACE: Final = re.compile(r"%s")
_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})


class Wire:
    """The connection that writes, for whoever has the write lock. One thread at a time."""

    __slots__ = ("_copying", "_pgconn", "_poll", "_prepared", "_statements", "_syncs", "connection")

    def __init__(self, connection: Connection, statements: Mapping[str, str]) -> None:
        """Take a connection and the statements that go over it, with `%s` where a parameter stands."""
        self.connection = connection
        self._pgconn = connection.pgconn
        self._statements = statements
        self._prepared = False
        self._copying = False
        self._syncs = 0
        self._poll = select.poll()

    def ask(self, steps: Sequence[Step]) -> list[PGresult]:
        """Send statements and wait; return what each of them answered.

        Raises:
            psycopg.Error: of the first that failed; what came before it stands if it was committed.
        """
        self.send(steps)
        return self.hear()

    def send(self, *groups: Sequence[Step]) -> None:
        """Send groups of statements, each of which goes on after a failure in the one before."""
        self.hear_out()
        if not self._prepared:
            self._prepare()
        for steps in [[_encoded(step) for step in steps] for steps in groups]:
            self._send(steps)
        self._flush()

    def send_copies(self, copies: Sequence[Copied], *last: str) -> None:
        """Send rows for several tables and what follows them; return when the server has all of it.

        Raises:
            psycopg.Error: as `ask`.
        """
        self.hear_out()
        statements = [f"COPY {table} FROM STDIN (FORMAT BINARY)" for table, _ in copies]
        self._copying = True
        self._pgconn.send_query("; ".join([*statements, *last]).encode())
        self._flush()
        for _, rows in copies:
            while (result := self._next()) is not None and result.status in _DONE:
                pass  # what the table before this one took
            if result is None or result.status != ExecStatus.COPY_IN:
                self._hear_copies(result)
                raise psycopg.OperationalError("the server took no rows")
            self._put(lambda rows=rows: self._pgconn.put_copy_data(rows))  # type: ignore[misc]
            self._put(self._pgconn.put_copy_end)
            self._flush()

    def hear(self) -> list[PGresult]:
        """Wait for the answers of the group that was sent first.

        Raises:
            psycopg.Error: as `ask`.
        """
        if self._copying:
            return self._hear_copies()
        found: list[PGresult] = []
        silent = 0
        while silent < 2:
            result = self._next()
            silent = silent + 1 if result is None else 0
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                self._syncs -= 1
                if not self._syncs:
                    self._pgconn.exit_pipeline_mode()
                return _checked(found)
            found.append(result)
        raise psycopg.OperationalError("the server answers no more")

    @property
    def has_more(self) -> bool:
        """Whether something that was sent was not heard yet."""
        return self._copying or self._syncs > 0

    def hear_out(self) -> None:
        """Take what the server still had to answer; what it was is of no interest any more."""
        if self.connection.closed:
            return
        if self._copying:
            self._hear_copies()
        while self._syncs:
            self._settle()

    def roll_back(self) -> None:
        """End a transaction that is still open; a connection that can't even do that is closed."""
        try:
            while not self.connection.closed and self._syncs:
                self._settle()
            if self._copying:  # it stopped in the middle of sending rows
                self.connection.close()
            if self.connection.closed or self._pgconn.transaction_status == TransactionStatus.IDLE:
                return
            if self._pgconn.exec_(b"ROLLBACK").status != ExecStatus.COMMAND_OK:
                self.connection.close()
        except psycopg.Error:
            self.connection.close()

    def _settle(self) -> None:
        before = self._syncs
        try:
            self.hear()
        except psycopg.Error:
            if self._syncs == before:
                raise

    def _prepare(self) -> None:
        self._pgconn.enter_pipeline_mode()
        for name, text in self._statements.items():
            numbers = iter(range(1, text.count("%s") + 1))
            numbered = _PLACE.sub(lambda _: f"${next(numbers)}", text)  # noqa: B023  used at once
            self._pgconn.send_prepare(name.encode(), numbered.encode())
        self._sync()
        self._flush()
        try:
            self.hear()
        except psycopg.Error:
            self.connection.close()  # some are prepared and some not: a new connection begins anew
            raise
        self._prepared = True

    def _send(self, steps: Sequence[_Encoded]) -> None:
        if self._pgconn.pipeline_status == PipelineStatus.OFF:
            self._pgconn.enter_pipeline_mode()
        for name, values, formats in steps:
            self._pgconn.send_query_prepared(name, values, formats, _BINARY)
        self._sync()

    def _sync(self) -> None:
        self._pgconn.pipeline_sync()
        self._syncs += 1

    def _hear_copies(self, result: PGresult | None = None) -> list[PGresult]:
        found = [] if result is None else [result]
        while (result := self._next()) is not None:
            found.append(result)
        self._copying = False
        return _checked(found)

    def _next(self) -> PGresult | None:
        """Return the next result, None where one statement's results end."""
        while self._pgconn.is_busy():
            self._poll.register(self._pgconn.socket, select.POLLIN)
            self._poll.poll()
            self._pgconn.consume_input()
        result = self._pgconn.get_result()
        if result is None and self._pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError("the connection to the server was lost")
        return result

    def _put(self, put: Callable[[], int]) -> None:
        while not put():
            self._flush()

    def _flush(self) -> None:
        while self._pgconn.flush():
            self._poll.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
            if any(event & select.POLLIN for _, event in self._poll.poll()):
                self._pgconn.consume_input()


def rows_of(result: PGresult) -> list[tuple[bytes, ...]]:
    """Return the rows of a result, none of whose values is null, as the server wrote them: in binary."""
    return [
        tuple(result.get_value(row, column) or b"" for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


def _encoded(step: Step) -> _Encoded:
    name, values = step
    given = [each if isinstance(each, bytes) else str(each).encode() for each in values]
    return name.encode(), given, [_BINARY if isinstance(each, bytes) else _TEXT for each in values]


def _checked(results: Sequence[PGresult]) -> list[PGresult]:
    for result in results:
        if result.status not in _DONE:
            raise error_from_result(result)
    return list(results)
