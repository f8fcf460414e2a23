"""Requests for randomization and their answers (catalogue D, record-format.md §8)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ledger import canonical
from ledger.participant import Status
from tests import scenario
from tests.given_blinding import (
    AT_SECOND,
    BEFORE_SECOND,
    SECOND,
    given_at_second_stage,
    given_before_second_stage,
    given_second_stage,
    guess,
    second_answer,
    with_second_list,
)
from tests.scenario import (
    DAY1,
    DEFINITION,
    PARTICIPANT,
    REQUEST,
    SITE,
    allocation,
    breaks,
    checked,
    digest,
    given_active_site,
    given_assessed,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_enrolling,
    given_infused,
    given_randomized,
    keeps,
    order,
    received,
    start,
)

MEDICATION = {"medication": "M1", "class": "benzodiazepines", "start": "2025-01"}


@keeps("randomization.requested", "participant.randomized")
def test_a_request_is_answered() -> None:
    """An eligible participant is randomized by the answer to the request."""
    story = given_randomized()
    assert story.participant.status is Status.RANDOMIZED
    assert story.conduct.study.randomized(len(story.log)) == 1


@breaks("randomization.requested", "NOT_ELIGIBLE")
def test_without_eligibility_there_is_no_randomization() -> None:
    """Assessed and not confirmed is not eligible."""
    story = given_assessed()
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"


def test_eligibility_expires() -> None:
    """28 days after the confirmation it still holds, on the 29th it has expired."""
    story = given_eligible()
    story.wait(days=28)
    assert story.when("randomization.requested", REQUEST).refused is None
    story = given_eligible()
    story.wait(days=29)
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"


@breaks("randomization.requested", "ENROLMENT_NOT_OPEN", "LIST_NOT_COMMITTED")
def test_enrolment_must_be_open() -> None:
    """Before enrolment is opened nobody is randomized."""
    story = given_eligible(given_active_site())
    told = story.when("randomization.requested", REQUEST)
    assert {"ENROLMENT_NOT_OPEN", "LIST_NOT_COMMITTED"} == set(told.codes)


def test_enrolment_of_another_site_does_not_count() -> None:
    """Enrolment opened at another site only is not open here."""
    story = given_active_site()
    story.given("enrolment.opened", {"cap": 30, "sites": ["SD-02"]}, by="sponsor", stream="study")
    story = given_eligible(story)
    assert "ENROLMENT_NOT_OPEN" in story.when("randomization.requested", REQUEST).codes


@breaks("randomization.requested", "ENROLMENT_CAP")
def test_the_cap_is_kept() -> None:
    """With two randomized of two, the third request is refused."""
    story = given_enrolling()
    names = (PARTICIPANT, "P2", "P3")
    for name in names:
        given_assessed(story, name)
    story.goto("2025-02-01T15:00:00.000000Z")
    for name in names:
        confirm(story, name)
    for number, name in enumerate(names[:2]):
        at = f"participant/{name}"
        request = story.given("randomization.requested", REQUEST, stream=at)
        story.given("participant.randomized", allocation(request, number), by="service", stream=at)
    told = story.when("randomization.requested", REQUEST, stream="participant/P3")
    assert told.refused == "ENROLMENT_CAP"


def confirm(story: Any, name: str) -> None:
    """Confirm the eligibility of a participant."""
    story.given("eligibility.confirmed", digest(story, name), by="sub", stream=f"participant/{name}")


@breaks("randomization.requested", "RANDOMIZED_TWICE")
def test_a_participant_is_randomized_once_per_stage() -> None:
    """A second request of the same stage is refused, answered or not."""
    story = given_randomized()
    assert story.when("randomization.requested", REQUEST).refused == "RANDOMIZED_TWICE"


@breaks("randomization.requested", "STRATUM")
@pytest.mark.parametrize("stratum", ["SD-02", "XX"], ids=["another site's", "none of the list's"])
def test_the_stratum_is_the_participants_site(stratum: str) -> None:
    """A request in another stratum is refused."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "stratum": stratum})
    assert told.refused == "STRATUM"


