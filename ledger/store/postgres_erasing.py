"""Taking away what an update leaves behind: a table is written anew, without versions that nobody can see.

PostgreSQL's own log, its archive, standbys behind and base backups hold the old bytes until they are
recycled: they are backups, and are named so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from ledger.errors import StoreError
from ledger.store.postgres_connections import Connection
from ledger.store.postgres_errors import translate

PAUSE_S: Final = 0.05

_FIRST_NUMBER: Final = re.compile(r"\d+")


def clear(rewriting: Callable[[], int], patience_s: float) -> None:
    """Rewrite until no row version has to stay.

    Raises:
        StoreError: STORE_BUSY when an open snapshot keeps some for longer than that.
    """
    deadline = time.monotonic() + patience_s
    while rewriting():
        if time.monotonic() > deadline:
            raise StoreError(
                "STORE_BUSY", "the values are destroyed, but an open snapshot keeps their remains"
            )
        time.sleep(PAUSE_S)


def rewrite(connection: Connection, table: LiteralString) -> int:
    """Write a table anew; return how many dead row versions had to stay.

    Raises:
        StoreError: what the database says.
    """
    details: list[str] = []
    notice = lambda diagnostic: details.append(diagnostic.message_detail or "")  # noqa: E731
    connection.add_notice_handler(notice)
    try:
        connection.execute(sql.SQL("VACUUM (FULL, VERBOSE) {}").format(sql.Identifier(table)))
    except psycopg.Error as error:
        raise translate(error) from None
    finally:
        connection.remove_notice_handler(notice)
    # The first number of the detail is that of dead row versions that had to stay, in any language.
    numbers = [found[0] for found in map(_FIRST_NUMBER.search, details) if found is not None]
    if not numbers:
        raise StoreError("STORE_IO", "the database does not say whether remains were cleared")
    return max(map(int, numbers))
