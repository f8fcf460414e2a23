"""Safety clocks: to the sponsor within 24 hours of first knowledge, found by a later record (catalogue G)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.given_safety import assessed, changed, follow, given_event, given_serious, serious, to_sponsor
from tests.scenario import PARTICIPANT, VITALS, adverse_event, breaks, given_infused, keeps

LATE = "SAE_REPORT_LATE"


@keeps("sae.reported_to_sponsor", "safety_case.closed")
def test_a_serious_event_is_reported_in_time_and_closed() -> None:
    """Reported within a day of first knowledge, resolved, closed by the sponsor."""
    story, _ = given_serious()
    story.wait(hours=23, minutes=50)
    assert story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub").caused == ()
    resolved = {"ae": "AE-1", "version": 2, "resolved": story.now, "outcome": "recovered"}
    story.given("adverse_event.resolved", resolved)
    closed = {"ae": "AE-1", "version": 2, "closed": story.now}
    story.given("safety_case.closed", closed, by="medmon")
    story.wait(days=3)
    assert story.given("vital_signs.recorded", VITALS).caused == ()


@breaks("adverse_event.reported", "SAE_REPORT_LATE")
def test_a_late_report_is_flagged_on_the_event() -> None:
    """The report comes after 24 hours: the breach stands on what the clock ran from."""
    story, told = given_serious()
    story.wait(hours=24, minutes=5)
    late = story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    assert late.caused == ((LATE, told.event),)


@breaks("adverse_event.reported", "SAE_REPORT_LATE")
def test_a_missing_report_is_found_by_any_later_record_once() -> None:
    """Nothing is overdue by itself; the report that comes at last adds no second breach."""
    story, told = given_serious()
    story.wait(days=2)
    assert story.given("vital_signs.recorded", VITALS).caused == ((LATE, told.event),)
    assert story.given("vital_signs.recorded", VITALS).caused == ()
    assert story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub").caused == ()


@breaks("adverse_event.reported", "SAE_REPORT_LATE")
def test_the_clock_runs_from_knowledge_not_from_the_entry() -> None:
    """Known on Monday, entered on Tuesday evening: reported a minute later it is late already."""
    story = given_infused()
    known = story.now
    story.wait(hours=30)
    told = story.given("adverse_event.reported", serious(awareness=known))
    late = story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    assert late.caused == ((LATE, told.event),)


def test_a_date_of_knowledge_counts_at_its_end() -> None:
    """Known some time on Monday: the last instant that this can mean is what the clock runs from."""
    story = given_infused()
    story.given("adverse_event.reported", serious(awareness="2025-02-03"))
    story.goto("2025-02-04T15:00:00.000000Z")
    story.wait(hours=0.5)
    assert story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub").caused == ()


@breaks("adverse_event.followed_up", "SAE_REPORT_LATE")
@breaks("adverse_event.assessed", "SAE_REPORT_LATE")
@breaks("seriousness.changed", "SAE_REPORT_LATE")
def test_the_clock_runs_from_the_statement_that_made_it_serious() -> None:
    """A mild event that the site finds to be serious later, in whichever way."""
    for type_, data in (
        ("adverse_event.followed_up", follow(serious=True, criteria=["disability"])),
        ("adverse_event.assessed", {**assessed(serious=True), "assessor": "investigator"}),
        ("seriousness.changed", changed(False, True, "investigator")),
    ):
        story = given_event()
        story.wait(days=3)
        now = {"new_information": story.now} if "new_information" in data else {}
        told = story.given(type_, {**data, **now}, by="sub", reason="new_information")
        story.wait(days=2)
        assert story.given("vital_signs.recorded", VITALS).caused == ((LATE, told.event),)


@pytest.mark.parametrize("how", ["lowered", "nullified", "raised by the sponsor"])
def test_no_clock_runs_where_nothing_is_to_be_reported(how: str) -> None:
    """Not serious after all, no event at all, or known to the sponsor already."""
    if how == "raised by the sponsor":
        story = given_event()
        story.given("seriousness.changed", changed(False, True), by="medmon", reason="judgement")
    else:
        story, _ = given_serious()
        if how == "lowered":
            story.given("adverse_event.followed_up", follow(serious=False, criteria=[]))
        else:
            story.given("adverse_event.nullified", {**follow(), "code": "duplicate"})
    story.wait(days=3)
    assert story.given("vital_signs.recorded", VITALS).caused == ()


def test_a_corrected_time_of_knowledge_moves_the_clock() -> None:
    """Known a day later than written: with source and co-signature the breach is closed (R10)."""
    story = given_infused()
    known = story.now
    story.wait(hours=26)
    told = story.given("adverse_event.reported", serious(awareness=known))
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    assert story.breach(told, LATE).is_open
    right = {"statement": told.event, "path": "/data/awareness", "old": known, "new": story.ago(hours=1)}
    origin = {"id": "cora", "kind": "person", "source": "note, page 3"}
    corrected = story.given("correction.made", right, reason="entry_error", originator=origin)
    assert story.breach(told, LATE).is_open
    cosigned = {"as": "supervisor", "statement": corrected.event}
    story.given("record.cosigned", cosigned, by="ines", stream=f"participant/{PARTICIPANT}")
    assert not story.breach(told, LATE).is_open


@breaks("sae.reported_to_sponsor", "NOT_SERIOUS", "SAE_VERSION")
@breaks("safety_case.closed", "NOT_SERIOUS", "SAE_VERSION")
def test_what_is_reported_is_serious_and_there() -> None:
    """A mild event, or a version that nobody has written, is flagged."""
    story = given_event()
    told = story.when("sae.reported_to_sponsor", to_sponsor(story, version=2), by="sub")
    assert set(told.codes) == {"NOT_SERIOUS", "SAE_VERSION"}
    closed = {"ae": "AE-1", "version": 2, "closed": story.now}
    told = story.when("safety_case.closed", closed, by="medmon")
    assert {"NOT_SERIOUS", "SAE_VERSION"} <= set(told.codes)


@breaks("safety_case.closed", "CASE_CLOSED_EARLY")
def test_a_case_is_closed_at_its_end() -> None:
    """Neither before it is reported nor before it has ended."""
    story, _ = given_serious()
    closed = {"ae": "AE-1", "version": 1, "closed": story.now}
    assert story.when("safety_case.closed", closed, by="medmon").codes == ("CASE_CLOSED_EARLY",)
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    assert story.when("safety_case.closed", closed, by="medmon").codes == ("CASE_CLOSED_EARLY",)


def test_each_event_has_its_own_clock() -> None:
    """Two serious events, one reported."""
    story, _ = given_serious()
    _, second = given_serious(story, ae="AE-2")
    story.given("adverse_event.reported", adverse_event(ae="AE-3"))
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    story.wait(days=2)
    assert story.given("vital_signs.recorded", VITALS).caused == ((LATE, second.event),)


@settings(max_examples=12)
@given(reported=st.integers(1, 60), noise=st.lists(st.integers(1, 59), max_size=3, unique=True))
def test_what_is_late_does_not_depend_on_what_comes_between(reported: int, noise: list[int]) -> None:
    """Whatever is recorded before the report, the event is late exactly where the report is."""
    story, told = given_serious()
    passed = 0
    for hour in sorted(hour for hour in noise if hour < reported):
        story.wait(hours=hour - passed)
        passed = hour
        story.given("vital_signs.recorded", VITALS)
    story.wait(hours=reported - passed)
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    found = [b for b in story.conduct.breaches() if b.rule == "SAE_REPORT_LATE"]
    assert [b.event for b in found] == ([told.event] if reported >= 24 else [])
