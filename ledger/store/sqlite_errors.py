"""From the database's own failures to the store's codes.

The messages of SQLite name tables and constraints, never values, so nothing of a participant passes through.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ledger.errors import ConflictError, LedgerError, StoreError

_UNIQUE: Final = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}
_NO_ROOM_FOR_SHARED: Final = sqlite3.SQLITE_IOERR_SHMSIZE  # of a full disk, when a file is opened
_BY_CODE: Final = {
    sqlite3.SQLITE_BUSY: ("STORE_BUSY", "another writer or reader holds the store"),
    sqlite3.SQLITE_LOCKED: ("STORE_BUSY", "another writer or reader holds the store"),
    sqlite3.SQLITE_FULL: ("STORE_FULL", "no room left for the store"),
    sqlite3.SQLITE_CORRUPT: ("STORE_CORRUPT", "the store's file is damaged"),
    sqlite3.SQLITE_NOTADB: ("STORE_CORRUPT", "the file is not a store"),
    sqlite3.SQLITE_READONLY: ("STORE_IO", "the store's files or their directory cannot be written here"),
    sqlite3.SQLITE_CANTOPEN: ("STORE_IO", "the store's files cannot be opened"),
}


def translate(error: sqlite3.Error) -> LedgerError:
    """Return the error that a caller of the store is to see for one of the database's."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the module itself: a connection used after it was closed
        return StoreError("STORE_CLOSED", "the store was closed")
    primary = sqlite3.SQLITE_FULL if code == _NO_ROOM_FOR_SHARED else code & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(code, str(error))
    name, message = _BY_CODE.get(primary, ("STORE_IO", f"the store's medium failed with code {code}"))
    return StoreError(name, message)


def _constraint(code: int, message: str) -> LedgerError:
    if code in _UNIQUE:
        if "guards." in message:
            return ConflictError("GUARD_TAKEN", "a guard of this kind and key exists")
        return ConflictError(
            "DUPLICATE", f"expected new values, found existing ones of {message.partition(': ')[2]}"
        )
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER and message.startswith("HEAD_STALE"):
        return ConflictError("HEAD_STALE", "expected a commit that starts at the present size")
    return StoreError(
        "STORE_CORRUPT", f"the store refuses a row that contradicts its schema: {message.lower()}"
    )
