"""The whole log folded: order and linkage, authority, conduct, up to one size.

A process that writes keeps one `LogFold` and catches up with the store under the write lock, so that several
processes can share a ledger. After a failed commit the fold is thrown away and made again from the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.authority import INITIAL, Authority
from ledger.authority import evolve as evolve_authority
from ledger.chain import Chain
from ledger.conduct import Conduct, Violation
from ledger.earlier import fold_earlier
from ledger.entry import Entry, Index
from ledger.envelope import EventHash
from ledger.errors import StoreError
from ledger.leaf import parse_leaf
from ledger.recent import RecentStreams
from ledger.refusals import Refusals
from ledger.statement import Statement, parse_statement
from ledger.store.port import NewDisclosure, Reads, StoredEntry

PAGE: Final = 1_000
KEPT: Final = 8_192
"""So many parsed entries are kept, some 40 MB: folding one often reads those of its stream again."""

Open = Callable[[Statement, Sequence[NewDisclosure]], Mapping[str, Any] | None]
"""Opens the disclosures of a statement; None where one of its sealed values cannot be opened any more."""


def load_entry(stored: StoredEntry) -> Entry:
    """Parse an entry as the store keeps it."""
    return Entry(
        index=Index(stored.index),
        leaf=parse_leaf(stored.leaf),
        event=EventHash(stored.event),
        statement=parse_statement(stored.statement),
    )


class StoreReader:
    """What conduct asks of the log: a stream's entries, an event's index, an attachment's bytes.

    `reads` is set to the transaction or snapshot in use, `pending` to the entries of the open batch and
    `disclosed` to the sealed values that were handed in with them, so that answers fit what is being judged.
    `open_` opens what is stored; without it what is sealed stays closed.
    """

    def __init__(self, reads: Reads, open_: Open | None = None) -> None:
        self.reads = reads
        self.pending: list[Entry] = []
        self._added: dict[str, Entry] = {}
        self.disclosed: dict[str, Mapping[str, Any]] = {}
        self._open = open_
        self._recent: RecentStreams[Entry] = RecentStreams()
        self._parsed: dict[int, tuple[StoredEntry, Entry]] = {}

    def load(self, stored: StoredEntry) -> Entry:
        """Parse an entry as the store keeps it, or recall it: those parsed last are kept with their bytes."""
        known = self._parsed.get(stored.index)
        if known is not None and known[0] == stored:
            return known[1]
        entry = load_entry(stored)
        if len(self._parsed) >= KEPT:
            del self._parsed[next(iter(self._parsed))]
        self._parsed[stored.index] = stored, entry
        return entry

    def add(self, entry: Entry) -> None:
        """Take an entry of the open batch in."""
        self.pending.append(entry)
        self._added[entry.event] = entry

    def added(self, event: str) -> Entry | None:
        """Return an entry of the open batch by its event."""
        return self._added.get(event)

    def durable(self) -> None:
        """Forget the batch: the log has it now."""
        self.pending.clear()
        self._added.clear()
        self.disclosed.clear()

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries in order, those of the open batch last."""
        stored = self._recent.entries(
            stream, lambda known: map(self.load, self.reads.stream_entries(stream, known + 1))
        )
        pending = [e for e in self.pending if e.statement is not None and e.statement.stream == stream]
        return [*self.reads.earlier.entries_of(stream), *stored, *pending]

    def index_of(self, event: str) -> int | None:
        """Return the index of an event, those of the open batch included."""
        added = self._added.get(event)
        index = added.index if added is not None else self.reads.index_of_event(event)
        return self.reads.earlier.index_of(event) if index is None else index

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index, those of the open batch and of an older epoch included."""
        if index < 0:
            return self.reads.earlier.entry_at(index)
        if self.pending and index >= self.pending[0].index:
            at = index - self.pending[0].index
            return self.pending[at] if at < len(self.pending) else None
        stored = self.reads.entry(index)
        return None if stored is None else self.load(stored)

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        found = self.reads.attachment(sha256)
        return self.reads.earlier.attachment(sha256) if found is None else found.data

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Return the values of a statement's sealed paths; None where they are closed here."""
        handed_in = self.disclosed.get(event)
        if handed_in is not None or self._open is None:
            return handed_in
        index = self.index_of(event)
        entry = None if index is None else self.entry_at(index)
        if entry is None or entry.statement is None:
            return None
        return self._open(entry.statement, self.reads.disclosures(event))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldState:
    """A fold's value as of a size, apart from the log and from whoever goes on folding."""

    authority: Authority
    chain: Mapping[str, Any]
    refusals: Mapping[str, Any]
    conduct: Mapping[str, Any]

    @property
    def size(self) -> int:
        """How many entries are folded in."""
        size: int = self.chain["size"]
        return size


