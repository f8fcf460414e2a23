"""Deaths and pregnancies: always open, one ends participation, the other stops dosing (catalogue G, R7)."""

from __future__ import annotations

from ledger.participant import Status
from tests.given_safety import (
    causality,
    changed,
    death,
    follow,
    given_event,
    given_serious,
    pregnancy,
    serious,
    to_sponsor,
)
from tests.scenario import PARTICIPANT, VITALS, breaks, given_infused, keeps, order

MISSING = "DEATH_NOT_REPORTED"
FATAL = {"grade": 5, "criteria": ["death"], "outcome": "fatal"}


@keeps("death.reported")
def test_a_death_ends_participation() -> None:
    """Reported with the event that led to it, it is the participant's status."""
    story, _ = given_serious(**FATAL)
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    story.given("death.reported", death(story, ae="AE-1"))
    assert story.participant.status is Status.DIED
    story.wait(days=3)
    assert story.given("adverse_event.followed_up", follow()).caused == ()


def test_a_death_is_known_without_an_event() -> None:
    """A death heard of by letter, after the study: partial dates are dates."""
    story = given_infused()
    story.given("death.reported", death(story, date="2025"))
    assert story.participant.status is Status.DIED


@breaks("adverse_event.reported", "DEATH_NOT_REPORTED")
def test_a_fatal_event_asks_for_a_report_of_the_death() -> None:
    """A day after the event is known, the next record finds that the death is not reported."""
    story, told = given_serious(**FATAL)
    story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
    story.wait(days=2)
    late = story.given("adverse_event.followed_up", follow())
    assert late.caused == ((MISSING, told.event),)


@breaks("adverse_event.followed_up", "DEATH_NOT_REPORTED")
@breaks("adverse_event.resolved", "DEATH_NOT_REPORTED")
def test_an_event_that_ends_in_death_asks_for_it_too() -> None:
    """The version that says so is what the clock runs from."""
    for type_, member in (
        ("adverse_event.followed_up", "new_information"),
        ("adverse_event.resolved", "resolved"),
    ):
        story = given_event()
        fatal = {"ae": "AE-1", "version": 2, "outcome": "fatal", member: story.now}
        told = story.given(type_, fatal)
        story.wait(days=2)
        late = story.given("adverse_event.followed_up", follow(3))
        assert late.caused == ((MISSING, told.event),)


@breaks("adverse_event.assessed", "DEATH_NOT_REPORTED")
@breaks("seriousness.changed", "DEATH_NOT_REPORTED")
def test_death_as_a_criterion_asks_for_it() -> None:
    """An investigator who names death as the criterion of seriousness has a death to report."""
    for type_ in ("adverse_event.assessed", "seriousness.changed"):
        story = given_event()
        data = {**changed(False, True, "investigator"), "criteria": ["death"]}
        if type_ == "adverse_event.assessed":
            del data["old"], data["new"]
            data = {**follow(), **data, "serious": True, "causality": causality()}
        told = story.given(type_, data, by="sub", reason="new_information")
        story.given("sae.reported_to_sponsor", to_sponsor(story), by="sub")
        story.wait(days=2)
        assert story.given("vital_signs.recorded", VITALS).caused == ((MISSING, told.event),)


def test_a_nullified_fatal_event_gives_the_participant_back() -> None:
    """Another person's death: nullified, nobody has died and nothing is due."""
    story, _ = given_serious(**FATAL)
    assert story.participant.status is Status.DIED
    story.given("adverse_event.nullified", {**follow(), "code": "wrong_participant"})
    assert story.participant.status is Status.ON_TREATMENT
    story.wait(days=3)
    assert story.given("vital_signs.recorded", VITALS).caused == ()


@breaks("death.reported", "DEATH_REPEATED")
def test_a_death_is_reported_once() -> None:
    """A second report is kept and flagged."""
    story = given_infused()
    story.given("death.reported", death(story))
    assert story.when("death.reported", death(story)).codes == ("DEATH_REPEATED",)


@breaks("death.reported", "DEATH_EVENT")
def test_a_death_is_laid_to_an_event_that_is_there() -> None:
    """An event that nobody reported is flagged; the death is recorded."""
    story = given_infused()
    told = story.when("death.reported", death(story, ae="AE-9"))
    assert (told.refused, told.codes) == (None, ("DEATH_EVENT",))
    assert story.participant.status is Status.DIED


def test_a_voided_death_waits_for_the_investigator() -> None:
    """A death of somebody else is taken back by a voiding that the investigator cosigns (R9)."""
    story = given_infused()
    told = story.given("death.reported", death(story))
    void = {"statement": told.event, "code": "wrong_participant"}
    voided = story.given("record.voided", void, reason="entry_error")
    assert story.participant.status is Status.DIED
    cosigned = {"as": "supervisor", "statement": voided.event}
    story.given("record.cosigned", cosigned, by="ines", stream=f"participant/{PARTICIPANT}")
    assert story.participant.status is Status.ON_TREATMENT


@keeps("pregnancy.reported", "pregnancy.outcome_recorded")
def test_a_pregnancy_stops_dosing() -> None:
    """It holds for good: an outcome does not open dosing again, only that there was none."""
    story = given_infused()
    story.given("pregnancy.reported", pregnancy(story))
    story.wait(days=2)
    assert "ON_HOLD" in story.when("infusion.ordered", order(story, 2), by="sub").codes
    ended = {"pregnancy": "PR-1", "outcome": "miscarriage", "date": "2025-02"}
    story.given("pregnancy.outcome_recorded", ended)
    assert "ON_HOLD" in story.when("infusion.ordered", order(story, 2), by="sub").codes
    story.given("pregnancy.outcome_recorded", {**ended, "outcome": "not_pregnant"})
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused is None


def test_a_voided_pregnancy_waits_for_the_investigator() -> None:
    """What stops dosing is not taken back by one person alone (R9)."""
    story = given_infused()
    told = story.given("pregnancy.reported", pregnancy(story))
    void = {"statement": told.event, "code": "wrong_participant"}
    voided = story.given("record.voided", void, reason="entry_error")
    assert story.participant.held_at(story.now_us)
    cosigned = {"as": "supervisor", "statement": voided.event}
    story.given("record.cosigned", cosigned, by="ines", stream=f"participant/{PARTICIPANT}")
    assert not story.participant.held_at(story.now_us)


@keeps("pregnancy.reported")
def test_a_partners_pregnancy_holds_nothing() -> None:
    """It is followed up, and the participant goes on."""
    story = given_infused()
    story.given("pregnancy.reported", pregnancy(story, "partner"))
    assert not story.participant.held_at(story.now_us)


@breaks("pregnancy.reported", "PREGNANCY_REPEATED")
@breaks("pregnancy.outcome_recorded", "PREGNANCY_UNKNOWN")
def test_a_pregnancy_is_known_by_its_id() -> None:
    """Reported twice under one id, or ended without a report, is flagged."""
    story = given_infused()
    story.given("pregnancy.reported", pregnancy(story))
    assert story.when("pregnancy.reported", pregnancy(story)).codes == ("PREGNANCY_REPEATED",)
    ended = {"pregnancy": "PR-2", "outcome": "unknown", "date": "2025"}
    assert story.when("pregnancy.outcome_recorded", ended).codes == ("PREGNANCY_UNKNOWN",)


def test_safety_is_recorded_after_death_and_end() -> None:
    """R7: adverse events, deaths and pregnancies are open when everything else is over."""
    story = given_infused()
    story.given("death.reported", death(story))
    story.given("adverse_event.reported", serious(awareness=story.now))
    story.given("pregnancy.reported", pregnancy(story, "partner"))
