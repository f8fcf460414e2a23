"""How participation ends (catalogue I)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from ledger.rules.disposition import applying
from tests.given_consent import END
from tests.scenario import (
    REQUEST,
    STUDY,
    Story,
    breaks,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_infused,
    given_randomized,
    keeps,
    order,
    start,
)

STOPPED = {"date": "2025-02-03", "reason": "lack_of_efficacy"}


def attempts(*methods: str) -> dict[str, Any]:
    """Return a loss to follow-up after attempts by these methods."""
    return {**END, "attempts": [{"date": "2025-02-03", "method": method} for method in methods]}


@keeps("participant.completed")
def test_completed_after_every_visit_breaks_nothing() -> None:
    """With every required visit done or missed, completion is complete."""
    story = given_infused()
    for visit in STUDY.visits:
        if visit.required and visit.id != "screening":
            story.given("visit.missed", {"visit": visit.id, "code": "ill"})
    story.given("participant.completed", END)
    assert story.participant.status is Status.COMPLETED


@breaks("participant.completed", "COMPLETED_EARLY")
def test_completed_before_every_visit_is_flagged() -> None:
    """With visits still to come, completion is recorded with its breach."""
    story = given_infused()
    told = story.when("participant.completed", END)
    assert (told.refused, told.codes) == (None, ("COMPLETED_EARLY",))


def test_who_stopped_early_owes_fewer_visits() -> None:
    """After treatment was withdrawn the infusion visits to come no longer count, follow-up does."""
    story = given_infused()
    story.given("visit.started", {"visit": "w1d1", "mode": "in_person"})
    story.given("visit.completed", {"visit": "w1d1"})
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    assert story.when("participant.completed", END).codes == ("COMPLETED_EARLY",)
    story = given_infused()
    story.given("visit.missed", {"visit": "w1d1", "code": "ill"})
    story.given("visit.missed", {"visit": "follow_up", "code": "ill"})
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    story.given("participant.completed", END)


@keeps("participant.lost_to_follow_up")
def test_lost_after_the_attempts_that_are_asked_for() -> None:
    """Three attempts by the protocol's methods are enough."""
    story = given_infused()
    story.given("participant.lost_to_follow_up", attempts("phone", "email", "letter"))
    assert story.participant.status is Status.LOST_TO_FOLLOW_UP


@breaks("participant.lost_to_follow_up", "CONTACT_ATTEMPTS")
@pytest.mark.parametrize("methods", [("phone", "phone"), ("phone", "email", "pigeon")])
def test_lost_too_soon_is_flagged(methods: tuple[str, ...]) -> None:
    """Two attempts, or one by a method that does not count, are too few."""
    story = given_infused()
    told = story.when("participant.lost_to_follow_up", attempts(*methods))
    assert told.codes == ("CONTACT_ATTEMPTS",)


@keeps("participant.withdrawn")
@breaks("participant.lost_to_follow_up", "ALREADY_ENDED")
@breaks("participant.withdrawn", "ALREADY_ENDED")
@breaks("participant.completed", "ALREADY_ENDED")
def test_a_disposition_is_recorded_once() -> None:
    """A second disposition is flagged, and the first stands."""
    story = given_infused()
    story.given("participant.withdrawn", {**END, "code": "participant"})
    told = story.when("participant.lost_to_follow_up", attempts("phone", "email", "letter"))
    assert told.codes == ("ALREADY_ENDED",)
    again = story.when("participant.withdrawn", {**END, "code": "participant"})
    assert again.codes == ("ALREADY_ENDED",)
    assert "ALREADY_ENDED" in story.when("participant.completed", END).codes
    assert story.participant.status is Status.WITHDRAWN


