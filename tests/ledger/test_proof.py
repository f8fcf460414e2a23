"""Receipts and consistency proofs, as text and as evidence."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from ledger.checkpoint import Checkpoint, check_published, sign_head
from ledger.errors import FormatError, LedgerError, ProofError, SignatureError
from ledger.merkle import MemoryHashes, leaf_hash, prove_consistency, prove_inclusion, tree_root
from ledger.note import NoteSigner, parse_vkey
from ledger.proof import (
    add_checkpoint_body,
    check_add_checkpoint,
    check_receipt,
    format_receipt,
    parse_add_checkpoint,
    parse_receipt,
)
from tests.shared import VECTORS

FORMAT = json.loads((VECTORS / "record-format.json").read_bytes())
KEYS = [parse_vkey(text) for text in FORMAT["log_vkeys"]]
LEAVES = [event["leaf"].encode() for event in FORMAT["events"]]
READER = MemoryHashes([leaf_hash(leaf) for leaf in LEAVES])
HEADS = {tree["size"]: tree["head"].encode() for tree in FORMAT["trees"]}
ROOTS = {tree["size"]: bytes.fromhex(tree["root"]) for tree in FORMAT["trees"]}


def receipt(index: int, size: int) -> bytes:
    """Write the receipt of one leaf as of one size."""
    return format_receipt(LEAVES[index], index, prove_inclusion(index, size, READER), HEADS[size])


def continuation(old_size: int, size: int) -> bytes:
    """Write the consistency proof between two sizes."""
    return add_checkpoint_body(old_size, prove_consistency(old_size, size, READER), HEADS[size])


RECEIPT = receipt(4, 7)


def test_every_receipt_of_the_vectors_holds() -> None:
    """Each leaf is proven under each later head, and the leaf that comes out is its own."""
    for size in HEADS:
        for index in range(size):
            leaf, checkpoint = check_receipt(receipt(index, size), KEYS)
            assert (leaf.index, checkpoint.size, checkpoint.root) == (index, size, ROOTS[size])
            assert leaf.statement == FORMAT["events"][index]["event"]


def test_a_receipt_reads_as_tlog_proof_shows() -> None:
    """Header, extra, index, hashes, an empty line, and the head's exact bytes."""
    lines = RECEIPT.decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra eyJhdCI6")
    assert lines[2] == "index 4"
    hashes = [bytes.fromhex(each) for each in FORMAT["trees"][6]["inclusion"][4]]
    assert [b64decode(line) for line in lines[3 : lines.index("")]] == hashes
    assert RECEIPT.endswith(b"\n\n" + HEADS[7])
    parsed = parse_receipt(RECEIPT)
    assert (parsed.leaf, parsed.index, parsed.note) == (LEAVES[4], 4, HEADS[7])
    assert format_receipt(parsed.leaf, parsed.index, parsed.proof, parsed.note) == RECEIPT


def test_a_receipt_may_carry_a_published_checkpoint() -> None:
    """What holds as published holds as a head."""
    published = FORMAT["published_checkpoint"].encode()
    data = format_receipt(LEAVES[2], 2, prove_inclusion(2, 9, READER), published)
    assert check_receipt(data, KEYS)[1] == check_published(published, KEYS)


def test_a_changed_byte_breaks_a_receipt() -> None:
    """No byte can change, wherever it lies."""
    for at in range(len(RECEIPT)):
        data = bytearray(RECEIPT)
        data[at] ^= 1
        with pytest.raises(LedgerError):
            check_receipt(bytes(data), KEYS)


def test_a_receipt_for_another_leaf_is_refused() -> None:
    """The path belongs to one leaf at one place."""
    proof = prove_inclusion(4, 7, READER)
    with pytest.raises(ProofError, match=r"^INCLUSION_PROOF\b"):
        check_receipt(format_receipt(LEAVES[5], 4, proof, HEADS[7]), KEYS)
    with pytest.raises(ProofError, match=r"^INCLUSION_PROOF\b"):
        check_receipt(format_receipt(LEAVES[4], 5, proof, HEADS[7]), KEYS)
    with pytest.raises(ProofError, match=r"^INCLUSION_PROOF\b"):
        check_receipt(format_receipt(LEAVES[4], 4, proof, HEADS[8]), KEYS)


