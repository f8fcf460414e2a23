"""What recording gives back: a place in the log, and the receipt that proves it (record-format.md §5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.merkle import prove_inclusion
from ledger.proof import format_receipt
from ledger.store.port import Reads
from ledger.tiles import TileHashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a submission got: its place, its leaf's exact bytes, a receipt, and what the commit added to it.

    Attributes:
        again: it was recorded before; index and event are those of the first time (R5).
        breaches: rule codes of the breaches that were recorded with it.
        added: indexes of the service's statements that follow from it in the same commit.
    """

    index: int
    event: str
    leaf: bytes
    receipt: bytes
    again: bool = False
    breaches: tuple[str, ...] = ()
    added: tuple[int, ...] = ()


def receipted(reads: Reads, recorded: Recorded) -> Recorded:
    """Return what was recorded with its receipt, which is read where it was not made with the commit."""
    return recorded if recorded.receipt else replace(recorded, receipt=receipt_of(reads, recorded.index))


def receipt_of(reads: Reads, index: int) -> bytes:
    """Make the receipt of a recorded index to the head of its commit: a tlog-proof, leaf in `extra` (§5).

    Raises:
        LookupError: there is no such index.
    """
    entry, head = reads.entry(index), reads.head_covering(index)
    if entry is None or head is None:
        raise LookupError(index)
    proof = prove_inclusion(index, head.size, TileHashes(reads.tile_hashes))
    return format_receipt(entry.leaf, index, proof, head.note)
