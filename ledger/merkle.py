"""The Merkle tree of the log: RFC 6962 §2.1, with the proofs of RFC 9162 §2.1.3 and §2.1.4.

    leaf hash  = SHA-256(0x00 ‖ leaf)
    node hash  = SHA-256(0x01 ‖ left ‖ right)
    empty tree = SHA-256("")

A node is named (level, index): it is the root of the complete subtree over the leaves
index·2^level … (index+1)·2^level - 1; level 0 are the leaf hashes. Nodes never change once they exist, so a
store keeps them and a proof of any age is made from them. Proving asks a `HashReader` for nodes and knows no
store; checking walks the bits of the numbers as RFC 9162 writes it, and shares no code with proving.

Left out on purpose: signatures (`ledger.checkpoint`) and where nodes are kept (`ledger.tiles`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Protocol

from ledger.errors import ProofError

HASH_BYTES: Final = 32
MAX_SIZE: Final = 2**53 - 1  # an index is an integer in canonical JSON
MAX_PROOF: Final = 63  # c2sp.org/tlog-witness: no more lines than this
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Node = tuple[int, int]
"""(level, index) of a complete subtree."""

_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Hash the bytes of one leaf. RFC 6962 §2.1."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two child hashes. RFC 6962 §2.1."""
    return _sha256(b"\x01" + left + right).digest()


def tree_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Compute the root over leaf hashes in order; O(n) time, O(log n) memory."""
    frontier = Frontier()
    for each in leaf_hashes:
        frontier.append(each)
    return frontier.root()


class Frontier:
    """The right edge of a growing tree: one hash for each bit that is set in its size, largest subtree first.

    Appending costs one hash on average; this object is what a writer keeps between commits.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._hashes: list[bytes] = []

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of its complete subtrees, largest first."""
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Add the next leaf by its 32-byte hash."""
        hashes = self._hashes
        carry = self._size
        while carry & 1:  # a trailing one is a complete subtree that has found its right half
            leaf_hash = _sha256(b"\x01" + hashes.pop() + leaf_hash).digest()
            carry >>= 1
        hashes.append(leaf_hash)
        self._size += 1

    def root(self) -> bytes:
        """Compute the root of the tree so far."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT

    def copy(self) -> Frontier:
        """Copy it, so that a transaction may fail without harm."""
        other = Frontier()
        other._size = self._size
        other._hashes = self._hashes.copy()
        return other

    def to_bytes(self) -> bytes:
        """Write the size as 8 bytes, big-endian, then the hashes, largest subtree first."""
        return self._size.to_bytes(8, "big") + b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Read what `to_bytes` wrote.

        Raises:
            ProofError: `FRONTIER` when the length does not fit the size.
        """
        size = int.from_bytes(data[:8], "big")
        expected = 8 + HASH_BYTES * size.bit_count()
        if size > MAX_SIZE or len(data) != expected:
            raise ProofError("FRONTIER", f"expected {expected} bytes for a tree of {size}, got {len(data)}")
        frontier = cls()
        frontier._size = size
        frontier._hashes = [data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES)]
        return frontier


class HashReader(Protocol):
    """Where node hashes are read from."""

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node, in the order asked."""


class MemoryHashes:
    """Every node of a tree whose leaf hashes are at hand: a `HashReader` for small trees."""

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        levels = [list(leaf_hashes)]
        while len(levels[-1]) > 1:
            below = iter(levels[-1])
            levels.append([node_hash(left, right) for left, right in zip(below, below, strict=False)])
        self._levels = levels

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node.

        Raises:
            ProofError: `TREE_RANGE` when the tree has no such complete subtree.
        """
        try:
            return [self._levels[level][index] for level, index in nodes]
        except IndexError:
            raise ProofError("TREE_RANGE", "expected nodes of this tree, got one beyond it") from None


