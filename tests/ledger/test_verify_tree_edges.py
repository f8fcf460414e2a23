"""The first pass over trees of several tiles and levels: what is read, and where a lie is found (§5, §10)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import FormatError
from ledger.merkle import EMPTY_ROOT, leaf_hash, tree_root
from ledger.tiles import advance, encode_entries, entries_path, tile_path, tiles_for
from ledger.verify.findings import Finding
from ledger.verify.tree import MAX_ENTRIES_BYTES, Roots, check_tree, chunks, read_leaves

SIZES = [0, 1, 255, 256, 257, 512, 700]
LARGE = 65_536 + 256 + 3
LEAVES = [number.to_bytes(3, "big") for number in range(LARGE)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


class Files:
    """A bundle in memory that remembers what was read."""

    def __init__(self, size: int) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, int]] = []
        levels: list[list[bytes]] = [HASHES[:size]]
        for level, _, value in advance(0, HASHES[:size], lambda level, start, stop: b""):
            levels += [[] for _ in range(level + 1 - len(levels))]
            levels[level].append(value)
        for level, n, width in tiles_for(size):
            self.files[tile_path(level, n, width)] = b"".join(levels[level][n * 256 : n * 256 + width])
        for n, width in chunks(size):
            self.files[entries_path(n, width)] = encode_entries(LEAVES[n * 256 : n * 256 + width])

    def names(self) -> list[str]:
        """List the names."""
        return sorted(self.files)

    def size(self, name: str) -> int:
        """Return a size."""
        return len(self.files[name])

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a file's bytes as a real bundle does."""
        self.asked.append((name, max_bytes))
        if name not in self.files:
            raise FormatError("FILE_MISSING", "missing", field=name)
        return self.files[name]

    def lines(self, name: str) -> Iterator[bytes]:
        """Nothing here is read by lines."""
        raise AssertionError("nothing asks for it")

    def close(self) -> None:
        """Nothing is open."""

    def turn(self, name: str, at: int) -> None:
        """Change one byte of a file."""
        data = self.files[name]
        self.files[name] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def judged(bundle: Files, size: int) -> tuple[Roots, list[tuple[str, int | None, str | None]]]:
    """Run the first pass against the right checkpoint; return the roots, and what is found."""
    found: list[Finding] = []
    checkpoint = Checkpoint(origin="ledger.example/tree", size=size, root=tree_root(HASHES[:size]))
    roots = check_tree(bundle, checkpoint, found.append)
    return roots, [(each.code, each.index, each.file) for each in found]


