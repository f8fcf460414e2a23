"""The audit trail goes on over epochs: what the older log recorded comes first, below 0 and by its name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from ledger.cli.app import run
from ledger.times import format_instant
from projections.audit_trail import TrailFilter, trail
from projections.before import was_person
from projections.joined import Joined
from projections.ordering import parse_sort
from projections.reader import ERASED, Reader
from projections.render import to_csv
from projections.sorted_trail import SORTED, chosen, lines_at
from tests.ledger.epoch_story import Epochs, go_on, make_old
from tests.ledger.small_ledger import ORIGIN, SITE
from tests.ledger.write_path import VITALS

ONE, TWO = f"{SITE}-001", f"{SITE}-002"
AUDITOR = Reader(role="auditor")
HIDDEN = "postinfusion.observed"
OBSERVED = {
    "infusion": 1, "minutes_after": 30, "sedation": {"scale": "S", "score": 1},
    "dissociation": {"scale": "D", "score": 0}, "escort": True, "fit_to_leave": True,
    "source": {"kind": "esource"},
}  # fmt: skip
BEDSIDE = ("bchan", "coordinator", "authorship")


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Of the older log, vital signs and what no blinded rater sees; the newer one corrects both."""
    place = tmp_path_factory.mktemp("epochs")
    old = make_old(place / "old")
    stream = f"participant/{ONE}"
    said = old.say("v1", *BEDSIDE, "vital_signs.recorded", stream, VITALS, occurred_at=old.now())
    seen = old.say("o1", *BEDSIDE, HIDDEN, stream, OBSERVED, occurred_at=old.now())
    two = go_on(old, place)
    new = two.new
    why = {"reason": {"code": "transcription"}, "opened": {"/reason/text": "misread"}}
    for event, path, was, now in (
        (said.event, "/data/measurements/0/quantity/value", "72", "71"),
        (seen.event, "/data/minutes_after", 30, 40),
    ):
        corrected = {"statement": event, "path": path, "old": was, "new": now}
        new.say(path, *BEDSIDE, "correction.made", stream, corrected, **why)
    new.say("v2", *BEDSIDE, "vital_signs.recorded", stream, VITALS, occurred_at=new.now())
    yield two
    two.close()


def lines(epochs: Epochs, reader: Reader = AUDITOR, **wanted: Any) -> list[dict[str, Any]]:
    """Return the lines of the newer epoch's trail."""
    return trail(epochs.new.ledger.store, TrailFilter(**wanted), reader=reader, limit=10_000).lines


def before(epochs: Epochs, reader: Reader = AUDITOR, **wanted: Any) -> list[dict[str, Any]]:
    """Return the lines of the older epoch's own trail."""
    return trail(epochs.old.ledger.store, TrailFilter(**wanted), reader=reader, limit=10_000).lines


@pytest.mark.parametrize(
    "wanted",
    [
        {}, {"participant": ONE}, {"participant": TWO}, {"site": SITE}, {"actor": "bchan"},
        {"role": "coordinator"}, {"type": "participant.registered"}, {"field": "/data/measurements"},
    ],
)  # fmt: skip
def test_what_the_older_log_recorded_comes_first(epochs: Epochs, wanted: dict[str, Any]) -> None:
    """Each line is that of the older log's trail, at its place below 0, with the log's name."""
    size = epochs.handover.continues.size
    old, found = before(epochs, **wanted), lines(epochs, **wanted)
    joined = found[: len(old)]
    assert old
    assert [(each["event"], each["index"] + size) for each in joined] == [
        (each["event"], each["index"]) for each in old
    ]
    assert all(each["log"] == ORIGIN for each in joined)
    assert all(each["index"] >= 0 and "log" not in each for each in found[len(old) :])


def test_a_line_says_what_it_says_in_its_own_log(epochs: Epochs) -> None:
    """Grades of keys, zones, breaches and values stand as they stood; only places differ."""
    places = {"index", "log", "about", "breaches", "changes"}

    def kept(line: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in line.items() if name not in places}

    old = before(epochs)
    assert list(map(kept, lines(epochs)[: len(old)])) == list(map(kept, old))
    assert all(each["grade"] for line in old for each in line["signatures"] if line["stream"] != "study")


def test_a_correction_here_names_the_record_there(epochs: Epochs) -> None:
    """It is about a line of the older log, which it names."""
    made = lines(epochs, type="correction.made")[-1]
    assert made["about"]["log"] == ORIGIN
    assert made["about"]["index"] < 0
    assert made["changes"][0]["of"] == made["about"]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_pages_go_over_the_border(epochs: Epochs, limit: int, newest_first: bool) -> None:
    """Every line is there once, in order, however long the pages."""
    store, found, after = epochs.new.ledger.store, list[int](), None
    while True:
        page = trail(
            store, TrailFilter(), reader=AUDITOR, after=after, limit=limit, newest_first=newest_first
        )
        found += [line["index"] for line in page.lines]
        after = page.next
        if after is None:
            break
    expected = [line["index"] for line in lines(epochs)]
    assert found == (expected[::-1] if newest_first else expected)
    assert expected[0] == Joined(store).first == -epochs.handover.continues.size


def test_a_range_may_lie_in_the_older_log(epochs: Epochs) -> None:
    """By index, below 0, and by time."""
    assert [line["index"] for line in lines(epochs, since="-3", until="1")] == [-3, -2, -1, 0, 1]
    at = before(epochs)[-1]["recorded"]["utc"]
    found = lines(epochs, until=at)
    assert {line["event"] for line in before(epochs)} <= {line["event"] for line in found}
    assert all(line["recorded"]["utc"] <= at for line in found)
    assert lines(epochs, since=at)[0]["index"] < 0
    assert lines(epochs, since=format_instant(epochs.new.sources.now_us() + 1)) == []


