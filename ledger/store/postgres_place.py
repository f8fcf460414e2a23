"""A small schema apart from the log: one connection, opened again when the server has ended it.

What lies in one must not be where the log is: who puts back an older copy of the log's cluster would put this
back with it. So its cluster is another, told by the number that PostgreSQL gives to each when it is made, and
that a standby or a restored backup of it keeps.
"""

from __future__ import annotations

from contextlib import closing

import psycopg

from ledger.errors import StoreError
from ledger.store.postgres_connections import (
    QUERIES,
    Connection,
    check_idle,
    check_role,
    check_server,
    connect,
    connect_writer,
    select,
)
from ledger.store.postgres_errors import translate
from ledger.store.postgres_migrations import missing
from ledger.store.rows import Row
from ledger.store.urls import SchemaUrl, parse_schema_url


class Place:
    """One schema of a kind that was checked, and the connection to it. Used by one thread at a time."""

    def __init__(self, url: str, kind: str, busy_timeout_s: float) -> None:
        """Open an existing one.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
        """
        self.url: SchemaUrl = parse_schema_url(url)
        self.busy_timeout_s = busy_timeout_s
        self._closed = False
        self._connection = connect_writer(self.url, busy_timeout_s)
        try:
            check_server(self._connection, self.url.schema)
            pending = missing(self._connection, kind)
            if pending:
                raise StoreError("STORE_VERSION", f"expected {pending[0].name} to be applied: migrate first")
            check_role(self._connection, self.url.schema)
        except BaseException:
            self._connection.close()
            raise

    def rows(self, name: str, *parameters: object) -> list[Row]:
        """Return the rows of a named query.

        Raises:
            LedgerError: what the database says, in the store's codes.
        """
        return select(self.connection(), name, parameters)

    def change(self, name: str, *parameters: object) -> int:
        """Run a named statement, durable when it returns; return how many rows it changed.

        Raises:
            LedgerError: what the database says, in the store's codes.
        """
        try:
            return self.connection().execute(QUERIES[name], parameters).rowcount
        except psycopg.Error as error:
            raise translate(error) from None

    def connection(self) -> Connection:
        """Return a connection that the server has not ended.

        Raises:
            StoreError: STORE_CLOSED, STORE_IO, STORE_BUSY.
        """
        if self._closed:
            raise StoreError("STORE_CLOSED", "the store was closed")
        try:
            check_idle(self._connection)
        except psycopg.Error:
            self._connection.close()
            self._connection = connect_writer(self.url, self.busy_timeout_s)
        return self._connection

    def close(self) -> None:
        """Release it; closing twice is allowed."""
        self._closed = True
        self._connection.close()


def cluster(url: str) -> int:
    """Return the number of the cluster that a URL leads to.

    Raises:
        FormatError: STORE_URL.
        StoreError: STORE_IO, STORE_BUSY.
    """
    with closing(connect(parse_schema_url(url))) as connection:
        number: int = select(connection, "cluster", ())[0][0]
    return number


def takes_writes(url: str) -> bool:
    """Tell whether the server that a URL leads to takes writes: a standby does not.

    Raises:
        FormatError: STORE_URL.
        StoreError: STORE_IO, STORE_BUSY.
    """
    with closing(connect(parse_schema_url(url))) as connection:
        taken: bool = select(connection, "takes_writes", ())[0][0]
    return taken
