"""Receipts and consistency proofs as text: c2sp.org/tlog-proof@v1, c2sp.org/tlog-witness.

A receipt is complete in itself: leaf, place, audit path and head.

    c2sp.org/tlog-proof@v1
    extra <base64 of the leaf>
    index 7
    <base64 hash>                   zero or more, from the leaf's sibling up

    <head or published checkpoint>

A consistency proof says that a checkpoint continues an older one, whose root its reader already has.

    old 5
    <base64 hash>                   zero or more

    <head or published checkpoint>
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, check_head
from ledger.errors import FormatError, ProofError
from ledger.leaf import Leaf, parse_leaf
from ledger.lines import decode_text, encode_base64, parse_base64, parse_decimal, parse_proof
from ledger.merkle import MAX_PROOF, check_consistency, check_inclusion, leaf_hash
from ledger.note import MAX_NOTE_BYTES, VerifierKey

PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
_HEADER: Final = PROOF_HEADER.encode()
MAX_RECEIPT_BYTES: Final = MAX_NOTE_BYTES + 100_000  # a leaf of 65,535 bytes in base64, and 63 hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A parsed receipt, not yet checked; `leaf` and `note` are exact bytes."""

    leaf: bytes
    index: int
    proof: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """A parsed consistency proof, not yet checked; `note` is the newer checkpoint's exact bytes."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


class Lines(dict[bytes, bytes]):
    """The lines of hashes, each written once: proofs of leaves of one tree have most of them in common."""

    def __missing__(self, hashed: bytes) -> bytes:
        line = self[hashed] = binascii.b2a_base64(hashed)  # with its line feed
        return line


def format_receipt(
    leaf: bytes, index: int, proof: Sequence[bytes], note: bytes, lines: Lines | None = None
) -> bytes:
    """Write a receipt; `lines` are shared by receipts to the same head."""
    line = (Lines() if lines is None else lines).__getitem__
    extra = binascii.b2a_base64(leaf)
    return b"%b\nextra %bindex %d\n%b\n%b" % (_HEADER, extra, index, b"".join(map(line, proof)), note)


def parse_receipt(data: bytes) -> Receipt:
    """Parse a receipt, without judging proof or note.

    Raises:
        FormatError: `RECEIPT`.
    """
    lines, note = _split(data, code="RECEIPT")
    if len(lines) < 3 or lines[0] != PROOF_HEADER:
        raise FormatError("RECEIPT", f"expected {PROOF_HEADER} with an extra and an index line")
    leaf = parse_base64(_after("extra ", lines[1], code="RECEIPT"), what="the leaf", code="RECEIPT")
    index = parse_decimal(_after("index ", lines[2], code="RECEIPT"), what="the index", code="RECEIPT")
    proof = parse_proof(lines[3:], maximum=MAX_PROOF, code="RECEIPT")
    return Receipt(leaf=leaf, index=index, proof=proof, note=note)


def check_receipt(data: bytes, log_keys: Sequence[VerifierKey]) -> tuple[Leaf, Checkpoint]:
    """Check that a receipt's leaf is in the log, at the index that the leaf names, as of its head.

    What the leaf says is then the log's word; that it is what a person signed is for the caller to compare.

    Raises:
        FormatError: `RECEIPT`, `NOTE`, `CHECKPOINT`, `CANONICAL` or `LEAF`.
        SignatureError: see `check_head`.
        ProofError: `INCLUSION_PROOF`, or `RECEIPT_INDEX` when leaf and proof name different places.
    """
    receipt = parse_receipt(data)
    checkpoint = check_head(receipt.note, log_keys)
    check_inclusion(leaf_hash(receipt.leaf), receipt.index, checkpoint.size, checkpoint.root, receipt.proof)
    leaf = parse_leaf(receipt.leaf)
    if leaf.index != receipt.index:
        raise ProofError(
            "RECEIPT_INDEX", f"expected the leaf of index {receipt.index}, got that of {leaf.index}"
        )
    return leaf, checkpoint


def add_checkpoint_body(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Write a consistency proof. c2sp.org/tlog-witness, "add-checkpoint"."""
    return "\n".join([f"old {old_size}", *map(encode_base64, proof)]).encode() + b"\n\n" + note


def parse_add_checkpoint(data: bytes) -> ConsistencyProof:
    """Parse a consistency proof, without judging it.

    Raises:
        FormatError: `CONSISTENCY`.
    """
    lines, note = _split(data, code="CONSISTENCY")
    old_size = parse_decimal(
        _after("old ", lines[0], code="CONSISTENCY"), what="the size", code="CONSISTENCY"
    )
    proof = parse_proof(lines[1:], maximum=MAX_PROOF, code="CONSISTENCY")
    return ConsistencyProof(old_size=old_size, proof=proof, note=note)


def check_add_checkpoint(data: bytes, old_root: bytes, log_keys: Sequence[VerifierKey]) -> Checkpoint:
    """Check that a consistency proof's checkpoint continues the tree that has `old_root`.

    Raises:
        FormatError: `CONSISTENCY`, `NOTE` or `CHECKPOINT`.
        SignatureError: see `check_head`.
        ProofError: `CONSISTENCY_PROOF`.
    """
    parsed = parse_add_checkpoint(data)
    checkpoint = check_head(parsed.note, log_keys)
    check_consistency(parsed.old_size, old_root, checkpoint.size, checkpoint.root, parsed.proof)
    return checkpoint


def _split(data: bytes, *, code: str) -> tuple[list[str], bytes]:
    """Split at the first empty line: the lines before it, and the note's bytes after it."""
    text = decode_text(data, maximum=MAX_RECEIPT_BYTES, code=code)
    before, blank, note = text.partition("\n\n")
    if not blank:
        raise FormatError(code, "expected an empty line and a checkpoint")
    return before.split("\n"), note.encode()


def _after(prefix: str, line: str, *, code: str) -> str:
    if not line.startswith(prefix):
        raise FormatError(code, f"expected a line that starts with {prefix!r}")
    return line[len(prefix) :]
