"""How the port's values lie in rows, the same for every SQL store: reads out of rows, commits into them.

Named queries answer alike in every store; a subclass of `RowReads` says where their rows come from. Hashes
and tags are stored as bytes and handed out as lower-case hex.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Final

from ledger.earlier import NONE, Earlier
from ledger.errors import StoreError
from ledger.merkle import EMPTY_ROOT, Frontier
from ledger.store.port import (
    Attachment,
    Commit,
    Guard,
    Head,
    NewDisclosure,
    NewStream,
    Slot,
    StoredEntry,
)

Row = tuple[Any, ...]
Statements = list[tuple[str, Sequence[Row]]]
"""Named statements, each with the rows that it is run for."""

EMPTY_HEAD: Final = Head(size=0, root=EMPTY_ROOT, frontier=Frontier().to_bytes(), note=b"")

_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_END: Final = 2**63 - 1  # no position reaches it


def digest_bytes(text: str) -> bytes:
    """Return the bytes of 64 lower-case hex digits; anything else becomes empty, which no row equals."""
    return bytes.fromhex(text) if _HEX_DIGEST.fullmatch(text) else b""


class RowReads(ABC):
    """Implements the port's `Reads` over `_rows`."""

    __slots__ = ()
    earlier: Earlier = NONE

    @abstractmethod
    def _rows(self, name: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a named query."""

    def head(self) -> Head:
        rows = self._rows("head")
        return _head(rows[0]) if rows else EMPTY_HEAD

    def head_covering(self, index: int) -> Head | None:
        rows = self._rows("head_below", (index,))
        return _head(rows[0]) if rows and rows[0][0] > index >= 0 else None

    def heads(self, size: int) -> bytes | None:
        rows = self._rows("head_below", (size - 1,))
        return rows[0][3] if rows and rows[0][0] == size else None

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        if types is None:
            return [_entry(row) for row in self._rows("entries", (start, stop))]
        wanted = json.dumps(sorted(types))
        return [_entry(row) for row in self._rows("entries_of_types", (start, stop, wanted))]

    def entry(self, index: int) -> StoredEntry | None:
        rows = self._rows("entries", (index, index + 1))
        return _entry(rows[0]) if rows else None

    def index_of_event(self, event: str) -> int | None:
        return self._first("index_of_event", (digest_bytes(event),))

    def index_of_id(self, statement_id: str) -> int | None:
        return self._first("index_of_id", (statement_id,))

    def ids_taken(self, statement_ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._rows("ids_taken", (json.dumps(statement_ids),))}

    def stream(self, stream: str) -> NewStream | None:
        rows = self._rows("stream", (stream,))
        return _stream(rows[0]) if rows else None

    def stream_by_tag(self, tag: str) -> NewStream | None:
        rows = self._rows("stream_by_tag", (digest_bytes(tag),))
        return _stream(rows[0]) if rows else None

    def streams(self) -> list[NewStream]:
        return [_stream(row) for row in self._rows("streams")]

    def stream_head(self, stream: str) -> tuple[int, str] | None:
        rows = self._rows("stream_head", (stream,))
        return (rows[0][0], rows[0][1].hex()) if rows else None

    def stream_entries(
        self, stream: str, start_seq: int = 1, stop_seq: int | None = None
    ) -> list[StoredEntry]:
        stop = _END if stop_seq is None else stop_seq
        return [_entry(row) for row in self._rows("stream_entries", (stream, start_seq, stop))]

    def disclosures(self, event: str) -> list[NewDisclosure]:
        rows = self._rows("disclosures", (digest_bytes(event),))
        return [
            NewDisclosure(
                event=row[0].hex(), path=row[1], scope=row[2], stream=row[3], nonce=row[4], ciphertext=row[5]
            )
            for row in rows
        ]

    def guard(self, kind: str, key: str) -> int | None:
        return self._first("guard", (kind, key))

    def guards(self, kind: str) -> list[Guard]:
        return [Guard(kind=row[0], key=row[1], index=row[2]) for row in self._rows("guards", (kind,))]

    def attachment(self, sha256: str) -> Attachment | None:
        rows = self._rows("attachment", (digest_bytes(sha256),))
        return Attachment(sha256=rows[0][0].hex(), media_type=rows[0][1], data=rows[0][2]) if rows else None

    def tile_hashes(self, level: int, start: int, stop: int) -> bytes:
        rows = self._rows("tile_hashes", (level, start, stop))
        if len(rows) != stop - start:
            raise StoreError(
                "STORE_CORRUPT",
                f"expected {stop - start} tree hashes of level {level} from {start} on, found {len(rows)}",
            )
        return b"".join([row[0] for row in rows])

    def slot(self, list_name: str, index: int) -> Slot | None:
        rows = self._rows("slot", (list_name, index))
        return _slot(rows[0]) if rows else None

    def next_slot(self, list_name: str, stratum: str, after: int) -> Slot | None:
        rows = self._rows("next_slot", (list_name, stratum, after))
        return _slot(rows[0]) if rows else None

    def count_slots(self, list_name: str) -> int:
        return self._first("count_slots", (list_name,)) or 0

    def counts(self) -> dict[str, int]:
        tables = ("events", "tile_hashes", "guards", "disclosures", "slots")
        return dict(zip(tables, self._rows("counts")[0], strict=True))

    def _first(self, name: str, parameters: Sequence[object]) -> int | None:
        rows = self._rows(name, parameters)
        return rows[0][0] if rows else None


def commit_rows(commit: Commit) -> Statements:
    """Return the rows of a commit by the statements that insert them, parents before children."""
    statements: Statements = []
    if commit.streams:
        statements.append(
            ("insert_stream", [(new.stream, bytes.fromhex(new.tag), new.salt) for new in commit.streams])
        )
    events = [
        (
            new.index,
            new.at,
            new.stream,
            new.seq,
            new.type,
            new.schema,
            new.id,
            bytes.fromhex(new.event),
            new.statement,
            new.leaf,
        )
        for new in commit.events
    ]
    statements.append(("insert_event", events))
    statements.append(
        ("insert_tile_hash", [*((0, new.index, new.leaf_hash) for new in commit.events), *commit.tile_hashes])
    )
    if commit.guards:
        statements.append(("insert_guard", [(new.kind, new.key, new.index) for new in commit.guards]))
    if commit.disclosures:
        disclosures = [
            (bytes.fromhex(new.event), new.path, new.scope, new.stream, new.nonce, new.ciphertext)
            for new in commit.disclosures
        ]
        statements.append(("insert_disclosure", disclosures))
    head = (commit.base_size, commit.base_size + len(events), commit.root, commit.frontier, commit.head)
    statements.append(("insert_head", [head]))
    return statements


def slot_rows(slots: Sequence[Slot]) -> Statements:
    """Return the rows of slots by the statement that inserts them."""
    rows = [
        (new.list, new.index, new.stratum, new.commitment, new.proof, new.nonce, new.ciphertext)
        for new in slots
    ]
    return [("insert_slot", rows)]


def _head(row: Row) -> Head:
    return Head(size=row[0], root=row[1], frontier=row[2], note=row[3])


def _entry(row: Row) -> StoredEntry:
    index, at, stream, seq, type_, schema, id_, event, statement, leaf = row
    return StoredEntry(index, at, stream, seq, type_, schema, id_, event.hex(), statement, leaf)


def _stream(row: Row) -> NewStream:
    return NewStream(stream=row[0], tag=row[1].hex(), salt=row[2])


def _slot(row: Row) -> Slot:
    return Slot(
        list=row[0],
        index=row[1],
        stratum=row[2],
        commitment=row[3],
        proof=row[4],
        nonce=row[5],
        ciphertext=row[6],
    )