@breaks("randomization.requested", "LIST_NOT_COMMITTED")
def test_the_list_must_be_committed() -> None:
    """A list that nobody committed answers nothing."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "list": "other"})
    assert told.refused == "LIST_NOT_COMMITTED"


@breaks("randomization.requested", "NOT_RANDOMIZED")
def test_stage_two_needs_stage_one() -> None:
    """Who was never randomized has no second stage."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "stage": 2})
    assert told.refused == "NOT_RANDOMIZED"


@breaks("randomization.requested", "ON_HOLD")
def test_a_hold_holds_randomization() -> None:
    """A prohibited medication found in screening makes the request wait for its wash-out, then it passes."""
    story = given_assessed()
    story.goto("2025-01-14T15:00:00.000000Z")
    found = story.when("medication.started", MEDICATION)
    assert found.codes == ("PROHIBITED_MEDICATION",)
    stopped = {"medication": MEDICATION["medication"], "stop": "2025-01-14", "code": "prohibited"}
    story.given("medication.stopped", stopped)
    story = _confirmed_on(story, "2025-01-20T15:00:00.000000Z")
    assert story.when("randomization.requested", REQUEST).refused == "ON_HOLD"
    story.goto("2025-01-29T15:00:00.000000Z")
    story.given("randomization.requested", REQUEST)


def _confirmed_on(story: Any, instant: str) -> Any:
    story.goto(instant)
    confirm(story, PARTICIPANT)
    return story


@breaks("participant.randomized", "REFERENCE")
def test_an_answer_cites_a_request() -> None:
    """An allocation that nobody asked for is refused."""
    story = given_eligible()
    request = story.given("visit.started", {"visit": "unscheduled", "mode": "phone"})
    told = story.when("participant.randomized", allocation(request, 0), by="service")
    assert told.refused == "REFERENCE"


def test_a_request_is_answered_once() -> None:
    """A second allocation for the same request is refused."""
    story = given_eligible()
    request = story.given("randomization.requested", REQUEST)
    story.given("participant.randomized", allocation(request, 0), by="service")
    told = story.when("participant.randomized", allocation(request, 1), by="service")
    assert told.refused == "ALLOCATION_ORDER"


@breaks("participant.randomized", "ALLOCATION_ORDER")
@pytest.mark.parametrize(
    "changed", [{"list_index": 1}, {"list_index": 30}, {"list": "other"}, {"stratum": "SD-02"}]
)
def test_an_answer_takes_the_next_unused_index(changed: dict[str, Any]) -> None:
    """A skipped index, another stratum's index, another list or stratum is refused."""
    story = given_eligible()
    request = story.given("randomization.requested", REQUEST)
    told = story.when("participant.randomized", allocation(request, 0, **changed), by="service")
    assert told.refused == "ALLOCATION_ORDER"


def test_where_others_are_withheld_an_index_is_only_not_used_again() -> None:
    """Of a log in which others' draws are not shown, a later index may be the next one."""
    story = given_eligible()
    request = story.given("randomization.requested", REQUEST)
    hidden = story.entry("visit.started", {"visit": "unscheduled", "mode": "phone"})
    withheld = type(hidden)(index=hidden.index, leaf=hidden.leaf, event=hidden.event, statement=None)
    story.log.append(withheld)
    story.conduct.evolve(withheld, story.authority)
    assert story.conduct.withheld == 1
    told = story.when("participant.randomized", allocation(request, 4), by="service")
    assert told.refused is None


@breaks("randomization.requested", "RANDOMIZATION_WINDOW")
def test_randomization_outside_its_days_is_found_on_day_1() -> None:
    """Randomized a week before the first infusion: the breach is found when day 1 is known."""
    story = given_randomized()
    story.wait(days=9)
    given_at_bedside(story)
    told = story.when("infusion.started", start(), by="nurse")
    request = story.participant.randomizations[0].request
    assert ("RANDOMIZATION_WINDOW", request) in told.caused
    assert story.conduct.unrecorded() == ()