class LogFold:
    """Mutable fold of everything that the write path has to know.

    A `lazy` one folds conduct when it is first asked for: who needs order and authority alone is not kept
    waiting for it. From then on it is as any other.
    """

    def __init__(self, reader: StoreReader, *, lazy: bool = False) -> None:
        self.reader = reader
        self.authority: Authority = INITIAL
        self.chain = Chain()
        self.refusals = Refusals()
        self._conduct: Conduct | None = None if lazy else self._begun()

    def saved(self) -> FoldState:
        """Return what is folded as of now; conduct is folded for it where it was not yet."""
        return FoldState(
            authority=replace(self.authority),  # without what it found in order meanwhile
            chain=self.chain.saved(),
            refusals=self.refusals.saved(),
            conduct=self.conduct.saved(),
        )

    @classmethod
    def of(cls, reader: StoreReader, state: FoldState) -> LogFold:
        """Return a fold that goes on from this state, which stays as it is."""
        fold = cls(reader, lazy=True)
        fold.authority = state.authority
        fold.chain = Chain.of(state.chain)
        fold.refusals = Refusals.of(state.refusals)
        fold._conduct = Conduct.of(reader, state.conduct)
        return fold

    @property
    def conduct(self) -> Conduct:
        """The study's state and every participant's, as far as the log is folded in."""
        if self._conduct is None:
            self._conduct = self._caught_up()
        return self._conduct

    @property
    def is_whole(self) -> bool:
        """Whether conduct is folded, too."""
        return self._conduct is not None

    def _begun(self) -> Conduct:
        conduct = Conduct(self.reader)
        fold_earlier(self.reader.reads.earlier, conduct)
        return conduct

    def _caught_up(self) -> Conduct:
        conduct, authority = self._begun(), INITIAL
        for start in range(0, self.size, PAGE):
            for stored in self.reader.reads.entries(start, min(self.size, start + PAGE)):
                entry = self.reader.load(stored)
                conduct.evolve(entry, authority)
                authority = evolve_authority(authority, entry)
        return conduct

    @property
    def size(self) -> int:
        """How many entries are folded in."""
        return self.chain.size

    def catch_up(self, reads: Reads, size: int) -> None:
        """Fold in what the store has beyond this fold, up to `size`.

        Where that fails the fold begins anew: it may have stopped in the middle of an entry, and half of that
        would be missing from then on.
        """
        self.reader.reads = reads
        try:
            while self.size < size:
                page = reads.entries(self.size, min(size, self.size + PAGE))
                if not page:
                    raise StoreError("STORE_CORRUPT", f"expected {size} entries, found {self.size}")
                for stored in page:
                    self.advance(self.reader.load(stored))
        except BaseException:
            self.authority, self.chain, self.refusals = INITIAL, Chain(), Refusals()
            self._conduct = None  # folded when something asks for it
            raise

    def advance(self, entry: Entry) -> tuple[Violation, ...]:
        """Fold one accepted entry in; return the breaches that it newly causes on earlier statements."""
        self.chain.advance(entry)
        caused = () if self._conduct is None else self._conduct.evolve(entry, self.authority)
        self.authority = evolve_authority(self.authority, entry)
        self.refusals.advance(entry)
        return caused
