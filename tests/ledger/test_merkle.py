"""The Merkle tree against its vectors, against RFC 9162's own definitions, and against changed bytes."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ProofError
from ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    GrownHashes,
    InclusionProofs,
    MemoryHashes,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    read_frontier,
    tree_root,
)
from tests.shared import SHARED, VECTORS, needs_shared

PUBLIC = SHARED / "vectors/public/merkle-transparency-dev"
FORMAT = json.loads((VECTORS / "record-format.json").read_bytes())
LARGEST = 256
HASH_MEMBERS = ("root", "leafHash", "root1", "root2")
HASHES = [leaf_hash(bytes((number,))) for number in range(LARGEST)]
TREE = MemoryHashes(HASHES)


# RFC 9162 §2.1.1, §2.1.3.1 and §2.1.4.1, as the text defines them, over the leaves lo … hi-1 of HASHES.


@cache
def mth(lo: int, hi: int) -> bytes:
    """The Merkle tree hash of a range."""
    if hi == lo:
        return hashlib.sha256(b"").digest()
    if hi - lo == 1:
        return HASHES[lo]
    k = lo + split(hi - lo)
    return hashlib.sha256(b"\x01" + mth(lo, k) + mth(k, hi)).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, lo: int, hi: int) -> list[bytes]:
    """PATH(m, D[lo:hi])."""
    if hi - lo == 1:
        return []
    k = split(hi - lo)
    if m < k:
        return [*path(m, lo, lo + k), mth(lo + k, hi)]
    return [*path(m - k, lo + k, hi), mth(lo, lo + k)]


def subproof(m: int, lo: int, hi: int, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[lo:hi], b)."""
    if m == hi - lo:
        return [] if whole else [mth(lo, hi)]
    k = split(hi - lo)
    if m <= k:
        return [*subproof(m, lo, lo + k, whole), mth(lo + k, hi)]
    return [*subproof(m - k, lo + k, hi, False), mth(lo, lo + k)]


def test_roots_are_those_of_the_definition() -> None:
    """A tree grown leaf by leaf has at every size the root that the definition gives."""
    frontier = Frontier()
    for size in range(LARGEST + 1):
        assert frontier.size == size
        assert frontier.root() == mth(0, size) == tree_root(HASHES[:size])
        if size < LARGEST:
            frontier.append(HASHES[size])


@pytest.mark.parametrize("part", range(4))
def test_every_inclusion_proof_is_that_of_the_definition_and_holds(part: int) -> None:
    """For every size up to 256 and every leaf, the proof is the RFC's and checks."""
    for size in range(1 + part, LARGEST + 1, 4):
        root, proofs = mth(0, size), InclusionProofs(size, TREE)
        for index in range(size):
            proof = prove_inclusion(index, size, TREE)
            assert proof == proofs.prove(index) == path(index, 0, size)
            check_inclusion(HASHES[index], index, size, root, proof)


def test_grown_nodes_prove_the_leaves_that_were_added() -> None:
    """However many leaves a tree had before, the edge and what was added are enough for their proofs."""
    size = 75
    before = Frontier()
    for start in range(size):
        proofs = InclusionProofs(size, GrownHashes(before, HASHES[start:size]))
        for index in range(start, size):
            assert proofs.prove(index) == prove_inclusion(index, size, TREE)
        newest = prove_inclusion(start, start + 1, TREE)
        assert newest == list(reversed(before.peaks))
        before.append(HASHES[start])


@pytest.mark.parametrize("part", range(4))
def test_every_consistency_proof_is_that_of_the_definition_and_holds(part: int) -> None:
    """For every pair of sizes up to 256, the proof is the RFC's and checks."""
    for new_size in range(1 + part, LARGEST + 1, 4):
        for old_size in range(1, new_size + 1):
            proof = prove_consistency(old_size, new_size, TREE)
            assert proof == subproof(old_size, 0, new_size, True)
            check_consistency(old_size, mth(0, old_size), new_size, mth(0, new_size), proof)


def test_format_vectors() -> None:
    """Leaf hashes, roots and both kinds of proof are those of the record format's vectors."""
    hashes = [leaf_hash(event["leaf"].encode()) for event in FORMAT["events"]]
    assert [each.hex() for each in hashes] == [event["leaf_hash"] for event in FORMAT["events"]]
    reader = MemoryHashes(hashes)
    for tree in FORMAT["trees"]:
        size = tree["size"]
        assert tree_root(hashes[:size]).hex() == tree["root"]
        proofs = [[each.hex() for each in prove_inclusion(at, size, reader)] for at in range(size)]
        assert proofs == tree["inclusion"]
        for old_size, proof in tree["consistency"].items():
            assert [each.hex() for each in prove_consistency(int(old_size), size, reader)] == proof