def test_who_is_not_randomized_gets_no_order() -> None:
    """An infusion is ordered for randomized participants only."""
    story = given_consented()
    assert "NOT_RANDOMIZED" in story.when("infusion.ordered", order(story), by="sub").codes


def test_the_guards_of_an_allocation_hold_slot_stage_and_count() -> None:
    """Slot, participant's stage and the count of enrolment are unique rows in the store."""
    story = given_eligible()
    request = story.given("randomization.requested", REQUEST)
    entry = story.entry("participant.randomized", allocation(request, 0), by="service")
    assert story.conduct.guards(entry) == (
        ("allocation", f"{PARTICIPANT}/1"),
        ("slot", "main/0"),
        ("enrolment", "1"),
    )


def test_a_withheld_entry_has_no_guards() -> None:
    """What is not shown claims nothing."""
    story = given_eligible()
    entry = story.entry("participant.registered", {"participant": "P2"}, stream="participant/P2")
    withheld = type(entry)(index=entry.index, leaf=entry.leaf, event=entry.event, statement=None)
    assert story.conduct.guards(entry) == (("participant", "P2"),)
    assert story.conduct.guards(withheld) == ()


def test_day_1_and_site_are_constants_of_the_story() -> None:
    """The first infusion of the story falls on day 1 and within the days of randomization."""
    story = given_randomized()
    story.goto(DAY1)
    story.given("infusion.ordered", order(story), by="sub")
    story.given("dose.received", received(story), by="nurse")
    story.given("preinfusion_check.passed", checked(), by="nurse")
    story.given("infusion.started", start(), by="nurse")
    assert story.participant.site == SITE
    assert str(story.participant.day1) == "2025-02-03"


# The second stage


@keeps("randomization.requested", "participant.randomized", "blind_guess.recorded")
def test_the_second_stage_is_answered_at_its_visit() -> None:
    """On treatment, at week 3, the guess given: the answer of stage 2 stands beside that of stage 1."""
    story = given_second_stage()
    assert [r.stage for r in story.participant.randomizations if r.answered is not None] == [1, 2]
    assert story.conduct.study.randomized(len(story.log)) == 1
    newest = story.conduct.study.allocation(PARTICIPANT, len(story.log))
    assert newest is not None
    assert (newest.stage, newest.list_index) == (2, None)


@breaks("randomization.requested", "RANDOMIZED_TWICE")
def test_the_second_stage_is_drawn_once() -> None:
    """An allocation is never drawn again, in either stage."""
    assert given_second_stage().when("randomization.requested", SECOND).refused == "RANDOMIZED_TWICE"


@breaks("randomization.requested", "NOT_ON_TREATMENT")
def test_the_second_stage_is_for_who_is_on_treatment() -> None:
    """Randomized and never infused is not on treatment."""
    story = given_randomized(with_second_list(given_enrolling()))
    assert story.when("randomization.requested", SECOND).refused == "NOT_ON_TREATMENT"


@breaks("randomization.requested", "LIST_OF_STAGE")
def test_each_stage_draws_from_its_own_list() -> None:
    """Stage 2 is not drawn from the first list, nor stage 1 from the second."""
    story = given_at_second_stage()
    assert story.when("randomization.requested", {**SECOND, "list": "main"}).refused == "LIST_OF_STAGE"
    story = given_eligible(with_second_list(given_enrolling()))
    assert story.when("randomization.requested", {**REQUEST, "list": "stage2"}).refused == "LIST_OF_STAGE"


@breaks("randomization.requested", "STRATUM")
def test_the_stratum_stays_that_of_stage_one() -> None:
    """A request in another stratum of the second list is refused."""
    story = given_at_second_stage()
    assert story.when("randomization.requested", {**SECOND, "stratum": "SD-02"}).refused == "STRATUM"


