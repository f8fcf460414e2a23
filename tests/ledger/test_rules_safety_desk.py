"""The central steps of safety: assessed, expedited and decided apart from the blinded (catalogue G, R8)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.actions.registry import spec
from tests.given_safety import SAFETY, case_assessed, expedited, given_told
from tests.scenario import SOURCE, Story, Told, breaks, given_infused, keeps

LATE = "EXPEDITED_REPORT_LATE"
DECIDED: dict[str, Any] = {"meeting": "2025-02-03", "data_cut": 5, "source": SOURCE}


def assess(story: Story, told: Told, clock: str | None) -> Told:
    """Assess a case, to be expedited by a clock or not."""
    more = {} if clock is None else {"clock": clock}
    return story.given("susar.assessed", case_assessed(story, told, **more), by="safety", stream=SAFETY)


def decide(story: Story) -> Told:
    """Record another statement of the stream."""
    return story.given("safety_committee.decided", DECIDED, by="board", stream=SAFETY)


@keeps("susar.assessed", "expedited_report.submitted", "safety_committee.decided")
def test_a_serious_event_is_assessed_and_expedited() -> None:
    """Reported by the site, assessed unblinded, sent to the authority in time."""
    story, told = given_told()
    assessment = assess(story, told, "expedited_other")
    story.wait(days=14)
    report = expedited(assessment, story)
    story.given("expedited_report.submitted", report, by="safety", stream=SAFETY)
    story.wait(days=14)
    assert decide(story).caused == ()


@breaks("susar.assessed", "EXPEDITED_REPORT_LATE")
@pytest.mark.parametrize(
    ("clock", "days"), [("expedited_fatal_or_life_threatening", 7), ("expedited_other", 15)]
)
def test_an_expedited_report_that_is_missing_is_found(clock: str, days: int) -> None:
    """By 7 days from the sponsor's receipt, by 15 days from the determination, once."""
    story, told = given_told()
    assessment = assess(story, told, clock)
    story.wait(days=days, hours=-1)
    assert decide(story).caused == ()
    story.wait(hours=2)
    assert decide(story).caused == ((LATE, assessment.event),)
    assert decide(story).caused == ()


@breaks("susar.assessed", "EXPEDITED_REPORT_LATE")
def test_a_late_expedited_report_shows_itself() -> None:
    """The report that comes too late is the record that finds it."""
    story, told = given_told()
    assessment = assess(story, told, "expedited_other")
    story.wait(days=16)
    report = expedited(assessment, story)
    late = story.given("expedited_report.submitted", report, by="safety", stream=SAFETY)
    assert late.caused == ((LATE, assessment.event),)


def test_the_clock_of_receipt_runs_before_the_assessment() -> None:
    """Assessed three days after the sponsor was told: four days remain of seven."""
    story, told = given_told()
    story.wait(days=3)
    assessment = assess(story, told, "expedited_fatal_or_life_threatening")
    story.wait(days=4, hours=1)
    assert decide(story).caused == ((LATE, assessment.event),)


def test_what_is_not_expedited_is_never_late() -> None:
    """Every serious event is assessed; most ask for nothing more."""
    story, told = given_told()
    assess(story, told, None)
    story.wait(days=30)
    assert decide(story).caused == ()


def test_a_voided_assessment_asks_for_nothing() -> None:
    """Entered for the wrong case, taken back in time: no report is due by it (R10)."""
    story, told = given_told()
    wrong = assess(story, told, "expedited_other")
    void = {"statement": wrong.event, "code": "error", "source": SOURCE}
    story.given("record.voided", void, by="safety", stream=SAFETY, reason="entry_error")
    story.wait(days=20)
    assert decide(story).caused == ()


@breaks("susar.assessed", "SUSAR_REPORT", "CLOCK_UNKNOWN")
def test_an_assessment_names_its_report_and_its_clock() -> None:
    """Another statement, or a clock that the study does not have, is flagged."""
    story, _ = given_told()
    other = story.given("visit.started", {"visit": "unscheduled", "mode": "phone"})
    data = case_assessed(story, other, clock="someday")
    told = story.when("susar.assessed", data, by="safety", stream=SAFETY)
    assert (told.refused, set(told.codes)) == (None, {"SUSAR_REPORT", "CLOCK_UNKNOWN"})


@breaks("expedited_report.submitted", "EXPEDITED_UNASKED")
def test_a_report_is_asked_for() -> None:
    """Where the assessment names no clock, an expedited report is flagged."""
    story, told = given_told()
    assessment = assess(story, told, None)
    report = expedited(assessment, story)
    sent = story.when("expedited_report.submitted", report, by="safety", stream=SAFETY)
    assert sent.codes == ("EXPEDITED_UNASKED",)


@breaks("safety_committee.decided", "DATA_CUT_AHEAD")
def test_a_committee_has_seen_what_was_there() -> None:
    """Data that were not in the log are flagged."""
    story = given_infused()
    ahead = {**DECIDED, "data_cut": 10_000}
    told = story.when("safety_committee.decided", ahead, by="board", stream=SAFETY)
    assert told.codes == ("DATA_CUT_AHEAD",)


@keeps("irb.notified", "medical_monitor.reviewed", "coding.applied")
def test_the_blinded_steps_stand_with_the_participant() -> None:
    """The review board is told, the monitor looks at it, the term is coded: the same in every arm."""
    story, told = given_told()
    notified = {
        "statement": told.event,
        "of": "serious_adverse_event",
        "notified": story.now,
        "reference": "E1",
    }
    story.given("irb.notified", notified, by="sub")
    story.given("medical_monitor.reviewed", {"statement": told.event, "code": "no_action"}, by="medmon")
    event = story.participant.adverse_events["AE-1"].event
    codes = [{"level": "pt", "code": "10013573"}]
    coded = {
        "statement": event,
        "field": "verbatim",
        "dictionary": "MedDRA",
        "version": "28.1",
        "codes": codes,
    }
    story.given("coding.applied", coded, by="coder")


def test_unblinded_steps_stand_in_no_stream_of_the_blinded() -> None:
    """What depends on the arm is in `safety`, and says of the case only what rules read (R8)."""
    for type_ in ("susar.assessed", "expedited_report.submitted", "safety_committee.decided"):
        known = spec(type_, 1)
        assert (known.streams, known.cls, known.always_open) == (("safety",), "restricted", True)
        assert set(known.sealed.values()) <= {"safety", "treatment"}
