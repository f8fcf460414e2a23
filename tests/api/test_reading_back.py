"""The readers' fold of an earlier size: the same whichever sizes were asked for before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from api.reading import Reading
from ledger.conduct import Violation
from ledger.demo.report import DemoReport
from ledger.directory import open_store
from ledger.entry import Entry
from ledger.fold import FoldState, LogFold, StoreReader

SIZES = (11_000, 3_456, 3_000, 2_999, 10_999, 11_000, 1, 12_000, 999)


@pytest.fixture(scope="module")
def states(demo: DemoReport) -> dict[int, FoldState]:
    """What each size is, folded from the first entry on without a stop."""
    found = {}
    with closing(open_store(demo.directory)) as store, store.snapshot() as reads:
        fold = LogFold(StoreReader(reads))
        for size in sorted(set(SIZES)):
            fold.catch_up(reads, size)
            found[size] = fold.saved()
    return found


@pytest.fixture
def reading(demo: DemoReport) -> Iterator[Reading]:
    """The readers' fold of the demonstration."""
    with closing(open_store(demo.directory)) as store:
        yield Reading(store)


def test_going_back_and_forth_finds_each_size_as_it_was(
    reading: Reading, states: dict[int, FoldState]
) -> None:
    """States that were remembered on the way are not changed by who goes on from them."""
    with reading.folded() as folded:
        for size in (*SIZES, *reversed(SIZES)):
            assert folded.earlier(size).saved() == states[size]
        assert folded.earlier(folded.fold.size) is folded.fold


def test_few_entries_are_folded_again(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes back by one does not start at the log's first entry."""
    advanced, advance = 0, LogFold.advance

    def counted(fold: LogFold, entry: Entry) -> tuple[Violation, ...]:
        nonlocal advanced
        advanced += 1
        return advance(fold, entry)

    with reading.folded() as folded:
        folded.earlier(3_200)
        monkeypatch.setattr(LogFold, "advance", counted)
        folded.earlier(3_100)
        assert advanced == 100
        folded.earlier(3_099)
        assert advanced == 199
        assert folded.earlier(2_000).size == 2_000
        assert advanced == 199