@needs_shared
def test_reference_tree() -> None:
    """Leaves, nodes and roots are those of RFC 6962's reference tree."""
    reference = json.loads((PUBLIC / "reference-tree.json").read_bytes())
    hashes = [leaf_hash(bytes.fromhex(each)) for each in reference["leaf_inputs_hex"]]
    reader = MemoryHashes(hashes)
    for level, nodes in enumerate(reference["node_hashes_hex_by_level"]):
        read = reader.read([(level, index) for index in range(len(nodes))])
        assert [each.hex() for each in read] == nodes
    roots = [tree_root(hashes[:size]).hex() for size in range(len(hashes) + 1)]
    assert roots == reference["root_hashes_hex_by_size"]


def public_cases(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Read the probes of one folder of transparency-dev/merkle."""
    folder = PUBLIC / "testdata" / kind
    return [
        (str(file.relative_to(folder)), json.loads(file.read_bytes()))
        for file in sorted(folder.rglob("*.json"))
    ]


def hashes_of(case: dict[str, Any]) -> list[bytes]:
    """Decode the proof of a probe, which may be null."""
    return [b64decode(each) for each in case["proof"] or []]


def holds(check: Any, *arguments: object) -> bool:
    """Say whether a check passes; anything but a ProofError escapes."""
    try:
        check(*arguments)
    except ProofError:
        return False
    return True


def expected_to_hold(case: dict[str, Any]) -> bool:
    """Say what a probe's verdict is here: that library takes hashes of any length, this one 32 bytes only."""
    hashes = hashes_of(case) + [b64decode(case[name] or "") for name in HASH_MEMBERS if name in case]
    return not case["wantErr"] and all(len(each) == 32 for each in hashes)


@needs_shared
def test_public_inclusion_probes() -> None:
    """Every probe gets its verdict."""
    cases = public_cases("inclusion")
    for name, case in cases:
        root, leaf = b64decode(case["root"] or ""), b64decode(case["leafHash"] or "")
        held = holds(check_inclusion, leaf, case["leafIdx"], case["treeSize"], root, hashes_of(case))
        assert held == expected_to_hold(case), name
    assert len(cases) == 98


@needs_shared
def test_public_consistency_probes() -> None:
    """Every probe gets its verdict."""
    cases = public_cases("consistency")
    for name, case in cases:
        roots = b64decode(case["root1"]), b64decode(case["root2"])
        held = holds(check_consistency, case["size1"], roots[0], case["size2"], roots[1], hashes_of(case))
        assert held == expected_to_hold(case), name
    assert len(cases) == 98


@needs_shared
def test_public_subtree_inclusion_probes() -> None:
    """A leaf's proof within an aligned subtree is its proof in a tree of that subtree's leaves."""
    cases = public_cases("subtreeinclusion")
    for name, case in cases:
        start, width = case["start"], case["end"] - case["start"]
        aligned = width > 0 and start % (1 << (width - 1).bit_length()) == 0
        root, leaf = b64decode(case["root"] or ""), b64decode(case["leafHash"] or "")
        held = holds(check_inclusion, leaf, case["leafIdx"] - start, width, root, hashes_of(case))
        assert (aligned and held) == expected_to_hold(case), name
    assert len(cases) == 204


@needs_shared
def test_public_subtree_consistency_probes_from_the_first_leaf() -> None:
    """A subtree that starts at leaf 0 is an older tree; the record format knows no other subtrees."""
    cases = [(name, case) for name, case in public_cases("subtreeconsistency") if case["start"] == 0]
    for name, case in cases:
        roots = b64decode(case["root1"]), b64decode(case["root2"])
        held = holds(check_consistency, case["end"], roots[0], case["size"], roots[1], hashes_of(case))
        assert held == expected_to_hold(case), name
    assert len(cases) == 102


def test_the_empty_tree_is_consistent_with_every_tree() -> None:
    """From size 0 the proof is empty, and the root has to be the hash of nothing."""
    assert prove_consistency(0, 7, TREE) == []
    check_consistency(0, EMPTY_ROOT, 7, mth(0, 7), [])
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    for arguments in (
        (0, HASHES[0], 7, mth(0, 7), []),
        (0, EMPTY_ROOT, 7, mth(0, 7), [HASHES[0]]),
        (0, EMPTY_ROOT, 0, HASHES[0], []),
    ):
        with pytest.raises(ProofError, match=r"^CONSISTENCY_PROOF\b"):
            check_consistency(*arguments)


def test_equal_sizes_have_equal_roots() -> None:
    """Two roots for one size are a fork, and a proof between equal sizes is empty."""
    check_consistency(5, mth(0, 5), 5, mth(0, 5), [])
    with pytest.raises(ProofError, match="two roots for the size 5"):
        check_consistency(5, mth(0, 5), 5, mth(0, 6), [])
    with pytest.raises(ProofError, match="expected an empty proof"):
        check_consistency(5, mth(0, 5), 5, mth(0, 5), [HASHES[0]])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (6, 5), (0, 2**53)])
