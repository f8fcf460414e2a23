"""The weekly diary that participants keep on their own device, and the access that they have to it.

A participant enters it in the evening of the day; the site takes it over in the morning after. Some are
missed, and one participant fills in three weeks on the way to a visit.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal

from ledger.actions.devices import ParticipantAccessIssued, ParticipantAccessRevoked
from ledger.actions.diary import DiaryMissed, DiarySubmitted
from ledger.actions.observations import Item
from ledger.demo.course import MORNING, Course, Pen
from ledger.demo.hands import COORDINATOR
from ledger.demo.screening import diary_system
from ledger.demo.stage import Story, Wait, written
from ledger.study.definition import Diary, Visit

_MISSED_PERCENT: Final = 6
_EVENING: Final = 18 * 60 + 30
_ACCESS: Final = "diary access"
BATCH: Final = 3


def access_issued(pen: Pen) -> Story:
    """Give the participant an own access to the diary."""
    course = pen.course
    if not course.definition.diaries:
        return
    issued = ParticipantAccessIssued(
        access=f"diary-{course.plan.id}",
        use="own_device",
        device=diary_system(course.plan.site),
        person=f"diary-user-{course.plan.number + 1}",
    )
    recorded = yield pen.note(COORDINATOR, issued)
    if recorded is not None:
        course.noted[_ACCESS] = recorded.event


def access_revoked(course: Course, on: date, *, completed: bool) -> Story:
    """End the access."""
    if _ACCESS not in course.noted:
        return
    pen = course.pen(on, 18 * 60 + 45)
    code: Literal["completed", "withdrawn"] = "completed" if completed else "withdrawn"
    yield pen.note(COORDINATOR, ParticipantAccessRevoked(code=code, statement=course.noted.pop(_ACCESS)))


def kept(course: Course) -> Story:
    """Keep every diary of the protocol, from week to week, as long as participation lasts."""
    for diary in course.definition.diaries:
        yield _kept(course, diary)


def _kept(course: Course, diary: Diary) -> Story:
    skipped = _together(course, diary)
    for day in range(diary.first_day, diary.last_day + 1, diary.every_days):
        due = course.plan.day1 + timedelta(days=day - 1)
        if due in skipped:
            continue
        yield Wait(at_us=course.pen(due + timedelta(days=1), MORNING).us)
        if course.left or _is_silent(course):
            return
        if course.away or course.dice.chance(_MISSED_PERCENT):
            yield from _missed(course, diary, due)
        else:
            yield from _entered(course, diary, due, course.pen(due, _EVENING + course.dice.between(0, 150)))


def _is_silent(course: Course) -> bool:
    """Tell whether participation has ended, or nothing is collected any more."""
    state = course.stage.ledger.fold.conduct.state(course.plan.id)
    return state is None or state.has_ended


def _missed(course: Course, diary: Diary, due: date) -> Story:
    pen = course.pen(due + timedelta(days=4), 9 * 60 + 30)
    yield Wait(at_us=pen.us)
    if course.left or _is_silent(course):
        return
    missed = DiaryMissed(diary=diary.id, due=due.isoformat(), code="not_entered", source=pen.source())
    yield pen.note(COORDINATOR, missed)


def _entered(
    course: Course,
    diary: Diary,
    due: date,
    pen: Pen,
    *,
    breaches: tuple[str, ...] = (),
    at_once: bool = False,
) -> Story:
    """Enter one day's diary; the site takes it over in the morning after."""
    instrument = course.definition.instruments[diary.instrument]
    week = (due - course.plan.day1).days // 7
    outcome = course.outcome(instrument, "unscheduled", week)
    morning = course.pen(date.fromisoformat(pen.day) + timedelta(days=1), MORNING + 20)
    submitted = DiarySubmitted(
        diary=diary.id,
        instrument=instrument.id,
        version=instrument.version,
        due=due.isoformat(),
        language=course.plan.language,
        items=tuple(Item(item=each.item, value=each.value) for each in outcome.items),
        entered=pen.text,
        uploaded=written(pen.us + 90_000_000, course.plan.zone),
        clock_offset_s=course.dice.between(-40, 40),
        device=diary_system(course.plan.site),
        source=pen.source("participant"),
    )
    taken_us = pen.after(2).us if at_once else morning.us
    yield pen.reported(
        COORDINATOR, submitted, after=0, at_us=taken_us, occurred=submitted.entered, breaches=breaches
    )


def _together(course: Course, diary: Diary) -> tuple[date, ...]:
    """Return the days of the diaries that a turn has filled in together before a visit."""
    visit = course.definition.infusion(course.plan.turns.backfilled)
    if visit is None:
        return ()
    last = visit.day - visit.before_days
    days = list(range(diary.first_day, last, diary.every_days))
    return tuple(course.plan.day1 + timedelta(days=day - 1) for day in days[-BATCH:])


def filled_in(course: Course, visit: Visit, on: date) -> Story:
    """Enter three weeks together on the way to a visit: their days are over, and it shows."""
    for diary in course.definition.diaries:
        pen = course.pen(on, MORNING - 60)
        for due in _together(course, diary):
            yield from _entered(course, diary, due, pen.after(3), breaches=("DIARY_DAY",), at_once=True)
