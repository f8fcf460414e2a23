"""The port to durable storage: the values that go in and out, and what a store promises about them.

A store keeps one log. What was appended stays as it was written, in one dense order, and everything of one
commit becomes durable together or not at all: statement bytes, leaves, tree hashes, the head with its signed
note, stream salts, guards and sealed disclosures (record-format.md §4, §5, §7). Only sealed disclosures and
randomization slots can be destroyed, and then their bytes are gone from the store.

Two orders are never mixed. `index` is the position in the log, dense from 0 and public; whatever numbers a
database gives to its rows stay inside the adapter.

Left out on purpose: rules, signatures and hashing. A store checks order and uniqueness, nothing else; who may
append what is decided by the one who holds the write transaction. Data keys and published checkpoints live in
stores of their own, so that a copy of one is never a copy of all.

Errors, all with stable codes:
    StoreError     STORE_BUSY     another writer holds the store longer than the timeout; try again
                   STORE_FULL     no room left; nothing of the transaction was kept
                   STORE_CORRUPT  what is stored contradicts itself or is not a store at all
                   STORE_MISSING  nothing is there, and nothing creates itself
                   STORE_EXISTS   something is already there
                   STORE_VERSION  written by, or running on, a version that does not fit
                   STORE_CLOSED   used after close()
                   STORE_ROLE     the database role may do more, or less, than a store's writer
                   STORE_IO       any other failure of the medium; after a failed commit the caller settles
                                  what happened through `index_of_id`
    ConflictError  HEAD_STALE     the commit does not start at the present size
                   DUPLICATE      an event hash, statement id, stream position, tag or sealed path exists
                   GUARD_TAKEN    a guard of this kind and key exists
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol, Self, runtime_checkable

from ledger.earlier import Earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One statement with its leaf, about to be appended.

    Attributes:
        index: position in the log, dense from 0.
        at: the leaf's recording time, fixed-width UTC text.
        event: event hash, 64 lower-case hex digits.
        statement: the exact bytes that were signed.
        leaf: the exact bytes that the log commits to; leaf_hash is their RFC 6962 hash, 32 bytes.
    """

    index: int
    at: str
    stream: str
    seq: int
    type: str
    schema: int
    id: str
    event: str
    statement: bytes
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStream:
    """A stream with its tag (64 hex digits) and 32-byte salt, fixed by its first event (§4)."""

    stream: str
    tag: str
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDisclosure:
    """One sealed value, encrypted: its event hash, JSON Pointer and scope name the key and the AAD (§7)."""

    event: str
    path: str
    scope: str
    stream: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A key that may be used once in a ledger, and the index that used it (unique number, list slot, cap)."""

    kind: str
    key: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One entry of a randomization list, its arm sealed (§8.3).

    Attributes:
        index: position in the list, running through all strata.
        commitment: c_i, 32 bytes; proof: its Merkle path, 32-byte hashes concatenated.
        nonce, ciphertext: the sealed arm and salt, opaque to the store.
    """

    list: str
    index: int
    stratum: str
    commitment: bytes
    proof: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Bytes that a statement names by their SHA-256 (64 hex digits)."""

    sha256: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Everything that becomes durable together.

    Attributes:
        base_size: size of the log that this commit extends; refused unless it is the present size.
        tile_hashes: (tile level, position in that level, hash) for levels 1 and up, completed by these
            events, ascending within a level. Level 0 is each event's `leaf_hash` and is not repeated here.
        root, frontier, head: root hash, serialized frontier and signed head note at the new size.
    """

    base_size: int
    events: tuple[NewEvent, ...]
    streams: tuple[NewStream, ...]
    disclosures: tuple[NewDisclosure, ...]
    guards: tuple[Guard, ...]
    tile_hashes: tuple[tuple[int, int, bytes], ...]
    root: bytes
    frontier: bytes
    head: bytes


