"""The first pass over a bundle: every leaf hashes to the signed root, and every tile agrees.

Only bytes are hashed here; what a leaf says is read in the second pass, once the tree is known to hold
(record-format.md §10). Of each level at most one unfinished tile is in memory; of the past, the hash of every
leaf is kept (32 bytes), because every statement names a root in `seen`.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from ledger.checkpoint import Checkpoint
from ledger.errors import FormatError
from ledger.merkle import Frontier, leaf_hash, tree_root
from ledger.tiles import decode_entries, entries_path, tile_path
from ledger.verify.bundle import Bundle
from ledger.verify.findings import Finding, finding
from ledger.verify.tables import Spool

TILE_WIDTH: Final = 256
HASH_BYTES: Final = 32
MAX_LEAF_BYTES: Final = 65_535
KEPT_SPANS: Final = 256
MAX_ENTRIES_BYTES: Final = TILE_WIDTH * (MAX_LEAF_BYTES + 2)

Reporter = Callable[[Finding], None]


class Roots:
    """The root at every size from 0 to the size of the tree, computed where it is asked for.

    Of each leaf its hash is kept, on disk where the log is long, and the tree's right edge at every 256th;
    roots of the sizes between are computed together, and those that were asked for lately stay.
    """

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self._hashes = Spool()
        self._leaves = Spool()
        self._frontier = Frontier()
        self._edges = Spool()
        self._edge_at = array("Q", [0])
        self._keep_edge()
        self._roots_from = lru_cache(maxsize=KEPT_SPANS)(self._compute)

    def append(self, value: bytes) -> None:
        """Add the hash of the next leaf."""
        self._hashes.append(value)
        self._frontier.append(value)
        if self._frontier.size % TILE_WIDTH == 0:
            self._keep_edge()

    def at(self, size: int) -> bytes:
        """Return the root of the first `size` leaves, from 0 to the size of the tree."""
        if size == self._frontier.size:
            return self._frontier.root()
        within = size % TILE_WIDTH * HASH_BYTES
        return self._roots_from(size // TILE_WIDTH)[within : within + HASH_BYTES]

    @property
    def size(self) -> int:
        """The largest size whose root is known."""
        return self._frontier.size

    def hashes(self, start: int, count: int) -> bytes:
        """Return the hashes of `count` leaves from an index on, one after the other."""
        return self._hashes.read(start * HASH_BYTES, count * HASH_BYTES)

    def expect(self, leaves: bytes) -> None:
        """Take note of what the leaves of the next entry bundle hash to together; b"" for unreadable ones."""
        self._leaves.append(leaves or bytes(HASH_BYTES))

    def was_read(self, start: int) -> bool:
        """Tell whether the entry bundle from an index on could be read."""
        return any(self._leaves.read(start // TILE_WIDTH * HASH_BYTES, HASH_BYTES))

    def holds(self, start: int, leaves: Sequence[bytes]) -> bool:
        """Tell whether the leaves of an entry bundle are those that were hashed to the root."""
        kept = self._leaves.read(start // TILE_WIDTH * HASH_BYTES, HASH_BYTES)
        return kept == digest_of([leaf_hash(leaf) for leaf in leaves])

    def _compute(self, span: int) -> bytes:
        """Return the roots of the 256 sizes from a multiple of 256 on, as far as there are leaves."""
        start, stop = self._edge_at[span : span + 2]
        edge = Frontier.from_bytes(self._edges.read(start, stop - start))
        roots = [edge.root()]
        hashes = self.hashes(span * TILE_WIDTH, TILE_WIDTH - 1)
        for at in range(0, len(hashes), HASH_BYTES):
            edge.append(hashes[at : at + HASH_BYTES])
            roots.append(edge.root())
        return b"".join(roots)

    def _keep_edge(self) -> None:
        edge = self._frontier.to_bytes()
        self._edges.append(edge)
        self._edge_at.append(self._edge_at[-1] + len(edge))


def digest_of(hashes: Sequence[bytes]) -> bytes:
    """Hash the hashes of an entry bundle's leaves together."""
    return hashlib.sha256(b"".join(hashes)).digest()


def chunks(size: int) -> Iterator[tuple[int, int]]:
    """Yield the number and width of each entry bundle of a tree."""
    for start in range(0, size, TILE_WIDTH):
        yield start // TILE_WIDTH, min(TILE_WIDTH, size - start)


