"""From PostgreSQL's failures to the store's codes.

What the server says beside its code names keys and values, a participant's among them. So only codes and
names of tables and constraints are read, and errors are raised without their cause, whose text has values.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from ledger.errors import ConflictError, LedgerError, StoreError

ORDER: Final = frozenset({"events_idx", "tile_hashes_position", "log_head_base"})
"""Keys whose next value is the present size: whoever gives a taken one built on an older head."""

_HEAD_STALE: Final = "TL001"
_REFUSED: Final = "TL002"
_UNIQUE: Final = "23505"
_BY_STATE: Final = {
    "55P03": ("STORE_BUSY", "another writer or reader holds the store"),  # lock_not_available
    "57014": ("STORE_BUSY", "the database took longer than it may"),  # query_canceled
    "40P01": ("STORE_BUSY", "another writer or reader holds the store"),  # deadlock_detected
    "40001": ("STORE_BUSY", "another writer or reader holds the store"),  # serialization_failure
    "53300": ("STORE_BUSY", "the database takes no more connections"),  # too_many_connections
    "53100": ("STORE_FULL", "no room left for the store"),  # disk_full
    "XX001": ("STORE_CORRUPT", "the store's tables are damaged"),  # data_corrupted
    "XX002": ("STORE_CORRUPT", "an index of the store is damaged"),  # index_corrupted
    "42P01": ("STORE_CORRUPT", "a table of the store is missing"),  # undefined_table
    "42501": ("STORE_ROLE", "the database role lacks a privilege"),  # insufficient_privilege
    "25006": ("STORE_IO", "the database takes no writes: a standby?"),  # read_only_sql_transaction
}
_NO_CONNECTION: Final = (
    (r'database ".*" does not exist', "the server has no such database"),
    (r"(role|user) .* does not exist", "the server has no such role"),
    (r"is not permitted to log in", "the role may not log in"),
    (r"password authentication failed", "the server does not accept the role's password"),
    (r"no password supplied", "the server asks for a password: libpq takes it from ~/.pgpass or a service"),
    (
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        "the server's pg_hba.conf does not let the role in",
    ),
    (r"permission denied for database", "the role has no CONNECT on the database"),
    (r"could not translate host name|failed to resolve host", "the host of the URL has no address"),
    (r"Connection refused|No such file or directory", "no server listens at the URL's host and port"),
    (r"timeout expired|timed out", "the server does not answer in time"),
    (
        r"certificate|SSL|TLS",
        "TLS fails: its settings do not fit, or a certificate is not trusted",
    ),
    (r"starting up|shutting down|recovery", "the server starts or stops"),
    (r"read-write|read-only|hot standby", "no server of the URL is in the state that it asks for"),
)
"""What libpq says of a connection that does not come about, in whatever version speaks English."""


def unconnected(error: psycopg.Error) -> LedgerError:
    """Return the error for a connection that did not come about; neither host, role nor database is named.

    `STORE_BUSY` where the server takes no more connections, else `STORE_IO`.
    """
    if error.sqlstate is not None:
        return translate(error)
    said = str(error)
    if "too many clients" in said or "too many connections" in said or "slots are reserved" in said:
        return StoreError("STORE_BUSY", "the database takes no more connections")
    for pattern, message in _NO_CONNECTION:
        if re.search(pattern, said):
            return StoreError("STORE_IO", f"no connection to the database: {message}")
    return StoreError("STORE_IO", "the connection to the database failed or was lost")


def translate(error: psycopg.Error) -> LedgerError:
    """Return the error that a caller of the store is to see for one of the database's; raise it from None."""
    if isinstance(error, PoolClosed):
        return StoreError("STORE_CLOSED", "the store was closed")
    if isinstance(error, PoolTimeout):
        return StoreError("STORE_IO", "no connection to the database could be had in time")
    state = error.sqlstate
    if state is None:
        return StoreError("STORE_IO", "the connection to the database failed or was lost")
    if state == _HEAD_STALE or (state == _UNIQUE and error.diag.constraint_name in ORDER):
        return ConflictError("HEAD_STALE", "expected a commit that starts at the present size")
    if state == _UNIQUE:
        return _taken(error.diag.constraint_name or "")
    if state == _REFUSED:
        refusal = (error.diag.message_primary or "").lower()  # written by the store's own triggers
        return StoreError("STORE_CORRUPT", f"the store refuses what contradicts its schema: {refusal}")
    if state.startswith("23"):  # integrity_constraint_violation
        where = error.diag.constraint_name or error.diag.column_name or error.diag.message_primary
        return StoreError("STORE_CORRUPT", f"the store refuses a row that contradicts its schema: {where}")
    name, message = _BY_STATE.get(state, ("STORE_IO", f"the database failed with state {state}"))
    return StoreError(name, message)


def _taken(constraint: str) -> LedgerError:
    if constraint == "guards_kind_key":
        return ConflictError("GUARD_TAKEN", "a guard of this kind and key exists")
    return ConflictError("DUPLICATE", f"expected new values, found existing ones of {constraint}")
