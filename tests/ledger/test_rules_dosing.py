"""Infusions: order, label, gap, the state machine, and what was given (catalogue E)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from ledger.participant import Status
from ledger.rules.dosing import last_infusion_date
from tests import scenario
from tests.scenario import (
    DAY1,
    SOURCE,
    breaks,
    completed,
    given_assessed,
    given_at_bedside,
    given_eligible,
    given_infused,
    given_randomized,
    given_running,
    keeps,
    order,
    received,
    start,
)


def _ready() -> Any:
    story = given_randomized()
    story.goto(DAY1)
    return story


def _dose(story: Any, volume: str = "250", percent: str = "100", **more: Any) -> dict[str, Any]:
    infusion = story.participant.infusions[-1]
    return {
        "infusion": infusion.number, "volume": {"value": volume, "unit": "mL"}, "percent_given": percent,
        "start": story.ago(minutes=40), "end": story.now, **more,
    }  # fmt: skip


@keeps("infusion.ordered", "infusion.started", "infusion.completed", "dose.received", "dose.administered")
def test_an_infusion_runs_its_course() -> None:
    """Ordered, received, started and completed: on treatment, and nothing is broken."""
    story = given_infused()
    assert story.participant.status is Status.ON_TREATMENT
    assert story.participant.running is None
    story.given("dose.administered", _dose(story), by="nurse")


@breaks("infusion.ordered", "WEIGHT_OUTDATED")
@pytest.mark.parametrize("weighed", ["2025-01-05", "2025-02-04"], ids=["29 days ago", "tomorrow"])
def test_the_weight_is_recent(weighed: str) -> None:
    """A weight older than its days, or of a day to come, refuses the order."""
    story = _ready()
    told = story.when("infusion.ordered", order(story, weight_date=weighed), by="sub")
    assert told.refused == "WEIGHT_OUTDATED"


def test_a_weight_of_28_days_ago_is_recent() -> None:
    """The last day counts."""
    story = _ready()
    story.given("infusion.ordered", order(story, weight_date="2025-01-06"), by="sub")


@breaks("infusion.ordered", "PRESCRIBER_NOT_DELEGATED")
def test_the_prescriber_is_delegated() -> None:
    """A physician of another site does not order here."""
    story = _ready()
    told = story.when("infusion.ordered", order(story), by="other")
    assert told.refused == "PRESCRIBER_NOT_DELEGATED"


@breaks("infusion.ordered", "INFUSION_UNKNOWN")
@breaks("dose.received", "INFUSION_UNKNOWN")
def test_an_infusion_is_one_of_the_protocols() -> None:
    """There are fourteen infusions, and no fifteenth."""
    story = _ready()
    assert story.when("infusion.ordered", order(story, 15), by="sub").refused == "INFUSION_UNKNOWN"
    assert story.when("dose.received", received(story, 15), by="nurse").codes == ("INFUSION_UNKNOWN",)


@breaks("infusion.ordered", "ORDER_REPEATED")
def test_an_infusion_that_was_started_is_not_ordered_again() -> None:
    """The same number is not ordered twice once it runs."""
    story = given_running()
    assert story.when("infusion.ordered", order(story), by="sub").refused == "ORDER_REPEATED"


@breaks("infusion.started", "ORDER_MISSING")
def test_an_infusion_is_ordered_before_it_starts() -> None:
    """Without an order the start is refused."""
    story = _ready()
    story.given("dose.received", received(story), by="nurse")
    assert story.when("infusion.started", start(), by="nurse").refused == "ORDER_MISSING"


@breaks("infusion.started", "LABEL_MISMATCH")
@pytest.mark.parametrize("dose", [None, {"label": "WRONG"}], ids=["no dose", "another label"])
def test_the_label_is_that_of_the_dose_received(dose: dict[str, Any] | None) -> None:
    """Without a dose at the bedside, or with another label on it, the start is refused."""
    story = _ready()
    story.given("infusion.ordered", order(story), by="sub")
    if dose is not None:
        story.given("dose.received", received(story, **dose), by="nurse")
    assert story.when("infusion.started", start(), by="nurse").refused == "LABEL_MISMATCH"


@breaks("infusion.started", "DOSE_EXPIRED")
def test_a_dose_is_used_in_time() -> None:
    """After its beyond-use time the dose is not started."""
    story = given_at_bedside()
    story.wait(hours=7)
    assert story.when("infusion.started", start(), by="nurse").refused == "DOSE_EXPIRED"


@breaks("infusion.started", "INFUSION_REPEATED")
def test_an_infusion_is_started_once() -> None:
    """The same number is not started again."""
    story = given_infused()
    story.wait(days=2)
    told = story.when("infusion.started", start(), by="nurse")
    assert "INFUSION_REPEATED" in told.codes


@breaks("infusion.started", "INFUSION_RUNNING")
def test_one_infusion_runs_at_a_time() -> None:
    """The second is not started while the first runs."""
    story = given_running()
    given_at_bedside(story, 2)
    told = story.when("infusion.started", start(2), by="nurse")
    assert told.refused == "INFUSION_RUNNING"


@breaks("infusion.started", "INFUSION_GAP")
def test_the_least_gap_is_elapsed_time() -> None:
    """35 hours after the end of the first the second waits, after 36 it starts."""
    story = given_infused()
    story.wait(hours=35)
    given_at_bedside(story, 2)
    assert story.when("infusion.started", start(2), by="nurse").refused == "INFUSION_GAP"
    story.wait(hours=1)
    story.given("infusion.started", start(2), by="nurse")


@pytest.mark.parametrize(("second", "codes"), [("05", set()), ("06", {"INFUSION_GAP"})])
def test_an_infusion_recorded_after_a_later_one_keeps_its_place(second: str, codes: set[str]) -> None:
    """On day 3 far enough from those of day 1 and day 5, the day after too near; the last stays the last."""
    story = given_infused()
    story.wait(days=4)
    given_infused(story, 3)
    given_at_bedside(story, 2)
    data = start(2, performed_outside={"why": "outage", "source": SOURCE})
    told = story.when("infusion.started", data, by="nurse", occurred=f"2025-02-{second}T20:00:00.000000Z")
    assert set(told.codes) & {"INFUSION_GAP"} == codes
    assert last_infusion_date(story.participant, "UTC") == date(2025, 2, 7)


def test_a_first_infusion_that_is_told_again_moves_no_day_1() -> None:
    """The second start of the same number is a breach, and the windows stay where they are."""
    story = given_infused()
    day1 = story.participant.day1
    story.wait(days=2)
    again = start(1, performed_outside={"why": "outage", "source": SOURCE})
    assert "INFUSION_REPEATED" in story.when("infusion.started", again, by="nurse").codes
    assert story.participant.day1 == day1


@breaks("infusion.started", "ON_HOLD")
def test_a_prohibited_medication_holds_the_start() -> None:
    """Found on the day, it makes the start wait."""
    story = given_at_bedside()
    found = {"medication": "M1", "class": "vasopressin", "start": "2025-02"}
    story.when("medication.started", found)
    assert story.when("infusion.started", start(), by="nurse").refused == "ON_HOLD"


@pytest.mark.parametrize(("began", "codes"), [("2025-02-05", set()), ("2025-02-03", {"ON_HOLD"})])
def test_a_prohibited_medication_holds_a_start_on_paper_from_its_first_intake(
    began: str, codes: set[str]
) -> None:
    """A start of February 3 is recorded on the 6th: taken from the 5th on, it says nothing of it."""
    story = given_at_bedside()
    started = story.now
    story.wait(days=3)
    story.when("medication.started", {"medication": "M1", "class": "vasopressin", "start": began})
    outside = start(performed_outside={"why": "outage", "source": SOURCE})
    told = story.when("infusion.started", outside, by="nurse", occurred=started)
    assert set(told.codes) & {"ON_HOLD"} == codes
    refused = story.when("infusion.ordered", order(story, 2), by="sub").refused
    assert refused == "ON_HOLD"


def test_a_medication_dated_ahead_holds_at_once() -> None:
    """A slip of the year does not let a start pass on somebody who takes what is prohibited."""
    story = given_at_bedside()
    story.when("medication.started", {"medication": "M1", "class": "vasopressin", "start": "2026-02"})
    assert story.when("infusion.started", start(), by="nurse").refused == "ON_HOLD"


STEPS: dict[str, dict[str, Any]] = {
    "infusion.interrupted": {"infusion": 1, "code": "pain", "volume": {"value": "100", "unit": "mL"},
                             "pump": "P1"},
    "infusion.resumed": {"infusion": 1, "rate": {"value": "375", "unit": "mL/h"}, "pump": "P1"},
    "infusion.stopped": {"infusion": 1, "code": "pain", "volume": {"value": "100", "unit": "mL"}},
    "infusion.completed": completed(),
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        (["infusion.interrupted", "infusion.resumed", "infusion.completed"], None),
        (["infusion.interrupted", "infusion.stopped"], None),
        (["infusion.stopped"], None),
        (["infusion.resumed"], "infusion.resumed"),
        (["infusion.interrupted", "infusion.interrupted"], "infusion.interrupted"),
        (["infusion.interrupted", "infusion.completed"], "infusion.completed"),
        (["infusion.completed", "infusion.stopped"], "infusion.stopped"),
        (["infusion.stopped", "infusion.resumed"], "infusion.resumed"),
    ],
)
def test_the_state_machine(path: list[str], broken: str | None) -> None:
    """Each step follows a state that it can follow; a break is recorded and flagged, never refused."""
    story = given_running()
    for step in path[:-1]:
        story.given(step, STEPS[step], by="nurse")
    told = story.when(path[-1], STEPS[path[-1]], by="nurse")
    assert told.refused is None
    assert told.codes == (("INFUSION_STATE",) if broken else ())


@breaks("infusion.stopped", "INFUSION_STATE")
def test_an_infusion_that_never_started_has_no_steps() -> None:
    """A step of an infusion without a start is recorded and flagged."""
    story = given_at_bedside()
    assert story.when("infusion.stopped", STEPS["infusion.stopped"], by="nurse").codes == ("INFUSION_STATE",)


@pytest.mark.parametrize(("volume", "broken"), [("240", False), ("237", True), ("263", True)])
def test_a_completed_infusion_gave_its_volume(volume: str, broken: bool) -> None:
    """250 mL with 5 % tolerance: 240 are complete, 237 and 263 are not."""
    story = given_running()
    story.wait(minutes=39)
    told = story.when("infusion.completed", completed(volume=volume), by="nurse")
    assert told.codes == (("DOSE_OUT_OF_TOLERANCE",) if broken else ())


@breaks("infusion.completed", "DOSE_OUT_OF_TOLERANCE")
def test_a_volume_in_another_unit_is_not_compared_silently() -> None:
    """A completed volume in litres is flagged instead of converted."""
    story = given_running()
    told = story.when(
        "infusion.completed", {"infusion": 1, "volume": {"value": "0.25", "unit": "L"}}, by="nurse"
    )
    assert told.codes == ("DOSE_OUT_OF_TOLERANCE",)


@breaks("dose.administered", "DOSE_DIFFERS")
@pytest.mark.parametrize(
    "changed",
    [
        {"volume": "200"},
        {"percent": "80"},
        {"start": "2025-02-03T10:00:00-06:00"},
        {"end": "2025-02-03T12:00:00-06:00"},
    ],
    ids=["volume", "per cent", "start", "end"],
)
def test_a_dose_that_differs_from_its_infusion_is_flagged(changed: dict[str, str]) -> None:
    """Volume, per cent, start and end agree with what the pump's record says."""
    story = given_infused()
    assert story.when("dose.administered", _dose(story, **changed), by="nurse").codes == ("DOSE_DIFFERS",)


