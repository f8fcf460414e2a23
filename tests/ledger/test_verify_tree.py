"""The roots that statements name in `seen`, computed from the leaves where they are asked for."""

from __future__ import annotations

import hashlib

import pytest

from ledger.merkle import EMPTY_ROOT, tree_root
from ledger.verify.tree import Roots

HASHES = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(700)]


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 600])
def test_the_root_of_every_size_is_known(size: int) -> None:
    """Whatever the size of the whole tree, the root of each smaller one is that of its leaves alone."""
    roots = Roots()
    for value in HASHES[:size]:
        roots.append(value)
    assert roots.size == size
    for smaller in {0, 1, 2, 3, 254, 255, 256, 257, 511, 512, 513, size - 1, size}:
        if 0 <= smaller <= size:
            assert roots.at(smaller) == tree_root(HASHES[:smaller])


def test_roots_that_were_asked_for_stay_as_the_tree_grows_beyond_them() -> None:
    """A tree that is still growing gives the root of every full span as it will always be."""
    roots = Roots()
    assert roots.at(0) == EMPTY_ROOT
    for value in HASHES:
        roots.append(value)
    assert roots.at(300) == tree_root(HASHES[:300])
    assert roots.at(len(HASHES)) == tree_root(HASHES)
