"""Screening and eligibility (catalogue C)."""

from __future__ import annotations

import pytest

from ledger.participant import Status
from tests.scenario import (
    PARTICIPANT,
    REQUEST,
    Story,
    digest,
    given_assessed,
    given_consented,
    given_eligible,
)


def test_screening_leads_to_eligibility() -> None:
    """Assessed and confirmed, a participant is eligible."""
    story = given_assessed()
    assert story.participant.status is Status.SCREENING
    story.given("eligibility.confirmed", digest(story), by="sub")
    assert story.participant.status is Status.ELIGIBLE


def test_an_unknown_criterion_is_refused() -> None:
    """A criterion that the protocol version in force does not have cannot be assessed."""
    story = given_consented()
    told = story.when("criterion.assessed", {"criterion": "X99", "result": "met"})
    assert told.refused == "CRITERION_UNKNOWN"


def test_a_screen_failure_names_known_criteria() -> None:
    """A screen failure on a criterion that does not exist is refused."""
    story = given_consented()
    told = story.when("screening.failed", {"criteria": ["X99"], "code": "criteria"})
    assert told.refused == "CRITERION_UNKNOWN"


def test_only_conditional_criteria_do_not_apply() -> None:
    """Age cannot be not applicable; childbearing potential can."""
    story = given_consented()
    told = story.when("criterion.assessed", {"criterion": "I01", "result": "not_applicable"})
    assert told.codes == ("CRITERION_NOT_APPLICABLE",)
    story.given("criterion.assessed", {"criterion": "I06", "result": "not_applicable"})


def test_eligibility_needs_every_criterion() -> None:
    """With one criterion assessed and all others open, eligibility is refused."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("criterion.assessed", {"criterion": "I01", "result": "met"})
    told = story.when("eligibility.confirmed", digest(story), by="sub")
    assert told.refused == "CRITERIA_INCOMPLETE"


@pytest.mark.parametrize(("criterion", "result"), [("I01", "not_met"), ("E03", "met")])
def test_a_failing_criterion_refuses_eligibility(criterion: str, result: str) -> None:
    """An inclusion criterion not met, or an exclusion criterion met, excludes."""
    story = given_assessed(**{criterion: result})
    assert story.when("eligibility.confirmed", digest(story), by="sub").refused == "CRITERION_FAILED"


def test_a_criterion_assessed_again_counts_by_its_latest() -> None:
    """The latest assessment of a criterion is the one that counts and is signed."""
    story = given_assessed(I01="not_met")
    story.given("criterion.assessed", {"criterion": "I01", "result": "met"})
    story.given("eligibility.confirmed", digest(story), by="sub")


def test_the_digest_is_over_the_latest_assessments() -> None:
    """A digest over an earlier set of assessments is refused."""
    story = given_assessed()
    stale = digest(story)
    story.given("criterion.assessed", {"criterion": "I01", "result": "met"})
    assert story.when("eligibility.confirmed", stale, by="sub").refused == "ELIGIBILITY_DIGEST"


@pytest.mark.parametrize("signer", ["cora", "other"], ids=["no physician", "not delegated"])
def test_eligibility_is_a_delegated_physicians(signer: str) -> None:
    """A coordinator, or a physician without delegation here, does not confirm eligibility."""
    story = given_assessed()
    said = {"by": signer, "meaning": "responsibility"}
    told = story.when("eligibility.confirmed", digest(story), **said)
    assert told.refused == "ELIGIBILITY_ROLE"


def test_eligibility_is_confirmed_within_screening() -> None:
    """29 days after the screening visit the window is over."""
    story = given_assessed()
    story.wait(days=29)
    assert story.when("eligibility.confirmed", digest(story), by="sub").refused == "SCREENING_WINDOW"


def test_on_the_last_day_of_screening_it_is_in_time() -> None:
    """28 days after the screening visit, in calendar days of the site, is the last one."""
    story = given_assessed()
    story.wait(days=28)
    story.given("eligibility.confirmed", digest(story), by="sub")


def test_who_failed_screening_is_not_eligible() -> None:
    """A screen failure ends the episode."""
    story = given_assessed()
    story.given("screening.failed", {"criteria": ["E03"], "code": "criteria"})
    assert story.participant.status is Status.SCREEN_FAILED
    assert story.when("eligibility.confirmed", digest(story), by="sub").refused == "SCREENING_FAILED"


def test_an_assessment_after_confirmation_outdates_it() -> None:
    """A criterion found to fail after confirmation keeps the participant from randomization."""
    story = given_eligible()
    story.given("criterion.assessed", {"criterion": "E03", "result": "met"})
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"


def test_eligibility_passed_outside_is_recorded_with_its_breaches() -> None:
    """Confirmed on paper by nobody who may: accepted, and each rule is a breach."""
    story = given_assessed()
    outside = {"performed_outside": {"why": "paper", "source": {"kind": "paper"}}}
    told = story.when("eligibility.confirmed", {**digest(story), **outside}, by="other")
    assert told.refused is None
    assert set(told.codes) == {"ELIGIBILITY_ROLE", "NOT_DELEGATED", "NOT_TRAINED"}


def test_without_a_protocol_nothing_can_be_complete() -> None:
    """Before a protocol is approved there are no criteria that could be met."""
    story = Story()
    study = {"registry_id": "N", "title": "T", "phase": "4", "sponsor": "S", "planned_enrolment": 1}
    story.given("study.registered", study, by="sponsor", stream="study")
    outside = {"performed_outside": {"why": "paper", "source": {"kind": "paper"}}}
    story.when("participant.registered", {"participant": PARTICIPANT, **outside})
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32, **outside}, by="sub")
    assert "CRITERIA_INCOMPLETE" in told.codes
