"""What comes after the core study: results told, a serious event after the lock, the extension, survival."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from ledger.actions.consent import ConsentWithdrawn
from ledger.actions.disposition import SurvivalStatusRecorded
from ledger.actions.extension import ExtensionEntered, ExtensionExited
from ledger.actions.fields import Source
from ledger.actions.safety import AdverseEventResolved
from ledger.actions.visits import UNSCHEDULED, VisitCompleted, VisitStarted
from ledger.demo import schedule
from ledger.demo.bedside import given
from ledger.demo.consenting import to_extension
from ledger.demo.course import Course
from ledger.demo.endorsing import endorse_and_lock, unlocked
from ledger.demo.hands import COORDINATOR, PHYSICIAN, RATER
from ledger.demo.safety import report, to_sponsor
from ledger.demo.stage import DAY_US, Story, Wait

PASSED: Final = ("LOCK_PASSED",)
_VISITS: Final = 3


def serious_after_lock(course: Course, on: date) -> Story:
    """The record is locked early; weeks later a serious event is told, passes the lock and reopens it."""
    yield from endorse_and_lock(course, on + timedelta(days=30))
    pen = course.pen(on + timedelta(days=52), 13 * 60)
    ae = course.next_event()
    first = report(
        pen,
        ae,
        "admitted with pneumonia, told by phone",
        grade=3,
        criteria=("hospitalisation",),
        relation="unrelated",
        action="not_applicable",
    )
    yield pen.note(PHYSICIAN, first, breaches=PASSED)
    yield from to_sponsor(pen, ae, breaches=PASSED)
    yield unlocked(pen.after(60), "a serious event was told after the lock")
    pen.us += 9 * DAY_US
    over = AdverseEventResolved(ae=ae, version=2, resolved=pen.day, outcome="recovered", source=pen.source())
    yield pen.note(PHYSICIAN, over)


def extended(course: Course, on: date) -> Story:
    """Consent to the open-label extension, enter it, be seen every four weeks, and leave it."""
    planned = course.definition.extension
    if planned is None:
        return
    pen = course.pen(on + timedelta(days=4), 10 * 60)
    yield Wait(at_us=pen.us)
    consented = yield pen.note(COORDINATOR, to_extension(pen))
    if consented is None:
        return
    pen = course.pen(on + timedelta(days=6), 10 * 60)
    yield pen.note(PHYSICIAN, ExtensionEntered(consent=consented.event))
    weeks = planned.interval_weeks
    for number in range(_VISITS):
        day = schedule.working_day(on + timedelta(days=7 + number * weeks * 7))
        yield from _seen(course, day, course.definition.infusions + number + 1)
    pen = course.pen(on + timedelta(days=14 + _VISITS * weeks * 7), 15 * 60)
    withdrawn = course.plan.turns.after == "extension_withdrawn"
    if withdrawn:
        withdrawal = ConsentWithdrawn(
            scopes=("extension",), effective=pen.text, source=pen.source("participant")
        )
        yield pen.reported(COORDINATOR, withdrawal)
    code = "withdrew_consent" if withdrawn else "moved_away"
    yield pen.note(PHYSICIAN, ExtensionExited(date=pen.day, code=code, source=pen.source()))


def _seen(course: Course, on: date, number: int) -> Story:
    """Give an infusion of the extension: the same regimen for everybody, whatever the core arm was."""
    definition = course.definition
    pen = course.pen(on, 9 * 60 + course.dice.between(0, 180))
    started = VisitStarted(visit=UNSCHEDULED, mode="in_person", source=pen.source())
    yield pen.note(COORDINATOR, started)
    primary = next((o for o in definition.outcomes if o.rank == "primary"), None)
    if primary is not None and primary.instrument is not None:
        instrument = definition.instruments[primary.instrument]
        yield pen.reported(RATER, course.outcome(instrument, UNSCHEDULED, 30))
    like = definition.infusion(definition.infusions)
    if like is not None:
        yield from given(pen, replace(like, id=UNSCHEDULED), number)
    yield pen.note(COORDINATOR, VisitCompleted(visit=UNSCHEDULED, source=pen.source()), after=12)


def survival(course: Course, on: date) -> Story:
    """Look up in a public register whether somebody lives of whom nothing is heard."""
    pen = course.pen(on, 9 * 60)
    known = SurvivalStatusRecorded(
        status="alive",
        as_of=pen.day,
        known_from="public_record",
        source=Source(kind="paper", reference="public register"),
    )
    yield pen.note(COORDINATOR, known)