def read_leaves(bundle: Bundle, number: int, width: int) -> list[bytes]:
    """Read the leaves of one entry bundle.

    Raises:
        FormatError: the file is missing, too long, or can't be split into `width` leaves.
    """
    return decode_entries(bundle.read(entries_path(number, width), max_bytes=MAX_ENTRIES_BYTES), width)


def check_tree(bundle: Bundle, checkpoint: Checkpoint, report: Reporter) -> Roots:
    """Hash all leaves, compare every tile and the root; return the root at every size.

    Where leaf and tile differ, the roots returned are of those hashes that lead to the signed root, so that
    one altered byte is reported where it is and not again in every later statement.
    """
    walk = _Walk(bundle, checkpoint.size, report)
    roots = walk.run(prefer_tiles=False)
    if roots.at(checkpoint.size) == checkpoint.root:
        return roots
    report(finding("ROOT", "the leaves do not hash to the signed root", file="checkpoint"))
    by_tiles = _Walk(bundle, checkpoint.size, lambda _: None).run(prefer_tiles=True)
    return by_tiles if by_tiles.at(checkpoint.size) == checkpoint.root else roots


class _Walk:
    def __init__(self, bundle: Bundle, size: int, report: Reporter) -> None:
        self._bundle = bundle
        self._size = size
        self._report = report
        self._pending: list[list[bytes]] = []
        self._closed: dict[int, int] = {}

    def run(self, *, prefer_tiles: bool) -> Roots:
        roots = Roots()
        for number, width in chunks(self._size):
            tile = self._tile(0, number, width)
            hashes = self._leaf_hashes(number, width, tile, roots)
            self._compare(0, number, hashes, tile)
            if prefer_tiles and tile is not None:
                hashes = tile
            for value in hashes:
                roots.append(value)
            if width == TILE_WIDTH:
                self._rise(1, tree_root(hashes))
        for level, hashes in enumerate(self._pending, start=1):
            if hashes:
                self._close(level, hashes)
        return roots

    def _leaf_hashes(self, number: int, width: int, tile: list[bytes] | None, roots: Roots) -> list[bytes]:
        try:
            hashes = [leaf_hash(leaf) for leaf in read_leaves(self._bundle, number, width)]
            roots.expect(digest_of(hashes))
            return hashes
        except FormatError as error:
            roots.expect(b"")
            code = error.code if error.code in ("FILE_MISSING", "ZIP_FORM", "FILE_SIZE") else "ENTRY_BUNDLE"
            file = entries_path(number, width)
            self._report(finding(code, error.message, index=number * TILE_WIDTH, file=file))
            return tile if tile is not None else [b"\0" * HASH_BYTES] * width

    def _rise(self, level: int, value: bytes) -> None:
        """Hand the root of a full tile to the level above."""
        if len(self._pending) < level:
            self._pending.append([])
        hashes = self._pending[level - 1]
        hashes.append(value)
        if len(hashes) == TILE_WIDTH:
            self._close(level, hashes)
            hashes.clear()

    def _close(self, level: int, hashes: list[bytes]) -> None:
        number = self._closed.get(level, 0)
        self._closed[level] = number + 1
        self._compare(level, number, hashes, self._tile(level, number, len(hashes)))
        if len(hashes) == TILE_WIDTH:
            self._rise(level + 1, tree_root(hashes))

    def _tile(self, level: int, number: int, width: int) -> list[bytes] | None:
        path = tile_path(level, number, width)
        start = number * TILE_WIDTH ** (level + 1)
        try:
            data = self._bundle.read(path, max_bytes=TILE_WIDTH * HASH_BYTES)
        except FormatError as error:
            self._report(finding(error.code, error.message, index=start, file=path))
            return None
        if len(data) != width * HASH_BYTES:
            self._report(finding("TILE", "expected 32 bytes for each hash", index=start, file=path))
            return None
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def _compare(self, level: int, number: int, hashes: list[bytes], tile: list[bytes] | None) -> None:
        if tile is None or tile == hashes:
            return
        first = next(at for at, (own, given) in enumerate(zip(hashes, tile, strict=True)) if own != given)
        index = (number * TILE_WIDTH + first) * TILE_WIDTH**level
        path = tile_path(level, number, len(hashes))
        self._report(finding("TILE", "a hash differs from that of the leaves", index=index, file=path))