class GrownHashes:
    """The right edge of a tree, and every node that leaves added to it complete: a `HashReader` for them."""

    __slots__ = ("_nodes",)

    def __init__(self, before: Frontier, leaf_hashes: Iterable[bytes]) -> None:
        nodes = self._nodes = dict(zip(_peaks(0, before.size), before.peaks, strict=True))
        for index, hashed in enumerate(leaf_hashes, before.size):
            level, position, node = 0, index, hashed
            nodes[level, position] = node
            while position & 1:
                node = node_hash(nodes[level, position - 1], node)
                level, position = level + 1, position >> 1
                nodes[level, position] = node

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node."""
        return [self._nodes[node] for node in nodes]


def read_frontier(size: int, reader: HashReader) -> Frontier:
    """Read the right edge of the tree over the first `size` leaves; `.root()` of it is that tree's root."""
    if not 0 <= size <= MAX_SIZE:
        raise ProofError("TREE_RANGE", f"expected a size from 0 to {MAX_SIZE}, got {size}")
    frontier = Frontier()
    frontier._size = size
    frontier._hashes = reader.read(_peaks(0, size))
    return frontier


def prove_inclusion(index: int, size: int, reader: HashReader) -> list[bytes]:
    """Prove that the leaf at `index` is in the tree of `size` leaves, from its sibling up. RFC 9162 §2.1.3.1.

    Raises:
        ProofError: `TREE_RANGE` when there is no such leaf in a tree of that size.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError("TREE_RANGE", f"expected an index below the size {size}, got {index}")
    return _read_ranges(_siblings(0, index, size), reader)


class InclusionProofs:
    """Inclusion proofs of many leaves of one tree: what two of them have in common is put together once."""

    __slots__ = ("_above", "_reader", "_size")

    def __init__(self, size: int, reader: HashReader) -> None:
        self._size = size
        self._reader = reader
        self._above: dict[Node, list[bytes]] = {}

    def prove(self, index: int) -> list[bytes]:
        """Prove that the leaf at `index` is in the tree, as `prove_inclusion` does.

        Raises:
            ProofError: `TREE_RANGE` when there is no such leaf.
        """
        if not 0 <= index < self._size <= MAX_SIZE:
            raise ProofError("TREE_RANGE", f"expected an index below the size {self._size}, got {index}")
        return self._from(0, index)

    def _from(self, level: int, index: int) -> list[bytes]:
        """Return what lies beside the path from a node to the root."""
        known = self._above.get((level, index))
        if known is None:
            known = []
            if 1 << level < self._size:
                beside = _sibling(level, index, self._size)
                known = self._reader.read(beside)
                if len(known) > 1:
                    known = [_fold(known)]
                known += self._from(level + 1, index >> 1)
            self._above[level, index] = known
        return known


def prove_consistency(old_size: int, new_size: int, reader: HashReader) -> list[bytes]:
    """Prove that the tree of `new_size` starts with that of `old_size`. RFC 9162 §2.1.4.1.

    The proof is empty for equal sizes, and for the empty tree, which every tree starts with
    (c2sp.org/tlog-witness).

    Raises:
        ProofError: `TREE_RANGE` when the old size is above the new one.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise ProofError("TREE_RANGE", f"expected an old size up to {new_size}, got {old_size}")
    if old_size in (0, new_size):
        return []
    # The old tree's last complete subtree is a node of both trees; the proof is that node's audit path in the
    # new one, with the node itself before it unless it is the whole old tree, whose root the checker has.
    level = (old_size & -old_size).bit_length() - 1
    index = (old_size >> level) - 1
    start = [[(level, index)]] if index else []
    return _read_ranges(start + _siblings(level, index, new_size), reader)


