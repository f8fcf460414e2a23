"""The end of a participant's record: breaches are accounted for, the investigator endorses, it is locked."""

from __future__ import annotations

from datetime import date
from typing import Final

from ledger.actions.locks import ParticipantLocked, ParticipantUnlocked
from ledger.demo.cast import DATA_MANAGER
from ledger.demo.course import Course, Pen
from ledger.demo.deviating import accounted
from ledger.demo.signing import sign
from ledger.demo.stage import Command, Story, Wait
from ledger.state.assurance import Lock

MANAGER: Final = "data_manager"
_PLAN: Final = "Data management plan, section 9"


def endorse_and_lock(course: Course, on: date) -> Story:
    """Endorse the whole record and lock it on a day; who is locked and was not reopened stays so."""
    pen = course.pen(on, 10 * 60 + course.plan.number)
    yield Wait(at_us=pen.us)
    lock = lock_of(course)
    if lock is not None and lock.reopened is None:
        return
    if lock is not None:
        yield unlocked(pen, "what passed the lock is endorsed again")
    yield from accounted(pen.after(5))
    signed = yield from sign(pen.after(30), "milestone")
    if signed is None:
        return
    locked = ParticipantLocked(endorsement=signed.event, authority=_PLAN)
    yield pen.note(MANAGER, locked, person=DATA_MANAGER, after=20, reason=("complete", "endorsed"))


def lock_of(course: Course) -> Lock | None:
    """Return the lock that a participant is under."""
    fold = course.stage.ledger.refresh()
    state = fold.conduct.state(course.plan.id)
    return None if state is None else state.assurance.locked(fold.size)


def unlocked(pen: Pen, why: str) -> Command:
    """Return the command that opens a locked record again."""
    opened = ParticipantUnlocked(authority=_PLAN)
    return pen.note(MANAGER, opened, person=DATA_MANAGER, reason=("new_information", why))
