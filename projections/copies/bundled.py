"""A bundle read as a store is: the statements that it shows, in the order of the log, and what it opens.

    with open_copy(path) as copy:
        copy.scope, copy.role, copy.checkpoint      what the bundle is of
        trail(copy.reads, …, reader=copy.reader())  any projection, over what the bundle shows

Statements that the bundle withholds are not there. The bundle is not judged here: `ledger.verify` does that,
and reads its bytes by code of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import orjson

from ledger.attachments import MAX_ATTACHMENT_BYTES
from ledger.checkpoint import Checkpoint, parse_body
from ledger.earlier import NONE, Earlier
from ledger.errors import FormatError
from ledger.leaf import parse_leaf
from ledger.merkle import leaf_hash
from ledger.note import MAX_NOTE_BYTES, parse_note
from ledger.sealing import open_disclosure
from ledger.statement import parse_statement
from ledger.store.port import Attachment, Head, NewStream, Reads, StoredEntry
from ledger.tiles import payload_path
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.options import Scope
from ledger.verify.tree import chunks, read_leaves
from projections.reader import ERASED, Reader

_MAX_SCOPE_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """How many statements a bundle does not show, and why."""

    blinded: int
    scope: int


class BundleReads:
    """The part of a store's reads that projections ask of a finished log; what it continues is not in it."""

    earlier: Final[Earlier] = NONE

    def __init__(self, bundle: Bundle, checkpoint: Checkpoint, note: bytes) -> None:
        """Read every statement that the bundle shows."""
        self._bundle = bundle
        self._head = Head(size=checkpoint.size, root=checkpoint.root, frontier=b"", note=note)
        self.size: Final = checkpoint.size
        self._entries: dict[int, StoredEntry] = {}
        self._events: dict[str, int] = {}
        self._streams: dict[str, list[StoredEntry]] = {}
        self.last_at: Final = parse_leaf(_last_leaf(bundle, checkpoint.size)).at
        for entry in _shown(bundle, checkpoint.size):
            self._entries[entry.index] = entry
            self._events[entry.event] = entry.index
            self._streams.setdefault(entry.stream, []).append(entry)

    @property
    def count(self) -> int:
        """How many statements are shown."""
        return len(self._entries)

    def head(self) -> Head:
        """Return the head that the bundle was made of."""
        return self._head

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        """Return the entries of a range that the bundle shows, in index order."""
        found = (self._entries.get(index) for index in range(max(0, start), min(stop, self.size)))
        return [each for each in found if each is not None and (types is None or each.type in types)]

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at an index, where the bundle shows it."""
        return self._entries.get(index)

    def index_of_event(self, event: str) -> int | None:
        """Return the index of an event that the bundle shows."""
        return self._events.get(event)

    def streams(self) -> list[NewStream]:
        """Return the streams of which the bundle shows a statement, by name; without their salts."""
        return [NewStream(stream=name, tag="", salt=b"") for name in sorted(self._streams)]

    def stream_entries(
        self, stream: str, start_seq: int = 1, stop_seq: int | None = None
    ) -> list[StoredEntry]:
        """Return the entries of a stream that the bundle shows, in order."""
        found = self._streams.get(stream, [])
        return [each for each in found if each.seq >= start_seq and (stop_seq is None or each.seq < stop_seq)]

    def attachment(self, sha256: str) -> Attachment | None:
        """Return an attachment that a shown statement names."""
        name = f"attachments/{sha256}"
        if name not in self._bundle.names():
            return None
        data = self._bundle.read(name, max_bytes=MAX_ATTACHMENT_BYTES)
        return Attachment(sha256=sha256, media_type="", data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """A bundle, opened for a copy.

    Attributes:
        openings: sealed values that the bundle opens, by event hash and path.
    """

    scope: Scope
    role: str
    checkpoint: Checkpoint
    note: bytes
    bundled: BundleReads
    openings: dict[tuple[str, str], Any]
    withheld: Withheld

    @property
    def ledger_id(self) -> str:
        """The leaf hash of index 0, hex (record-format.md §5)."""
        return leaf_hash(self._at(0).leaf).hex()

    @property
    def as_of(self) -> str:
        """When the newest entry was recorded, which every bundle has the leaf of."""
        return self.bundled.last_at

    @property
    def shown(self) -> int:
        """How many statements the bundle shows."""
        return self.bundled.count

    def in_scope(self) -> list[StoredEntry]:
        """Return the shown statements that the scope holds by their labels, in order (§9)."""
        everything = self.bundled.entries(0, self.bundled.size)
        match self.scope.kind:
            case "participant":
                return [each for each in everything if each.stream == f"participant/{self.scope.id}"]
            case "site":
                return [each for each in everything if parse_leaf(each.leaf).site == self.scope.id]
        return everything

    def _at(self, index: int) -> StoredEntry:
        found = self.bundled.entry(index)
        if found is None:
            raise FormatError("BUNDLE_FORM", "the bundle does not show a control statement", field=str(index))
        return found

    @property
    def reads(self) -> Reads:
        """The statements, for projections; what they never ask of a log that is finished is not there."""
        return cast(Reads, self.bundled)

    def reader(self) -> Reader:
        """Return the reader whom the bundle was made for: sees what it opens, markers for all else."""

        def opener(event: str, path: str) -> Any:
            # Asked only for what the role sees, all of which a bundle opens but what was destroyed (§7, §9).
            return self.openings.get((event, path), ERASED)

        return Reader(role=self.role, opener=opener)


@contextmanager
def open_copy(path: Path) -> Iterator[CopySource]:
    """Open the bundle at a path.

    Raises:
        FormatError: what cannot be read of it.
    """
    bundle = open_bundle(path)
    try:
        yield _source(bundle)
    finally:
        bundle.close()


def _source(bundle: Bundle) -> CopySource:
    note = bundle.read("checkpoint", max_bytes=MAX_NOTE_BYTES)
    checkpoint = parse_body(parse_note(note).text)
    stated = orjson.loads(bundle.read("scope.json", max_bytes=_MAX_SCOPE_BYTES))
    bundled = BundleReads(bundle, checkpoint, note)
    return CopySource(
        scope=Scope(kind=stated["kind"], id=stated.get("id")),
        role=stated["role"],
        checkpoint=checkpoint,
        note=note,
        bundled=bundled,
        openings=_openings(bundle, bundled),
        withheld=_withheld(bundle),
    )


def _last_leaf(bundle: Bundle, size: int) -> bytes:
    number, width = list(chunks(size))[-1]
    return read_leaves(bundle, number, width)[-1]


def _shown(bundle: Bundle, size: int) -> Iterator[StoredEntry]:
    for number, width in chunks(size):
        leaves = read_leaves(bundle, number, width)
        for raw, payload in zip(leaves, bundle.lines(payload_path(number, width)), strict=True):
            if not payload:
                continue
            leaf, statement = parse_leaf(raw), parse_statement(payload)
            yield StoredEntry(
                index=leaf.index,
                at=leaf.at,
                stream=statement.stream,
                seq=statement.seq,
                type=statement.type,
                schema=statement.schema,
                id=statement.id,
                event=statement.event,
                statement=payload,
                leaf=raw,
            )


def _openings(bundle: Bundle, bundled: BundleReads) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for line in bundle.lines("disclosures.jsonl"):
        row = orjson.loads(line)
        entry = bundled.entry(row["index"])
        if entry is not None:
            for path, disclosure in row["open"].items():
                found[entry.event, path] = open_disclosure(disclosure).value
    return found


def _withheld(bundle: Bundle) -> Withheld:
    counts = {"blinded": 0, "scope": 0}
    for line in bundle.lines("withheld.jsonl"):
        counts[orjson.loads(line)["why"]] += 1
    return Withheld(**counts)
