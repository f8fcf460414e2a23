"""Requests for randomization and their answers (catalogue D, record-format.md §8)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.scenario import (
    DAY1,
    PARTICIPANT,
    REQUEST,
    SITE,
    allocation,
    digest,
    given_active_site,
    given_assessed,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_enrolling,
    given_randomized,
    order,
    received,
    start,
)

MEDICATION = {"medication": "M1", "class": "benzodiazepines", "start": "2025-01"}


def test_a_request_is_answered() -> None:
    """An eligible participant is randomized by the answer to the request."""
    story = given_randomized()
    assert story.participant.status is Status.RANDOMIZED
    assert story.conduct.study.randomized(len(story.log)) == 1


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


def test_a_participant_is_randomized_once_per_stage() -> None:
    """A second request of the same stage is refused, answered or not."""
    story = given_randomized()
    assert story.when("randomization.requested", REQUEST).refused == "RANDOMIZED_TWICE"


@pytest.mark.parametrize("stratum", ["SD-02", "XX"], ids=["another site's", "none of the list's"])
def test_the_stratum_is_the_participants_site(stratum: str) -> None:
    """A request in another stratum is refused."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "stratum": stratum})
    assert told.refused == "STRATUM"


def test_the_list_must_be_committed() -> None:
    """A list that nobody committed answers nothing."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "list": "other"})
    assert told.refused == "LIST_NOT_COMMITTED"


def test_stage_two_needs_stage_one() -> None:
    """Who was never randomized has no second stage."""
    story = given_eligible()
    told = story.when("randomization.requested", {**REQUEST, "stage": 2})
    assert told.refused == "NOT_RANDOMIZED"


def test_a_hold_holds_randomization() -> None:
    """A prohibited medication found in screening makes the request wait for its wash-out, then it passes."""
    story = given_assessed()
    story.goto("2025-01-14T15:00:00.000000Z")
    found = story.when("medication.started", MEDICATION)
    assert found.codes == ("PROHIBITED_MEDICATION",)
    story = _confirmed_on(story, "2025-01-20T15:00:00.000000Z")
    assert story.when("randomization.requested", REQUEST).refused == "ON_HOLD"
    story.goto("2025-01-29T15:00:00.000000Z")
    story.given("randomization.requested", REQUEST)


def _confirmed_on(story: Any, instant: str) -> Any:
    story.goto(instant)
    confirm(story, PARTICIPANT)
    return story


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
    story.given("infusion.started", start(), by="nurse")
    assert story.participant.site == SITE
    assert str(story.participant.day1) == "2025-02-03"
