"""The commit under construction: its tree is the log's tree, and roots that signers name are true ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger import batch as batches
from ledger.batch import Batch
from ledger.errors import StoreError
from ledger.merkle import Frontier, leaf_hash, tree_root
from ledger.store.port import Head
from tests.ledger.small_ledger import SmallLedger, make


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A ledger with a few dozen entries."""
    made = make(tmp_path_factory.mktemp("batch") / "ledger", participants=1)
    yield made
    made.ledger.close()


def leaf_hashes(small: SmallLedger) -> list[bytes]:
    """Return the hash of every leaf, from the leaves themselves."""
    store = small.ledger.store
    return [leaf_hash(entry.leaf) for entry in store.entries(0, store.head().size)]


def begin(small: SmallLedger, tx: object, head: Head, roots: dict[int, bytes]) -> Batch:
    """Begin a batch after a head, with what is known of roots."""
    ledger = small.ledger
    return Batch(tx, head, ledger.refresh(), ledger.sources, ledger.signers.head, roots)  # type: ignore[arg-type]


def test_root_of_every_durable_size_is_the_trees(small: SmallLedger) -> None:
    """Whatever size a signer had seen, its root is that of the leaves, asked for once or again."""
    hashes = leaf_hashes(small)
    store = small.ledger.store
    batch = begin(small, store, store.head(), {})
    expected = [tree_root(hashes[:size]) for size in range(len(hashes) + 1)]
    for _ in range(2):
        assert [batch.root_at(size) for size in range(len(hashes) + 1)] == expected
    assert batch.root_at(len(hashes) + 1) is None


def test_known_roots_stay_few_and_true(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that runs for years remembers so many roots and no more; forgotten ones are computed again."""
    monkeypatch.setattr(batches, "KNOWN_ROOTS", 4)
    hashes = leaf_hashes(small)
    store = small.ledger.store
    roots: dict[int, bytes] = {}
    batch = begin(small, store, store.head(), roots)
    for size in [*range(len(hashes) + 1), 1, 2]:
        assert batch.root_at(size) == tree_root(hashes[:size])
        assert len(roots) <= 4


def test_heads_carry_the_frontier_of_their_leaves(small: SmallLedger) -> None:
    """Every commit's head, root and right edge are those that appending leaf by leaf gives."""
    hashes = leaf_hashes(small)
    store = small.ledger.store
    frontier = Frontier()
    for index, each in enumerate(hashes):
        frontier.append(each)
        head = store.head_covering(index)
        assert head is not None
        if head.size == index + 1:
            assert (head.root, head.frontier) == (frontier.root(), frontier.to_bytes())
    assert store.head().root == frontier.root()


def test_edge_of_another_size_is_refused(small: SmallLedger) -> None:
    """A head whose right edge does not fit its size is a corrupt store, not a tree to go on with."""
    store = small.ledger.store
    head = store.head()
    with pytest.raises(StoreError) as refused:
        begin(small, store, replace(head, frontier=head.frontier[:-32]), {})
    assert refused.value.code == "STORE_CORRUPT"