def test_as_known_before_this_log_began_there_is_nothing(epochs: Epochs) -> None:
    """That is asked of the older log."""
    page = trail(epochs.new.ledger.store, TrailFilter(), reader=AUDITOR, known=format_instant(0))
    assert page.lines == []


def test_as_known_early_in_this_log_the_older_one_counts(epochs: Epochs) -> None:
    """Its lines were there before index 0."""
    page = trail(epochs.new.ledger.store, TrailFilter(), reader=AUDITOR, known=0, limit=10_000)
    assert [line["index"] for line in page.lines] == list(range(-epochs.handover.continues.size, 1))


def test_what_an_older_log_sealed_stays_sealed_and_is_not_erased(epochs: Epochs) -> None:
    """Whatever the reader opens here: nobody is asked for values that another log sealed."""
    asked: list[str] = []

    def opener(event: str, path: str) -> Any:
        asked.append(event)
        return ERASED

    opened = Reader(role="auditor", opener=opener)
    found = lines(epochs, opened, type="participant.registered", participant=ONE)
    sealed = [change["new"] for change in found[0]["changes"] if change["field"] == "/data/identity"]
    assert sealed == [{"sealed": "identity"}]
    older = {line["event"] for line in before(epochs)}
    assert older.isdisjoint(asked)


@pytest.mark.parametrize(
    "reader",
    [
        Reader(role="blinded_monitor"), Reader(role="blinded_rater"),
        Reader(role="coordinator", sites=frozenset({SITE})),
        Reader(role="coordinator", sites=frozenset({"SA-02"})), Reader(role="participant", person=ONE),
        Reader(role="unblinded_pharmacist", sites=frozenset({SITE})), Reader(role="auditor", blinded=True),
    ],
    ids=["blinded", "rater", "site", "elsewhere", "participant", "pharmacist", "inspector"],
)  # fmt: skip
def test_a_reader_sees_of_the_older_log_what_they_saw_there(epochs: Epochs, reader: Reader) -> None:
    """No role or site sees more of it, or less, for the log having changed."""
    old = before(epochs, reader)
    assert [line["event"] for line in lines(epochs, reader) if line["index"] < 0] == [
        line["event"] for line in old
    ]


def test_a_correction_of_what_a_role_does_not_see_is_hidden_with_it(epochs: Epochs) -> None:
    """Though one stands in the newer log and the other in the older: it would tell the value."""
    rater, stream = Reader(role="blinded_rater"), f"participant/{ONE}"
    told = epochs.new.ledger.store.stream_entries(stream)
    found = lines(epochs, rater)
    assert HIDDEN in {line["type"] for line in lines(epochs)}
    assert HIDDEN not in {line["type"] for line in found}
    corrections = [entry.index for entry in told if entry.type == "correction.made"]
    shown = [line["index"] for line in found if line["type"] == "correction.made" and line["index"] >= 0]
    assert shown == corrections[:1]


@pytest.mark.parametrize("sort", ["name", "-recorded_utc"])
def test_a_sorted_trail_is_of_both(epochs: Epochs, sort: str) -> None:
    """Chosen and made over both logs, with a cursor that may be below 0."""
    store, found, after = epochs.new.ledger.store, list[int](), None
    while True:
        page = chosen(
            store, TrailFilter(), reader=AUDITOR, sort=parse_sort(sort, SORTED), after=after, limit=11
        )
        found += page.indexes
        after = page.next
        if after is None:
            break
    assert sorted(found) == [line["index"] for line in lines(epochs)]
    assert [line["index"] for line in lines_at(store, found[:3], TrailFilter(), reader=AUDITOR)] == found[:3]


def test_one_page_reads_one_log(epochs: Epochs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest lines ask nothing of the older log's entries; the oldest nothing of this one's."""
    old, new = epochs.old.ledger.store, epochs.new.ledger.store
    read: list[str] = []
    earlier: Any = new.earlier
    for name, store in (("old", earlier.store), ("new", new)):
        whole = store.entries

        def entries(*asked: Any, _name: str = name, _whole: Any = whole) -> Any:
            read.append(_name)
            return _whole(*asked)

        monkeypatch.setattr(store, "entries", entries)
    trail(new, TrailFilter(), reader=AUDITOR, limit=3, newest_first=True)
    assert read == ["new"]
    read.clear()
    trail(new, TrailFilter(), reader=AUDITOR, limit=3)
    assert read == ["old"]
    assert old is not earlier.store


def test_persons_of_the_older_log_are_known(epochs: Epochs) -> None:
    """An account of it or a root person, and nobody else."""
    store = epochs.new.ledger.store
    assert was_person(store, "bchan")
    assert was_person(store, epochs.handover.roots[0].key.person)
    assert not was_person(store, "nobody")
    assert not was_person(epochs.old.ledger.store, "bchan")


def test_each_row_of_the_csv_names_its_log(epochs: Epochs) -> None:
    """An index below 0 stands beside the name of the log that it is of."""
    rows = list(csv.DictReader(io.StringIO(to_csv(lines(epochs)))))
    assert {(int(row["index"]) < 0, row["log"]) for row in rows} == {(True, ORIGIN), (False, "")}


def test_the_command_prints_both(epochs: Epochs, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """As JSON and as a table, with what stands below 0 said beside it."""
    directory = str(epochs.place / "e2")
    assert run(["trail", directory, "--participant", TWO, "--json"]) == 0
    said = capfdbinary.readouterr()
    assert [line["log"] for line in orjson.loads(said.out)] == [ORIGIN] * len(before(epochs, participant=TWO))
    assert b"count here, at indexes below 0" in said.err
    assert run(["trail", directory, "--participant", ONE]) == 0
    assert ORIGIN.encode() in capfdbinary.readouterr().out
