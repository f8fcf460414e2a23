"""Where the rows of the SQLite store come from: named queries over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from ledger.store.rows import Row
from ledger.store.sql import queries
from ledger.store.sqlite_errors import translate

QUERIES: Final = queries("queries.sql")


def select(connection: sqlite3.Connection, name: str, parameters: Sequence[object]) -> list[Row]:
    """Return all rows of a named query."""
    try:
        return connection.execute(QUERIES[name], parameters).fetchall()
    except sqlite3.Error as error:
        raise translate(error) from error
    except (OverflowError, UnicodeEncodeError):
        return []  # a number or a text that no row can hold is in no row
