"""The log as static files: c2sp.org/tlog-tiles, and node hashes from what a store keeps of them.

    tile/<level>/<N>[.p/<W>]     256 consecutive hashes of a tile level, W of them when it is partial
    tile/entries/<N>[.p/<W>]     the leaves under tile 0/<N>: each as u16 length, big-endian, and bytes
    payloads/<N>[.p/<W>]         the statements of that entry bundle (record format §9)

N is written in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`. Hash n of
tile level L is the root over leaves n·256^L … (n+1)·256^L - 1, so level 0 are the leaf hashes, and a row
(L, n, hash) never changes once it exists. The binary levels between two tile levels are hashed again
when a proof wants them.

Left out on purpose: reading and writing files, and pruning: a trial's log is kept whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger.errors import FormatError, ProofError
from ledger.merkle import HASH_BYTES, MAX_SIZE, Node, tree_root

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8  # binary levels in a tile
MAX_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 65_535

TileRows = Callable[[int, int, int], bytes]
"""(tile level, start, stop) -> the hashes at positions start … stop-1 of that level, concatenated."""

TileHash = tuple[int, int, bytes]
"""(tile level, position in that level, hash)."""

_PATH = re.compile(
    r"(?:tile/(?P<level>entries|[0-9]{1,2})|payloads)/"
    r"(?P<n>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class Tile(NamedTuple):
    """A tile: `level` 0 … 63, `n` from 0, and how many of its 256 hashes are there."""

    level: int
    n: int
    width: int


class TilePath(NamedTuple):
    """A parsed path: `kind` is `tile`, `entries` or `payloads`; the last two have level 0."""

    kind: str
    level: int
    n: int
    width: int


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """Name the file of a tile."""
    return f"tile/{level}/{_numbered(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """Name the file of an entry bundle."""
    return f"tile/entries/{_numbered(n, width)}"


def payload_path(n: int, width: int = TILE_WIDTH) -> str:
    """Name the file of the statements of an entry bundle."""
    return f"payloads/{_numbered(n, width)}"


def parse_path(path: str) -> TilePath:
    """Parse the path of a tile, an entry bundle or a payload file.

    Raises:
        FormatError: `TILE_PATH` for anything that the functions above don't write.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise FormatError("TILE_PATH", "expected the path of a tile, an entry bundle or a payload file")
    n = int(match["n"].replace("/", "").replace("x", ""))
    width = int(match["width"] or TILE_WIDTH)
    kind = {None: "payloads", "entries": "entries"}.get(match["level"], "tile")
    level = int(match["level"]) if kind == "tile" else 0
    if level > MAX_LEVEL or n > MAX_SIZE:
        raise FormatError("TILE_PATH", f"expected a level up to {MAX_LEVEL}, and a tile of this log")
    write = {"tile": lambda: tile_path(level, n, width), "entries": lambda: entries_path(n, width)}
    if path != write.get(kind, lambda: payload_path(n, width))():
        raise FormatError("TILE_PATH", "expected a path without needless digits")
    return TilePath(kind, level, n, width)


def tiles_for(size: int) -> Iterator[Tile]:
    """List every tile of a tree of this size, level by level: the full ones, then the partial one, if any."""
    level = 0
    while size:
        full, partial = divmod(size, TILE_WIDTH)
        for n in range(full):
            yield Tile(level, n, TILE_WIDTH)
        if partial:
            yield Tile(level, full, partial)
        level, size = level + 1, full


def bundles_for(size: int) -> Iterator[Tile]:
    """List the entry bundles of a tree of this size, as the tiles of level 0 that they lie under."""
    return (tile for tile in tiles_for(size) if tile.level == 0)


def encode_entries(leaves: Sequence[bytes]) -> bytes:
    """Write an entry bundle of 1 to 256 leaves.

    Raises:
        FormatError: `ENTRIES`.
    """
    if not 1 <= len(leaves) <= TILE_WIDTH or max(map(len, leaves)) > MAX_ENTRY_BYTES:
        raise FormatError("ENTRIES", f"expected 1 to {TILE_WIDTH} leaves of up to {MAX_ENTRY_BYTES} bytes")
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def decode_entries(data: bytes, count: int) -> list[bytes]:
    """Read an entry bundle of exactly `count` leaves.

    Raises:
        FormatError: `ENTRIES`.
    """
    leaves: list[bytes] = []
    at = 0
    for _ in range(count):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            raise FormatError("ENTRIES", f"expected {count} entries, got {len(leaves)} and a broken one")
        leaves.append(data[start:at])
    if at != len(data):
        raise FormatError("ENTRIES", f"expected {count} entries, got {len(data) - at} bytes more")
    return leaves


def advance(size: int, leaf_hashes: Sequence[bytes], rows: TileRows) -> tuple[TileHash, ...]:
    """Compute the hashes of tile levels 1 and up that appending leaves to a tree of `size` completes.

    Ascending by level and position. `rows` is asked for the earlier part of a tile that becomes full, so for
    nothing in 255 of 256 single appends.
    """
    completed: list[TileHash] = []
    level, start, added = 0, size, list(leaf_hashes)
    while start % TILE_WIDTH + len(added) >= TILE_WIDTH:
        before = start % TILE_WIDTH
        hashes = _split(rows(level, start - before, start), before) + added if before else added
        first = start // TILE_WIDTH
        made = [
            tree_root(hashes[at : at + TILE_WIDTH])
            for at in range(0, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH)
        ]
        completed += [(level + 1, first + offset, each) for offset, each in enumerate(made)]
        level, start, added = level + 1, first, made
    return tuple(completed)


class TileHashes:
    """Node hashes of the whole tree out of stored tile levels: the `HashReader` of a store or an export."""

    __slots__ = ("_rows",)

    def __init__(self, rows: TileRows) -> None:
        self._rows = rows

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hash of each node; each tile that is needed is asked for once.

        Raises:
            ProofError: `TILE_HASHES` when the rows have another length than asked for.
        """
        spans = [_span(level, index) for level, index in nodes]
        wanted: dict[tuple[int, int], tuple[int, int]] = {}
        for level, start, stop in spans:
            tile = (level, start // TILE_WIDTH)
            low, high = wanted.get(tile, (start, stop))
            wanted[tile] = (min(low, start), max(high, stop))
        tiles = {
            tile: (low, _split(self._rows(tile[0], low, high), high - low))
            for tile, (low, high) in wanted.items()
        }
        hashes = []
        for level, start, stop in spans:
            low, row = tiles[level, start // TILE_WIDTH]
            hashes.append(tree_root(row[start - low : stop - low]))
        return hashes


def _span(level: int, index: int) -> tuple[int, int, int]:
    """Say which hashes of which tile level make up a node: (tile level, start, stop)."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    return tile_level, index << height, (index + 1) << height


def _split(hashes: bytes, count: int) -> list[bytes]:
    if len(hashes) != count * HASH_BYTES:
        raise ProofError("TILE_HASHES", f"expected {count} hashes, got {len(hashes)} bytes")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _numbered(n: int, width: int) -> str:
    if n < 0 or not 1 <= width <= TILE_WIDTH:
        raise FormatError("TILE_PATH", f"expected a number from 0 and a width up to {TILE_WIDTH}")
    path = f"{n % 1000:03}"
    while n := n // 1000:
        path = f"x{n % 1000:03}/{path}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"
