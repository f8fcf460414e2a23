"""Screening and eligibility (catalogue C)."""

from __future__ import annotations

import pytest

from ledger.participant import Status
from tests.scenario import (
    PARTICIPANT,
    REQUEST,
    SITE,
    Story,
    Told,
    assess,
    breaks,
    digest,
    given_active_site,
    given_assessed,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_randomized,
    keeps,
    order,
    start,
)

AT_SITE = f"site/{SITE}"


@keeps("criterion.assessed", "eligibility.confirmed")
def test_screening_leads_to_eligibility() -> None:
    """Assessed and confirmed, a participant is eligible."""
    story = given_assessed()
    assert story.participant.status is Status.SCREENING
    story.given("eligibility.confirmed", digest(story), by="sub")
    assert story.participant.status is Status.ELIGIBLE


@breaks("criterion.assessed", "CRITERION_UNKNOWN")
def test_an_unknown_criterion_is_refused() -> None:
    """A criterion that the protocol version in force does not have cannot be assessed."""
    story = given_consented()
    told = story.when("criterion.assessed", {"criterion": "X99", "result": "met"})
    assert told.refused == "CRITERION_UNKNOWN"


@breaks("criterion.assessed", "CRITERION_CONTRADICTED")
def test_an_assessment_against_the_value_on_record_is_flagged() -> None:
    """Pain of 2 is not within 4 to 7: who says so all the same is flagged, and the newest value counts."""
    story = given_consented()
    met = {"criterion": "I03", "result": "met"}
    pain = {"instrument": "pain_nrs", "version": "1.0", "visit": "screening", "language": "en"}
    story.given("outcome.recorded", {**pain, "items": [{"item": "pain", "value": 2}], "total": "2"})
    assert story.when("criterion.assessed", met).codes == ("CRITERION_CONTRADICTED",)
    story.given("criterion.assessed", {**met, "result": "not_met"})
    story.given("outcome.recorded", {**pain, "items": [{"item": "pain", "value": 5}], "total": "5"})
    story.given("criterion.assessed", met)


def test_a_sealed_value_is_never_compared() -> None:
    """Age is sealed: an assessment of age is nobody's but the assessor's."""
    story = given_consented()
    story.given("criterion.assessed", {"criterion": "I01", "result": "not_met"})


@breaks("screening.failed", "CRITERION_UNKNOWN")
def test_a_screen_failure_names_known_criteria() -> None:
    """A screen failure on a criterion that does not exist is refused."""
    story = given_consented()
    told = story.when("screening.failed", {"criteria": ["X99"], "code": "criteria"})
    assert told.refused == "CRITERION_UNKNOWN"


@breaks("criterion.assessed", "CRITERION_NOT_APPLICABLE")
def test_only_conditional_criteria_do_not_apply() -> None:
    """Age cannot be not applicable; childbearing potential can."""
    story = given_consented()
    told = story.when("criterion.assessed", {"criterion": "I01", "result": "not_applicable"})
    assert told.codes == ("CRITERION_NOT_APPLICABLE",)
    story.given("criterion.assessed", {"criterion": "I06", "result": "not_applicable"})


@breaks("eligibility.confirmed", "CRITERIA_INCOMPLETE")
def test_eligibility_needs_every_criterion() -> None:
    """With one criterion assessed and all others open, eligibility is refused."""
    story = given_consented()
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    story.given("criterion.assessed", {"criterion": "I01", "result": "met"})
    told = story.when("eligibility.confirmed", digest(story), by="sub")
    assert told.refused == "CRITERIA_INCOMPLETE"


@breaks("eligibility.confirmed", "CRITERION_FAILED")
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


@breaks("eligibility.confirmed", "ELIGIBILITY_DIGEST")
def test_the_digest_is_over_the_latest_assessments() -> None:
    """A digest over an earlier set of assessments is refused."""
    story = given_assessed()
    stale = digest(story)
    story.given("criterion.assessed", {"criterion": "I01", "result": "met"})
    assert story.when("eligibility.confirmed", stale, by="sub").refused == "ELIGIBILITY_DIGEST"


@breaks("eligibility.confirmed", "ELIGIBILITY_ROLE")
@pytest.mark.parametrize("signer", ["cora", "other"], ids=["no physician", "not delegated"])
def test_eligibility_is_a_delegated_physicians(signer: str) -> None:
    """A coordinator, or a physician without delegation here, does not confirm eligibility."""
    story = given_assessed()
    said = {"by": signer, "meaning": "responsibility"}
    told = story.when("eligibility.confirmed", digest(story), **said)
    assert told.refused == "ELIGIBILITY_ROLE"


@breaks("eligibility.confirmed", "SCREENING_WINDOW")
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


@breaks("eligibility.confirmed", "SCREENING_FAILED")
@keeps("screening.failed")
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


