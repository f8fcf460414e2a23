"""How participation ends (catalogue I)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.scenario import STUDY, given_consented, given_infused, order

END = {"date": "2025-02-03", "last_visit": "w1d1"}


def attempts(*methods: str) -> dict[str, Any]:
    """Return a loss to follow-up after attempts by these methods."""
    return {**END, "attempts": [{"date": "2025-02-03", "method": method} for method in methods]}


def test_completed_after_every_visit_breaks_nothing() -> None:
    """With every required visit done or missed, completion is complete."""
    story = given_infused()
    for visit in STUDY.visits:
        if visit.required and visit.id != "screening":
            story.given("visit.missed", {"visit": visit.id, "code": "ill"})
    story.given("participant.completed", END)
    assert story.participant.status is Status.COMPLETED


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


def test_lost_after_the_attempts_that_are_asked_for() -> None:
    """Three attempts by the protocol's methods are enough."""
    story = given_infused()
    story.given("participant.lost_to_follow_up", attempts("phone", "email", "letter"))
    assert story.participant.status is Status.LOST_TO_FOLLOW_UP


@pytest.mark.parametrize("methods", [("phone", "phone"), ("phone", "email", "pigeon")])
def test_lost_too_soon_is_flagged(methods: tuple[str, ...]) -> None:
    """Two attempts, or one by a method that does not count, are too few."""
    story = given_infused()
    told = story.when("participant.lost_to_follow_up", attempts(*methods))
    assert told.codes == ("CONTACT_ATTEMPTS",)


def test_a_disposition_is_recorded_once() -> None:
    """A second disposition is flagged, and the first stands."""
    story = given_infused()
    story.given("participant.withdrawn", {**END, "code": "participant"})
    told = story.when("participant.lost_to_follow_up", attempts("phone", "email", "letter"))
    assert told.codes == ("ALREADY_ENDED",)
    assert story.participant.status is Status.WITHDRAWN


def test_the_last_visit_is_the_protocols() -> None:
    """A last visit that the protocol does not have is refused."""
    story = given_consented()
    told = story.when("participant.withdrawn", {**END, "last_visit": "w99", "code": "participant"})
    assert told.refused == "VISIT_UNKNOWN"


def test_after_the_end_no_gate_opens() -> None:
    """No infusion is ordered for who has withdrawn."""
    story = given_infused()
    story.given("participant.withdrawn", {**END, "code": "participant"})
    story.wait(days=2)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "PARTICIPANT_ENDED"
