"""How a commit's rows go into PostgreSQL: a small one in one statement, a large one by binary COPY.

One statement is one exchange with the server, whatever it holds; but the server takes its arrays apart row by
row. COPY is an exchange for each table, and a quarter of the work for each row. Either way the triggers look
once at what a statement added, and nothing is durable before the transaction's COMMIT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from ledger.store.port import Commit
from ledger.store.postgres_connections import QUERIES, Connection
from ledger.store.rows import Row, commit_rows

COPY_FROM: Final = 8
"""With as many events or more, a commit goes in by COPY; measured, they cost the same at about six."""

_TABLES: Final[tuple[tuple[str, LiteralString, LiteralString], ...]] = (
    ("insert_stream", "streams (stream, tag, salt)", "text bytea bytea"),
    (
        "insert_event",
        "events (idx, at, stream, seq, type, schema, id, event, statement, leaf)",
        "int8 text text int8 text int4 text bytea bytea bytea",
    ),
    ("insert_tile_hash", "tile_hashes (level, position, hash)", "int4 int8 bytea"),
    ("insert_guard", "guards (kind, key, idx)", "text text int8"),
    (
        "insert_disclosure",
        "disclosures (event, path, scope, stream, nonce, ciphertext, erased)",
        "bytea text text text bytea bytea bool",
    ),
    ("insert_head", "log_head (base, size, root, frontier, note)", "int8 int8 bytea bytea bytea"),
)
"""A commit's rows in the order in which they go in: their name, their table with its columns, their types."""
_NOT_ERASED: Final = "insert_disclosure"
"""What is sealed begins its life readable: the last column is not one of the port's."""


def append(connection: Connection, commit: Commit) -> int:
    """Append a commit inside the transaction that is open; return how many events it has.

    Raises:
        psycopg.Error: the transaction can only be rolled back then.
    """
    rows = dict(commit_rows(commit))
    if len(commit.events) >= COPY_FROM:
        _copy(connection, rows)
    else:
        connection.execute(QUERIES["append"], _arrays(rows), prepare=True)
    return len(commit.events)


def columns(rows: Sequence[Row], width: int) -> list[list[object]]:
    """Return rows as one list for each of their columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _arrays(rows: Mapping[str, Sequence[Row]]) -> list[list[object]]:
    found: list[list[object]] = []
    for name, _, types in _TABLES:
        found += columns(rows.get(name, ()), len(types.split()) - (name == _NOT_ERASED))
    return found


def _copy(connection: Connection, rows: Mapping[str, Sequence[Row]]) -> None:
    with connection.cursor() as cursor:
        for name, table, types in _TABLES:
            if not rows.get(name):
                continue
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(types.split())
                for row in rows[name]:
                    copy.write_row((*row, False) if name == _NOT_ERASED else row)
