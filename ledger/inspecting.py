"""Inspection mode: the log as it was at the checkpoint that an inspection froze (catalogue A).

    found = inspecting(ledger, "insp")              # the open inspection that a person takes part in
    view = InspectedLedger(ledger, found)
    view.store.head().size == found.size            # nothing beyond it, in any answer

An inspector reads as of one size, whatever is recorded meanwhile. `InspectedStore` answers everything that a
store can be asked as the store of that size would have; what was destroyed since stays destroyed. What the
reading itself leaves behind, views and exports, goes into the log as it is now.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.committer import Ledger
from ledger.earlier import Earlier
from ledger.merkle import read_frontier
from ledger.state.people import Inspection
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import (
    Attachment,
    Guard,
    Head,
    NewDisclosure,
    NewStream,
    Reads,
    Slot,
    Snapshot,
    Store,
    StoredEntry,
)
from ledger.tiles import TileHashes

ALL_SITES: Final = "*"


def inspecting(ledger: Ledger, person: str) -> Inspection | None:
    """Return the open inspection that a person takes part in, as of the newest entry."""
    fold = ledger.refresh()
    return fold.conduct.study.people.inspecting(person, fold.size)


class UpTo:
    """Reads of a log as they were at a size. A `Snapshot`."""

    def __init__(self, reads: Reads, head: Head) -> None:
        self._reads, self._head = reads, head

    @property
    def size(self) -> int:
        """Size of the log in these reads."""
        return self._head.size

    @property
    def earlier(self) -> Earlier:
        """What the log goes on from."""
        return self._reads.earlier

    def head(self) -> Head:
        """Return the head of this size."""
        return self._head

    def head_covering(self, index: int) -> Head | None:
        """Return the first head that holds an index, which is this one where the commit went beyond."""
        if index >= self.size:
            return None
        found = self._reads.head_covering(index)
        return found if found is None or found.size <= self.size else self._head

    def heads(self, size: int) -> bytes | None:
        """Return the signed head note of exactly `size`."""
        return self._reads.heads(size) if size <= self.size else None

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        """Return the entries with start <= index < stop that exist."""
        return self._reads.entries(start, min(stop, self.size), types) if start < self.size else []

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at `index`."""
        return self._reads.entry(index) if index < self.size else None

    def index_of_event(self, event: str) -> int | None:
        """Return the index of an event hash."""
        return self._within(self._reads.index_of_event(event))

    def index_of_id(self, statement_id: str) -> int | None:
        """Return the index of a statement id."""
        return self._within(self._reads.index_of_id(statement_id))

    def ids_taken(self, statement_ids: Sequence[str]) -> set[str]:
        """Return those of some statement ids that the log has."""
        return {each for each in statement_ids if self.index_of_id(each) is not None}

    def stream(self, stream: str) -> NewStream | None:
        """Return tag and salt of a stream that had begun."""
        return self._reads.stream(stream) if self._begun(stream) else None

    def stream_by_tag(self, tag: str) -> NewStream | None:
        """Return the stream that a leaf's tag stands for."""
        found = self._reads.stream_by_tag(tag)
        return found if found is not None and self._begun(found.stream) else None

    def streams(self) -> list[NewStream]:
        """Return all streams that had begun, in ascending order of their names."""
        return [row for row in self._reads.streams() if self._begun(row.stream)]

    def stream_head(self, stream: str) -> tuple[int, str] | None:
        """Return (seq, event hash) of the newest statement of a stream."""
        found = self.stream_entries(stream)
        return (found[-1].seq, found[-1].event) if found else None

    def stream_entries(
        self, stream: str, start_seq: int = 1, stop_seq: int | None = None
    ) -> list[StoredEntry]:
        """Return the entries of a stream with start_seq <= seq < stop_seq, in order."""
        found = self._reads.stream_entries(stream, start_seq, stop_seq)
        return [entry for entry in found if entry.index < self.size]

    def disclosures(self, event: str) -> list[NewDisclosure]:
        """Return the sealed values of one statement that were not destroyed."""
        return [] if self.index_of_event(event) is None else self._reads.disclosures(event)

    def guard(self, kind: str, key: str) -> int | None:
        """Return the index that took this guard."""
        return self._within(self._reads.guard(kind, key))

    def guards(self, kind: str) -> list[Guard]:
        """Return all guards of a kind in ascending order of their keys."""
        return [guard for guard in self._reads.guards(kind) if guard.index < self.size]

    def attachment(self, sha256: str) -> Attachment | None:
        """Return the attachment with this hash; whether a statement names it is asked elsewhere."""
        return self._reads.attachment(sha256)

    def tile_hashes(self, level: int, start: int, stop: int) -> bytes:
        """Return the hashes at positions start <= n < stop of a tile level."""
        return self._reads.tile_hashes(level, start, stop)

    def slot(self, list_name: str, index: int) -> Slot | None:
        """Return one slot of a randomization list."""
        return self._reads.slot(list_name, index)

    def next_slot(self, list_name: str, stratum: str, after: int) -> Slot | None:
        """Return the slot of the stratum with the lowest index above `after`."""
        return self._reads.next_slot(list_name, stratum, after)

    def count_slots(self, list_name: str) -> int:
        """Return how many slots of a list are there."""
        return self._reads.count_slots(list_name)

    def _within(self, index: int | None) -> int | None:
        return index if index is not None and index < self.size else None

    def _begun(self, stream: str) -> bool:
        return bool(self.stream_entries(stream, 1, 2))


