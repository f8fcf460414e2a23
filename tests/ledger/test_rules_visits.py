"""Visits and windows, outcomes and their scores, medication (catalogue F)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.scenario import (
    SITE,
    STUDY,
    VITALS,
    delegation,
    given_at_bedside,
    given_consented,
    given_infused,
    given_randomized,
    start,
    train,
)

PAIN = {"instrument": "pain_nrs", "version": "1.0", "visit": "unscheduled", "language": "en",
        "items": [{"item": "pain_now", "value": 5}], "total": "5"}  # fmt: skip


def pain(**more: Any) -> dict[str, Any]:
    """Return a pain score of 5 by the protocol's instrument."""
    item = STUDY.instruments["pain_nrs"].items[0]
    return {**PAIN, "items": [{"item": item, "value": 5}], **more}


def severity(total: str = "1") -> dict[str, Any]:
    """Return answers to the rated instrument: the first item yes, all others no."""
    instrument = STUDY.instruments["cssrs"]
    items = [{"item": item, "value": int(n == 0)} for n, item in enumerate(instrument.items)]
    return {"instrument": "cssrs", "version": instrument.version, "visit": "unscheduled", "language": "en",
            "items": items, "total": total}  # fmt: skip


@pytest.mark.parametrize(
    "type_", ["visit.started", "visit.completed", "visit.missed", "vital_signs.recorded"]
)
def test_an_unknown_visit_is_refused(type_: str) -> None:
    """A visit that the protocol does not have cannot be named."""
    story = given_consented()
    more = {
        "visit.started": {"mode": "home"},
        "visit.missed": {"code": "ill"},
        "vital_signs.recorded": VITALS,
    }
    told = story.when(type_, {"visit": "w99", **more.get(type_, {})})
    assert told.refused == "VISIT_UNKNOWN"


def test_an_unscheduled_visit_needs_no_window() -> None:
    """Anybody may come at any time, again and again."""
    story = given_infused()
    story.wait(days=20)
    for _ in range(2):
        story.given("visit.started", {"visit": "unscheduled", "mode": "in_person"})
        story.given("visit.completed", {"visit": "unscheduled"})


def test_a_visit_is_started_once() -> None:
    """A second start of the same visit is flagged."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    told = story.when("visit.started", {"visit": "screening", "mode": "in_person"})
    assert told.codes == ("VISIT_REPEATED",)


def test_a_visit_is_completed_after_its_start() -> None:
    """Completed without start is flagged."""
    story = given_consented()
    assert story.when("visit.completed", {"visit": "screening"}).codes == ("VISIT_NOT_STARTED",)


def test_a_visit_is_completed_once() -> None:
    """A second completion is flagged."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("visit.completed", {"visit": "screening"})
    assert story.when("visit.completed", {"visit": "screening"}).codes == ("VISIT_REPEATED",)


def test_a_visit_that_took_place_was_not_missed() -> None:
    """Started and missed at once is flagged."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    told = story.when("visit.missed", {"visit": "screening", "code": "ill"})
    assert told.codes == ("VISIT_REPEATED",)


@pytest.mark.parametrize(("days", "broken"), [(1, False), (3, False), (4, True)], ids=["-1", "+1", "+2"])
def test_a_visit_lies_in_its_window(days: int, broken: bool) -> None:
    """Day 3 has a window of one day to each side: days 2 to 4, and day 5 is outside."""
    story = given_infused()
    story.wait(days=days)
    told = story.when("visit.started", {"visit": "w1d3", "mode": "in_person"})
    assert told.codes == (("OUTSIDE_WINDOW",) if broken else ())


def test_windows_are_calendar_days_at_the_site() -> None:
    """05:30 UTC of day 5 is still day 4 at the site, the last of the window."""
    story = given_infused()
    story.goto("2025-02-07T05:30:00.000000Z")
    story.given("visit.started", {"visit": "w1d3", "mode": "in_person"})
    story = given_infused()
    story.goto("2025-02-07T06:30:00.000000Z")
    told = story.when("visit.started", {"visit": "w1d3", "mode": "in_person"})
    assert told.codes == ("OUTSIDE_WINDOW",)


def test_a_screening_visit_outside_its_window_is_found_on_day_1() -> None:
    """Screened 35 days before the first infusion: found on the visit when day 1 is known."""
    story = given_randomized()
    story.wait(days=9)
    given_at_bedside(story)
    told = story.when("infusion.started", start(), by="nurse")
    visit = story.participant.visits["screening"]
    assert ("OUTSIDE_WINDOW", visit.event) in told.caused


def test_the_follow_up_window_counts_from_the_last_infusion() -> None:
    """Treatment withdrawn after the first infusion: follow-up is 28 days later, and not after week 24."""
    story = given_infused()
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    assert story.participant.status is Status.TREATMENT_ENDED
    story.wait(days=28)
    story.given("visit.started", {"visit": "follow_up", "mode": "in_person"})
    assert story.participant.status is Status.FOLLOW_UP


def test_an_outcome_adds_up() -> None:
    """Items and total by the protocol's scoring break nothing."""
    story = given_consented()
    story.given("outcome.recorded", pain())
    story.given("outcome.recorded", pain(total="5.0"))


@pytest.mark.parametrize(
    "changed",
    [{"total": "6"}, {"items": [{"item": "nothing", "value": 5}]}],
    ids=["another total", "another item"],
)
def test_an_outcome_that_does_not_add_up_is_flagged(changed: dict[str, Any]) -> None:
    """A total that the items do not give is recorded as it was written, with its breach."""
    story = given_consented()
    assert story.when("outcome.recorded", pain(**changed)).codes == ("SCORE_MISMATCH",)


@pytest.mark.parametrize("changed", [{"instrument": "other"}, {"version": "0.9"}])
def test_an_instrument_is_the_protocols(changed: dict[str, str]) -> None:
    """Another instrument, or another version of it, is flagged."""
    story = given_consented()
    assert story.when("outcome.recorded", pain(**changed)).codes == ("INSTRUMENT_UNKNOWN",)


def test_a_rater_who_was_infusion_staff_is_flagged() -> None:
    """Who started the infusion does not rate this participant blinded."""
    story = given_infused()
    story.given("outcome.recorded", severity(), by="rater")
    told = story.when("outcome.recorded", {**severity(), "performer": "nurse"}, by="cora")
    assert told.codes == ("RATER_UNBLINDED",)


def test_a_participant_rates_without_a_rater() -> None:
    """A score that the participant reports may be entered by infusion staff."""
    story = given_infused()
    train(story, "new")
    granted = story.given(
        "delegation.granted", delegation("new", "2025-02-03"), by="ines", stream=f"site/{SITE}"
    )
    story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=f"site/{SITE}")
    story.given("outcome.recorded", {**pain(), "performer": "nurse"}, by="new")


def test_an_allowed_medication_breaks_nothing() -> None:
    """A class that the protocol does not name is free."""
    story = given_consented()
    story.given("medication.started", {"medication": "M1", "class": "analgesics", "start": "2024"})
    assert story.participant.holds == ()


def test_a_prohibited_medication_is_flagged_and_holds() -> None:
    """A prohibited class is a breach, and holds for its wash-out from when it was found."""
    story = given_consented()
    found = {"medication": "M1", "class": "theophylline", "start": "2024"}
    told = story.when("medication.started", found)
    assert (told.refused, told.codes) == (None, ("PROHIBITED_MEDICATION",))
    assert story.participant.held_at(story.now_us)
    story.wait(days=14, minutes=1)
    assert not story.participant.held_at(story.now_us)
