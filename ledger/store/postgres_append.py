"""How a commit's rows go into PostgreSQL: few of them as statements of a row each, many by binary COPY.

Either way they are sent in one go, with the COMMIT behind them where nothing else follows. A statement of one
row is the cheapest for the server as long as there are few; COPY is a third of the work for each row, and an
answer of the server's is waited for at each table. The triggers look once at what a statement added, and
nothing is durable before COMMIT.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ledger.store.port import Commit
from ledger.store.postgres_wire import Copied, Step, Wire
from ledger.store.rows import Row, commit_rows

COPY_FROM: Final = 3
"""With as many events or more, a commit goes in by COPY."""
COMMIT: Final = "commit"
"""The name of the statement that ends a transaction."""

_TABLES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "insert_stream": ("streams (stream, tag, salt)", "text bytea bytea"),
        "insert_event": (
            "events (idx, at, stream, seq, type, schema, id, event, statement, leaf)",
            "int8 text text int8 text int4 text bytea bytea bytea",
        ),
        "insert_tile_hash": ("tile_hashes (level, position, hash)", "int4 int8 bytea"),
        "insert_guard": ("guards (kind, key, idx)", "text text int8"),
        "insert_disclosure": (
            "disclosures (event, path, scope, stream, nonce, ciphertext, erased)",
            "bytea text text text bytea bytea bool",
        ),
        "insert_head": ("log_head (base, size, root, frontier, note)", "int8 int8 bytea bytea bytea"),
    }
)
"""Tables with their columns and types, by the statement that inserts a row."""
_SEALED: Final = "insert_disclosure"
"""What is sealed begins its life readable: the last column is not one of the port's."""
_COPY_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END: Final = b"\xff\xff"
_INT8, _INT4 = struct.Struct("!iq").pack, struct.Struct("!ii").pack
_LENGTH, _FIELDS = struct.Struct("!i").pack, struct.Struct("!h").pack


def send(wire: Wire, commit: Commit, *, last: bool, after: Sequence[Step]) -> None:
    """Send a commit inside the transaction that is open; `last` ends it, and `after` goes out behind that.

    What the server says is heard afterwards.

    Raises:
        psycopg.Error: the transaction can only be rolled back then.
    """
    rows = commit_rows(commit)
    if len(commit.events) >= COPY_FROM:
        wire.send_copies([_copied(name, many) for name, many in rows], *(["COMMIT"] if last else []))
        return
    steps: list[Step] = [(name, row) for name, many in rows for row in many]
    if last:
        wire.send([*steps, (COMMIT, ())], after)
    else:
        wire.send(steps)


def columns(rows: Sequence[Row]) -> list[list[object]]:
    """Return rows as one list for each of their columns."""
    return [list(column) for column in zip(*rows, strict=True)]


def _copied(name: str, rows: Sequence[Row]) -> Copied:
    """Return a table with its rows in the form of `COPY … (FORMAT BINARY)`."""
    table, types = _TABLES[name]
    packs = [_PACKS[each] for each in types.split()]
    fields = _FIELDS(len(packs))
    parts = [_COPY_BEGIN]
    for row in rows:
        parts.append(fields)
        values = (*row, False) if name == _SEALED else row
        parts += [pack(value) for pack, value in zip(packs, values, strict=True)]
    parts.append(_COPY_END)
    return table, b"".join(parts)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH(len(encoded)) + encoded


_PACKS: Final[Mapping[str, Callable[[Any], bytes]]] = MappingProxyType(
    {
        "int8": lambda value: _INT8(8, value),
        "int4": lambda value: _INT4(4, value),
        "text": _text,
        "bytea": lambda value: _LENGTH(len(value)) + value,
        "bool": lambda value: _LENGTH(1) + bytes([value]),
    }
)