@breaks("randomization.requested", "STAGE_NOT_PLANNED")
def test_a_stage_that_the_protocol_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol without a second stage answers none."""
    single = orjson.loads(DEFINITION)
    del single["randomization"]["second"]
    monkeypatch.setattr(scenario, "DEFINITION", canonical.encode(single))
    story = given_at_second_stage()
    assert story.when("randomization.requested", SECOND).refused == "STAGE_NOT_PLANNED"


@breaks("randomization.requested", "RANDOMIZATION_WINDOW")
@pytest.mark.parametrize("instant", ["2025-02-10T15:00:00.000000Z", "2025-02-21T15:00:00.000000Z"])
def test_the_second_stage_has_its_days(instant: str) -> None:
    """After the infusions planned before it, and by the end of its visit's window: else flagged."""
    story = given_randomized(with_second_list(given_enrolling()))
    story.goto(DAY1)
    given_infused(story)
    story.goto(instant)
    assert story.when("randomization.requested", SECOND).codes == ("RANDOMIZATION_WINDOW",)


@breaks("infusion.started", "STAGE_TWO_MISSING")
def test_nobody_is_skipped() -> None:
    """An infusion of week 3 without the second stage is flagged, whatever the regimen."""
    story = given_at_second_stage()
    given_at_bedside(story, 7)
    told = story.when("infusion.started", start(7), by="nurse")
    assert told.refused is None
    assert "STAGE_TWO_MISSING" in told.codes
    story = given_second_stage()
    given_at_bedside(story, 7)
    assert "STAGE_TWO_MISSING" not in story.when("infusion.started", start(7), by="nurse").codes


# Guesses of the arm


@breaks("randomization.requested", "BLIND_GUESS_MISSING")
def test_the_guess_comes_before_the_second_stage() -> None:
    """The visit took place and nobody was asked: flagged with the request."""
    story = given_before_second_stage()
    story.goto(AT_SECOND)
    assert story.when("randomization.requested", SECOND).codes == ("BLIND_GUESS_MISSING",)


@breaks("blind_guess.recorded", "BLIND_GUESS_LATE")
def test_a_guess_after_the_second_stage_is_late() -> None:
    """Who knows that a second stage was drawn guesses about another regimen."""
    story = given_before_second_stage()
    story.goto(AT_SECOND)
    request = story.when("randomization.requested", SECOND)
    story.given("participant.randomized", second_answer(request), by="service", schema=2)
    assert story.when("blind_guess.recorded", guess()).codes == ("BLIND_GUESS_LATE",)


@breaks("blind_guess.recorded", "BLIND_GUESS_UNASKED")
@pytest.mark.parametrize("asked", [{"visit": "w1d1"}, {"who": "coordinator"}])
def test_a_guess_that_nobody_asked_for_is_flagged(asked: dict[str, str]) -> None:
    """At another visit, or by somebody whom the protocol does not ask."""
    story = given_before_second_stage()
    assert story.when("blind_guess.recorded", guess(**asked)).codes == ("BLIND_GUESS_UNASKED",)


@breaks("blind_guess.recorded", "BLIND_GUESS_REPEATED")
def test_a_guess_is_given_once_for_each_visit() -> None:
    """A second answer after a night's sleep is another guess."""
    story = given_before_second_stage()
    story.given("blind_guess.recorded", guess())
    assert story.when("blind_guess.recorded", guess()).codes == ("BLIND_GUESS_REPEATED",)


@breaks("participant.completed", "BLIND_GUESS_MISSING")
def test_a_guess_is_missed_at_the_end() -> None:
    """The last guess was asked for at a visit that took place, and is not there at completion."""
    story = given_before_second_stage()
    told = story.when("participant.completed", {"date": "2025-02-14", "last_visit": BEFORE_SECOND})
    assert "BLIND_GUESS_MISSING" in told.codes