def test_a_dose_is_compared_with_rate_and_time() -> None:
    """Completed after ten minutes at 375 mL/h, 250 mL cannot have been given."""
    story = given_running()
    story.wait(minutes=9)
    story.given("infusion.completed", completed(), by="nurse")
    told = story.when("dose.administered", _dose(story, start=story.ago(minutes=11)), by="nurse")
    assert told.codes == ("DOSE_DIFFERS",)


@keeps("infusion.interrupted", "infusion.resumed", "infusion.completed")
def test_an_interrupted_infusion_adds_up_its_segments() -> None:
    """Ten minutes, a pause, thirty minutes: 250 mL in all."""
    story = given_running()
    story.wait(minutes=9)
    interrupted = {"infusion": 1, "code": "pain", "volume": {"value": "62.5", "unit": "mL"}, "pump": "P1"}
    story.given("infusion.interrupted", interrupted, by="nurse")
    story.wait(minutes=19)
    story.given("infusion.resumed", STEPS["infusion.resumed"], by="nurse")
    story.wait(minutes=29)
    story.given("infusion.completed", completed(), by="nurse")
    story.given("dose.administered", _dose(story, start=story.ago(minutes=60)), by="nurse")


@breaks("dose.administered", "DOSE_WITHOUT_INFUSION")
def test_a_dose_without_infusion_is_flagged() -> None:
    """What was given belongs to an infusion that was started."""
    story = given_at_bedside()
    dose = {"infusion": 1, "volume": {"value": "250", "unit": "mL"}, "percent_given": "100",
            "start": story.now, "end": story.now}  # fmt: skip
    assert story.when("dose.administered", dose, by="nurse").codes == ("DOSE_WITHOUT_INFUSION",)


