"""The tree at its limits: the largest size, the smallest proofs, and the code of each defect."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ledger.errors import ProofError
from ledger.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    InclusionProofs,
    MemoryHashes,
    Node,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    read_frontier,
    tree_root,
)

LEAVES = [leaf_hash(bytes([n])) for n in range(9)]
READER = MemoryHashes(LEAVES)
ONE, OTHER = LEAVES[0], LEAVES[1]


class Any32:
    """A tree of any size, each of whose nodes has the same hash; it remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[Node] = []

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return as many hashes."""
        self.asked += nodes
        return [ONE] * len(nodes)


def root_at(size: int) -> bytes:
    """Return the root of the first leaves."""
    return tree_root(LEAVES[:size])


def test_the_largest_size_has_proofs() -> None:
    """2^53 - 1 leaves are a tree of 53 peaks; one leaf more is none."""
    frontier = read_frontier(MAX_SIZE, Any32())
    assert (frontier.size, len(frontier.to_bytes())) == (MAX_SIZE, 8 + 53 * 32)
    assert Frontier.from_bytes(frontier.to_bytes()).root() == frontier.root()
    proof = prove_inclusion(MAX_SIZE - 1, MAX_SIZE, Any32())
    assert len(proof) == 52
    assert InclusionProofs(MAX_SIZE, Any32()).prove(MAX_SIZE - 1) == proof
    check_inclusion(ONE, MAX_SIZE - 1, MAX_SIZE, frontier.root(), proof)
    assert prove_consistency(MAX_SIZE, MAX_SIZE, Any32()) == []
    check_consistency(MAX_SIZE, ONE, MAX_SIZE, ONE, [])


@pytest.mark.parametrize(
    ("attempt", "code"),
    [
        (lambda: read_frontier(MAX_SIZE + 1, Any32()), "TREE_RANGE"),
        (lambda: read_frontier(-1, Any32()), "TREE_RANGE"),
        (lambda: prove_inclusion(0, MAX_SIZE + 1, Any32()), "TREE_RANGE"),
        (lambda: InclusionProofs(MAX_SIZE + 1, Any32()).prove(0), "TREE_RANGE"),
        (lambda: InclusionProofs(9, READER).prove(9), "TREE_RANGE"),
        (lambda: prove_consistency(1, MAX_SIZE + 1, Any32()), "TREE_RANGE"),
        (lambda: check_inclusion(ONE, 0, MAX_SIZE + 1, ONE, [ONE] * 53), "INCLUSION_PROOF"),
        (lambda: check_consistency(1, ONE, MAX_SIZE + 1, ONE, [ONE] * 53), "CONSISTENCY_PROOF"),
        (lambda: Frontier.from_bytes((MAX_SIZE + 1).to_bytes(8, "big") + ONE), "FRONTIER"),
        (lambda: Frontier.from_bytes(bytes(7)), "FRONTIER"),
        (lambda: MemoryHashes(LEAVES).read([(4, 0)]), "TREE_RANGE"),
    ],
)
def test_what_no_tree_has_is_refused(attempt: Callable[[], object], code: str) -> None:
    """Sizes past the largest, below none, and nodes that aren't there."""
    with pytest.raises(ProofError, match=rf"^{code}\b"):
        attempt()


@pytest.mark.parametrize(
    ("index", "size", "proof", "told"),
    [
        (1, 1, [], "expected an index below the size 1"),
        (0, 1, [ONE], "the proof is too long: 1"),
        (0, 2, [], "the proof is too short: 0"),
        (0, 2, [ONE[1:]], "expected hashes of 32 bytes, got one of 31"),
        (0, 2, [ONE], "expected the root"),
    ],
)
def test_each_defect_of_an_inclusion_proof(index: int, size: int, proof: list[bytes], told: str) -> None:
    """Each step of RFC 9162 §2.1.3.2 refuses with the one code of these proofs."""
    with pytest.raises(ProofError, match=rf"^INCLUSION_PROOF: {told}"):
        check_inclusion(ONE, index, size, root_at(size), proof)


@pytest.mark.parametrize(
    ("old", "new", "proof", "told"),
    [
        ((3, ONE), (2, ONE), [], "expected an old size up to 2"),
        ((1, ONE), (2, ONE[1:]), [ONE], "expected hashes of 32 bytes, got one of 31"),
        ((0, ONE), (2, ONE), [], "the root of an empty tree is not"),
        ((0, ONE), (0, ONE), [], "the root of an empty tree is not"),
        ((0, EMPTY_ROOT), (2, ONE), [ONE], "expected an empty proof, got 1"),
        ((2, ONE), (2, ONE), [ONE], "expected an empty proof, got 1"),
        ((2, ONE), (2, OTHER), [], "two roots for the size 2"),
        ((1, ONE), (2, ONE), [], "expected a proof, got an empty one"),
        ((1, ONE), (2, ONE), [ONE, ONE], "the proof is too long: 2"),
        ((1, ONE), (3, ONE), [ONE], "the proof is too short: 1"),
        ((3, OTHER), (4, root_at(4)), [LEAVES[2], LEAVES[3], root_at(2)], "expected the old root"),
        ((1, ONE), (2, ONE), [OTHER], "expected the new root"),
    ],
)
def test_each_defect_of_a_consistency_proof(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: list[bytes], told: str
) -> None:
    """Each step of RFC 9162 §2.1.4.2 refuses with the one code of these proofs."""
    with pytest.raises(ProofError, match=rf"^CONSISTENCY_PROOF: {told}"):
        check_consistency(*old, *new, proof)


def test_what_is_read_for_a_proof() -> None:
    """Nodes of both trees' own complete subtrees, and of the past no more than the proof needs."""
    reader = Any32()
    assert prove_consistency(6, 8, reader) == [ONE, ONE, ONE]
    assert reader.asked == [(1, 2), (1, 3), (2, 0)]
    reader = Any32()
    assert prove_inclusion(4, 7, reader) == [ONE, ONE, ONE]
    assert reader.asked == [(0, 5), (0, 6), (2, 0)]


def test_a_ragged_edge_is_hashed_together() -> None:
    """A sibling that is no complete subtree is made of its peaks, from the right."""
    proof = prove_inclusion(0, 7, READER)
    assert proof == [LEAVES[1], node_hash(*LEAVES[2:4]), node_hash(node_hash(*LEAVES[4:6]), LEAVES[6])]
    check_inclusion(LEAVES[0], 0, 7, root_at(7), proof)
