"""Medication: what is prohibited, and how long it holds (catalogue F)."""

from __future__ import annotations

from tests.given_safety import medication, stopped
from tests.scenario import PARTICIPANT, breaks, given_consented, keeps

PROHIBITED = "theophylline"
PAUSE = {"medication": "M1", "change": "2025-01-06", "code": "dose_raised"}


@keeps("medication.started", "medication.changed", "medication.stopped")
def test_an_allowed_medication_breaks_nothing() -> None:
    """A class that the protocol does not name is free, from its start to its stop."""
    story = given_consented()
    story.given("medication.started", medication())
    story.given("medication.changed", PAUSE)
    story.given("medication.stopped", stopped("2025-01"))
    assert story.participant.holds == ()


@breaks("medication.started", "PROHIBITED_MEDICATION")
def test_a_prohibited_medication_holds_until_it_is_washed_out() -> None:
    """It holds as long as nobody says that it was stopped, and then for its wash-out of 14 days."""
    story = given_consented()
    told = story.when("medication.started", medication(class_=PROHIBITED))
    assert (told.refused, told.codes) == (None, ("PROHIBITED_MEDICATION",))
    story.wait(days=100)
    assert story.participant.held_at(story.now_us)
    story.given("medication.stopped", stopped(story.now))
    story.wait(days=13, hours=23)
    assert story.participant.held_at(story.now_us)
    story.wait(hours=2)
    assert not story.participant.held_at(story.now_us)


def test_a_partial_date_of_stopping_counts_at_its_end() -> None:
    """Stopped some day of January: the wash-out begins with February."""
    story = given_consented()
    story.when("medication.started", medication(class_=PROHIBITED))
    story.given("medication.stopped", stopped("2025-01"))
    story.goto("2025-02-14T12:00:00.000000Z")
    assert story.participant.held_at(story.now_us)
    story.goto("2025-02-15T12:00:00.000000Z")
    assert not story.participant.held_at(story.now_us)


@breaks("medication.changed", "PROHIBITED_MEDICATION")
def test_a_change_to_a_prohibited_class_is_flagged_and_holds() -> None:
    """Another drug in its place, of a class that is prohibited, and back again."""
    story = given_consented()
    story.given("medication.started", medication())
    told = story.when("medication.changed", {**PAUSE, "class": PROHIBITED})
    assert told.codes == ("PROHIBITED_MEDICATION",)
    assert story.participant.held_at(story.now_us)
    back = {**PAUSE, "change": "2025-01-07", "class": "analgesics"}
    story.wait(days=1)
    story.given("medication.changed", back)
    story.wait(days=16)
    assert not story.participant.held_at(story.now_us)


@breaks("medication.started", "MEDICATION_REPEATED")
def test_a_label_is_used_once() -> None:
    """A second medication under the same label is flagged: nobody could tell which one is stopped."""
    story = given_consented()
    story.given("medication.started", medication())
    assert story.when("medication.started", medication()).codes == ("MEDICATION_REPEATED",)


@breaks("medication.changed", "MEDICATION_UNKNOWN")
@breaks("medication.stopped", "MEDICATION_UNKNOWN")
def test_what_was_not_started_is_not_changed_or_stopped() -> None:
    """A medication that nobody recorded is flagged, and the fact stays."""
    story = given_consented()
    assert story.when("medication.changed", PAUSE).codes == ("MEDICATION_UNKNOWN",)
    assert story.when("medication.stopped", stopped("2025-01-06")).codes == ("MEDICATION_UNKNOWN",)


@breaks("medication.changed", "MEDICATION_DATES")
@breaks("medication.stopped", "MEDICATION_DATES")
def test_a_medication_ends_after_it_began() -> None:
    """Changed or stopped before its start, or stopped a second time, is flagged."""
    story = given_consented()
    story.given("medication.started", medication(start="2025-01-05"))
    assert story.when("medication.changed", {**PAUSE, "change": "2025-01-04"}).codes == ("MEDICATION_DATES",)
    assert story.when("medication.stopped", stopped("2024-12")).codes == ("MEDICATION_DATES",)
    assert story.when("medication.stopped", stopped("2025-01-06")).codes == ("MEDICATION_DATES",)


def test_a_voided_prohibited_medication_holds_no_more() -> None:
    """An entry of somebody else's medication is voided and cosigned: the hold goes with it."""
    story = given_consented()
    told = story.when("medication.started", medication(class_=PROHIBITED))
    void = {"statement": told.event, "code": "error"}
    voided = story.given("record.voided", void, reason="entry_error")
    assert story.participant.held_at(story.now_us)
    cosigned = {"as": "supervisor", "statement": voided.event}
    story.given("record.cosigned", cosigned, by="ines", stream=f"participant/{PARTICIPANT}")
    assert not story.participant.held_at(story.now_us)
