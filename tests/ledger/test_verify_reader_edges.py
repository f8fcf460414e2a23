"""Reading a bundle's entries back, by themselves and as an epoch before a newer log (§6, §9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.authority import INITIAL, evolve
from ledger.earlier import NONE, NoneBefore, shifted
from ledger.entry import Entry
from ledger.verify.bundle import DirectoryBundle
from ledger.verify.epochs import NOT_GIVEN, EarlierBundle
from ledger.verify.files import AttachmentsJudge
from ledger.verify.findings import Finding
from ledger.verify.reader import BundleReader
from ledger.verify.tables import KeyTable
from tests.ledger.verifying import MINIMAL

SIZE = 11


def silent(_: Finding) -> None:
    """Report nothing."""


class Before(NoneBefore):
    """A still older log of one entry, whose event and attachment are known."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.closed = False

    def entries(self) -> Iterator[Entry]:
        """Yield it."""
        yield self._entry

    def entries_of(self, stream: str) -> list[Entry]:
        """Return it in the stream `older`."""
        return [self._entry] if stream == "older" else []

    def index_of(self, event: str) -> int | None:
        """Know one event."""
        return -1 if event == "0a" * 32 else None

    def entry_at(self, index: int) -> Entry | None:
        """Return it at -1."""
        return self._entry if index == -1 else None

    def attachment(self, sha256: str) -> bytes | None:
        """Know one."""
        return b"old" if sha256 == "0b" * 32 else None

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def reader(size: int = SIZE, before: NoneBefore = NONE) -> BundleReader:  # type: ignore[assignment]
    """Open a reader over the public bundle, with every event of it known."""
    bundle, events = DirectoryBundle(MINIMAL), KeyTable(32)
    made = BundleReader(bundle, size, events, AttachmentsJudge(bundle, silent), before)
    for index in range(size):
        entry = made.entry_at(index)
        if entry is not None:
            events.add(bytes.fromhex(entry.event), index)
    return made


def read(index: int) -> Entry:
    """Return an entry of the public bundle."""
    entry = reader().entry_at(index)
    assert entry is not None
    return entry


def test_every_entry_is_read_back() -> None:
    """By its index and by its event, with leaf and statement; there is none past the end."""
    made = reader()
    for index in range(SIZE):
        entry = made.entry_at(index)
        assert entry is not None
        assert (entry.index, entry.leaf.index, entry.event) == (index, index, entry.leaf.statement)
        assert entry.statement is not None
        assert entry.statement.event == entry.event
        assert made.index_of(entry.event) == index
    assert made.entry_at(SIZE) is None
    assert made.entry_at(256) is None
    assert made.index_of("ab" * 32) is None


def test_a_stream_has_what_was_added() -> None:
    """In order, and what comes later is seen; a withheld statement is of no stream."""
    made, stream = reader(), "person/aruiz"
    assert made.entries_of(stream) == []
    for index in (3, 4):
        made.add(read(index))
    assert [each.index for each in made.entries_of(stream)] == [3, 4]
    made.add(replace(read(5), statement=None))
    made.add(read(6))
    assert [each.index for each in made.entries_of(stream)] == [3, 4, 6]
    assert made.entries_of("study") == []


def test_opened_values_are_kept_where_a_rule_asks_for_them() -> None:
    """Of doses and arms, and only where there are some."""
    made, statement = reader(), read(6).statement
    assert statement is not None
    dose = replace(statement, type="dose.prepared", event="0c" * 32)  # type: ignore[arg-type]
    made.open(dose, {})
    assert made.opened(dose.event) is None
    made.open(statement, {"/data/x": 1})
    assert made.opened(statement.event) is None
    made.open(dose, {"/data/amounts": 1})
    assert made.opened(dose.event) == {"/data/amounts": 1}


def test_an_older_log_is_asked_where_this_one_ends() -> None:
    """For indexes below 0, events and attachments that this log does not have, and first in a stream."""
    older = shifted(read(0), 1)
    made = reader(before=Before(older))
    assert made.entry_at(-1) == older
    assert made.index_of("0a" * 32) == -1
    assert made.attachment("0b" * 32) == b"old"
    assert made.attachment("0c" * 32) is None
    made.add(replace(read(3), statement=replace(read(3).statement, stream="older")))  # type: ignore[type-var]
    assert [each.index for each in made.entries_of("older")] == [-1, 3]


@pytest.fixture
def epoch() -> Iterator[EarlierBundle]:
    """The public bundle as an epoch of 8 entries, of which 6 changes nothing, after a still older one."""
    made = EarlierBundle(DirectoryBundle(MINIMAL), SIZE, 8, frozenset({6}), Before(shifted(read(0), 1)))
    yield made
    made.close()


def test_an_older_epoch_ends_where_the_newer_one_says(epoch: EarlierBundle) -> None:
    """What stands past the size, and what its rules refuse, is not of it."""
    assert [each.index for each in epoch.own()] == [0, 1, 2, 3, 4, 5, 7]
    authority = INITIAL
    for index in (0, 1, 2, 3, 4, 5, 7):
        authority = evolve(authority, read(index))
    assert epoch.authority() == authority


def test_an_older_epoch_has_indexes_below_0(epoch: EarlierBundle) -> None:
    """Entry 7 of 8 is at -1; a still older log's come before, and are moved as far."""
    assert [each.index for each in epoch.entries()] == [-9, -8, -7, -6, -5, -4, -3, -1]
    assert [each.index for each in epoch.entries_of("person/aruiz")] == [-5, -4, -3, -1]
    assert epoch.entry_at(-1) == shifted(read(7), 8)
    assert epoch.entry_at(-8) == shifted(read(0), 8)
    assert epoch.index_of(read(7).event) == -1
    assert epoch.index_of("ab" * 32) is None
    assert epoch.attachment("0b" * 32) == b"old"
    assert list(epoch.lists()) == []


def test_nothing_was_said_of_lists_before_the_entries_were_asked_for(epoch: EarlierBundle) -> None:
    """Whoever reads them too early has none, and no error."""
    assert list(epoch.lists()) == []


def test_closing_closes_all() -> None:
    """The still older log's bundle too."""
    before = Before(shifted(read(0), 1))
    EarlierBundle(DirectoryBundle(MINIMAL), SIZE, 8, frozenset(), before).close()
    assert before.closed


def test_of_an_epoch_that_is_not_given_any_event_may_be() -> None:
    """What is named stands before the log, so that it is no finding there."""
    index = NOT_GIVEN.index_of("ab" * 32)
    assert index is not None
    assert index < 0
    assert NOT_GIVEN.entry_at(-1) is None
