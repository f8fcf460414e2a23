"""Pregnancy tests before randomization and infusions (catalogue C)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.rules.participants import judge
from ledger.rules.record import record_of
from ledger.rules.refold import case_of
from tests.scenario import (
    REQUEST,
    Story,
    breaks,
    given_at_bedside,
    given_eligible,
    keeps,
    start,
)


def a_test(result: str = "negative") -> dict[str, Any]:
    """Return the data of a test."""
    return {"specimen": "urine", "result": result}


def told(potential: str) -> dict[str, Any]:
    """Return the data of whether pregnancy is possible."""
    return {"potential": potential, "code": "history"}


@keeps("pregnancy_test.performed", "childbearing_potential.changed")
def test_a_negative_test_in_its_window_opens_the_gate() -> None:
    """Seven days after the test is its last one."""
    story = given_eligible()
    story.given("childbearing_potential.changed", told("yes"))
    story.given("pregnancy_test.performed", a_test())
    story.wait(days=7)
    assert "PREGNANCY_TEST" not in story.when("randomization.requested", REQUEST).codes


@breaks("randomization.requested", "PREGNANCY_TEST")
@pytest.mark.parametrize("potential", ["yes", "unknown"])
def test_without_a_test_nobody_is_randomized_who_can_become_pregnant(potential: str) -> None:
    """Possible, or not known to be impossible, asks for a test."""
    story = given_eligible()
    story.given("childbearing_potential.changed", told(potential))
    assert story.when("randomization.requested", REQUEST).refused == "PREGNANCY_TEST"


@pytest.mark.parametrize("result", ["positive", "invalid"])
def test_a_test_that_is_not_negative_holds(result: str) -> None:
    """Positive and invalid alike; a negative one after it opens the gate."""
    story = given_eligible()
    story.given("pregnancy_test.performed", a_test(result))
    assert story.when("randomization.requested", REQUEST).refused == "PREGNANCY_TEST"
    story.given("pregnancy_test.performed", a_test())
    story.given("randomization.requested", REQUEST)


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [(None, "negative", True), ("negative", "positive", False), ("positive", "negative", True)],
)
def test_an_infusion_on_paper_is_judged_by_the_tests_before_it(
    before: str | None, after: str, broken: bool
) -> None:
    """Recorded late, the start is asked what was tested by then; a later test tells nothing."""
    story = given_at_bedside()
    story.given("childbearing_potential.changed", told("yes"))
    if before is not None:
        story.given("pregnancy_test.performed", a_test(before))
    story.wait(minutes=30)
    started = story.now
    story.wait(hours=5)
    story.given("pregnancy_test.performed", a_test(after))
    outside = start(performed_outside={"why": "outage", "source": {"kind": "paper"}})
    codes = story.when("infusion.started", outside, by="nurse", occurred=started).codes
    assert ("PREGNANCY_TEST" in codes) is broken


@breaks("infusion.started", "PREGNANCY_TEST")
def test_an_old_test_holds_the_infusion() -> None:
    """Eight days old, a negative test counts no more."""
    story = given_at_bedside()
    eight_days = story.ago(days=8)
    story.given("childbearing_potential.changed", told("yes"))
    late = story.when("pregnancy_test.performed", a_test(), occurred=eight_days)
    assert late.codes == ("LATE_ENTRY",)
    assert story.when("infusion.started", start(), by="nurse").refused == "PREGNANCY_TEST"
    story.given("pregnancy_test.performed", a_test(), by="nurse")
    story.given("infusion.started", start(), by="nurse")


def test_who_was_tested_is_asked_for_a_test() -> None:
    """Nothing is told of the potential, but a test of the screening is there: it has to be in its window."""
    story = given_at_bedside()
    story.when("pregnancy_test.performed", a_test(), occurred=story.ago(days=20))
    assert story.when("infusion.started", start(), by="nurse").refused == "PREGNANCY_TEST"


def test_who_cannot_become_pregnant_is_not_asked() -> None:
    """Said to be impossible after an old test: no test is asked for."""
    story = given_at_bedside()
    story.when("pregnancy_test.performed", a_test(), occurred=story.ago(days=20))
    story.given("childbearing_potential.changed", told("no"))
    story.given("infusion.started", start(), by="nurse")


def test_a_positive_test_outweighs_an_earlier_word() -> None:
    """Said to be impossible, and then tested positive: the start waits."""
    story = given_at_bedside()
    story.given("childbearing_potential.changed", told("no"))
    story.given("pregnancy_test.performed", a_test("positive"))
    assert story.when("infusion.started", start(), by="nurse").refused == "PREGNANCY_TEST"


def test_a_change_asks_from_then_on() -> None:
    """What was impossible has become possible: the newest word counts, by the time that it is of."""
    story = given_at_bedside()
    story.given("childbearing_potential.changed", told("no"))
    story.given("childbearing_potential.changed", told("unknown"))
    assert story.when("infusion.started", start(), by="nurse").refused == "PREGNANCY_TEST"


def test_where_nothing_is_told_and_nobody_was_tested_no_test_is_asked() -> None:
    """Of whom neither potential nor test is recorded, the criteria alone have asked."""
    story = given_at_bedside()
    story.given("infusion.started", start(), by="nurse")


def test_a_protocol_that_names_no_test_asks_for_none() -> None:
    """The window is the protocol's: without one in it, no gate waits for a test."""
    story: Story = given_at_bedside()
    story.given("childbearing_potential.changed", told("yes"))
    entry = story.entry("infusion.started", start(), by="nurse")
    record = record_of(entry, story.conduct.study.zone("SA-01"))
    assert record is not None
    case = case_of(record, story.participant, story.conduct.study, {}.get)
    assert "PREGNANCY_TEST" in judge(case)
    assert case.protocol is not None
    assert case.definition is not None
    silent = replace(case.protocol, definition=replace(case.definition, pregnancy=None))
    assert "PREGNANCY_TEST" not in judge(case._replace(protocol=silent))
