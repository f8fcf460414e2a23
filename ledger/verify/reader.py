"""Random access to the log of a bundle: what the rules of conduct ask for while the log is walked once.

Positions of each stream are kept (8 bytes an event); entries are parsed again from the bundle when they are
asked for, and the last few entry bundles stay in memory. Opened values are kept of doses and arms alone.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from ledger.earlier import NONE, Earlier
from ledger.entry import Entry, Index
from ledger.envelope import EventHash
from ledger.errors import LedgerError
from ledger.recent import RecentStreams
from ledger.rules import sealed
from ledger.statement import Statement
from ledger.tiles import payload_path
from ledger.verify.bundle import Bundle
from ledger.verify.files import AttachmentsJudge
from ledger.verify.form import MAX_PAYLOADS_BYTES, parse_entry
from ledger.verify.tables import KeyTable
from ledger.verify.tree import TILE_WIDTH, read_leaves

CACHED_BUNDLES: Final = 16
CACHED_ENTRIES: Final = 256


class BundleReader:
    """Reads back entries that were judged and count."""

    def __init__(
        self,
        bundle: Bundle,
        size: int,
        events: KeyTable,
        attachments: AttachmentsJudge,
        earlier: Earlier = NONE,
    ) -> None:
        """Begin with nothing to read back; `events` gives the index of every event so far.

        `earlier` is what the log goes on from: its entries have indexes below 0.
        """
        self.earlier = earlier
        self._bundle = bundle
        self._size = size
        self._events = events
        self._attachments = attachments
        self._positions: dict[str, array[int]] = defaultdict(lambda: array("I"))
        self._opened: dict[str, Mapping[str, Any]] = {}
        self._chunk = lru_cache(maxsize=CACHED_BUNDLES)(self._read_chunk)
        self._entry = lru_cache(maxsize=CACHED_ENTRIES)(self._read_entry)
        self._recent: RecentStreams[Entry | None] = RecentStreams()

    def add(self, entry: Entry) -> None:
        """Let an entry be found by its stream."""
        if entry.statement is not None:
            self.follow(entry.statement.stream, entry.index)

    def follow(self, stream: str, index: int) -> None:
        """Let the entry of an index be found by its stream."""
        self._positions[stream].append(index)

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries so far, in order."""
        positions = self._positions.get(stream, array("I"))
        found = self._recent.entries(stream, lambda known: map(self.entry_at, positions[known:]))
        return [*self.earlier.entries_of(stream), *(entry for entry in found if entry is not None)]

    def entry_at(self, index: int) -> Entry | None:
        """Return one entry, None where it can't be read."""
        return self.earlier.entry_at(index) if index < 0 else self._entry(index)

    def index_of(self, event: str) -> int | None:
        """Return the index of an event hash among the entries so far."""
        index = self._events.get(bytes.fromhex(event))
        return self.earlier.index_of(event) if index is None else index

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        found = self._attachments.read(sha256)
        return self.earlier.attachment(sha256) if found is None else found

    def open(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Keep what the bundle opens of a statement that rules over sealed values ask for."""
        if statement.type in sealed.OPENED and values:
            self._opened[statement.event] = values

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Return the values of a statement's sealed paths; None where they are closed here."""
        return self._opened.get(event)

    def _read_chunk(self, number: int) -> list[tuple[bytes, bytes]]:
        """Return leaf and statement bytes of one entry bundle, unparsed."""
        width = min(TILE_WIDTH, self._size - number * TILE_WIDTH)
        try:
            leaves = read_leaves(self._bundle, number, width)
            data = self._bundle.read(payload_path(number, width), max_bytes=MAX_PAYLOADS_BYTES)
        except LedgerError:
            return []
        return list(zip(leaves, data.split(b"\n"), strict=False))

    def _read_entry(self, index: int) -> Entry | None:
        chunk = self._chunk(index // TILE_WIDTH)
        if index % TILE_WIDTH >= len(chunk):
            return None
        try:
            parsed = parse_entry(index, *chunk[index % TILE_WIDTH])
        except LedgerError:
            return None
        return Entry(
            index=Index(index),
            leaf=parsed.leaf,
            event=EventHash(parsed.leaf.statement),
            statement=parsed.statement,
        )