def check_inclusion(leaf_hash: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check an inclusion proof. RFC 9162 §2.1.3.2.

    Raises:
        ProofError: `INCLUSION_PROOF`.
    """
    if not 0 <= index < size <= MAX_SIZE:  # step 1
        raise ProofError("INCLUSION_PROOF", f"expected an index below the size {size}, got {index}")
    _check_lengths("INCLUSION_PROOF", (leaf_hash, root, *proof))
    fn, sn, r = index, size - 1, leaf_hash  # steps 2 and 3
    for p in proof:  # step 4
        if sn == 0:
            raise ProofError("INCLUSION_PROOF", f"the proof is too long: {len(proof)} hashes")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    if sn != 0:  # step 5
        raise ProofError("INCLUSION_PROOF", f"the proof is too short: {len(proof)} hashes")
    if r != root:
        raise ProofError("INCLUSION_PROOF", f"expected the root {root.hex()}, got {r.hex()}")


def check_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree starts with the old one. RFC 9162 §2.1.4.2.

    The empty tree is consistent with every tree, by an empty proof, if its root is the hash of nothing.

    Raises:
        ProofError: `CONSISTENCY_PROOF`.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise ProofError("CONSISTENCY_PROOF", f"expected an old size up to {new_size}, got {old_size}")
    _check_lengths("CONSISTENCY_PROOF", (old_root, new_root, *proof))
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("CONSISTENCY_PROOF", f"the root of an empty tree is not {root.hex()}")
    if old_size in (0, new_size):
        if proof:
            raise ProofError("CONSISTENCY_PROOF", f"expected an empty proof, got {len(proof)} hashes")
        if old_size == new_size and old_root != new_root:
            raise ProofError("CONSISTENCY_PROOF", f"two roots for the size {new_size}")
        return
    if not proof:  # step 1
        raise ProofError("CONSISTENCY_PROOF", "expected a proof, got an empty one")
    # Step 2: an old tree that is complete is a node of the new one, and its root the first hash.
    hashes = iter(proof) if old_size & (old_size - 1) else iter((old_root, *proof))
    fn, sn = old_size - 1, new_size - 1  # step 3
    while fn & 1:  # step 4
        fn >>= 1
        sn >>= 1
    fr = sr = next(hashes)  # step 5
    for c in hashes:  # step 6
        if sn == 0:
            raise ProofError("CONSISTENCY_PROOF", f"the proof is too long: {len(proof)} hashes")
        if fn & 1 or fn == sn:
            fr = node_hash(c, fr)
            sr = node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    if sn != 0:  # step 7
        raise ProofError("CONSISTENCY_PROOF", f"the proof is too short: {len(proof)} hashes")
    if fr != old_root:
        raise ProofError("CONSISTENCY_PROOF", f"expected the old root {old_root.hex()}, got {fr.hex()}")
    if sr != new_root:
        raise ProofError("CONSISTENCY_PROOF", f"expected the new root {new_root.hex()}, got {sr.hex()}")


def _check_lengths(code: str, hashes: Iterable[bytes]) -> None:
    for each in hashes:
        if len(each) != HASH_BYTES:
            raise ProofError(code, f"expected hashes of {HASH_BYTES} bytes, got one of {len(each)}")


def _siblings(level: int, index: int, size: int) -> list[list[Node]]:
    """List what lies beside the path from a node to the root: each sibling as the nodes that make it up.

    RFC 6962's tree is a perfect tree without the leaves that do not exist yet. So a sibling is a whole node,
    or the ragged right edge, made up of several, or not there at all.
    """
    ranges = []
    while 1 << level < size:
        beside = _sibling(level, index, size)
        if beside:
            ranges.append(beside)
        level += 1
        index >>= 1
    return ranges


def _sibling(level: int, index: int, size: int) -> list[Node]:
    """List the nodes that make up a node's sibling, none where it is not there."""
    sibling = index ^ 1
    if (sibling + 1) << level <= size:
        return [(level, sibling)]
    return _peaks(sibling << level, size)


def _peaks(start: int, stop: int) -> list[Node]:
    """Cover start … stop-1 with the fewest complete subtrees, largest first; `start` is aligned."""
    nodes = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _read_ranges(ranges: list[list[Node]], reader: HashReader) -> list[bytes]:
    """Read all nodes in one request, and hash each range together."""
    hashes = iter(reader.read([node for each in ranges for node in each]))
    return [next(hashes) if len(each) == 1 else _fold(list(islice(hashes, len(each)))) for each in ranges]


def _fold(hashes: list[bytes]) -> bytes:
    """Hash neighbouring subtrees of falling size together, from the right."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = _sha256(b"\x01" + left + result).digest()
    return result
