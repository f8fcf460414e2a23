"""Connections to a schema: the one that writes, those that read, and what is demanded of server and role.

Every connection is in autocommit; transactions begin and end where the code says so. `search_path` holds the
schema alone. Plans go by indexes whatever the statistics say: a plan that was made when a table was empty
would read all of it later. Sessions keep these settings, so a pooler in between has to pool sessions.
"""

from __future__ import annotations

import logging
import select as system_select
from collections.abc import Sequence
from typing import Any, Final, cast

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from ledger.errors import StoreError
from ledger.store.postgres_errors import translate, unconnected
from ledger.store.rows import Row
from ledger.store.sql import queries
from ledger.store.urls import SchemaUrl

Connection = psycopg.Connection[TupleRow]

QUERIES: Final = queries("postgres.sql")
OLDEST_SERVER: Final = 17  # MAINTAIN
CONNECT_S: Final = 10
READ_S: Final = 60  # a single read that takes longer is given up
HELD_S: Final = 600  # how long a writer that says nothing may hold the write lock
READERS: Final = 32
IDLE_S: Final = 300.0
WAIT_S: Final = 3.0  # how long a read waits for a connection
RECONNECT_S: Final = 1.0  # how long the pool tries on its own; the next read tries again

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # told by errors; else it goes to stderr

_LOCK_CLASS: Final = 0x544C4731  # "TLG1"
_ABSENT: Final = frozenset({"22003", "22P02", "22021"})  # a number or a text that no row can hold

_SETTINGS: Final = {
    "client_encoding": "UTF8",
    "jit": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
}


def connect(url: SchemaUrl) -> Connection:
    """Open a connection with the settings that all of them have.

    Raises:
        StoreError: STORE_IO, STORE_BUSY.
    """
    try:
        connection = psycopg.connect(url.conninfo, **_arguments())
    except psycopg.Error as error:
        raise unconnected(error) from error  # of a connection libpq tells host and role, never a value
    try:
        configure(connection, {"search_path": f"{url.schema}, pg_temp", **_SETTINGS})
    except psycopg.Error as error:
        connection.close()
        raise translate(error) from None
    return connection


def connect_writer(url: SchemaUrl, busy_timeout_s: float) -> Connection:
    """Open a connection that writes: synced at each commit, patient about locks only as long as it may be.

    Raises:
        StoreError: STORE_IO, STORE_BUSY.
    """
    connection = connect(url)
    try:
        # remote_apply waits for a standby too and is left as it is; all others become `on`.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') <> 'remote_apply'"
        )
        configure(
            connection,
            {
                "lock_timeout": f"{max(1, round(busy_timeout_s * 1000))}ms",
                # It would cut short the wait for a standby, and the commit would stand all the same.
                "statement_timeout": "0",
                "idle_in_transaction_session_timeout": f"{HELD_S}s",
            },
        )
    except psycopg.Error as error:
        connection.close()
        raise translate(error) from None
    return connection


def reader_pool(url: SchemaUrl) -> ConnectionPool[Connection]:
    """Return a pool of connections that refuse to write."""
    settings = {
        "search_path": f"{url.schema}, pg_temp",
        **_SETTINGS,
        "default_transaction_read_only": "on",
        "statement_timeout": f"{READ_S}s",
    }
    return ConnectionPool(
        url.conninfo,
        connection_class=Connection,
        kwargs=_arguments(),
        min_size=0,
        max_size=READERS,
        max_idle=IDLE_S,
        timeout=WAIT_S,
        reconnect_timeout=RECONNECT_S,
        configure=lambda connection: configure(connection, settings),
        check=check_idle,
        open=True,
    )


def configure(connection: Connection, settings: dict[str, str]) -> None:
    """Set settings of a session."""
    calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    connection.execute(f"SELECT {calls}", [part for item in settings.items() for part in item])


def check_idle(connection: Connection) -> None:
    """Ask a connection that has something to tell: an idle one is silent until the server says goodbye."""
    poll = system_select.poll()
    poll.register(connection.fileno(), system_select.POLLIN)
    if poll.poll(0):
        connection.execute("")


def select(connection: Connection, name: str, parameters: Sequence[object]) -> list[Row]:
    """Return all rows of a named query."""
    try:
        with connection.cursor(binary=True) as cursor:
            return cursor.execute(QUERIES[name], parameters or None, prepare=True).fetchall()
    except UnicodeEncodeError:
        return []
    except psycopg.DataError as error:
        if error.sqlstate is None or error.sqlstate in _ABSENT:
            return []
        raise translate(error) from None
    except psycopg.Error as error:
        raise translate(error) from None


def check_server(connection: Connection, schema: str) -> int:
    """Check that server and schema are what a store needs; return the number of the schema's write lock.

    Raises:
        StoreError: STORE_VERSION, STORE_IO, STORE_MISSING.
    """
    version, encoding, durable, number = select(connection, "nature", (schema,))[0]
    if version < OLDEST_SERVER * 10_000:
        raise StoreError("STORE_VERSION", f"expected PostgreSQL {OLDEST_SERVER} or newer, found {version}")
    if encoding != "UTF8":
        raise StoreError("STORE_VERSION", f"expected a database in UTF8, found {encoding}")
    if not durable:
        raise StoreError("STORE_IO", "expected a server with fsync and full_page_writes on")
    if number is None:
        raise StoreError("STORE_MISSING", "expected a schema of a store, found none")
    return cast("int", number)


def check_role(connection: Connection, schema: str) -> None:
    """Check that the role can't change what was written.

    Raises:
        StoreError: STORE_ROLE.
    """
    excess = select(connection, "excess", (schema,))
    if excess:
        tables = ", ".join(sorted(row[0] for row in excess))
        raise StoreError("STORE_ROLE", f"expected a role that only adds rows, this one may change {tables}")


def hold_lock(connection: Connection, number: int) -> None:
    """Take the write lock of any schema inside a transaction that is open, until it ends."""
    connection.execute(lock_statement(number))


def lock_statement(number: int) -> str:
    """Return the statement that takes the write lock of a log until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {int(number)})"


def _arguments() -> dict[str, Any]:
    return {
        "autocommit": True,
        "connect_timeout": CONNECT_S,
        "application_name": "trial-ledger",
        "keepalives_idle": 30,
    }
