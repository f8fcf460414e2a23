"""The commit under construction: leaves, tree, head, and all that becomes durable with them.

A batch is filled inside the write transaction, entry by entry, while the fold advances with it; `commit` then
gives the store one value. The right edge of the tree grows with it, so inclusion proofs for the new leaves
need no reading.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.checkpoint import Checkpoint, sign_head
from ledger.datakeys import DataKeys
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE
from ledger.errors import LedgerError, ProofError, StoreError
from ledger.fold import LogFold, load_entry
from ledger.leaf import Leaf
from ledger.merkle import Frontier, GrownHashes, InclusionProofs, leaf_hash, read_frontier
from ledger.note import NoteSigner
from ledger.proof import Lines, format_receipt
from ledger.recorded import Recorded
from ledger.sources import Sources
from ledger.statement import Seen, Statement
from ledger.store.port import Commit, Guard, Head, NewDisclosure, NewEvent, NewStream, WriteTransaction
from ledger.submission import Submission
from ledger.tiles import TileHashes, advance
from ledger.times import format_instant, parse_instant

KNOWN_ROOTS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A disclosure D to be sealed with its commit, under the key of its stream and scope."""

    event: str
    path: str
    scope: str
    stream: str
    disclosure: str = field(repr=False)


class Batch:
    """Mutable commit in the making; lives inside one write transaction."""

    def __init__(
        self,
        tx: WriteTransaction,
        head: Head,
        fold: LogFold,
        sources: Sources,
        signer: NoteSigner,
        roots: dict[int, bytes],
    ) -> None:
        """Begin after `head`. `roots` are those of durable sizes that are known already; it is added to."""
        self.tx = tx
        self.base = Seen(root=head.root, size=head.size)
        self.at_us = max(sources.now_us(), parse_instant(fold.chain.at) if fold.chain.at else 0)
        self.at = format_instant(self.at_us)
        self.events: list[NewEvent] = []
        self.streams: dict[str, NewStream] = {}
        self.openings: list[Opening] = []
        self.head: Head | None = None
        self._fold = fold
        self._signer = signer
        self._ids: set[str] = set()
        self._asked: dict[str, bool] = {}
        self._guards: list[Guard] = []
        self._edge = _edge(head)
        self._before = self._edge.copy()
        self._proofs: InclusionProofs | None = None
        self._roots = roots
        self._know(head.size, head.root)

    @property
    def size(self) -> int:
        """Size of the log with what was added so far."""
        return self._fold.size

    def candidate(self, submission: Submission) -> Entry:
        """Make the entry that a submission would be, at the next index."""
        statement = submission.statement
        leaf = Leaf(
            at=self.at,
            cls=statement.cls,
            index=self.size,
            payload_type=PAYLOAD_TYPE,
            sigs=submission.sigs,
            site=statement.site or "",
            statement=statement.event,
            stream=statement.tag,
            v=1,
        )
        return Entry(index=Index(leaf.index), leaf=leaf, event=statement.event, statement=statement)

    def add(
        self,
        entry: Entry,
        *,
        leaf: bytes,
        openings: Sequence[Opening],
        stream: NewStream | None,
        guards: Sequence[tuple[str, str]],
    ) -> None:
        """Add an entry that was judged; the fold is advanced by the caller."""
        statement = entry.statement
        assert statement is not None  # noqa: S101  what is recorded is shown
        hashed = leaf_hash(leaf)
        self.events.append(
            NewEvent(
                index=entry.index,
                at=entry.leaf.at,
                stream=statement.stream,
                seq=statement.seq,
                type=statement.type,
                schema=statement.schema,
                id=statement.id,
                event=entry.event,
                statement=statement.body,
                leaf=leaf,
                leaf_hash=hashed,
            )
        )
        self._ids.add(statement.id)
        self._fold.reader.add(entry)
        self.openings += openings
        if stream is not None:
            self.streams[stream.stream] = stream
        self._guards += [Guard(kind=kind, key=key, index=entry.index) for kind, key in guards]
        self._edge.append(hashed)

    def index_of(self, event: str) -> int | None:
        """Return the index of an event in the log or in this batch."""
        entry = self._fold.reader.added(event)
        return entry.index if entry else self.tx.index_of_event(event)

    def ask_ids(self, statement_ids: Sequence[str]) -> None:
        """Look up at once which of these ids the log has; `has_id` knows it of them then."""
        taken = self.tx.ids_taken(statement_ids)
        self._asked.update((statement_id, statement_id in taken) for statement_id in statement_ids)

    def has_id(self, statement_id: str) -> bool:
        """Tell whether the log or this batch has a statement with this id."""
        if statement_id in self._ids:
            return True
        known = self._asked.get(statement_id)
        return self.tx.index_of_id(statement_id) is not None if known is None else known

    def find(self, event: str) -> Entry | None:
        """Return an entry of the log or of this batch by its event hash; None where there is none."""
        entry = self._fold.reader.added(event)
        if entry is not None:
            return entry
        index = self._fold.reader.index_of(event)
        return None if index is None else self.entry_at(index)

    def entry_of(self, event: str) -> Entry:
        """Return an entry that was folded in, of the log or of this batch, by its event hash."""
        entry = self.find(event)
        if entry is None:
            raise StoreError("STORE_CORRUPT", "a statement that was folded in is not in the store")
        return entry

    def entry_at(self, index: int) -> Entry:
        """Return an entry of the log or of this batch by its index."""
        entry = self._fold.reader.entry_at(index)
        if entry is None:
            raise StoreError("STORE_CORRUPT", "an entry that was folded in is not in the store")
        return entry

    def statements(self, types: Collection[str]) -> list[Statement]:
        """Return the statements of these types in the log and in this batch, in order."""
        stored = self.tx.entries(0, self.base.size, types)
        entries = [*map(load_entry, stored), *self._fold.reader.pending]
        return [e.statement for e in entries if e.statement is not None and e.statement.type in types]

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the durable log's first `size` leaves."""
        if size not in self._roots and size <= self.base.size:
            self._know(size, read_frontier(size, TileHashes(self.tx.tile_hashes)).root())
        return self._roots.get(size)

    def commit(self, data_keys: DataKeys) -> Commit:
        """Seal the openings, sign the head, and give everything to be stored."""
        size, root, frontier = self.size, self._edge.root(), self._edge.to_bytes()
        checkpoint = Checkpoint(origin=self._signer.key.name, size=size, root=root)
        note = sign_head(checkpoint, self._signer)
        self.head = Head(size=size, root=root, frontier=frontier, note=note)
        hashes = [event.leaf_hash for event in self.events]
        return Commit(
            base_size=self.base.size,
            events=tuple(self.events),
            streams=tuple(self.streams.values()),
            disclosures=tuple(_seal(opening, data_keys) for opening in self.openings),
            guards=tuple(self._guards),
            tile_hashes=advance(self.base.size, hashes, self.tx.tile_hashes),
            root=root,
            frontier=frontier,
            head=note,
        )

    def prove(self, index: int) -> list[bytes]:
        """Prove that a leaf of this batch is in the tree of its head."""
        if len(self.events) == 1:
            # Beside the path of the newest leaf lie the peaks of the tree before it, from the smallest up.
            return list(reversed(self._before.peaks))
        if self._proofs is None:
            grown = GrownHashes(self._before, (event.leaf_hash for event in self.events))
            self._proofs = InclusionProofs(self.size, grown)
        return self._proofs.prove(index)

    def receipt_all(self, outcomes: Sequence[Recorded | LedgerError]) -> None:
        """Make the receipts of what is new in this commit; they count once it is durable."""
        assert self.head is not None  # noqa: S101  `commit` was called
        note, lines = self.head.note, Lines()
        for outcome in outcomes:
            if isinstance(outcome, Recorded) and not outcome.again:
                receipt = format_receipt(outcome.leaf, outcome.index, self.prove(outcome.index), note, lines)
                # Nobody else has the outcome yet; it is frozen for everyone to whom it is given.
                object.__setattr__(outcome, "receipt", receipt)

    def _know(self, size: int, root: bytes) -> None:
        """Remember the root of a durable size; signers name recent ones, so the oldest known goes first."""
        if len(self._roots) >= KNOWN_ROOTS:
            del self._roots[next(iter(self._roots))]
        self._roots[size] = root


def _edge(head: Head) -> Frontier:
    """Read the right edge of a head.

    Raises:
        StoreError: STORE_CORRUPT, it is not that of its size.
    """
    try:
        edge = Frontier.from_bytes(head.frontier)
    except ProofError as error:
        raise StoreError("STORE_CORRUPT", error.message) from error
    if edge.size != head.size:
        raise StoreError("STORE_CORRUPT", f"expected the right edge of a tree of {head.size}")
    return edge


def _seal(opening: Opening, data_keys: DataKeys) -> NewDisclosure:
    nonce, ciphertext = data_keys.seal(
        opening.event, opening.path, opening.stream, opening.scope, opening.disclosure
    )
    return NewDisclosure(
        event=opening.event,
        path=opening.path,
        scope=opening.scope,
        stream=opening.stream,
        nonce=nonce,
        ciphertext=ciphertext,
    )
