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
from ledger.merkle import Frontier, MemoryHashes
from ledger.tiles import TILE_HEIGHT, decode_entries, entries_path, tile_path
from ledger.verify.bundle import Bundle
from ledger.verify.findings import Finding, finding
from ledger.verify.tables import Spool

TILE_WIDTH: Final = 256
HASH_BYTES: Final = 32
MAX_LEAF_BYTES: Final = 65_535
KEPT_SPANS: Final = 64
KEPT_ROOTS: Final = 4_096
MAX_ENTRIES_BYTES: Final = TILE_WIDTH * (MAX_LEAF_BYTES + 2)

Reporter = Callable[[Finding], None]


class Roots:
    """The root at every size from 0 to the size of the tree, computed where it is asked for.

    Of each leaf its hash is kept, on disk where the log is long, and the tree's right edge at every 256th.
    What a root between those is made of is computed once for all of them; those asked for lately stay.
    """

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self._hashes = Spool()
        self._bundles = Spool()
        self._size = 0
        self._full = Spool()
        self._tiles = Frontier()
        self._edges = Spool()
        self._edge_at = array("Q", [0])
        self._keep_edge()
        self._nodes = lru_cache(maxsize=KEPT_SPANS)(self._nodes_of)
        self._root = lru_cache(maxsize=KEPT_ROOTS)(self._compute)

    def append(self, value: bytes) -> None:
        """Add the hash of the next leaf."""
        self.extend((value,))

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Add the hashes of the next leaves, none of them beyond the entry bundle that the first is of."""
        self._hashes.append(b"".join(hashes))
        self._size += len(hashes)
        self._nodes.cache_clear()
        if self._size % TILE_WIDTH == 0 and hashes:
            whole = self.hashes(self._size - TILE_WIDTH, TILE_WIDTH) if len(hashes) < TILE_WIDTH else b""
            root = full_root(_split(whole) if whole else hashes)
            self._full.append(root)
            self._tiles.append(root)
            self._keep_edge()

    def at(self, size: int) -> bytes:
        """Return the root of the first `size` leaves, from 0 to the size of the tree."""
        return self._root(size)

    @property
    def size(self) -> int:
        """The largest size whose root is known."""
        return self._size

    def hashes(self, start: int, count: int) -> bytes:
        """Return the hashes of `count` leaves from an index on, one after the other."""
        return self._hashes.read(start * HASH_BYTES, count * HASH_BYTES)

    def full(self, number: int) -> bytes:
        """Return the root over the leaves of one full entry bundle alone."""
        return self._full.read(number * HASH_BYTES, HASH_BYTES)

    def expect(self, entries: bytes) -> None:
        """Take note of the bytes of the next entry bundle; b"" where they could not be read."""
        self._bundles.append(hashlib.sha256(entries).digest() if entries else bytes(HASH_BYTES))

    def was_read(self, start: int) -> bool:
        """Tell whether the entry bundle from an index on could be read."""
        return any(self._bundles.read(start // TILE_WIDTH * HASH_BYTES, HASH_BYTES))

    def holds(self, start: int, entries: bytes) -> bool:
        """Tell whether the bytes of an entry bundle are those whose leaves were hashed to the root."""
        kept = self._bundles.read(start // TILE_WIDTH * HASH_BYTES, HASH_BYTES)
        return kept == hashlib.sha256(entries).digest()

    def _compute(self, size: int) -> bytes:
        """Put a root together: the edge at the last full entry bundle, and the nodes beyond it."""
        span, within = divmod(size, TILE_WIDTH)
        start, stop = self._edge_at[span : span + 2]
        edge = self._edges.read(start, stop - start)
        nodes, at = [], 0
        for level in range(TILE_HEIGHT - 1, -1, -1):
            if within >> level & 1:
                nodes.append((level, at >> level))
                at += 1 << level
        beyond = self._nodes(span).read(nodes) if nodes else []
        return Frontier.from_bytes(size.to_bytes(8, "big") + edge + b"".join(beyond)).root()

    def _nodes_of(self, span: int) -> MemoryHashes:
        """Return every complete subtree within an entry bundle, as far as there are leaves."""
        return MemoryHashes(_split(self.hashes(span * TILE_WIDTH, TILE_WIDTH)))

    def _keep_edge(self) -> None:
        edge = b"".join(self._tiles.peaks)
        self._edges.append(edge)
        self._edge_at.append(self._edge_at[-1] + len(edge))


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Compute the root over 256 hashes, level by level."""
    level = list(hashes)
    while len(level) > 1:
        below = iter(level)
        level = [
            hashlib.sha256(b"\x01" + left + right).digest() for left, right in zip(below, below, strict=True)
        ]
    return level[0]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def chunks(size: int) -> Iterator[tuple[int, int]]:
    """Yield the number and width of each entry bundle of a tree."""
    for start in range(0, size, TILE_WIDTH):
        yield start // TILE_WIDTH, min(TILE_WIDTH, size - start)


def read_leaves(bundle: Bundle, number: int, width: int) -> list[bytes]:
    """Read the leaves of one entry bundle.

    Raises:
        FormatError: the file is missing, too long, or can't be split into `width` leaves.
    """
    return decode_entries(read_entries(bundle, number, width), width)


def read_entries(bundle: Bundle, number: int, width: int) -> bytes:
    """Read the bytes of one entry bundle.

    Raises:
        FormatError: the file is missing or too long.
    """
    return bundle.read(entries_path(number, width), max_bytes=MAX_ENTRIES_BYTES)


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
            roots.extend(hashes)
            if width == TILE_WIDTH:
                self._rise(1, roots.full(number))
        for level, hashes in enumerate(self._pending, start=1):
            if hashes:
                self._close(level, hashes)
        return roots

    def _leaf_hashes(self, number: int, width: int, tile: list[bytes] | None, roots: Roots) -> list[bytes]:
        try:
            entries = read_entries(self._bundle, number, width)
            hashes = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in decode_entries(entries, width)]
            roots.expect(entries)
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
            self._rise(level + 1, full_root(hashes))

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
        return _split(data)

    def _compare(self, level: int, number: int, hashes: list[bytes], tile: list[bytes] | None) -> None:
        if tile is None or tile == hashes:
            return
        first = next(at for at, (own, given) in enumerate(zip(hashes, tile, strict=True)) if own != given)
        index = (number * TILE_WIDTH + first) * TILE_WIDTH**level
        path = tile_path(level, number, len(hashes))
        self._report(finding("TILE", "a hash differs from that of the leaves", index=index, file=path))