@breaks("participant.withdrawn", "VISIT_UNKNOWN")
@breaks("participant.completed", "VISIT_UNKNOWN")
@breaks("participant.lost_to_follow_up", "VISIT_UNKNOWN")
def test_the_last_visit_is_the_protocols() -> None:
    """A last visit that the protocol does not have is refused."""
    story = given_consented()
    told = story.when("participant.withdrawn", {**END, "last_visit": "w99", "code": "participant"})
    assert told.refused == "VISIT_UNKNOWN"
    assert story.when("participant.completed", {**END, "last_visit": "w99"}).refused == "VISIT_UNKNOWN"
    lost = {**attempts("phone", "email", "letter"), "last_visit": "w99"}
    assert story.when("participant.lost_to_follow_up", lost).refused == "VISIT_UNKNOWN"


def test_after_the_end_no_gate_opens() -> None:
    """No infusion is ordered for who has withdrawn."""
    story = given_infused()
    story.given("participant.withdrawn", {**END, "code": "participant"})
    story.wait(days=2)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "PARTICIPANT_ENDED"


@keeps("treatment.discontinued")
def test_treatment_discontinued_leaves_the_participant_in_the_study() -> None:
    """The status says that treatment ended; follow-up and its gates go on."""
    story = given_infused()
    story.given("treatment.discontinued", STOPPED)
    assert story.participant.status is Status.TREATMENT_ENDED
    assert not story.participant.has_ended
    story.given("contact.attempted", {"method": "phone"})


def test_treatment_discontinued_before_the_first_infusion_has_ended() -> None:
    """Randomized and never treated: treatment has ended all the same."""
    story = given_randomized()
    story.given("treatment.discontinued", {**STOPPED, "reason": "participant"})
    assert story.participant.status is Status.TREATMENT_ENDED


@breaks("infusion.ordered", "TREATMENT_ENDED")
@breaks("infusion.started", "TREATMENT_ENDED")
def test_no_infusion_starts_after_the_end_of_treatment() -> None:
    """Neither order nor start."""
    story = given_at_bedside()
    story.given("treatment.discontinued", STOPPED)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "TREATMENT_ENDED"
    assert story.when("infusion.started", start(), by="nurse").refused == "TREATMENT_ENDED"


@breaks("randomization.requested", "TREATMENT_ENDED")
def test_nobody_is_randomized_after_the_end_of_treatment() -> None:
    """A request after treatment was discontinued is refused."""
    story = given_eligible()
    story.given("treatment.discontinued", STOPPED)
    assert story.when("randomization.requested", REQUEST).refused == "TREATMENT_ENDED"


@keeps("treatment.completed")
@breaks("treatment.completed", "TREATMENT_INCOMPLETE")
def test_treatment_is_completed_when_every_infusion_was_given_or_left_out() -> None:
    """With infusions still to come it is a breach; with all others missed it is none."""
    story = given_infused()
    told = story.when("treatment.completed", {"date": "2025-02-03"})
    assert (told.refused, told.codes) == (None, ("TREATMENT_INCOMPLETE",))
    story = given_infused()
    for visit in STUDY.visits:
        if visit.infusion is not None and visit.infusion > 1:
            story.given("visit.missed", {"visit": visit.id, "code": "ill"})
    story.given("treatment.completed", {"date": "2025-02-03"})


def test_who_completed_treatment_with_the_last_infusion_left_out_did_not_stop_early() -> None:
    """No visit stands in the place of another, and that of the infusion left out is still one of theirs."""
    story = given_infused()
    for number in range(2, STUDY.infusions + 1):
        story.given("dose.omitted", {"infusion": number, "code": "rash", "decided_by": "ines"}, by="nurse")
    everyones = {visit.id for visit in STUDY.visits if visit.applies == "everyone"}
    story.given("treatment.completed", {"date": "2025-02-03"})
    assert {visit.id for visit in applying(STUDY, story.participant)} == everyones


@breaks("treatment.discontinued", "TREATMENT_ENDED_TWICE")
@breaks("treatment.completed", "TREATMENT_ENDED_TWICE")
def test_treatment_ends_once() -> None:
    """A second end is flagged, and the first stands."""
    story = given_infused()
    first = story.given("treatment.discontinued", STOPPED)
    assert story.when("treatment.discontinued", STOPPED).codes == ("TREATMENT_ENDED_TWICE",)
    assert "TREATMENT_ENDED_TWICE" in story.when("treatment.completed", {"date": "2025-02-03"}).codes
    assert story.participant.leaving.treatment is not None
    assert story.participant.leaving.treatment.event == first.event