@pytest.mark.parametrize("size", SIZES)
def test_every_tile_and_entry_bundle_is_read_once(size: int) -> None:
    """Of a right bundle nothing is found, and every file of it was compared."""
    bundle = Files(size)
    roots, found = judged(bundle, size)
    assert found == []
    assert sorted(name for name, _ in bundle.asked) == bundle.names()
    assert {limit for name, limit in bundle.asked if "entries" in name} <= {MAX_ENTRIES_BYTES}
    assert {limit for name, limit in bundle.asked if "entries" not in name} <= {256 * 32}
    assert roots.size == size
    assert roots.at(size) == tree_root(HASHES[:size])
    assert roots.at(size // 2) == tree_root(HASHES[: size // 2])


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    """There is no file to read, and size 0 has its root."""
    assert judged(Files(0), 0)[0].at(0) == EMPTY_ROOT


@pytest.mark.parametrize(
    ("name", "at", "index"),
    [
        ("tile/0/000", 0, 0),
        ("tile/0/001", 255 * 32 + 31, 511),
        ("tile/0/002.p/188", 187 * 32, 699),
        ("tile/1/000.p/2", 0, 0),
        ("tile/1/000.p/2", 32, 256),
    ],
)
def test_a_lying_tile_names_the_first_leaf_below_it(name: str, at: int, index: int) -> None:
    """The leaves hash to the root, so the tile alone is wrong, and nothing else is."""
    bundle = Files(700)
    bundle.turn(name, at)
    roots, found = judged(bundle, 700)
    assert found == [("TILE", index, name)]
    assert roots.at(700) == tree_root(HASHES[:700])


@pytest.mark.parametrize(
    ("name", "index"), [("tile/0/001", 256), ("tile/1/000.p/2", 0), ("tile/0/002.p/188", 512)]
)
def test_a_tile_that_is_missing_or_of_another_length(name: str, index: int) -> None:
    """It is named with the first leaf that it would stand over."""
    bundle = Files(700)
    data = bundle.files.pop(name)
    assert judged(bundle, 700)[1] == [("FILE_MISSING", index, name)]
    for wrong in (data[:-1], data + bytes(32), b""):
        bundle.files[name] = wrong
        assert judged(bundle, 700)[1] == [("TILE", index, name)]


def test_a_changed_leaf_is_told_once_where_it_is() -> None:
    """Tiles and root disagree with it; what later statements saw is then that of the tiles."""
    bundle = Files(700)
    name = entries_path(1, 256)
    bundle.turn(name, 2 + 5 * 5)
    roots, found = judged(bundle, 700)
    assert found == [
        ("TILE", 261, "tile/0/001"),
        ("TILE", 256, "tile/1/000.p/2"),
        ("ROOT", None, "checkpoint"),
    ]
    assert roots.at(700) == tree_root(HASHES[:700])
    assert roots.at(400) == tree_root(HASHES[:400])


def test_a_leaf_and_its_tile_changed_together() -> None:
    """The root tells; no way of reading leads to it, so the leaves as they are stand for themselves."""
    bundle = Files(300)
    changed = [*LEAVES[:256], b"other", *LEAVES[257:300]]
    bundle.files[entries_path(1, 44)] = encode_entries(changed[256:])
    bundle.files[tile_path(0, 1, 44)] = b"".join(map(leaf_hash, changed[256:]))
    roots, found = judged(bundle, 300)
    assert found == [("ROOT", None, "checkpoint")]
    assert roots.at(300) == tree_root(map(leaf_hash, changed))


def test_a_leaf_here_and_a_tile_there() -> None:
    """Neither leaves nor tiles lead to the root, so the leaves as they are stand for themselves."""
    bundle = Files(300)
    changed = [b"other", *LEAVES[1:300]]
    bundle.files[entries_path(0, 256)] = encode_entries(changed[:256])
    bundle.turn(tile_path(0, 1, 44), 0)
    roots, found = judged(bundle, 300)
    assert {code for code, _, _ in found} == {"TILE", "ROOT"}
    assert roots.at(300) == tree_root(map(leaf_hash, changed))


@pytest.mark.parametrize(
    ("raised", "told"),
    [("ZIP_FORM", "ZIP_FORM"), ("FILE_SIZE", "FILE_SIZE"), ("BUNDLE", "ENTRY_BUNDLE")],
)
def test_why_an_entry_bundle_was_not_read(raised: str, told: str) -> None:
    """What the container says of it keeps its code; its tile stands in for the leaves."""
    unread = entries_path(1, 256)

    class Broken(Files):
        """A bundle of which one file can't be read."""

        def read(self, name: str, *, max_bytes: int) -> bytes:
            """Return a file's bytes, but for that one."""
            if name == unread:
                raise FormatError(raised, "expected a file that can be read", field=name)
            return super().read(name, max_bytes=max_bytes)

    roots, found = judged(Broken(700), 700)
    assert found == [(told, 256, unread)]
    assert roots.at(700) == tree_root(HASHES[:700])
    assert (roots.was_read(0), roots.was_read(256)) == (True, False)


@pytest.mark.parametrize(("number", "width", "index"), [(0, 256, 0), (2, 188, 512)])
def test_an_entry_bundle_that_can_not_be_read(number: int, width: int, index: int) -> None:
    """Its tile stands for it, so that the tree holds and the one file is told."""
    bundle = Files(700)
    name = entries_path(number, width)
    data = bundle.files.pop(name)
    roots, found = judged(bundle, 700)
    assert found == [("FILE_MISSING", index, name)]
    assert roots.at(700) == tree_root(HASHES[:700])
    bundle.files[name] = data[:-1]
    assert judged(bundle, 700)[1] == [("ENTRY_BUNDLE", index, name)]


def test_neither_entries_nor_tile() -> None:
    """Where both are missing the tree can't hold, and each is told."""
    bundle = Files(300)
    del bundle.files[entries_path(1, 44)], bundle.files[tile_path(0, 1, 44)]
    assert judged(bundle, 300)[1] == [
        ("FILE_MISSING", 256, tile_path(0, 1, 44)),
        ("FILE_MISSING", 256, entries_path(1, 44)),
        ("ROOT", None, "checkpoint"),
    ]


def test_three_levels_of_tiles() -> None:
    """Past 65,536 leaves the second level is full; a lie in the third names the leaf that it begins with."""
    bundle = Files(LARGE)
    assert "tile/2/000.p/1" in bundle.files
    roots, found = judged(bundle, LARGE)
    assert found == []
    assert roots.at(65_000) == tree_root(HASHES[:65_000])
    bundle.turn("tile/2/000.p/1", 0)
    bundle.turn("tile/1/001.p/1", 0)
    assert sorted(judged(bundle, LARGE)[1]) == [
        ("TILE", 0, "tile/2/000.p/1"),
        ("TILE", 65_536, "tile/1/001.p/1"),
    ]


def test_the_widths_of_entry_bundles() -> None:
    """All are full but the last."""
    assert list(chunks(0)) == []
    assert list(chunks(256)) == [(0, 256)]
    assert list(chunks(600)) == [(0, 256), (1, 256), (2, 88)]
    assert read_leaves(Files(600), 2, 88) == LEAVES[512:600]
