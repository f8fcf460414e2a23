"""Leaves against tile hashes, tile hashes against signed heads, heads against published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger.checkpoint import check_head, check_published
from ledger.errors import LedgerError
from ledger.merkle import Frontier, leaf_hash, tree_root
from ledger.note import VerifierKey
from ledger.reread.damage import Found
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Head, Reads
from ledger.tiles import TILE_WIDTH

HASH_BYTES: Final = 32


class TreeCheck:
    """Grows the tree leaf by leaf and compares each tile and each commit's head that it completes.

    Memory is 32 bytes an entry: the root of every size, which `seen` and checkpoints are compared with.
    """

    def __init__(self, found: Found, log_keys: Sequence[VerifierKey]) -> None:
        self._found = found
        self._log_keys = log_keys
        self._frontier = Frontier()
        self._roots = bytearray(self._frontier.root())
        self._head: Head | None = None
        self._is_covered = True
        self._rows = 0
        self._pending: list[list[bytes]] = [[]]
        self._closed: list[int] = [0]

    @property
    def size(self) -> int:
        """How many leaves were taken in."""
        return self._frontier.size

    @property
    def tile_rows(self) -> int:
        """How many tile hashes these leaves give."""
        return self._rows

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first `size` leaves; None beyond what was taken in."""
        known = 0 <= size <= self._frontier.size
        return bytes(self._roots[size * HASH_BYTES : (size + 1) * HASH_BYTES]) if known else None

    def grow(self, reads: Reads, leaf: bytes) -> None:
        """Take the next leaf in."""
        value, index = leaf_hash(leaf), self._frontier.size
        self._frontier.append(value)
        self._roots += self._frontier.root()
        self._cover(reads, index)
        for level in range(len(self._pending) + 1):
            if level == len(self._pending):
                self._pending.append([])
                self._closed.append(0)
            hashes = self._pending[level]
            hashes.append(value)
            self._rows += 1
            if len(hashes) < TILE_WIDTH:
                return
            self._tile(reads, level, hashes)
            value = tree_root(hashes)
            hashes.clear()

    def finish(self, reads: Reads) -> None:
        """Compare the tiles that are not full."""
        for level, hashes in enumerate(self._pending):
            if hashes:
                self._tile(reads, level, hashes)
                hashes.clear()

    def published(self, checkpoints: CheckpointStore, after: int) -> None:
        """Check the checkpoints of sizes above `after` that were taken in."""
        note = checkpoints.newest_within(self.size)
        while note is not None and note[0] > after:
            self._check_published(*note)
            note = checkpoints.newest_within(note[0] - 1)

    def _cover(self, reads: Reads, index: int) -> None:
        """Check the head that the commit of this entry left, if it was the last of its commit."""
        if self._head is None or self._head.size <= index:
            self._head = reads.head_covering(index)
            if self._head is None and self._is_covered:
                self._found.bad("HEAD", index, "log_head", "no head covers this index")
            self._is_covered = self._head is not None
        if self._head is not None and self._head.size == index + 1:
            self._check_head(self._head)

    def _check_published(self, size: int, note: bytes) -> None:
        try:
            checkpoint = check_published(note, self._log_keys)
        except LedgerError as error:
            self._found.bad("CHECKPOINT", size - 1, "checkpoints", f"{error.code}: {error.message}")
            return
        if (checkpoint.size, checkpoint.root) != (size, self.root_at(size)):
            self._found.bad("CHECKPOINT", size - 1, "checkpoints", "it is of another history than this log")

    def _tile(self, reads: Reads, level: int, hashes: Sequence[bytes]) -> None:
        start, where = self._closed[level], f"tile_hashes level {level}"
        self._closed[level] = start + len(hashes)
        try:
            stored = reads.tile_hashes(level, start, start + len(hashes))
        except LedgerError as error:
            self._found.bad("TILE", start * TILE_WIDTH**level, where, error.message)
            return
        for at, value in enumerate(hashes):
            if stored[at * HASH_BYTES : (at + 1) * HASH_BYTES] != value:
                index = (start + at) * TILE_WIDTH**level
                self._found.bad("TILE", index, where, f"position {start + at} differs")

    def _check_head(self, head: Head) -> None:
        """Check a commit's head: its root, its frontier, its note. The tree is of exactly its size."""
        index, root = head.size - 1, self._frontier.root()
        if (head.root, head.frontier) != (root, self._frontier.to_bytes()):
            self._found.bad("HEAD", index, "log_head", "root or frontier are not those of the leaves")
        try:
            checkpoint = check_head(head.note, self._log_keys)
        except LedgerError as error:
            self._found.bad("HEAD", index, "log_head", f"{error.code}: {error.message}")
            return
        if (checkpoint.size, checkpoint.root) != (head.size, root):
            self._found.bad("HEAD", index, "log_head", "the note is of another tree")