@keeps("contact.attempted")
def test_attempts_recorded_when_they_were_made_count() -> None:
    """Three attempts recorded one by one are enough, and need not be named again."""
    story = given_infused()
    for method in ("phone", "email", "letter"):
        story.wait(days=1)
        story.given("contact.attempted", {"method": method})
    story.given("participant.lost_to_follow_up", attempts())
    assert story.participant.status is Status.LOST_TO_FOLLOW_UP


def test_an_attempt_recorded_and_named_counts_once() -> None:
    """The same call on the same day, recorded and named: two attempts, not three."""
    story = given_infused()
    story.given("contact.attempted", {"method": "phone"})
    told = story.when("participant.lost_to_follow_up", attempts("phone", "email"))
    assert told.codes == ("CONTACT_ATTEMPTS",)


def test_attempts_before_the_last_visit_do_not_count() -> None:
    """Who came after the attempts was reached."""
    story = given_infused()
    for method in ("phone", "email", "letter"):
        story.given("contact.attempted", {"method": method})
    story.given("visit.started", {"visit": "w1d1", "mode": "in_person"})
    told = story.when("participant.lost_to_follow_up", attempts())
    assert told.codes == ("CONTACT_ATTEMPTS",)


def lost() -> Story:
    """A participant who is lost to follow-up."""
    story = given_infused()
    story.given("participant.lost_to_follow_up", attempts("phone", "email", "letter"))
    return story


FOUND = {"date": "2025-02-03", "code": "called_back"}


@keeps("participant.found")
def test_who_is_found_goes_on() -> None:
    """The status is again that of the treatment, gates open, and attempts are counted anew."""
    story = lost()
    story.given("participant.found", FOUND)
    assert story.participant.status is Status.ON_TREATMENT
    story.wait(days=2)
    story.given("infusion.ordered", order(story, 2), by="sub")
    assert story.when("participant.lost_to_follow_up", attempts()).codes == ("CONTACT_ATTEMPTS",)


@breaks("participant.found", "NOT_LOST")
def test_who_was_not_lost_is_not_found() -> None:
    """A finding of somebody who withdrew is flagged, and the withdrawal stands."""
    story = given_infused()
    story.given("participant.withdrawn", {**END, "code": "participant"})
    assert story.when("participant.found", FOUND).codes == ("NOT_LOST",)
    assert story.participant.status is Status.WITHDRAWN


def test_a_death_known_from_a_register_folds_into_the_status() -> None:
    """Dead by a public record: no gate opens any more."""
    story = lost()
    dead = {"status": "dead", "as_of": "2025-02", "known_from": "public_record"}
    story.given("survival_status.recorded", dead)
    assert story.participant.status is Status.DIED
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "PARTICIPANT_ENDED"


def test_a_register_that_was_wrong_is_taken_back() -> None:
    """Alive after all, by a later word: the status is again what it was."""
    story = given_infused()
    heard = {"as_of": "2025-02", "known_from": "public_record"}
    story.given("survival_status.recorded", {**heard, "status": "dead"})
    story.given("survival_status.recorded", {**heard, "status": "unknown"})
    assert story.participant.status is Status.DIED
    story.given("survival_status.recorded", {**heard, "status": "alive"})
    assert story.participant.status is Status.ON_TREATMENT


def test_who_was_reached_is_tried_anew() -> None:
    """A call that reached the participant ends the count of attempts; one to a relative does not."""
    story = given_infused()
    for method in ("phone", "email", "letter"):
        story.given("contact.attempted", {"method": method})
    story.given("contact.made", {"visit": "unscheduled", "mode": "phone", "with": "relative"})
    assert len(story.participant.leaving.attempts) == 3
    story.given("contact.made", {"visit": "unscheduled", "mode": "phone", "with": "participant"})
    assert story.when("participant.lost_to_follow_up", attempts()).codes == ("CONTACT_ATTEMPTS",)