@keeps("dose.held")
def test_a_held_dose_breaks_nothing() -> None:
    """A dose may always be held (R7)."""
    story = given_at_bedside()
    story.given("dose.held", {"infusion": 1, "code": "blood_pressure", "decided_by": "sub"}, by="nurse")


@keeps("infusion.stopped")
@breaks("infusion.interrupted", "INFUSION_STATE")
@breaks("infusion.resumed", "INFUSION_STATE")
@breaks("infusion.completed", "INFUSION_STATE")
def test_nothing_goes_on_after_a_stop() -> None:
    """What is said of an infusion after it was stopped is recorded and flagged."""
    for step in ("infusion.interrupted", "infusion.resumed", "infusion.completed"):
        story = given_running()
        story.given("infusion.stopped", STEPS["infusion.stopped"], by="nurse")
        assert story.when(step, STEPS[step], by="nurse").codes == ("INFUSION_STATE",)


@breaks("infusion.ordered", "NOT_RANDOMIZED")
@breaks("infusion.started", "NOT_RANDOMIZED", "INFUSION_UNKNOWN")
def test_treatment_needs_randomization() -> None:
    """Who is eligible and not randomized is neither ordered an infusion nor started on one."""
    story = given_eligible()
    assert "NOT_RANDOMIZED" in story.when("infusion.ordered", order(story), by="sub").codes
    codes = story.when("infusion.started", start(15), by="nurse").codes
    assert {"NOT_RANDOMIZED", "INFUSION_UNKNOWN"} <= set(codes)


