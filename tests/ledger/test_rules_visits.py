"""Visits and windows, outcomes and their scores (catalogue F)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from ledger.rules.disposition import applying
from ledger.study.definition import load
from tests.given_safety import defined, result, sample, value
from tests.scenario import (
    SITE,
    STUDY,
    VITALS,
    breaks,
    delegation,
    given_at_bedside,
    given_consented,
    given_infused,
    given_randomized,
    keeps,
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


AT_VISIT: dict[str, dict[str, Any]] = {
    "visit.scheduled": {"mode": "home", "date": "2025-02-05"},
    "visit.started": {"mode": "home"},
    "visit.completed": {},
    "visit.missed": {"code": "ill"},
    "contact.made": {"mode": "phone", "with": "participant"},
    "vital_signs.recorded": VITALS,
    "weight.recorded": {"weight": {"value": "80.0", "unit": "kg"}},
    "outcome.not_done": {"instrument": "pain_nrs", "code": "refused"},
    "ecg.recorded": {"measurements": [], "interpretation": "normal"},
    "lab_sample.collected": sample(),
    "lab_result.received": result(),
    "form.recorded": {"form": "FALLS", "version": "1", "fields": [{"field": "fell", "value": "no"}]},
}


@breaks("visit.scheduled", "VISIT_UNKNOWN")
@breaks("visit.started", "VISIT_UNKNOWN")
@breaks("visit.completed", "VISIT_UNKNOWN")
@breaks("visit.missed", "VISIT_UNKNOWN")
@breaks("contact.made", "VISIT_UNKNOWN")
@breaks("vital_signs.recorded", "VISIT_UNKNOWN")
@breaks("weight.recorded", "VISIT_UNKNOWN")
@breaks("outcome.not_done", "VISIT_UNKNOWN")
@breaks("ecg.recorded", "VISIT_UNKNOWN")
@breaks("lab_sample.collected", "VISIT_UNKNOWN")
@breaks("lab_result.received", "VISIT_UNKNOWN")
@breaks("form.recorded", "VISIT_UNKNOWN")
@breaks("outcome.recorded", "VISIT_UNKNOWN")
def test_an_unknown_visit_is_refused() -> None:
    """A visit that the protocol does not have cannot be named, whatever is said of it."""
    story = given_consented()
    for type_, data in AT_VISIT.items():
        assert story.when(type_, {**data, "visit": "w99"}).refused == "VISIT_UNKNOWN", type_
    assert story.when("outcome.recorded", pain(visit="w99")).refused == "VISIT_UNKNOWN"


@keeps("visit.scheduled")
def test_a_visit_is_agreed_and_agreed_again() -> None:
    """A date in the window, and another one in its place."""
    story = given_infused()
    for date in ("2025-02-05T15:00:00Z", "2025-02-06"):
        story.given("visit.scheduled", {"visit": "w1d3", "mode": "in_person", "date": date})
    story.given("visit.scheduled", {"visit": "unscheduled", "mode": "video", "date": "2025-03-30"})


@breaks("visit.scheduled", "OUTSIDE_WINDOW")
def test_a_date_outside_the_window_is_flagged() -> None:
    """Day 3 has a window until day 4: day 5 is agreed too late."""
    story = given_infused()
    told = story.when("visit.scheduled", {"visit": "w1d3", "mode": "in_person", "date": "2025-02-07"})
    assert told.codes == ("OUTSIDE_WINDOW",)


@breaks("visit.scheduled", "VISIT_REPEATED")
def test_what_is_done_is_not_scheduled() -> None:
    """A visit that has been started is not agreed again."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    agreed = {"visit": "screening", "mode": "in_person", "date": "2025-01-08"}
    assert story.when("visit.scheduled", agreed).codes == ("VISIT_REPEATED",)


@keeps("contact.made")
@breaks("contact.made", "OUTSIDE_WINDOW")
def test_a_contact_lies_in_its_window() -> None:
    """The contact of week 8 is due three days around day 50; on day 46 it is early, on day 47 in time."""
    story = given_infused()
    call = {"visit": "w8_contact", "mode": "phone", "with": "participant"}
    story.wait(days=45)
    assert story.when("contact.made", call).codes == ("OUTSIDE_WINDOW",)
    story.wait(days=1)
    story.given("contact.made", call)
    story.given("contact.made", {**call, "visit": "unscheduled", "with": "caregiver"})


@keeps("visit.started", "visit.completed")
def test_an_unscheduled_visit_needs_no_window() -> None:
    """Anybody may come at any time, again and again."""
    story = given_infused()
    story.wait(days=20)
    for _ in range(2):
        story.given("visit.started", {"visit": "unscheduled", "mode": "in_person"})
        story.given("visit.completed", {"visit": "unscheduled"})


@breaks("visit.started", "VISIT_REPEATED")
def test_a_visit_is_started_once() -> None:
    """A second start of the same visit is flagged."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    told = story.when("visit.started", {"visit": "screening", "mode": "in_person"})
    assert told.codes == ("VISIT_REPEATED",)


@breaks("visit.completed", "VISIT_NOT_STARTED")
def test_a_visit_is_completed_after_its_start() -> None:
    """Completed without start is flagged."""
    story = given_consented()
    assert story.when("visit.completed", {"visit": "screening"}).codes == ("VISIT_NOT_STARTED",)


@breaks("visit.completed", "VISIT_REPEATED")
def test_a_visit_is_completed_once() -> None:
    """A second completion is flagged."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("visit.completed", {"visit": "screening"})
    assert story.when("visit.completed", {"visit": "screening"}).codes == ("VISIT_REPEATED",)


