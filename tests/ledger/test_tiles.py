"""Tile paths, entry bundles, and node hashes out of stored tile levels."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, ProofError
from ledger.merkle import (
    MemoryHashes,
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    read_frontier,
    tree_root,
)
from ledger.tiles import (
    Tile,
    TileHashes,
    TilePath,
    advance,
    bundles_for,
    decode_entries,
    encode_entries,
    entries_path,
    parse_path,
    payload_path,
    tile_path,
    tiles_for,
)
from tests.shared import SHARED, VECTORS, needs_shared

TESTLOG = SHARED / "vectors/public/tessera-testlog/testdata/log"


class Rows:
    """Tile levels in memory, as a store keeps them."""

    def __init__(self) -> None:
        self.levels: list[bytearray] = []
        self.asked: list[tuple[int, int, int]] = []

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self.levels[0]) // 32 if self.levels else 0

    def read(self, level: int, start: int, stop: int) -> bytes:
        """Return hashes, laid end to end."""
        self.asked.append((level, start, stop))
        return bytes(self.levels[level][start * 32 : stop * 32])

    def put(self, level: int, position: int, each: bytes) -> None:
        """Append one hash to its level; there is no other place for it."""
        if level == len(self.levels):
            self.levels.append(bytearray())
        assert len(self.levels[level]) == position * 32
        self.levels[level] += each

    def append(self, hashes: list[bytes]) -> None:
        """Append leaves in one commit."""
        size = self.size
        above = advance(size, hashes, self.read)
        for offset, each in enumerate(hashes):
            self.put(0, size + offset, each)
        for row in above:
            self.put(*row)


LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(66_200)]


def grown(size: int) -> Rows:
    """Grow a log to a size in commits of many widths."""
    rows, width = Rows(), 1
    while rows.size < size:
        rows.append(LEAVES[rows.size : min(size, rows.size + width)])
        width = width * 3 % 5_003 + 1
    return rows


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("tile/0/000", TilePath("tile", 0, 0, 256)),
        ("tile/0/x001/067.p/8", TilePath("tile", 0, 1067, 8)),
        ("tile/63/x001/x234/067", TilePath("tile", 63, 1_234_067, 256)),
        ("tile/entries/999.p/255", TilePath("entries", 0, 999, 255)),
        ("tile/entries/x001/000", TilePath("entries", 0, 1000, 256)),
        ("payloads/000.p/11", TilePath("payloads", 0, 0, 11)),
    ],
)
def test_paths(path: str, parsed: TilePath) -> None:
    """Paths are written and read as tlog-tiles shows them."""
    assert parse_path(path) == parsed
    write = {"entries": entries_path, "payloads": payload_path}
    kind, level, n, width = parsed
    assert (tile_path(level, n, width) if kind == "tile" else write[kind](n, width)) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/x002",
        "tile/0/001/002",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/08",
        "tile/0/000.p/",
        "tile/0/000.p/8/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/payloads/000",
        "entries/000",
        "payloads/0/000",
        "tile/0/x999/x999/x999/x999/x999/999",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """There is one path for each tile, and nothing else is one."""
    with pytest.raises(FormatError, match=r"^TILE_PATH\b"):
        parse_path(path)


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_are_read_back(level: int, n: int, width: int) -> None:
    """Every tile's path names it."""
    assert parse_path(tile_path(level, n, width)) == ("tile", level, n, width)
    assert parse_path(entries_path(n, width)) == ("entries", 0, n, width)
    assert parse_path(payload_path(n, width)) == ("payloads", 0, n, width)


@pytest.mark.parametrize(("n", "width"), [(-1, 1), (0, 0), (0, 257)])
def test_a_tile_has_1_to_256_hashes(n: int, width: int) -> None:
    """No path is written for a tile that can't be."""
    with pytest.raises(FormatError, match=r"^TILE_PATH\b"):
        tile_path(0, n, width)


def test_tiles_of_a_tree_of_70000() -> None:
    """The tiles are those that tlog-tiles counts for this size."""
    tiles = list(tiles_for(70_000))
    assert len(tiles) == len(set(tiles)) == 273 + 1 + 1 + 1 + 1
    assert Tile(0, 272, 256) in tiles
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0, 256), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(bundles_for(70_000)) == tiles[:274]


