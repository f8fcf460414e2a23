"""The signing pages' own check that the log continues: every proof that holds is taken, and no other."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ledger.merkle import MemoryHashes, leaf_hash, prove_consistency, tree_root
from tests.api.signing import Served, browser_page, served_study

LEAVES: Final = [leaf_hash(str(n).encode()) for n in range(68)]
CHECK: Final = """async (cases) => {
  const { checkConsistency } = await import("./tree.js");
  const said = [];
  for (const [old, now, proof] of cases) {
    try {
      await checkConsistency(old, now, proof);
      said.push("");
    } catch (error) {
      said.push(error.message);
    }
  }
  return said;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study with signing pages."""
    with served_study(tmp_path_factory.mktemp("head") / "ledger") as served:
        yield served


@pytest.fixture(scope="module")
def page(served: Served) -> Iterator[Any]:
    """A browser at the signing pages."""
    with browser_page() as page:
        page.goto(f"{served.pages}/#{served.url}")
        yield page


def head(size: int) -> dict[str, Any]:
    """Return a head as the page keeps it."""
    return {"size": size, "root": _text(tree_root(LEAVES[:size]))}


def proof(old: int, new: int) -> list[str]:
    """Return the proof between two sizes, as it is answered."""
    return [_text(each) for each in prove_consistency(old, new, MemoryHashes(LEAVES[:new]))]


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_whatever_the_sizes_are_a_log_that_continues_is_seen_to(page: Any) -> None:
    """Each pair of sizes up to 68: beyond powers of two, at them, and one after."""
    pairs = [(old, new) for new in range(1, len(LEAVES) + 1) for old in range(new + 1)]
    cases = [[head(old), head(new), proof(old, new)] for old, new in pairs]
    said = page.evaluate(CHECK, cases)
    assert {pair: each for pair, each in zip(pairs, said, strict=True) if each} == {}


def test_a_log_that_does_not_continue_is_refused(page: Any) -> None:
    """Another root before or now, another hash, one too few, one too many."""
    other = _text(leaf_hash(b"other"))
    cases = []
    for old, new in ((1, 2), (2, 3), (4, 9), (5, 8), (6, 7), (8, 9), (16, 33), (31, 47), (32, 64), (33, 68)):
        good = proof(old, new)
        cases += [
            [{**head(old), "root": other}, head(new), good],
            [head(old), {**head(new), "root": other}, good],
            [head(old), head(new), [*good[:-1], other]],
            [head(old), head(new), good[:-1]],
            [head(old), head(new), [*good, other]],
        ]
    assert all(page.evaluate(CHECK, cases))
