"""The audit trail: its columns, its filters, its pages, and who sees what of it."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.statement import class_of
from ledger.store.port import Reads
from projections.audit_trail import TrailFilter, trail
from projections.history import history
from projections.reader import Reader
from projections.timeline import timeline
from tests.ledger.small_ledger import SmallLedger
from tests.projections.conftest import Told
from tests.projections.ledgers import opener_of
from tests.scenario import PARTICIPANT


def lines(reads: Reads, reader: Reader, **wanted: Any) -> list[dict[str, Any]]:
    return trail(reads, TrailFilter(**wanted), reader=reader, limit=10_000).lines


def test_every_statement_has_a_line_for_an_inspector(small: SmallLedger) -> None:
    """Nothing of the log is missing from the trail of who sees everything."""
    size = small.ledger.store.head().size
    found = lines(small.ledger.store, Reader(role="inspector"))
    assert [line["index"] for line in found] == list(range(size))


def test_a_line_says_who_what_when_why_and_signed_how(small: SmallLedger) -> None:
    """Every audit field of one signed correction, as it was frozen in the signed bytes."""
    reader = Reader(role="auditor", opener=opener_of(small.ledger))
    (line,) = lines(small.ledger.store, reader, type="correction.made", participant="SA-01-001")
    assert line["who"] == {
        "id": "bchan", "name": "B. Chan", "organisation": "Site SA-01", "role": "coordinator"
    }  # fmt: skip
    (change,) = line["changes"]
    assert (change["old"], change["new"]) == ("72", "73")
    assert change["of"]["index"] == small.at["vitals SA-01-001"] == line["about"]["index"]
    assert line["reason"] == {"code": "transcription", "text": "misread"}
    assert line["meaning"] == "authorship"
    assert [each["grade"] for each in line["signatures"]] == ["client"]
    assert (line["site"], line["participant"], line["protocol"]) == ("SA-01", "SA-01-001", "1.0")
    assert line["recorded"]["utc"].endswith("Z")
    assert line["recorded"]["local"].endswith("-05:00")


def test_grades_are_those_of_every_key_that_signed(small: SmallLedger) -> None:
    """Root, service and the key that is just being enrolled have their grade."""
    (opened,) = lines(small.ledger.store, Reader(role="auditor"), type="ledger.opened")
    enrolled = lines(small.ledger.store, Reader(role="auditor"), type="key.enrolled")[1]
    breach = lines(small.ledger.store, Reader(role="auditor"), type="breach.detected")[0]
    assert [each["grade"] for each in opened["signatures"]] == ["client"]
    assert [each["grade"] for each in enrolled["signatures"]] == ["client", "client"]
    assert [each["grade"] for each in breach["signatures"]] == ["service"]


def test_recorded_breaches_stand_at_the_statement_that_broke_the_rule(told: Told, auditor: Reader) -> None:
    """The line of a late entry names the rule and the index of the recorded breach."""
    found = lines(told.store, auditor, participant=PARTICIPANT, type="vital_signs.recorded")
    assert [[each["rule"] for each in line["breaches"]] for line in found] == [[], ["LATE_ENTRY"]]
    assert found[1]["breaches"][0]["index"] == found[1]["index"] + 1


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({"participant": PARTICIPANT}, lambda line: line["participant"] == PARTICIPANT),
        ({"site": "SA-01"}, lambda line: line["site"] == "SA-01"),
        ({"actor": "sub"}, lambda line: line["who"]["id"] == "sub"),
        ({"type": "visit.started"}, lambda line: line["type"] == "visit.started"),
        ({"since": 40}, lambda line: line["index"] >= 40),
        ({"until": "40"}, lambda line: line["index"] <= 40),
        ({"since": "2025-02-03"}, lambda line: line["recorded"]["utc"] >= "2025-02-03"),
        ({"until": "2025-02-02"}, lambda line: line["recorded"]["utc"] < "2025-02-03"),
        (
            {"field": "/data/measurements"},
            lambda line: any(each["field"].startswith("/data/measurements") for each in line["changes"]),
        ),
    ],
)
def test_a_filter_gives_exactly_the_lines_that_fit(
    told: Told, auditor: Reader, wanted: dict[str, Any], holds: Any
) -> None:
    """A filter takes nothing else in and leaves nothing out."""
    everything = lines(told.store, auditor)
    found = lines(told.store, auditor, **wanted)
    assert found
    assert [line["index"] for line in found] == [line["index"] for line in everything if holds(line)]
    assert len(found) < len(everything)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 73, 100])
def test_pages_join_without_gap_or_repeat(
    told: Told, auditor: Reader, limit: int, newest_first: bool
) -> None:
    """Following the cursor gives every line once, in order."""
    found: list[int] = []
    after = None
    while True:
        page = trail(
            told.store, TrailFilter(), reader=auditor, after=after, limit=limit, newest_first=newest_first
        )
        found += [line["index"] for line in page.lines]
        after = page.next
        if after is None:
            break
    size = told.store.head().size
    assert found == (list(range(size))[::-1] if newest_first else list(range(size)))


def test_a_trail_as_known_then_ends_there(told: Told, auditor: Reader) -> None:
    """No line and no breach recorded later is told of."""
    page = trail(told.store, TrailFilter(), reader=auditor, known=62, limit=1000)
    assert [line["index"] for line in page.lines] == list(range(63))
    assert page.lines[-1]["breaches"] == []


def test_streams_that_a_role_does_not_see_are_not_in_its_trail(small: SmallLedger) -> None:
    """A refusal in the access stream is seen by the auditor, by its own person, and by no other."""
    store = small.ledger.store
    assert len(lines(store, Reader(role="auditor"), type="command.refused")) == 1
    assert len(lines(store, Reader(role="coordinator", person="bchan"), type="command.refused")) == 1
    assert lines(store, Reader(role="coordinator", person="other"), type="command.refused") == []
    assert lines(store, Reader(role="data_manager"), type="command.refused") == []


def test_a_site_bounds_the_trail(small: SmallLedger) -> None:
    """Who has another site sees what governs the log everywhere, and no participant of this site."""
    reader = Reader(role="investigator", sites=frozenset({"SD-02"}))
    found = lines(small.ledger.store, reader)
    assert {line["participant"] for line in found} == {None}
    here = [line["type"] for line in found if line["site"] == "SA-01"]
    assert here
    assert {class_of(type_, "site/SA-01") for type_ in here} == {"control"}


def test_sealed_fields_are_in_the_trail_as_markers(small: SmallLedger) -> None:
    """A field that is sealed is not left out: that it was recorded shows, what it is does not."""
    found = lines(small.ledger.store, Reader(role="data_manager"), type="demographics.recorded")
    changes = {each["field"]: each["new"] for each in found[0]["changes"]}
    assert changes["/data/age_years"] == {"sealed": "identity"}


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_limit_out_of_range_is_refused(told: Told, auditor: Reader, limit: int) -> None:
    """A page is bounded."""
    with pytest.raises(FormatError, match="LIMIT"):
        trail(told.store, TrailFilter(), reader=auditor, limit=limit)


def test_the_history_of_a_field_has_every_value_it_had(told: Told, auditor: Reader) -> None:
    """Original, correction, voided correction; the one that reads now is marked."""
    field = "vital_signs.recorded/data/measurements/0/quantity/value"
    found = history(told.store, PARTICIPANT, field, reader=auditor)
    assert found is not None
    first = [each for each in found if each["of"]["index"] == found[0]["index"]]
    assert [(each["value"], each["current"]) for each in first] == [
        ("72", False),
        ("82", True),
        ("28", False),
    ]
    assert [each["reason"] and each["reason"]["code"] for each in first] == [
        None,
        "transcription",
        "transcription",
    ]
    assert first[2]["voided_by"] == first[2]["index"] + 1
    times = history(told.store, PARTICIPANT, "adverse_event.reported/occurred_at", reader=auditor)
    assert times is not None
    assert [each["value"] for each in times] == ["2025-02-03", "2025-02-02"]


def test_the_history_of_a_sealed_field_follows_the_reader(small: SmallLedger) -> None:
    """The identity opens for the site and is a marker for the auditor."""
    opener, store = opener_of(small.ledger), small.ledger.store
    field = "participant.registered/data/identity"
    for role, expected in (
        ("investigator", "the person behind SA-01-001"),
        ("auditor", {"sealed": "identity"}),
    ):
        found = history(store, "SA-01-001", field, reader=Reader(role=role, opener=opener))
        assert found is not None
        assert [each["value"] for each in found] == [expected]


def test_what_is_no_field_is_refused(told: Told, auditor: Reader) -> None:
    """A field has a type or an index, and a pointer that can be corrected."""
    for field in ("grade", "adverse_event.reported", "adverse_event.reported/actor", "/data/grade", ""):
        with pytest.raises(FormatError, match="FIELD"):
            history(told.store, PARTICIPANT, field, reader=auditor)


def test_a_timeline_stands_in_the_order_asked_for(told: Told, auditor: Reader) -> None:
    """By the log with what is administrative, by clinical time without it."""
    known = timeline(told.store, PARTICIPANT, reader=auditor, conduct=told.story.conduct)
    truly = timeline(told.store, PARTICIPANT, reader=auditor, true="2025-12-31")
    assert known is not None
    assert truly is not None
    assert [line["index"] for line in known] == sorted(line["index"] for line in known)
    times = [(line["occurred"]["utc"], line["index"]) for line in truly]
    assert times == sorted(times)
    assert not any(line["administrative"] for line in truly)
    assert len(truly) == sum(not line["administrative"] for line in known)
    struck = {line["index"]: line["voided_by"] for line in known if "voided_by" in line}
    assert len(struck) == 3
    assert any(line.get("breaches") for line in known)
