"""Locks of forms, participants and the database, and what passes them (catalogue H; R4, R7)."""

from __future__ import annotations

from typing import Any

from tests import given_pharmacy
from tests.given_quality import (
    AUTHORITY,
    PULSE,
    ask,
    assured,
    correct,
    given_database_locked,
    given_locked,
    given_vitals,
    lock,
    locking,
    locking_all,
    review,
    sign,
    void,
)
from tests.scenario import (
    PARTICIPANT,
    VITALS,
    Story,
    Told,
    adverse_event,
    breaks,
    given_consented,
    given_registered,
    keeps,
)


def locked(story: Story, data: dict[str, Any], **said: Any) -> Told:
    """Ask for a participant's lock."""
    return story.when("participant.locked", data, by="coder", reason="complete", **said)


def unlock(story: Story, **said: Any) -> Told:
    """Ask for the unlock of a participant."""
    return story.when("participant.unlocked", AUTHORITY, by="coder", reason="late_data", **said)


def freeze(story: Story, *named: Told, verb: str = "frozen") -> Told:
    """Freeze or unfreeze records."""
    data = {"statements": [each.event for each in named], **AUTHORITY}
    return story.when(f"form.{verb}", data, by="coder", reason="review")


# Frozen forms


@keeps("form.frozen", "form.unfrozen")
@breaks("correction.made", "FORM_FROZEN")
@breaks("record.voided", "FORM_FROZEN")
def test_a_frozen_form_is_not_corrected_until_it_is_unfrozen() -> None:
    """Neither corrected nor voided; other records go on."""
    story, vitals = given_vitals()
    assert freeze(story, vitals).codes == ()
    assert correct(story, vitals, PULSE, "72", "73").refused == "FORM_FROZEN"
    assert void(story, vitals).refused == "FORM_FROZEN"
    story.given("vital_signs.recorded", VITALS)
    assert freeze(story, vitals, verb="unfrozen").codes == ()
    assert correct(story, vitals, PULSE, "72", "73").codes == ()


@breaks("form.frozen", "LOCK_STATE", "REFERENCE")
@breaks("form.unfrozen", "LOCK_STATE")
def test_what_is_frozen_is_a_record_that_is_not() -> None:
    """Frozen once, unfrozen when frozen; and no statement about others is a form."""
    story, vitals = given_vitals()
    assert freeze(story, vitals, verb="unfrozen").refused == "LOCK_STATE"
    asked = ask(story, vitals)
    assert freeze(story, asked).refused == "REFERENCE"
    freeze(story, vitals)
    assert freeze(story, vitals).refused == "LOCK_STATE"


# Locked participants


@keeps("participant.locked", "participant.unlocked")
@breaks("vital_signs.recorded", "PARTICIPANT_LOCKED")
@breaks("correction.made", "PARTICIPANT_LOCKED")
@breaks("query.opened", "PARTICIPANT_LOCKED")
def test_a_locked_participant_takes_no_ordinary_record() -> None:
    """Neither record nor correction nor query, until it is unlocked."""
    story, vitals = given_vitals()
    lock(story)
    assert story.when("vital_signs.recorded", VITALS).refused == "PARTICIPANT_LOCKED"
    assert correct(story, vitals, PULSE, "72", "73").refused == "PARTICIPANT_LOCKED"
    asked = {"statement": vitals.event, "paths": [], "kind": "missing"}
    assert story.when("query.opened", asked, by="coder").refused == "PARTICIPANT_LOCKED"
    assert unlock(story).codes == ()
    story.given("vital_signs.recorded", VITALS)


@breaks("adverse_event.reported", "LOCK_PASSED")
@breaks("deviation.reported", "LOCK_PASSED")
def test_what_is_always_open_passes_a_lock_and_reopens_it() -> None:
    """An adverse event after the lock is taken, flagged, listed, and outdates the endorsement."""
    story = given_consented()
    lock(story)
    told = story.when("adverse_event.reported", adverse_event())
    assert (told.refused, told.codes) == (None, ("LOCK_PASSED",))
    assert assured(story).locks[0].reopened == told.index
    assert [s.outdated for s in assured(story).to_sign_again] == [told.index]
    report = {"code": "late", "statements": [told.event], "rules": [], "known": "2025-01", "action": "none"}
    second = story.when("deviation.reported", report)
    assert (second.refused, second.codes) == (None, ("LOCK_PASSED",))
    assert assured(story).locks[0].passed == (told.index, second.index)
    assert not story.breach(told, "LOCK_PASSED").is_unaccounted


def test_a_participant_is_locked_again_after_what_came_late() -> None:
    """Unlocked, the case recorded, signed and locked again."""
    story = given_consented()
    lock(story)
    story.when("adverse_event.reported", adverse_event())
    unlock(story)
    lock(story)
    assert [lock.reopened is None for lock in assured(story).locks] == [False, True]


@breaks("participant.locked", "LOCK_STATE")
@breaks("participant.unlocked", "LOCK_STATE")
def test_a_participant_is_locked_once() -> None:
    """Locked twice or unlocked while open: neither."""
    story = given_registered()
    assert unlock(story).refused == "LOCK_STATE"
    endorsed = sign(story)
    assert locked(story, locking(endorsed)).codes == ()
    assert locked(story, locking(endorsed)).refused == "LOCK_STATE"


@breaks("participant.locked", "NOT_ENDORSED")
def test_a_lock_needs_the_endorsement_of_what_is_there() -> None:
    """A signature of another scope does not do, nor one that a later record outdated."""
    story = given_consented()
    visit = sign(story, "participant", by="sub")
    assert locked(story, locking(visit)).refused == "NOT_ENDORSED"
    endorsed = sign(story)
    story.given("vital_signs.recorded", VITALS)
    assert locked(story, locking(endorsed)).refused == "NOT_ENDORSED"


