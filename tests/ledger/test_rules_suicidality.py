"""Alerts of suicidality: acknowledged in time, and always open (catalogue F, R7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.given_safety import acknowledged, alert, defined, value
from tests.scenario import VITALS, breaks, given_infused, keeps, order


@keeps("suicidality.alerted", "suicidality.acknowledged")
def test_an_alert_holds_until_it_is_acknowledged() -> None:
    """No infusion is ordered while a clinician has not seen to it."""
    story = given_infused()
    story.wait(days=1)
    told = story.given("suicidality.alerted", alert(story), by="rater")
    story.wait(hours=1)
    refused = story.when("infusion.ordered", order(story, 2), by="sub")
    assert "ON_HOLD" in refused.codes
    story.given("suicidality.acknowledged", acknowledged(told, story), by="ines")
    story.wait(hours=24)
    story.given("vital_signs.recorded", VITALS)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused is None


@breaks("suicidality.alerted", "SUICIDALITY_UNACKNOWLEDGED")
def test_an_alert_that_nobody_sees_to_is_flagged() -> None:
    """After 24 hours the next record finds it, once, and the breach stands on the alert."""
    story = given_infused()
    told = story.given("suicidality.alerted", alert(story), by="rater")
    story.wait(hours=23, minutes=55)
    assert story.given("vital_signs.recorded", VITALS).caused == ()
    story.wait(minutes=10)
    late = story.given("vital_signs.recorded", VITALS)
    assert late.caused == (("SUICIDALITY_UNACKNOWLEDGED", told.event),)
    assert story.given("vital_signs.recorded", VITALS).caused == ()
    assert story.participant.held_at(story.now_us)


@breaks("suicidality.alerted", "SUICIDALITY_UNACKNOWLEDGED")
def test_a_late_acknowledgement_finds_its_alert_late() -> None:
    """The acknowledgement itself shows that it was late; the hold is lifted all the same."""
    story = given_infused()
    told = story.given("suicidality.alerted", alert(story), by="rater")
    story.wait(days=2)
    late = story.given("suicidality.acknowledged", acknowledged(told, story), by="ines")
    assert late.caused == (("SUICIDALITY_UNACKNOWLEDGED", told.event),)
    assert not story.participant.held_at(story.now_us)


@breaks("suicidality.acknowledged", "ALERT_UNKNOWN")
def test_what_is_acknowledged_is_an_alert() -> None:
    """Another statement is none; the fact is kept and flagged."""
    story = given_infused()
    other = story.given("vital_signs.recorded", VITALS)
    told = story.when("suicidality.acknowledged", acknowledged(other, story), by="ines")
    assert (told.refused, told.codes) == (None, ("ALERT_UNKNOWN",))


def test_the_clock_of_an_alert_is_the_studys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol that asks for two hours is held to two hours."""

    def two_hours(root: dict[str, Any]) -> None:
        clock = {"id": "suicidality", "limit": 2, "unit": "h", "starts": "suicidality_alert"}
        root["safety_clocks"].append({name: value(of) for name, of in clock.items()})

    monkeypatch.setattr("tests.scenario.DEFINITION", defined(two_hours))
    story = given_infused()
    told = story.given("suicidality.alerted", alert(story), by="rater")
    story.wait(hours=2, minutes=1)
    late = story.given("vital_signs.recorded", VITALS)
    assert late.caused == (("SUICIDALITY_UNACKNOWLEDGED", told.event),)