def test_tiles_of_small_trees() -> None:
    """An empty tree has no tile, and 256 leaves begin the next level."""
    assert list(tiles_for(0)) == []
    assert list(tiles_for(1)) == [Tile(0, 0, 1)]
    assert list(tiles_for(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_entry_bundles_are_read_back(leaves: list[bytes]) -> None:
    """A bundle gives back its leaves, and no other number of them."""
    data = encode_entries(leaves)
    assert decode_entries(data, len(leaves)) == leaves
    for count in (len(leaves) - 1, len(leaves) + 1):
        with pytest.raises(FormatError, match=r"^ENTRIES\b"):
            decode_entries(data, count)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x02a", b"\x00\x01ab", b"\x00\x01a\x00"])
def test_a_broken_entry_bundle_is_refused(data: bytes) -> None:
    """A length that doesn't fit the bytes is refused."""
    with pytest.raises(FormatError, match=r"^ENTRIES\b"):
        decode_entries(data, 1)


def test_an_entry_has_two_length_bytes() -> None:
    """65,535 bytes fit an entry, one more does not, and a bundle holds 1 to 256."""
    largest = bytes(65_535)
    assert decode_entries(encode_entries([largest]), 1) == [largest]
    for leaves in ([bytes(65_536)], [], [b""] * 257):
        with pytest.raises(FormatError, match=r"^ENTRIES\b"):
            encode_entries(leaves)


def test_stored_levels_are_those_of_the_definition() -> None:
    """Hash n of level L is the root over its 256^L leaves, for every complete one and no other."""
    rows = grown(66_200)
    assert [len(level) // 32 for level in rows.levels] == [66_200, 258, 1]
    for n in (0, 1, 100, 257):
        assert rows.read(1, n, n + 1) == tree_root(LEAVES[n * 256 : (n + 1) * 256])
    assert rows.read(2, 0, 1) == tree_root(LEAVES[:65_536])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_200])
def test_proofs_from_stored_levels_hold(size: int) -> None:
    """Inclusion and consistency are proven out of tile levels alone, and the root is read from them."""
    rows = grown(size)
    reader = TileHashes(rows.read)
    root = tree_root(LEAVES[:size])
    assert read_frontier(size, reader).root() == root
    for index in {0, 1, size // 3, size // 2, size - 1} & set(range(size)):
        check_inclusion(LEAVES[index], index, size, root, prove_inclusion(index, size, reader))
    for old_size in {1, size // 3, size // 2, size - 1} & set(range(1, size)):
        proof = prove_consistency(old_size, size, reader)
        check_consistency(old_size, tree_root(LEAVES[:old_size]), size, root, proof)


def test_every_node_of_a_tree_is_read() -> None:
    """Each complete subtree comes out of the stored levels as it is in the tree."""
    rows, tree = grown(700), MemoryHashes(LEAVES[:700])
    nodes = [(level, index) for level in range(10) for index in range(700 >> level)]
    assert TileHashes(rows.read).read(nodes) == tree.read(nodes)


def test_a_proof_asks_for_each_tile_once() -> None:
    """One audit path reads each tile that it crosses in one request."""
    rows = grown(66_200)
    rows.asked.clear()
    prove_inclusion(300, 66_200, TileHashes(rows.read))
    tiles = [(level, start // 256) for level, start, _ in rows.asked]
    assert len(tiles) == len(set(tiles))
    assert all(start // 256 == (stop - 1) // 256 for _, start, stop in rows.asked)


def test_a_single_append_reads_nothing() -> None:
    """Only a leaf that completes a tile needs the earlier ones."""
    rows = grown(254)
    rows.asked.clear()
    rows.append(LEAVES[254:255])
    assert rows.asked == []
    rows.append(LEAVES[255:256])
    assert rows.asked == [(0, 0, 255)]


def test_missing_rows_are_noticed() -> None:
    """A store that returns too few hashes is no source for a proof."""
    reader = TileHashes(lambda level, start, stop: bytes(32))
    with pytest.raises(ProofError, match=r"^TILE_HASHES\b"):
        prove_inclusion(0, 8, reader)


def test_the_minimal_bundle_is_a_tiles_tree() -> None:
    """The leaves of the bundle's entry file hash to its tile."""
    bundle = VECTORS / "bundle-minimal"
    leaves = decode_entries((bundle / entries_path(0, 11)).read_bytes(), 11)
    assert b"".join(map(leaf_hash, leaves)) == (bundle / tile_path(0, 0, 11)).read_bytes()
    assert [json.loads(leaf)["index"] for leaf in leaves] == list(range(11))


@needs_shared
def test_a_foreign_log_is_read() -> None:
    """Entries, tiles and checkpoints of another implementation's log agree at every size."""
    for size in range(1, 16):
        leaves = decode_entries((TESTLOG / entries_path(0, size)).read_bytes(), size)
        tile = (TESTLOG / tile_path(0, 0, size)).read_bytes()
        assert b"".join(map(leaf_hash, leaves)) == tile
        root = (TESTLOG / f"checkpoint.{size}").read_text().split("\n")[2]
        assert tree_root(map(leaf_hash, leaves)) == b64decode(root)
