"""Adverse events: always open, versions without a gap (catalogue G, R7)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.scenario import STUDY, adverse_event, given_infused


def follow(version: int = 2, **more: Any) -> dict[str, Any]:
    """Return the data of a follow-up."""
    return {"ae": "AE-1", "version": version, "new_information": "2025-02-03", **more}


def test_an_adverse_event_is_followed_to_its_end() -> None:
    """Reported, followed up and resolved, version by version."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    story.given("adverse_event.followed_up", follow(grade=2))
    resolved = {"ae": "AE-1", "version": 3, "resolved": "2025-02-03", "outcome": "recovered"}
    story.given("adverse_event.resolved", resolved)
    event = story.participant.adverse_events["AE-1"]
    assert (event.version, event.grade, event.outcome) == (3, 2, "recovered")


@pytest.mark.parametrize(
    "changed",
    [{"serious": True}, {"criteria": ["hospitalisation"]}],
    ids=["serious without criterion", "criterion without serious"],
)
def test_seriousness_has_its_criteria(changed: dict[str, Any]) -> None:
    """Serious without a criterion, or a criterion without serious, is recorded and flagged."""
    story = given_infused()
    told = story.when("adverse_event.reported", adverse_event(**changed))
    assert (told.refused, told.codes) == (None, ("SERIOUS_CRITERIA",))


def test_a_serious_event_with_a_criterion_breaks_nothing() -> None:
    """Serious with a criterion is coherent, and an upgrade in a follow-up is too."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    story.given("adverse_event.followed_up", follow(serious=True, criteria=["disability"]))


def test_an_upgrade_without_criterion_is_flagged() -> None:
    """A follow-up that makes an event serious names the criterion."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    assert story.when("adverse_event.followed_up", follow(serious=True)).codes == ("SERIOUS_CRITERIA",)


@pytest.mark.parametrize("products", [[], list(STUDY.products)[:1], [*STUDY.products, *STUDY.products]])
def test_causality_is_judged_once_for_each_product(products: list[str]) -> None:
    """A product without judgement, or with two, is flagged."""
    story = given_infused()
    causality = [{"product": product, "relation": "possible"} for product in products]
    told = story.when("adverse_event.reported", adverse_event(causality=causality))
    assert told.codes == ("CAUSALITY_INCOMPLETE",)
    told = story.when("adverse_event.followed_up", follow(causality=causality))
    assert told.codes == ("CAUSALITY_INCOMPLETE",)


@pytest.mark.parametrize("changed", [{"scale": "other"}, {"scale_version": "4.0"}])
def test_the_scale_is_the_protocols(changed: dict[str, str]) -> None:
    """A grade on another scale or version is flagged."""
    story = given_infused()
    assert story.when("adverse_event.reported", adverse_event(**changed)).codes == ("SCALE_UNKNOWN",)


def test_an_adverse_event_id_is_used_once() -> None:
    """A second event under the same id is refused: its versions could not be told apart."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    assert story.when("adverse_event.reported", adverse_event()).refused == "ID_REUSED"


@pytest.mark.parametrize("version", [3, 9])
def test_versions_have_no_gap(version: int) -> None:
    """After version 1 comes version 2."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    assert story.when("adverse_event.followed_up", follow(version)).refused == "ADVERSE_EVENT_VERSION"


def test_an_unknown_event_has_no_versions() -> None:
    """Nothing is followed up that was never reported."""
    story = given_infused()
    assert story.when("adverse_event.followed_up", follow()).refused == "ADVERSE_EVENT_UNKNOWN"


def test_death_ends_participation_and_safety_stays_open() -> None:
    """A fatal outcome makes the status died, refuses gates, and further events are recorded."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    died = {"ae": "AE-1", "version": 2, "resolved": "2025-02-03", "outcome": "fatal"}
    story.given("adverse_event.resolved", died)
    assert story.participant.status is Status.DIED
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32}, by="sub")
    assert told.refused == "PARTICIPANT_ENDED"
    story.given("adverse_event.reported", adverse_event(ae="AE-2"))
