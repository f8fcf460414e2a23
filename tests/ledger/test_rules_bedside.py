"""The bedside around infusions: checks, omitted and reduced doses, errors, departures (catalogue E)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.scenario import (
    DAY1,
    STUDY,
    Story,
    breaks,
    checked,
    completed,
    given_at_bedside,
    given_infused,
    given_randomized,
    given_running,
    keeps,
    order,
    received,
    start,
)

WHY = {"code": "pressure", "decided_by": "sub"}
RATE = {"infusion": 1, "rate": {"value": "300", "unit": "mL/h"}, "volume": {"value": "62.5", "unit": "mL"},
        "code": "nausea", "pump": "P1"}  # fmt: skip
OBSERVED = {"infusion": 1, "minutes_after": 60, "sedation": {"scale": "S", "score": 1},
            "dissociation": {"scale": "D", "score": 0}, "escort": True, "fit_to_leave": True}  # fmt: skip
ERROR = {"infusion": 1, "kind": "wrong_rate", "discovered": "2025-02-03", "harm": "none"}


def _unchecked() -> Story:
    """An infusion ordered and its dose at the bedside, without a check."""
    story = given_randomized()
    story.goto(DAY1)
    story.given("infusion.ordered", order(story), by="sub")
    story.given("dose.received", received(story), by="nurse")
    return story


# Checks before an infusion


@keeps("preinfusion_check.failed", "preinfusion_check.passed")
@breaks("infusion.started", "CHECK_FAILED")
def test_a_failed_check_holds_the_start() -> None:
    """Without an escort the start waits; with the next check passed it goes on."""
    story = _unchecked()
    story.given("preinfusion_check.failed", checked(escort="failed"), by="nurse")
    assert story.when("infusion.started", start(), by="nurse").refused == "CHECK_FAILED"
    story.given("preinfusion_check.passed", checked(), by="nurse")
    story.given("infusion.started", start(), by="nurse")


@breaks("infusion.started", "CHECK_MISSING")
def test_a_check_is_passed_before_a_start() -> None:
    """The protocol asks for one: without it the start waits."""
    assert _unchecked().when("infusion.started", start(), by="nurse").refused == "CHECK_MISSING"


def test_a_check_after_a_start_on_paper_is_none_before_it() -> None:
    """Recorded late, the start is a breach although the infusion was checked an hour later."""
    story = _unchecked()
    started = story.now
    story.wait(hours=1)
    story.given("preinfusion_check.passed", checked(), by="nurse")
    outside = start(performed_outside={"why": "outage", "source": {"kind": "paper"}})
    codes = story.when("infusion.started", outside, by="nurse", occurred=started).codes
    assert "CHECK_MISSING" in codes


def test_a_check_is_good_for_its_hours() -> None:
    """Four hours later it is to be done again."""
    story = given_at_bedside()
    story.wait(hours=4, minutes=1)
    assert story.when("infusion.started", start(), by="nurse").refused == "CHECK_MISSING"


@breaks("preinfusion_check.passed", "CHECK_INCOMPLETE")
def test_a_check_answers_all_that_the_protocol_asks() -> None:
    """A check that leaves the escort out is flagged."""
    story = _unchecked()
    data = checked()
    short = {**data, "checks": [each for each in data["checks"] if each["check"] != "escort"]}
    told = story.when("preinfusion_check.passed", short, by="nurse")
    assert told.codes == ("CHECK_INCOMPLETE",)


@breaks("preinfusion_check.passed", "INFUSION_UNKNOWN")
@breaks("preinfusion_check.failed", "INFUSION_UNKNOWN")
@breaks("dose.held", "INFUSION_UNKNOWN")
@breaks("dose.omitted", "INFUSION_UNKNOWN")
@breaks("dose.reduced", "INFUSION_UNKNOWN")
@breaks("dosing_error.reported", "INFUSION_UNKNOWN")
def test_what_is_said_of_an_infusion_names_one_of_the_protocol() -> None:
    """There is no fifteenth infusion to check, hold, omit or reduce."""
    story = _unchecked()
    for type_, data in (
        ("preinfusion_check.passed", checked(15)),
        ("preinfusion_check.failed", checked(15, escort="failed")),
        ("dose.held", WHY),
        ("dose.omitted", WHY),
        ("dose.reduced", {**WHY, "volume": {"value": "100", "unit": "mL"}}),
        ("dosing_error.reported", ERROR),
    ):
        assert story.when(type_, {**data, "infusion": 15}, by="nurse").codes == ("INFUSION_UNKNOWN",)


# Rates


@keeps("infusion.rate_changed")
def test_another_rate_adds_up() -> None:
    """Ten minutes at 375 mL/h, 37.5 minutes at 300: 250 mL, and the dose agrees with the segments."""
    story = given_running()
    story.wait(minutes=9)
    story.given("infusion.rate_changed", RATE, by="nurse")
    story.wait(minutes=36.5)
    story.given("infusion.completed", completed(), by="nurse")
    dose = {"infusion": 1, "volume": {"value": "250", "unit": "mL"}, "percent_given": "100",
            "start": story.ago(minutes=47.5), "end": story.now}  # fmt: skip
    story.given("dose.administered", dose, by="nurse")


@breaks("dose.administered", "DOSE_DIFFERS")
def test_a_dose_differs_from_what_its_rates_give() -> None:
    """After ten minutes the rate was lowered: 40 minutes in all cannot have given 250 mL."""
    story = given_running()
    story.wait(minutes=9)
    story.given("infusion.rate_changed", {**RATE, "rate": {"value": "150", "unit": "mL/h"}}, by="nurse")
    story.wait(minutes=29)
    story.given("infusion.completed", completed(), by="nurse")
    dose = {"infusion": 1, "volume": {"value": "250", "unit": "mL"}, "percent_given": "100",
            "start": story.ago(minutes=40), "end": story.now}  # fmt: skip
    assert story.when("dose.administered", dose, by="nurse").codes == ("DOSE_DIFFERS",)


@breaks("infusion.rate_changed", "INFUSION_STATE")
def test_only_a_running_infusion_has_its_rate_changed() -> None:
    """After its end the change is recorded and flagged."""
    assert given_infused().when("infusion.rate_changed", RATE, by="nurse").codes == ("INFUSION_STATE",)


# Planned, omitted, reduced, discontinued


@keeps("dose.omitted")
@breaks("infusion.started", "DOSE_OMITTED")
@breaks("infusion.ordered", "DOSE_OMITTED")
def test_an_omitted_dose_is_not_started() -> None:
    """What was decided not to be given is neither ordered nor started."""
    story = given_at_bedside()
    story.given("dose.omitted", {"infusion": 1, **WHY}, by="nurse")
    assert story.when("infusion.ordered", order(story), by="sub").refused == "DOSE_OMITTED"
    assert story.when("infusion.started", start(), by="nurse").refused == "DOSE_OMITTED"


@breaks("dose.omitted", "DOSE_GIVEN")
def test_a_dose_that_was_given_is_not_omitted() -> None:
    """Omitted after its start: recorded and flagged."""
    assert given_infused().when("dose.omitted", {"infusion": 1, **WHY}, by="nurse").codes == ("DOSE_GIVEN",)


REDUCED = {"infusion": 1, "volume": {"value": "125", "unit": "mL"}, **WHY}


@keeps("dose.reduced")
def test_a_reduced_dose_is_complete_with_its_volume() -> None:
    """Reduced to half, 125 mL are within the tolerance, and 250 are not."""
    story = given_at_bedside()
    story.given("dose.reduced", REDUCED, by="nurse")
    story.given("infusion.started", start(), by="nurse")
    story.wait(minutes=19)
    told = story.when("infusion.completed", completed(volume="250"), by="nurse")
    assert told.codes == ("DOSE_OUT_OF_TOLERANCE",)
    story = given_at_bedside()
    story.given("dose.reduced", REDUCED, by="nurse")
    story.given("infusion.started", start(), by="nurse")
    story.wait(minutes=19)
    story.given("infusion.completed", completed(volume="125"), by="nurse")


@breaks("dose.reduced", "DOSE_NOT_REDUCED")
@pytest.mark.parametrize("volume", [("250", "mL"), ("300", "mL"), ("0.1", "L")])
def test_a_reduced_dose_is_less_than_planned(volume: tuple[str, str]) -> None:
    """The whole volume, more, or a unit that is not compared is flagged."""
    amount = {"value": volume[0], "unit": volume[1]}
    told = given_at_bedside().when("dose.reduced", {**REDUCED, "volume": amount}, by="nurse")
    assert told.codes == ("DOSE_NOT_REDUCED",)


@keeps("dosing.discontinued", "dose.held")
@breaks("infusion.started", "DOSING_DISCONTINUED")
@breaks("infusion.ordered", "DOSING_DISCONTINUED")
def test_discontinued_dosing_holds_later_starts() -> None:
    """From its effective time on nothing is ordered or started, and treatment has ended."""
    story = given_infused()
    story.given("dose.held", {"infusion": 2, **WHY}, by="nurse")
    story.given("dosing.discontinued", {"effective": story.now, **WHY}, by="nurse")
    assert story.participant.status is Status.TREATMENT_ENDED
    story.wait(days=2)
    assert story.when("infusion.ordered", order(story, 2), by="sub").refused == "DOSING_DISCONTINUED"
    assert "DOSING_DISCONTINUED" in story.when("infusion.started", start(2), by="nurse").codes


# Errors and observation


@keeps("dosing_error.reported")
def test_an_error_is_reported_at_any_time() -> None:
    """A wrong rate is reported while the infusion runs (R7)."""
    given_running().given("dosing_error.reported", ERROR, by="nurse")


@keeps("postinfusion.observed")
def test_a_participant_is_observed_afterwards() -> None:
    """An hour after the infusion."""
    story = given_infused()
    story.wait(minutes=60)
    story.given("postinfusion.observed", OBSERVED, by="nurse")


@breaks("postinfusion.observed", "DOSE_WITHOUT_INFUSION")
def test_an_observation_follows_an_infusion() -> None:
    """Without an infusion there is nothing to observe after."""
    told = given_at_bedside().when("postinfusion.observed", OBSERVED, by="nurse")
    assert told.codes == ("DOSE_WITHOUT_INFUSION",)


# Departures to remove an immediate hazard


def departure(rule: str, gate: str = "infusion.started", **more: Any) -> dict[str, Any]:
    """Return the data of a departure."""
    return {"rule": rule, "gate": gate, "code": "hazard", **more}


@keeps("hazard_departure.recorded")
def test_a_hold_is_set_aside_once() -> None:
    """The check failed and the start is needed at once: it passes with its breach, and the next one waits."""
    story = _unchecked()
    story.given("preinfusion_check.failed", checked(escort="failed"), by="nurse")
    set_aside = story.given("hazard_departure.recorded", departure("CHECK_FAILED", infusion=1), by="sub")
    told = story.when("infusion.started", start(), by="nurse")
    assert (told.refused, told.codes) == (None, ("CHECK_FAILED",))
    assert story.breach(told, "CHECK_FAILED").explained == set_aside.index
    assert story.breach(told, "CHECK_FAILED").recorded is not None
    again = story.when("infusion.started", start(), by="nurse")
    assert again.refused is not None
    assert "CHECK_FAILED" in again.codes


def test_a_departure_is_for_its_gate_and_rule() -> None:
    """Another gate, another infusion, and another rule wait as before."""
    story = _unchecked()
    story.given("preinfusion_check.failed", checked(escort="failed"), by="nurse")
    story.given("hazard_departure.recorded", departure("CHECK_FAILED", infusion=2), by="sub")
    story.given("hazard_departure.recorded", departure("CHECK_FAILED", "infusion.ordered"), by="sub")
    story.given("hazard_departure.recorded", departure("INFUSION_GAP"), by="sub")
    assert story.when("infusion.started", start(), by="nurse").refused == "CHECK_FAILED"


@breaks("hazard_departure.recorded", "DEPARTURE_NOT_ALLOWED")
@pytest.mark.parametrize(
    ("rule", "gate"),
    [
        ("CONSENT_MISSING", "infusion.started"),
        ("CONSENT_HELD", "infusion.started"),
        ("NOT_RANDOMIZED", "infusion.started"),
        ("SEALED_RULE", "infusion.started"),
        ("LABEL_OF_ANOTHER", "infusion.started"),
        ("LABEL_MISMATCH", "infusion.started"),
        ("NO_SUCH_RULE", "infusion.started"),
        ("ON_HOLD", "dose.dispensed"),
        ("ON_HOLD", "infusion.completed"),
    ],
)
def test_some_rules_are_never_set_aside(rule: str, gate: str) -> None:
    """Consent, identity, randomization, blinding, what is no hold, and what is no gate of a participant."""
    told = given_at_bedside().when("hazard_departure.recorded", departure(rule, gate), by="sub")
    assert told.codes == ("DEPARTURE_NOT_ALLOWED",)


def test_a_departure_that_is_not_allowed_changes_nothing() -> None:
    """The gate that it names stays shut."""
    story = _unchecked()
    story.when("hazard_departure.recorded", departure("LABEL_MISMATCH"), by="sub")
    told = story.when("infusion.started", start(label="OTHER"), by="nurse")
    assert told.refused == "LABEL_MISMATCH"


def test_a_prohibited_medication_can_be_set_aside() -> None:
    """A hold that a fact brought is passed by its general code."""
    story = given_at_bedside()
    story.when("medication.started", {"medication": "M1", "class": "vasopressin", "start": "2025-02"})
    story.given("hazard_departure.recorded", departure("ON_HOLD"), by="sub")
    assert story.when("infusion.started", start(), by="nurse").codes == ("ON_HOLD",)
    assert STUDY.prohibited("vasopressin") is not None