@pytest.fixture
def unrandomized(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol in which everybody has the same treatment, and nobody is allocated to it."""
    definition = json.loads(scenario.DEFINITION)
    del definition["randomization"]
    monkeypatch.setattr(scenario, "DEFINITION", json.dumps(definition).encode())


@pytest.mark.usefixtures("unrandomized")
def test_who_is_eligible_is_treated_where_nobody_is_randomized() -> None:
    """Eligibility stands in the place of the allocation: ordered, started, given, and nothing is broken."""
    story = given_eligible()
    story.goto(DAY1)
    given_infused(story)
    story.given("dose.administered", _dose(story), by="nurse")
    assert story.participant.status is Status.ON_TREATMENT


@pytest.mark.usefixtures("unrandomized")
@breaks("infusion.ordered", "NOT_ELIGIBLE")
@breaks("infusion.started", "NOT_ELIGIBLE")
def test_treatment_needs_eligibility_where_nobody_is_randomized() -> None:
    """Before it is confirmed, and when it is so old that nobody would be randomized on it."""
    for story in (given_assessed(), given_eligible()):
        if story.participant.eligibility is not None:
            story.wait(days=29)
        told = story.when("infusion.ordered", order(story, weight_date=story.now), by="sub")
        assert told.refused == "NOT_ELIGIBLE"
        codes = story.when("infusion.started", start(), by="nurse").codes
        assert "NOT_ELIGIBLE" in codes
        assert "NOT_RANDOMIZED" not in codes


def _taken_back(story: Any, **more: str) -> dict[str, Any]:
    confirmed = story.participant.consenting.confirmations[-1]
    return {"statement": confirmed, "code": "misjudged", "criteria": ["E03"], **more}


@pytest.mark.usefixtures("unrandomized")
@breaks("eligibility.revoked", "DOSING_DECISION")
def test_who_is_treated_without_randomization_and_found_ineligible_has_a_decision_on_dosing() -> None:
    """Without it infusions wait; with the decision to continue they go on, as after a randomization."""
    story = given_eligible()
    story.goto(DAY1)
    given_infused(story)
    told = story.when("eligibility.revoked", _taken_back(story), by="sub")
    assert told.codes == ("DOSING_DECISION",)
    story.wait(hours=36)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "ELIGIBILITY_REVOKED"
    decided = _taken_back(story, dosing="continued", decided_by="ines")
    story.given("eligibility.revoked", decided, by="sub")
    given_infused(story, 2)


@pytest.mark.usefixtures("unrandomized")
@breaks("rescreening.authorised", "RESCREENING")
def test_who_is_treated_without_randomization_is_not_screened_again() -> None:
    """A screen failure that is recorded of a treated participant opens no other episode."""
    story = given_eligible()
    story.goto(DAY1)
    given_infused(story)
    failure = story.when("screening.failed", {"criteria": ["E03"], "code": "washout"})
    data = {"statement": failure.event, "code": "washed_out"}
    assert story.when("rescreening.authorised", data, by="sub").refused == "RESCREENING"


@pytest.mark.usefixtures("unrandomized")
def test_eligibility_confirmed_after_an_infusion_on_paper_is_none_before_it() -> None:
    """Where nobody is randomized, the confirmation of the next day lets in nobody the day before."""
    story = given_assessed()
    started = story.now
    story.wait(hours=20)
    story.given("eligibility.confirmed", scenario.digest(story), by="sub")
    outside = start(performed_outside={"why": "outage", "source": SOURCE})
    codes = story.when("infusion.started", outside, by="nurse", occurred=started).codes
    assert "NOT_ELIGIBLE" in codes


@pytest.mark.usefixtures("unrandomized")
def test_an_infusion_on_no_confirmation_lets_nobody_in() -> None:
    """Given outside the system to somebody who was never confirmed, the next is not ordered."""
    story = given_assessed()
    story.goto(DAY1)
    outside = start(performed_outside={"why": "outage", "source": SOURCE})
    assert "NOT_ELIGIBLE" in story.when("infusion.started", outside, by="nurse").codes
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "NOT_ELIGIBLE"


@breaks("infusion.ordered", "ON_HOLD")
def test_a_hold_holds_the_order() -> None:
    """A prohibited medication makes the order wait too."""
    story = _ready()
    story.when("medication.started", {"medication": "M1", "class": "vasopressin", "start": "2025-02"})
    assert "ON_HOLD" in story.when("infusion.ordered", order(story), by="sub").codes
