"""The start-up rule: what was published binds the log that is found (record-format.md §5).

The newest published checkpoint lies apart from the events and their backups. Events ahead of it and
consistent with it: go on, and publish the next. Events behind it are an older copy that was put back; events
that do not continue it are another history. In both cases the ledger is frozen: reading, export and emergency
unblinding go on, writing stops, and a person has to say what happened.

The check reads a logarithmic number of stored hashes. Whether leaves and statements still hash to them is
judged by reading the whole log, elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, check_head, check_published
from ledger.errors import FormatError, ProofError, SignatureError, StoreError
from ledger.merkle import check_consistency, prove_consistency, read_frontier
from ledger.note import VerifierKey
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Head, Reads, Store
from ledger.tiles import TileHashes

LOG_BEHIND_CHECKPOINT: Final = "LOG_BEHIND_CHECKPOINT"
LOG_INCONSISTENT: Final = "LOG_INCONSISTENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Whether a ledger may be written to after it was opened.

    Attributes:
        code: None when it may, else LOG_BEHIND_CHECKPOINT or LOG_INCONSISTENT.
        message: one sentence for the operator.
    """

    frozen: bool
    code: str | None
    message: str


def check(store: Store, checkpoints: CheckpointStore, log_keys: Sequence[VerifierKey]) -> Startup:
    """Judge the events that are found by the newest checkpoint that was published.

    Raises:
        StoreError: either store cannot be read at all.
    """
    # Read before the snapshot: whatever another process publishes meanwhile is about events that it has.
    published = checkpoints.latest()
    with store.snapshot() as reads:
        try:
            return _judge(reads, published, log_keys)
        except (FormatError, ProofError, SignatureError) as error:
            return _frozen(LOG_INCONSISTENT, f"the log does not hold together: {error}")
        except StoreError as error:
            if error.code != "STORE_CORRUPT":
                raise
            return _frozen(LOG_INCONSISTENT, f"the log does not hold together: {error}")


def _judge(reads: Reads, published: tuple[int, bytes] | None, log_keys: Sequence[VerifierKey]) -> Startup:
    head = reads.head()
    hashes = TileHashes(reads.tile_hashes)
    _check_stored_head(head, hashes, log_keys)
    if published is None:
        return _good(f"{head.size} events, nothing published yet")
    size, note = published
    promised = check_published(note, log_keys)
    if promised.size != size:
        return _frozen(LOG_INCONSISTENT, f"a checkpoint of size {promised.size} was kept as one of {size}")
    if head.size < size:
        return _frozen(
            LOG_BEHIND_CHECKPOINT, f"a checkpoint of {size} events was published, found {head.size} events"
        )
    proof = prove_consistency(size, head.size, hashes)
    check_consistency(size, promised.root, head.size, head.root, proof)
    return _good(f"{head.size} events, consistent with the published checkpoint of {size}")


def _check_stored_head(head: Head, hashes: TileHashes, log_keys: Sequence[VerifierKey]) -> None:
    """Check that the newest head's note, root and frontier say the same as the stored tree."""
    frontier = read_frontier(head.size, hashes)
    if frontier.root() != head.root or frontier.to_bytes() != head.frontier:
        raise ProofError(
            "CONSISTENCY_PROOF", f"expected the root {head.root.hex()}, the stored tree has another"
        )
    if head.size == 0:
        return
    signed: Checkpoint = check_head(head.note, log_keys)
    if (signed.size, signed.root) != (head.size, head.root):
        raise ProofError(
            "CONSISTENCY_PROOF", f"expected a head of size {head.size}, its note is of {signed.size}"
        )


def _good(message: str) -> Startup:
    return Startup(frozen=False, code=None, message=message)


def _frozen(code: str, message: str) -> Startup:
    return Startup(frozen=True, code=code, message=message)