@breaks("visit.missed", "VISIT_REPEATED")
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


@breaks("visit.started", "OUTSIDE_WINDOW")
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


def test_without_infusions_the_visit_of_day_1_is_day_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a study of tablets windows count from the visit of day 1, for what came before it too."""
    monkeypatch.setattr("tests.scenario.DEFINITION", defined(_tablets))
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.goto("2025-02-20T15:00:00.000000Z")
    told = story.given("visit.started", {"visit": "w1d1", "mode": "in_person"})
    assert str(story.participant.day1) == "2025-02-20"
    assert told.caused == (("OUTSIDE_WINDOW", story.participant.visits["screening"].event),)
    story.wait(days=4)
    told = story.when("visit.started", {"visit": "w1d3", "mode": "in_person"})
    assert told.codes == ("OUTSIDE_WINDOW",)


def test_without_infusions_treatment_begins_with_a_visit_of_treatment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who has had day 1 of tablets is on treatment, as who was started on an infusion is."""
    monkeypatch.setattr("tests.scenario.DEFINITION", defined(_tablets))
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.goto("2025-02-03T15:00:00.000000Z")
    story.given("visit.started", {"visit": "w1d1", "mode": "in_person"})
    assert story.participant.status is Status.ON_TREATMENT


def test_without_infusions_who_stops_owes_no_more_visits_of_treatment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The visits for who stopped early stand in the place of those of treatment that were still to come."""
    monkeypatch.setattr("tests.scenario.DEFINITION", defined(_tablets))
    story = given_consented()
    definition = load(defined(_tablets))
    treatment = [visit.id for visit in definition.visits if visit.kind == "treatment"]
    instead = {visit.id for visit in definition.visits if visit.applies == "treatment_stopped"}
    story.goto("2025-02-03T15:00:00.000000Z")
    story.given("visit.started", {"visit": "w1d1", "mode": "in_person"})
    before = {visit.id for visit in applying(definition, story.participant)}
    assert before >= set(treatment)
    assert not before & instead
    story.given("treatment.discontinued", {"date": "2025-02-03", "reason": "adverse_event"})
    after = {visit.id for visit in applying(definition, story.participant)}
    assert after & set(treatment) == {"w1d1"}
    assert after >= instead


def _tablets(root: dict[str, Any]) -> None:
    """Take out of a definition what belongs to infusions."""
    for name in [*(name for name in root if name.startswith("infusion_")), "preinfusion", "postinfusion"]:
        root.pop(name)
    for name in ("volume_tolerance_percent", "weight_valid_days"):
        root.pop(name)
    root["visits"] = [visit for visit in root["visits"] if visit["anchor"]["value"] == "day_1"]
    for visit in root["visits"]:
        if visit.pop("infusion", None) is not None:
            visit["kind"] = value("treatment")


@keeps("outcome.recorded")
def test_an_outcome_adds_up() -> None:
    """Items and total by the protocol's scoring break nothing."""
    story = given_consented()
    story.given("outcome.recorded", pain())
    story.given("outcome.recorded", pain(total="5.0"))


@breaks("outcome.recorded", "SCORE_MISMATCH")
@pytest.mark.parametrize(
    "changed",
    [{"total": "6"}, {"items": [{"item": "nothing", "value": 5}]}],
    ids=["another total", "another item"],
)
def test_an_outcome_that_does_not_add_up_is_flagged(changed: dict[str, Any]) -> None:
    """A total that the items do not give is recorded as it was written, with its breach."""
    story = given_consented()
    assert story.when("outcome.recorded", pain(**changed)).codes == ("SCORE_MISMATCH",)


@breaks("outcome.recorded", "INSTRUMENT_UNKNOWN")
@pytest.mark.parametrize("changed", [{"instrument": "other"}, {"version": "0.9"}])
def test_an_instrument_is_the_protocols(changed: dict[str, str]) -> None:
    """Another instrument, or another version of it, is flagged."""
    story = given_consented()
    assert story.when("outcome.recorded", pain(**changed)).codes == ("INSTRUMENT_UNKNOWN",)


@breaks("outcome.recorded", "RATER_UNBLINDED")
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


@keeps("outcome.not_done", "visit.missed")
@breaks("outcome.not_done", "INSTRUMENT_UNKNOWN")
def test_an_outcome_that_was_not_done_is_the_protocols() -> None:
    """What was not answered is named by the protocol's instrument."""
    story = given_infused()
    story.given("visit.missed", {"visit": "w1d3", "code": "ill"})
    missed = {"instrument": "pain_nrs", "visit": "w1d3", "code": "visit_missed"}
    story.given("outcome.not_done", missed)
    told = story.when("outcome.not_done", {**missed, "instrument": "other"})
    assert told.codes == ("INSTRUMENT_UNKNOWN",)


@breaks("visit.started", "OUTSIDE_WINDOW")
def test_a_day_1_of_a_clock_that_was_never_set_keeps_no_visit_from_being_recorded() -> None:
    """Windows before the calendar begins at its first day: a visit is recorded, and is outside its window."""
    story = given_at_bedside()
    outside = {"why": "outage", "source": {"kind": "device"}}
    unset = "0001-01-01T00:00:00+02:00"
    started = story.when("infusion.started", start(performed_outside=outside), by="nurse", occurred=unset)
    assert started.refused is None
    for visit in STUDY.visits[:3]:
        told = story.when("visit.started", {"visit": visit.id, "mode": "home"})
        assert told.refused is None
        assert "OUTSIDE_WINDOW" in told.codes
