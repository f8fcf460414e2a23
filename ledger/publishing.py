"""Publishing: the newest head as a checkpoint, by compare-and-swap among processes (record-format.md §5)."""

from __future__ import annotations

from contextlib import suppress

from ledger.checkpoint import check_head, publish
from ledger.errors import ConflictError, StoreError
from ledger.merkle import read_frontier
from ledger.service import LogSigners
from ledger.sources import Sources
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Store
from ledger.tiles import TileHashes


def publish_newest(
    store: Store, checkpoints: CheckpointStore, signers: LogSigners, sources: Sources
) -> bytes | None:
    """Publish a checkpoint of the newest head unless there is one; return its bytes (None: empty log).

    Raises:
        StoreError: the store of checkpoints cannot be read or written.
    """
    while True:
        head = store.head()
        latest = checkpoints.latest()
        if head.size == 0:
            return None
        if latest is not None and latest[0] >= head.size:
            return checkpoints.get(head.size) or latest[1]
        note = publish(head.note, signers.published, sources.now_us() // 1_000_000)
        try:
            checkpoints.publish(note, head.size, latest[0] if latest else 0)
        except ConflictError:
            continue  # another process published meanwhile: what it published is the newest now
        return note


def newest_held(store: Store, checkpoints: CheckpointStore, signers: LogSigners) -> bytes | None:
    """Return the newest published checkpoint whose root the stored tree still has."""
    found = checkpoints.newest_within(store.head().size)
    while found is not None:
        size, note = found
        promised = check_head(note, signers.verifier_keys)
        with suppress(StoreError):  # a part of the tree is gone: a smaller one may be whole
            if read_frontier(size, TileHashes(store.tile_hashes)).root() == promised.root:
                return note
        found = checkpoints.newest_within(size - 1)
    return None