def test_a_leaf_stands_at_the_index_that_it_names() -> None:
    """A log that puts a leaf at another place than the leaf says is caught by the receipt."""
    origin = FORMAT["origin"]
    signer = NoteSigner(origin, bytes(32))
    leaves = [LEAVES[1], LEAVES[0]]
    reader = MemoryHashes([leaf_hash(leaf) for leaf in leaves])
    root = tree_root([leaf_hash(leaf) for leaf in leaves])
    head = sign_head(Checkpoint(origin=origin, size=2, root=root), signer)
    data = format_receipt(leaves[0], 0, prove_inclusion(0, 2, reader), head)
    with pytest.raises(ProofError, match=r"^RECEIPT_INDEX\b"):
        check_receipt(data, [signer.key])


def test_a_receipt_of_an_unlisted_log_is_refused() -> None:
    """Another key under the log's name signs for nobody."""
    with pytest.raises(SignatureError, match=r"^NOTE_UNSIGNED\b"):
        check_receipt(RECEIPT, [NoteSigner(FORMAT["origin"], bytes(32)).key])


BROKEN_RECEIPTS = {
    "empty": b"",
    "no_note": RECEIPT.partition(b"\n\n")[0],
    "other_version": RECEIPT.replace(b"@v1", b"@v2"),
    "no_extra": RECEIPT.replace(b"extra ", b"", 1),
    "leaf_not_base64": RECEIPT.replace(b"extra ", b"extra !", 1),
    "index_with_zero": RECEIPT.replace(b"index 4", b"index 04"),
    "index_signed": RECEIPT.replace(b"index 4", b"index +4"),
    "index_missing": RECEIPT.replace(b"index 4\n", b""),
    "carriage_returns": RECEIPT.replace(b"\n", b"\r\n"),
    "hash_without_padding": RECEIPT.replace(b"=\n\n", b"\n\n"),
    "short_hash": RECEIPT.replace(b"\n\n", b"\nAAAA\n\n", 1),
    "64_hashes": format_receipt(LEAVES[0], 0, [bytes(32)] * 64, HEADS[1]),
    "not_utf_8": RECEIPT.replace("—".encode(), b"\xff"),
    "too_large": RECEIPT + b"a" * 1_100_000,
}


@pytest.mark.parametrize("name", BROKEN_RECEIPTS)
def test_broken_receipts_are_refused(name: str) -> None:
    """Each defect is refused before anything is hashed."""
    with pytest.raises(FormatError, match=r"^RECEIPT\b"):
        parse_receipt(BROKEN_RECEIPTS[name])


def test_every_continuation_of_the_vectors_holds() -> None:
    """Each head continues each earlier one, and is read back as it was written."""
    for size in HEADS:
        for old_size in range(1, size + 1):
            data = continuation(old_size, size)
            assert check_add_checkpoint(data, ROOTS[old_size], KEYS).size == size
            parsed = parse_add_checkpoint(data)
            assert add_checkpoint_body(parsed.old_size, parsed.proof, parsed.note) == data


def test_a_continuation_of_another_past_is_refused() -> None:
    """The proof holds for the older root that its reader has, and for no other."""
    with pytest.raises(ProofError, match=r"^CONSISTENCY_PROOF\b"):
        check_add_checkpoint(continuation(5, 9), ROOTS[6], KEYS)


def test_a_changed_byte_breaks_a_continuation() -> None:
    """No byte can change, wherever it lies."""
    data = continuation(5, 8)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(LedgerError):
            check_add_checkpoint(bytes(changed), ROOTS[5], KEYS)


CONTINUATION = continuation(5, 8)
BROKEN_CONTINUATIONS = {
    "empty": b"",
    "no_note": CONTINUATION.partition(b"\n\n")[0],
    "no_old": CONTINUATION.replace(b"old ", b""),
    "old_with_zero": CONTINUATION.replace(b"old 5", b"old 05"),
    "two_spaces": CONTINUATION.replace(b"old 5", b"old  5"),
    "not_base64": CONTINUATION.replace(b"=\n", b"!\n", 1),
    "64_hashes": add_checkpoint_body(1, [bytes(32)] * 64, HEADS[8]),
}


@pytest.mark.parametrize("name", BROKEN_CONTINUATIONS)
def test_broken_continuations_are_refused(name: str) -> None:
    """Each defect is refused before anything is hashed."""
    with pytest.raises(FormatError, match=r"^CONSISTENCY\b"):
        parse_add_checkpoint(BROKEN_CONTINUATIONS[name])
