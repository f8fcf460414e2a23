"""An older epoch's store, and its data keys, as the log that goes on from it reads them (`ledger.earlier`).

    store.earlier = EarlierStore(older, size)      # what stands before `size`, at indexes below 0
    epoch_of(store, index)                         # which epoch an index below 0 stands in

Its lists are allocated from and its arms are shown where `data_keys` is set: the older directory's, when it
opens to the same passphrase (`ledger.directory`). Rules over other values sealed there are not judged here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property

from ledger.datakeys import DataKeys
from ledger.earlier import LISTS, shifted
from ledger.entry import Entry
from ledger.fold import PAGE, StoreReader, load_entry
from ledger.merkle import leaf_hash, read_frontier
from ledger.note import VerifierKey, parse_vkey
from ledger.store.port import Reads, Store
from ledger.tiles import TileHashes


class EarlierStore:
    """The old log's store as the new one reads it: what stands before `size`, at indexes below 0."""

    def __init__(self, store: Store, size: int) -> None:
        self.store = store
        self.data_keys: DataKeys | None = None
        self._size = size
        self._kept = threading.local()

    @property
    def size(self) -> int:
        """How many entries of the old log count."""
        return self._size

    @property
    def root(self) -> bytes:
        """The old log's root at `size`."""
        return root_at(self.store, self._size)

    @cached_property
    def origin(self) -> str:
        """The old log's origin."""
        first = self.store.entry(0)
        statement = None if first is None else load_entry(first).statement
        return "" if statement is None else statement.log

    def holding(self, index: int) -> EarlierStore | None:
        """Return the epoch that an index below 0 stands in: this one, or a still older one."""
        if index >= -self._size:
            return self
        before = self.store.earlier
        return before.holding(index + self._size) if isinstance(before, EarlierStore) else None

    @cached_property
    def ledger_id(self) -> str:
        """The old log's id."""
        first = self.store.entry(0)
        return "" if first is None else leaf_hash(first.leaf).hex()

    def log_keys(self) -> Iterator[VerifierKey]:
        """Yield the log keys of the old log and of still older ones, as each names them at index 0."""
        if isinstance(self.store.earlier, EarlierStore):
            yield from self.store.earlier.log_keys()
        first = self.store.entry(0)
        statement = None if first is None else load_entry(first).statement
        if statement is not None:
            yield from map(parse_vkey, statement.data["log_keys"])

    def entries(self) -> Iterator[Entry]:
        """Yield every entry that counts, those of still older epochs first."""
        for entry in self.store.earlier.entries():
            yield shifted(entry, self._size)
        for entry in entries_before(self.store, self._size):
            yield shifted(entry, self._size)

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries in order."""
        found = self._reader.entries_of(stream)
        return [shifted(entry, self._size) for entry in found if entry.index < self._size]

    def index_of(self, event: str) -> int | None:
        """Return the index of an event, below 0; what stands at `size` or past it is void."""
        index = self._reader.index_of(event)
        return None if index is None or index >= self._size else index - self._size

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index below 0."""
        entry = self._reader.entry_at(index + self._size)
        return None if entry is None else shifted(entry, self._size)

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        return self._reader.attachment(sha256)

    @property
    def _reader(self) -> StoreReader:
        """The reader of this thread: what it parsed of a stream stays right, for the old log has ended."""
        if not hasattr(self._kept, "reader"):
            self._kept.reader = StoreReader(self.store)
        reader: StoreReader = self._kept.reader
        return reader

    def lists(self) -> Sequence[Entry]:
        """Return what was said of randomization, in order."""
        return [e for e in self.entries() if e.statement is not None and e.statement.type in LISTS]

    def close(self) -> None:
        """Close the old store."""
        if self.data_keys is not None:
            self.data_keys.close()
        self.store.close()


def epoch_of(store: Reads, index: int) -> EarlierStore | None:
    """Return the older epoch that an index below 0 stands in; None for an index of this log."""
    earlier = store.earlier
    return earlier.holding(index) if index < 0 and isinstance(earlier, EarlierStore) else None


def entries_before(reads: Reads, size: int) -> Iterator[Entry]:
    """Yield the entries of a log below a size."""
    for start in range(0, size, PAGE):
        for stored in reads.entries(start, min(size, start + PAGE)):
            yield load_entry(stored)


def root_at(reads: Reads, size: int) -> bytes:
    """Return the root of a stored log at a size."""
    return read_frontier(size, TileHashes(reads.tile_hashes)).root()