@breaks("participant.locked", "QUERIES_OPEN")
def test_a_lock_waits_for_queries() -> None:
    """A query that was opened since the endorsement holds the lock."""
    story, vitals = given_vitals()
    endorsed = sign(story)
    ask(story, vitals)
    assert locked(story, locking(endorsed)).refused == "QUERIES_OPEN"


@breaks("participant.locked", "SECOND_PERSON_MISSING")
def test_a_lock_waits_for_the_second_person() -> None:
    """The voiding of a consent waits for the investigator, and the lock with it."""
    story = given_consented()
    obtained = next(e for e in story.log if e.statement and e.statement.type == "consent.obtained")
    void(story, Told(event=obtained.event, index=obtained.index, refused=None, codes=()))
    assert locked(story, locking(sign(story))).refused == "SECOND_PERSON_MISSING"


@breaks("participant.locked", "SAFETY_NOT_RECONCILED")
def test_a_lock_waits_for_the_cases_of_safety() -> None:
    """A serious adverse event whose case is open holds the lock."""
    story = given_consented()
    serious = adverse_event(serious=True, criteria=["hospitalisation"], grade=3)
    story.when("adverse_event.reported", serious)
    assert locked(story, locking(sign(story))).refused == "SAFETY_NOT_RECONCILED"


@breaks("participant.locked", "PHARMACY_NOT_RECONCILED")
def test_a_lock_waits_for_the_pharmacy() -> None:
    """A dose that was prepared and neither dispensed nor wasted holds the lock."""
    story, _ = given_pharmacy.given_checked()
    told = locked(story, locking(sign(story)))
    assert told.refused == "PHARMACY_NOT_RECONCILED"


# The database


@keeps("database.locked", "database.unlocked")
@breaks("participant.registered", "DATABASE_LOCKED")
@breaks("participant.unlocked", "DATABASE_LOCKED")
@breaks("participant.locked", "DATABASE_LOCKED")
def test_a_locked_database_takes_nothing_but_what_is_always_open() -> None:
    """No participant is registered, none unlocked, until the database is."""
    story = given_database_locked()
    told = story.when("participant.registered", {"participant": "P2"}, stream="participant/P2")
    assert told.refused == "DATABASE_LOCKED"
    assert unlock(story).refused == "DATABASE_LOCKED"
    again = locking(Told(event=story.log[-1].event, index=0, refused=None, codes=()))
    assert "DATABASE_LOCKED" in locked(story, again).codes
    story.given("database.unlocked", AUTHORITY, by="sponsor", stream="study", reason="late_data")
    assert unlock(story).codes == ()


@breaks("adverse_event.reported", "LOCK_PASSED")
def test_what_is_always_open_passes_the_databases_lock() -> None:
    """An adverse event of a participant after the lock reopens the participant's."""
    story = given_database_locked()
    assert "LOCK_PASSED" in story.when("adverse_event.reported", adverse_event()).codes
    assert assured(story).locks[0].reopened is not None


def lock_all(story: Story, reviewed: Told, **more: Any) -> Told:
    """Ask for the lock of the database."""
    data = locking_all(story, reviewed, **more)
    return story.when("database.locked", data, by="sponsor", stream="study", reason="complete")


@breaks("database.locked", "LOCK_STATE")
@breaks("database.unlocked", "LOCK_STATE")
def test_the_database_is_locked_once() -> None:
    """Locked twice or unlocked while open: neither."""
    story = given_locked()
    told = story.when("database.unlocked", AUTHORITY, by="sponsor", stream="study", reason="x")
    assert told.refused == "LOCK_STATE"
    reviewed = review(story)
    assert lock_all(story, reviewed).codes == ()
    assert lock_all(story, reviewed).refused == "LOCK_STATE"


@breaks("database.locked", "PARTICIPANTS_NOT_LOCKED")
def test_the_database_waits_for_every_participant() -> None:
    """One who is not locked, and one whose lock was passed."""
    story = given_locked()
    story.when("adverse_event.reported", adverse_event())
    assert lock_all(story, review(story)).refused == "PARTICIPANTS_NOT_LOCKED"
    story = given_locked()
    given_registered(story, "P2")
    assert lock_all(story, review(story)).refused == "PARTICIPANTS_NOT_LOCKED"
    lock(story, "participant/P2")
    assert lock_all(story, review(story)).codes == ()


@breaks("database.locked", "TRAIL_NOT_REVIEWED")
def test_the_database_waits_for_the_review_of_the_trail() -> None:
    """Reviewed up to the last participant's lock, without a gap, in one review or in several."""
    story = given_locked()
    half = len(story.log) // 2
    first = review(story, 0, half)
    assert lock_all(story, first).refused == "TRAIL_NOT_REVIEWED"
    gap = review(story, half + 2)
    assert lock_all(story, gap).refused == "TRAIL_NOT_REVIEWED"
    whole = review(story, half + 1)
    assert lock_all(story, whole).codes == ()


@breaks("database.locked", "UNBLINDED_NOT_LISTED")
def test_the_database_lists_who_was_unblinded_by_then() -> None:
    """The digest of another list is not that of the unblindings in the log."""
    story = given_locked()
    reviewed = review(story)
    assert lock_all(story, reviewed, unblinded_sha256="0" * 64).refused == "UNBLINDED_NOT_LISTED"


def test_a_lock_is_known_before_an_index() -> None:
    """Who asks elsewhere names the index: at the lock it was not locked, after it it is."""
    story = given_database_locked()
    at = len(story.log) - 1
    assert (story.conduct.study.locked(at), story.conduct.study.locked(at + 1)) == (False, True)
    assert story.conduct.state(PARTICIPANT) is not None
