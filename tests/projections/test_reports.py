"""The laws that hold for every report: its columns, the same bytes, known as it was, own sites only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest

from ledger.demo.report import DemoReport
from ledger.directory import DATABASE
from ledger.fold import LogFold, StoreReader
from ledger.store.port import Head, Snapshot, StoredEntry
from ledger.store.sqlite import SqliteStore
from projections.desk import Desk
from projections.reader import Reader
from projections.report import Report, check_row, rows_of
from projections.reports import REPORTS

each_report = pytest.mark.parametrize("report", list(REPORTS.values()), ids=list(REPORTS))
EVERYTHING = "inspector"  # the role that sees the most streams and scopes


class Cut:
    """A real snapshot of which only the first entries are there, as the log was then."""

    def __init__(self, reads: Snapshot, size: int) -> None:
        self._reads, self.size = reads, size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reads, name)

    def head(self) -> Head:
        """Return the head of this size, of which reports ask the size alone."""
        whole = self._reads.head()
        return Head(size=self.size, root=whole.root, frontier=whole.frontier, note=whole.note)

    def entry(self, index: int) -> StoredEntry | None:
        """Return an entry that was there."""
        return self._reads.entry(index) if index < self.size else None

    def entries(self, start: int, stop: int) -> Sequence[StoredEntry]:
        """Return entries that were there."""
        return self._reads.entries(start, min(stop, self.size))

    def stream_entries(self, *args: Any) -> Sequence[StoredEntry]:
        """Return a stream's entries that were there."""
        return [each for each in self._reads.stream_entries(*args) if each.index < self.size]

    def index_of_event(self, event: str) -> int | None:
        """Return an event's index, where it was there."""
        index = self._reads.index_of_event(event)
        return index if index is not None and index < self.size else None


@pytest.fixture(scope="module")
def reads(demo: DemoReport) -> Iterator[Snapshot]:
    """The demonstration's log."""
    store = SqliteStore.open(demo.directory / DATABASE)
    with store.snapshot() as snapshot:
        yield snapshot
    store.close()


@pytest.fixture(scope="module")
def fold(reads: Snapshot) -> LogFold:
    """The whole log folded, shared by what only reads it."""
    fold = LogFold(StoreReader(reads))
    fold.catch_up(reads, reads.size)
    return fold


@pytest.fixture(scope="module")
def halfway(reads: Snapshot) -> LogFold:
    """The log folded to its middle."""
    fold = LogFold(StoreReader(reads))
    fold.catch_up(reads, reads.size // 2)
    return fold


def answered(report: Report, desk: Desk) -> bytes:
    """Return all rows as bytes."""
    return orjson.dumps([check_row(report, row) for row in report.rows(desk)])


@each_report
def test_a_report_has_rows_of_its_columns(report: Report, reads: Snapshot, fold: LogFold) -> None:
    """The demonstration gives every report something to answer, in exactly its columns, twice the same."""
    # At the end nothing waits for a second person any more: asked then, just after a dose was prepared.
    waiting = None if report.name != "cosignatures" else _first(reads, "dose.prepared")
    first, again = (
        answered(report, Desk(reads, reader=Reader(role=EVERYTHING), known=waiting, fold=fold))
        for _ in range(2)
    )
    assert orjson.loads(first) != []
    assert again == first


def _first(reads: Snapshot, type_: str) -> int:
    """Return the index of the first entry of a type."""
    return next(entry.index for entry in reads.entries(0, reads.size) if entry.type == type_)


@each_report
def test_a_report_as_known_then_is_that_of_the_log_then(
    report: Report, reads: Snapshot, halfway: LogFold
) -> None:
    """What is recorded later changes nothing as known before."""
    reader, size = Reader(role=EVERYTHING), halfway.size
    then: Any = Cut(reads, size)
    as_known = answered(report, Desk(reads, reader=reader, known=size - 1, fold=halfway))
    assert as_known == answered(report, Desk(then, reader=reader, fold=halfway))


@each_report
def test_a_report_shows_a_reader_the_own_sites_only(report: Report, reads: Snapshot, fold: LogFold) -> None:
    """Who monitors one site reads no row of another."""
    one, *others = Desk(reads, reader=Reader(role=EVERYTHING), fold=fold).sites()
    desk = Desk(reads, reader=Reader(role="blinded_monitor", sites=frozenset({one})), fold=fold)
    for row in orjson.loads(answered(report, desk)):
        told = orjson.dumps({name: row.get(name) for name in ("site", "participant")}).decode()
        assert not any(other in told for other in others)


@pytest.mark.parametrize("name", [name for name, each in REPORTS.items() if "participant" in each.columns])
def test_a_report_of_one_participant_is_that_part_of_the_whole(
    name: str, reads: Snapshot, fold: LogFold
) -> None:
    """Only that participant's records are read for it, and the rows are the same."""
    report = REPORTS[name]
    desk = Desk(reads, reader=Reader(role=EVERYTHING), fold=fold)
    whole = rows_of(report, desk)
    for participant in {row["participant"] for row in whole if row["participant"]} | {"SA-01-999"}:
        asked = Desk(reads, reader=Reader(role=EVERYTHING), fold=fold)
        theirs = [row for row in whole if row["participant"] == participant]
        assert rows_of(report, asked, participant=participant) == theirs


def test_a_row_has_exactly_the_columns() -> None:
    """A report that yields another member than it declares is a defect."""
    report = REPORTS["training-log"]
    with pytest.raises(ValueError, match="training-log"):
        check_row(report, {"person": "cora"})