class InspectedStore(UpTo):
    """A store as of a size, for reading. It never grows."""

    def __init__(self, store: Store, head: Head) -> None:
        super().__init__(store, head)
        self._store = store
        self._never = threading.Event()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Return reads that fit each other."""
        with self._store.snapshot() as reads:
            yield UpTo(reads, self._head)

    def wait_for(self, size: int, timeout_s: float) -> int:
        """Wait for the time to be up: there is never more."""
        if size > self.size:
            self._never.wait(timeout_s)
        return self.size


class InspectedCheckpoints:
    """Published checkpoints up to the frozen one, which is the newest."""

    def __init__(self, checkpoints: CheckpointStore, size: int, note: bytes) -> None:
        self._checkpoints, self._newest = checkpoints, (size, note)

    def latest(self) -> tuple[int, bytes]:
        """Return size and note of the frozen checkpoint."""
        return self._newest

    def newest_within(self, size: int) -> tuple[int, bytes] | None:
        """Return size and note of the newest one of at most `size`."""
        return self._newest if size >= self._newest[0] else self._checkpoints.newest_within(size)

    def get(self, size: int) -> bytes | None:
        """Return the note of exactly `size`."""
        if size >= self._newest[0]:
            return self._newest[1] if size == self._newest[0] else None
        return self._checkpoints.get(size)


class InspectedLedger:
    """A ledger whose store and checkpoints are those of an inspection; what is recorded goes into the log."""

    def __init__(self, ledger: Ledger, inspection: Inspection) -> None:
        self._ledger = ledger
        self.inspection = inspection
        head = _head(ledger, inspection.size)
        self._note = _published(ledger, inspection, head)
        self.store = InspectedStore(ledger.store, head)
        self.checkpoints = InspectedCheckpoints(ledger.checkpoints, head.size, self._note)

    def publish(self) -> bytes:
        """Return the frozen checkpoint; nothing is published by an inspection."""
        return self._note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def _head(ledger: Ledger, size: int) -> Head:
    """Return the head of a size, signed again where no commit ended there: the tree is the same."""
    with ledger.store.snapshot() as reads:
        frontier = read_frontier(size, TileHashes(reads.tile_hashes))
        root, note = frontier.root(), reads.heads(size)
    if note is None:
        note = sign_head(Checkpoint(origin=ledger.origin, size=size, root=root), ledger.signers.head)
    return Head(size=size, root=root, frontier=b"", note=note)


def _published(ledger: Ledger, inspection: Inspection, head: Head) -> bytes:
    """Return the checkpoint of the frozen size: as it was published, else as of the inspection's opening."""
    return ledger.checkpoints.get(head.size) or publish(
        head.note, ledger.signers.published, inspection.opened_us // 1_000_000
    )


def sites_of(inspection: Inspection, held: Sequence[str] | None) -> frozenset[str] | None:
    """Return the sites that an inspection opens to somebody who holds these; None for all."""
    named = None if ALL_SITES in inspection.sites else frozenset(inspection.sites)
    if named is None or held is None:
        return named if held is None else frozenset(held)
    return named & frozenset(held)