def test_a_leaf_beyond_the_tree_has_no_proof(index: int, size: int) -> None:
    """Neither proving nor checking takes an index outside the tree."""
    with pytest.raises(ProofError, match=r"^TREE_RANGE\b"):
        prove_inclusion(index, size, TREE)
    with pytest.raises(ProofError, match=r"^TREE_RANGE\b"):
        InclusionProofs(size, TREE).prove(index)
    with pytest.raises(ProofError, match=r"^INCLUSION_PROOF\b"):
        check_inclusion(HASHES[0], index, size, HASHES[0], [])


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 5), (6, 5), (1, 2**53)])
def test_a_tree_does_not_shrink(old_size: int, new_size: int) -> None:
    """Neither proving nor checking takes an old size above the new one."""
    with pytest.raises(ProofError, match=r"^TREE_RANGE\b"):
        prove_consistency(old_size, new_size, TREE)
    with pytest.raises(ProofError, match=r"^CONSISTENCY_PROOF\b"):
        check_consistency(old_size, HASHES[0], new_size, HASHES[0], [])


def flipped(hashes: Sequence[bytes], at: int, mask: int) -> list[bytes]:
    """Change one byte of a list of hashes laid end to end."""
    joined = bytearray(b"".join(hashes))
    joined[at % len(joined)] ^= mask
    return [bytes(joined[start : start + 32]) for start in range(0, len(joined), 32)]


@given(st.data(), st.integers(1, LARGEST), st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_byte_breaks_inclusion(data: st.DataObject, size: int, at: int, mask: int) -> None:
    """No byte of leaf hash, root or proof can change."""
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(index, size, TREE)
    leaf, root, *path_ = flipped([HASHES[index], mth(0, size), *proof], at, mask)
    with pytest.raises(ProofError, match=r"^INCLUSION_PROOF\b"):
        check_inclusion(leaf, index, size, root, path_)


@given(st.data(), st.integers(2, LARGEST), st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_byte_breaks_consistency(data: st.DataObject, size: int, at: int, mask: int) -> None:
    """No byte of either root or the proof can change."""
    old_size = data.draw(st.integers(1, size - 1))
    proof = prove_consistency(old_size, size, TREE)
    old, new, *rest = flipped([mth(0, old_size), mth(0, size), *proof], at, mask)
    with pytest.raises(ProofError, match=r"^CONSISTENCY_PROOF\b"):
        check_consistency(old_size, old, size, new, rest)


@given(st.integers(2, LARGEST))
def test_a_proof_has_one_length(size: int) -> None:
    """A hash more or less than needed is refused, at either end."""
    root, index = mth(0, size), size // 2
    proof = prove_inclusion(index, size, TREE)
    history = prove_consistency(index, size, TREE)
    for wrong in (proof[:-1], proof[1:], [*proof, HASHES[0]], [HASHES[0], *proof]):
        assert not holds(check_inclusion, HASHES[index], index, size, root, wrong)
    for wrong in (history[:-1], history[1:], [*history, HASHES[0]], [HASHES[0], *history]):
        assert not holds(check_consistency, index, mth(0, index), size, root, wrong)


@given(st.integers(0, LARGEST))
def test_a_frontier_is_read_back(size: int) -> None:
    """The right edge survives its bytes, and equals the one read from stored nodes."""
    frontier = read_frontier(size, TREE)
    assert frontier.size == size
    assert frontier.root() == mth(0, size)
    assert Frontier.from_bytes(frontier.to_bytes()).to_bytes() == frontier.to_bytes()


@given(st.integers(0, LARGEST - 1))
def test_a_copied_frontier_grows_alone(size: int) -> None:
    """What is appended to a copy does not reach the original."""
    frontier = read_frontier(size, TREE)
    copy = frontier.copy()
    copy.append(HASHES[size])
    assert (frontier.root(), copy.root()) == (mth(0, size), mth(0, size + 1))
    assert (frontier.size, copy.size) == (size, size + 1)


@pytest.mark.parametrize(
    "data", [b"", bytes(7), bytes(7) + b"\x01", bytes(9), bytes(7) + b"\x03" + bytes(63)]
)
def test_a_frontier_of_another_length_is_refused(data: bytes) -> None:
    """The number of hashes is that of the bits set in the size."""
    with pytest.raises(ProofError, match=r"^FRONTIER\b"):
        Frontier.from_bytes(data)


def test_nodes_beyond_a_tree_are_not_read() -> None:
    """A node that isn't complete yet is refused, not padded."""
    reader = MemoryHashes(HASHES[:5])
    assert reader.read([(1, 1)]) == [node_hash(HASHES[2], HASHES[3])]
    for node in ((1, 2), (3, 0), (0, 5)):
        with pytest.raises(ProofError, match=r"^TREE_RANGE\b"):
            reader.read([node])