class StoredEntry(NamedTuple):
    """One entry of the log as it was written; a tuple, because replays make one for every row."""

    index: int  # type: ignore[assignment]  # a column of the log, in place of the method of tuples
    at: str
    stream: str
    seq: int
    type: str
    schema: int
    id: str
    event: str
    statement: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Size, root, frontier and signed note of one commit. The empty log has size 0 and an empty note."""

    size: int
    root: bytes
    frontier: bytes
    note: bytes


class Reads(Protocol):
    """What can be asked of a store, of a snapshot of it, and inside a write transaction.

    Ranges are half open. Asked of the store itself each answer is consistent in itself; for answers that must
    fit each other take a snapshot. `earlier` is what the log goes on from, where it continues another.
    """

    @property
    def earlier(self) -> Earlier:
        """What the log goes on from."""

    def head(self) -> Head:
        """Return the newest head."""

    def head_covering(self, index: int) -> Head | None:
        """Return the head of the commit that recorded `index`: the first that a receipt can carry."""

    def heads(self, size: int) -> bytes | None:
        """Return the signed head note of exactly `size`, None where no commit ended there."""

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        """Return the entries with start <= index < stop that exist, in index order; of these types alone."""

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at `index`."""

    def index_of_event(self, event: str) -> int | None:
        """Return the index of an event hash."""

    def index_of_id(self, statement_id: str) -> int | None:
        """Return the index of a statement id."""

    def ids_taken(self, statement_ids: Sequence[str]) -> set[str]:
        """Return those of some statement ids that the log has, in one question."""

    def stream(self, stream: str) -> NewStream | None:
        """Return tag and salt of a stream."""

    def stream_by_tag(self, tag: str) -> NewStream | None:
        """Return the stream that a leaf's tag stands for."""

    def streams(self) -> list[NewStream]:
        """Return all streams in ascending order of their names."""

    def stream_head(self, stream: str) -> tuple[int, str] | None:
        """Return (seq, event hash) of the newest statement of a stream."""

    def stream_entries(
        self, stream: str, start_seq: int = 1, stop_seq: int | None = None
    ) -> list[StoredEntry]:
        """Return the entries of a stream with start_seq <= seq < stop_seq, in order."""

    def disclosures(self, event: str) -> list[NewDisclosure]:
        """Return the sealed values of one statement that were not destroyed, in order of their paths."""

    def guard(self, kind: str, key: str) -> int | None:
        """Return the index that took this guard."""

    def guards(self, kind: str) -> list[Guard]:
        """Return all guards of a kind in ascending order of their keys."""

    def attachment(self, sha256: str) -> Attachment | None:
        """Return the attachment with this hash."""

    def tile_hashes(self, level: int, start: int, stop: int) -> bytes:
        """Return the hashes at positions start <= n < stop of a tile level, concatenated.

        Position n of level L is the root over leaves n·256^L … (n+1)·256^L - 1 (tlog-tiles).

        Raises:
            StoreError: STORE_CORRUPT when one of them is not there.
        """

    def slot(self, list_name: str, index: int) -> Slot | None:
        """Return one slot of a randomization list that was not destroyed."""

    def next_slot(self, list_name: str, stratum: str, after: int) -> Slot | None:
        """Return the slot of the stratum with the lowest index above `after`; -1 asks for the first."""

    def count_slots(self, list_name: str) -> int:
        """Return how many slots of a list are there."""


@runtime_checkable
class Counted(Protocol):
    """What a store and its snapshots can say besides, and a view of a part of the log cannot."""

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of events, tile_hashes, guards, disclosures and slots.

        Those that were erased do not count.
        """


class Snapshot(Reads, Protocol):
    """Reads that all see the log as it was when the snapshot was taken."""

    @property
    def size(self) -> int:
        """Size of the log in this snapshot."""


class WriteTransaction(Reads, Protocol):
    """The store's one write lock, held: nobody else appends until it ends.

    Ends with a durable commit when left normally after something was written, and with a rollback otherwise.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def append(self, commit: Commit, *, last: bool = False) -> None:
        """Append a commit's events and all that belongs to them.

        After `last` nothing else is asked of the transaction: a store may begin to make it durable while the
        caller goes on, whatever becomes of the caller, and raise on leaving what it would have raised here.

        Raises:
            ConflictError: HEAD_STALE, DUPLICATE, GUARD_TAKEN; the transaction can only be left after it.
            StoreError: STORE_FULL, STORE_IO.
        """

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        """Keep bytes under their hash; keeping the same bytes again changes nothing."""

    def put_slots(self, slots: Sequence[Slot]) -> None:
        """Keep the sealed slots of a randomization list."""


class Store(Reads, Protocol):
    """A ledger's durable storage, shared by threads and processes."""

    earlier: Earlier

    def write(self, ids: Sequence[str] = ()) -> WriteTransaction:
        """Return a write transaction; entering it takes the write lock.

        `ids` will be asked for in it: a store that is far away looks them up when it takes the lock.

        Raises:
            StoreError: STORE_BUSY on entering, when the lock stays taken for the whole timeout.
        """

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Return a context manager for reads that fit each other."""

    def put_attachment(self, sha256: str, media_type: str, data: bytes) -> None:
        """Keep bytes under their hash in a transaction of their own."""

    def put_slots(self, slots: Sequence[Slot]) -> None:
        """Keep the sealed slots of a randomization list in a transaction of their own."""

    def delete_disclosures(self, event: str, paths: Sequence[str]) -> int:
        """Destroy sealed values of one statement; return how many were there.

        On return their bytes are in none of the store's files.

        Raises:
            StoreError: STORE_BUSY when the values are destroyed for every reader, but remains of them could
                not be cleared yet because a snapshot is open; asking again clears them.
        """

    def delete_slots(self, list_name: str) -> int:
        """Destroy the sealed slots of a list, under the same promise."""

    def wait_for(self, size: int, timeout_s: float) -> int:
        """Wait until the log has at least `size` entries, or the time is up; return its size."""

    def close(self) -> None:
        """Put everything in its final place and release it; closing twice is allowed."""