@keeps("prescreening.recorded")
@breaks("prescreening.recorded", "PRESCREENING_NUMBER")
def test_the_count_of_prescreening_leaves_nobody_out() -> None:
    """One, two, and then four: who was the third?"""
    story = given_active_site()
    person = {"reason": "no_pain", "source": {"kind": "paper"}}
    story.given("prescreening.recorded", {**person, "number": 1}, stream=AT_SITE)
    story.given("prescreening.recorded", {"number": 2, "source": {"kind": "paper"}}, stream=AT_SITE)
    told = story.when("prescreening.recorded", {**person, "number": 4}, stream=AT_SITE)
    assert (told.refused, told.codes) == (None, ("PRESCREENING_NUMBER",))


def confirmation(story: Story) -> str:
    """Return the newest confirmation of eligibility."""
    named = [e for e in story.log if e.statement and e.statement.type == "eligibility.confirmed"]
    return named[-1].event


def revoked(story: Story, **more: object) -> dict[str, object]:
    """Return the data of a revocation."""
    return {"statement": confirmation(story), "code": "misjudged", "criteria": ["E03"], **more}


@keeps("eligibility.revoked")
def test_eligibility_revoked_before_randomization_keeps_from_it() -> None:
    """Nobody is randomized whose eligibility was taken back."""
    story = given_eligible()
    story.given("eligibility.revoked", revoked(story), by="sub")
    assert story.participant.status is Status.SCREENING
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"


@breaks("eligibility.revoked", "DOSING_DECISION")
def test_found_ineligible_later_asks_for_a_decision_on_dosing() -> None:
    """After randomization a revocation without the decision is a breach, and changes no status."""
    story = given_randomized()
    told = story.when("eligibility.revoked", revoked(story), by="sub")
    assert (told.refused, told.codes) == (None, ("DOSING_DECISION",))
    assert story.participant.status is Status.RANDOMIZED
    assert story.participant.randomized


@breaks("infusion.ordered", "ELIGIBILITY_REVOKED")
@breaks("infusion.started", "ELIGIBILITY_REVOKED")
def test_infusions_wait_until_dosing_is_decided() -> None:
    """Without a decision neither order nor start; with the decision to continue, both."""
    story = given_at_bedside()
    story.when("eligibility.revoked", revoked(story), by="sub")
    assert story.when("infusion.ordered", order(story), by="sub").refused == "ELIGIBILITY_REVOKED"
    assert story.when("infusion.started", start(), by="nurse").refused == "ELIGIBILITY_REVOKED"
    decided = revoked(story, dosing="continued", decided_by="ines")
    story.given("eligibility.revoked", decided, by="sub")
    story.given("infusion.started", start(), by="nurse")


@pytest.mark.parametrize("dosing", ["held", "discontinued"])
def test_dosing_that_is_decided_against_stays_held(dosing: str) -> None:
    """Held or discontinued: no infusion starts."""
    story = given_at_bedside()
    story.given("eligibility.revoked", revoked(story, dosing=dosing, decided_by="ines"), by="sub")
    assert story.when("infusion.started", start(), by="nurse").refused == "ELIGIBILITY_REVOKED"


@breaks("eligibility.revoked", "REFERENCE", "CRITERION_UNKNOWN")
def test_a_revocation_names_a_confirmation_and_criteria_of_the_protocol() -> None:
    """Neither another statement nor an unknown criterion."""
    story = given_eligible()
    visit = next(e for e in story.log if e.statement and e.statement.type == "visit.completed")
    told = story.when("eligibility.revoked", revoked(story, statement=visit.event), by="sub")
    assert told.refused == "REFERENCE"
    told = story.when("eligibility.revoked", revoked(story, criteria=["X99"]), by="sub")
    assert told.refused == "CRITERION_UNKNOWN"


def failed(story: Story) -> Told:
    """Fail the screening."""
    return story.given("screening.failed", {"criteria": ["E03"], "code": "washout"})


@keeps("rescreening.authorised")
def test_a_rescreening_is_a_new_episode() -> None:
    """Nothing of the failed episode counts; assessed and confirmed anew, the participant is eligible."""
    story = given_assessed(E03="met")
    failure = failed(story)
    story.wait(days=30)
    story.given("rescreening.authorised", {"statement": failure.event, "code": "washed_out"}, by="sub")
    assert story.participant.status is Status.CONSENTED
    assert not story.participant.assessments
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    assert story.when("eligibility.confirmed", digest(story), by="sub").refused == "CRITERIA_INCOMPLETE"
    assess(story)
    story.given("visit.completed", {"visit": "screening"})
    story.given("eligibility.confirmed", digest(story), by="sub")
    episode = story.participant.consenting.failures[0]
    assert (episode.event, episode.rescreened is not None) == (failure.event, True)


@breaks("rescreening.authorised", "RESCREENING", "REFERENCE")
def test_a_rescreening_names_the_newest_failure_once() -> None:
    """Neither something else, nor a failure that was followed by a rescreening already."""
    story = given_assessed(E03="met")
    visit = next(e for e in story.log if e.statement and e.statement.type == "visit.completed")
    asked = {"statement": visit.event, "code": "washed_out"}
    assert story.when("rescreening.authorised", asked, by="sub").refused == "REFERENCE"
    asked = {"statement": failed(story).event, "code": "washed_out"}
    story.given("rescreening.authorised", asked, by="sub")
    assert story.when("rescreening.authorised", asked, by="sub").refused == "RESCREENING"
