"""A log moved from one store to another of any kind: out of a snapshot, in commit by commit.

What comes out is what the port shows: each commit with its events, tree hashes, signed head, streams, guards
and sealed values, attachments, slots. What was erased arrives as erased. Hashes are carried and not computed
again, so that damage stays visible to `fsck`; where order itself is broken nothing is moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Final, Protocol, cast

from ledger.errors import ConflictError, StoreError
from ledger.store.port import Commit, Guard, NewDisclosure, NewEvent, NewStream, Slot, Store, WriteTransaction
from ledger.store.rows import Row, RowReads

PAGE: Final = 4_096
"""Entries that are read at once; a commit is never cut, so there may be more."""
WIDTH: Final = 256
HASH_BYTES: Final = 32

Erased = list[Row]
"""Event hash and path of values that were destroyed."""


class _Erases(WriteTransaction, Protocol):
    """What every store's transaction can do besides: zero what a named statement finds."""

    def erase(self, name: str, rows: Sequence[Row]) -> int: ...


def move_log(source: Store, target: Store, *, at_once: bool) -> None:
    """Write everything of a log as it is at one moment into an empty store.

    Args:
        at_once: in one transaction: all of it is there or nothing. A file that is nobody's yet needs none,
            and is spared a write-ahead log as large as itself.

    Raises:
        StoreError: STORE_CORRUPT for a log with a gap, or a copy that is not what it was made of.
        ConflictError: HEAD_STALE: the target is not empty. DUPLICATE: the order of the log is broken.
    """
    if target.head().size:
        raise ConflictError("HEAD_STALE", "expected an empty store, found one that has a log")
    with source.snapshot() as snapshot, ExitStack() as whole:
        reads = cast("RowReads", snapshot)  # every store reads by named rows
        held = whole.enter_context(target.write()) if at_once else None
        for commits, erased in _pages(reads):
            with ExitStack() as page:
                _put(held or page.enter_context(target.write()), commits, erased)
        with ExitStack() as rest:
            _put_rest(reads, held or rest.enter_context(target.write()))
        whole.close()
        with target.snapshot() as copied:
            _check_same(reads, cast("RowReads", copied))


def _put(transaction: WriteTransaction, commits: Sequence[Commit], erased: Erased) -> None:
    for commit in commits:
        transaction.append(commit)
    if erased:
        cast("_Erases", transaction).erase("erase_disclosure", erased)


def _put_rest(reads: RowReads, transaction: WriteTransaction) -> None:
    for (digest,) in reads._rows("attachment_names"):
        kept = reads.attachment(digest.hex())
        if kept is not None:
            transaction.put_attachment(kept.sha256, kept.media_type, kept.data)
    slots: dict[bool, list[Slot]] = {True: [], False: []}
    for *row, erased in reads._rows("all_slots"):
        slots[bool(erased)].append(_slot(row))
    if slots[True]:
        transaction.put_slots(slots[True])
        lists = sorted({slot.list for slot in slots[True]})
        cast("_Erases", transaction).erase("erase_slots", [(name,) for name in lists])
    if slots[False]:
        transaction.put_slots(slots[False])


def _pages(reads: RowReads) -> Iterator[tuple[list[Commit], Erased]]:
    start, size = 0, reads.head().size
    streams = {each.stream: each for each in reads.streams()}
    while start < size:
        heads = reads._rows("commits", (start, start + PAGE))
        if not heads or heads[0][0] != start:
            raise StoreError("STORE_CORRUPT", f"expected a head of the commit that begins at {start}")
        yield _page(reads, heads, streams)
        start = heads[-1][1]


def _page(
    reads: RowReads, heads: Sequence[Row], streams: dict[str, NewStream]
) -> tuple[list[Commit], Erased]:
    start, stop = heads[0][0], heads[-1][1]
    events = _events(reads, start, stop)
    levels = _levels(reads, start, stop)
    guards: defaultdict[int, list[Guard]] = defaultdict(list)
    for kind, key, index in reads._rows("guards_between", (start, stop)):
        guards[index].append(Guard(kind=kind, key=key, index=index))
    sealed: defaultdict[int, list[NewDisclosure]] = defaultdict(list)
    gone: Erased = []
    for index, event, path, scope, stream, nonce, ciphertext, erased in reads._rows(
        "disclosures_between", (start, stop)
    ):
        sealed[index].append(
            NewDisclosure(
                event=event.hex(), path=path, scope=scope, stream=stream, nonce=nonce, ciphertext=ciphertext
            )
        )
        if erased:
            gone.append((event, path))
    commits = []
    for base, size, root, frontier, note in heads:
        own = events[base - start : size - start]
        named = [streams.pop(name) for name in dict.fromkeys(each.stream for each in own) if name in streams]
        commits.append(
            Commit(
                base_size=base,
                events=own,
                streams=tuple(named),
                disclosures=tuple(each for n in range(base, size) for each in sealed[n]),
                guards=tuple(each for n in range(base, size) for each in guards[n]),
                tile_hashes=_completed(levels, base, size),
                root=root,
                frontier=frontier,
                head=note,
            )
        )
    return commits, gone


def _events(reads: RowReads, start: int, stop: int) -> tuple[NewEvent, ...]:
    entries, leaves = reads.entries(start, stop), reads.tile_hashes(0, start, stop)
    if len(entries) != stop - start:
        raise StoreError("STORE_CORRUPT", f"expected {stop - start} events from {start} on")
    return tuple(
        NewEvent(**entry._asdict(), leaf_hash=leaves[n * HASH_BYTES : (n + 1) * HASH_BYTES])
        for n, entry in enumerate(entries)
    )


def _levels(reads: RowReads, start: int, stop: int) -> dict[int, tuple[int, bytes]]:
    """Return the first position and the hashes that entries of a range complete, by their level from 1 up."""
    found: dict[int, tuple[int, bytes]] = {}
    level, span = 1, WIDTH
    while span <= stop:
        first = start // span
        found[level] = (first, reads.tile_hashes(level, first, stop // span))
        level, span = level + 1, span * WIDTH
    return found


def _completed(
    levels: Mapping[int, tuple[int, bytes]], base: int, size: int
) -> tuple[tuple[int, int, bytes], ...]:
    return tuple(
        (level, n, hashes[(n - first) * HASH_BYTES : (n - first + 1) * HASH_BYTES])
        for level, (first, hashes) in levels.items()
        for n in range(base // WIDTH**level, size // WIDTH**level)
    )


def _slot(row: Sequence[object]) -> Slot:
    names = ("list", "index", "stratum", "commitment", "proof", "nonce", "ciphertext")
    return Slot(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # as the query names them


def _check_same(reads: RowReads, copied: RowReads) -> None:
    if (reads.head(), reads.counts()) != (copied.head(), copied.counts()):
        raise StoreError("STORE_CORRUPT", "the copy does not hold what the store holds")
