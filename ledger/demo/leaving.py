"""How participation ends: completed, withdrawn in one scope or another, lost, died."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final, Literal

from ledger.actions.bedside import DosingDiscontinued
from ledger.actions.consent import ConsentWithdrawn, WithdrawalScope
from ledger.actions.disposition import (
    ContactAttempted,
    ParticipantCompleted,
    ParticipantLostToFollowUp,
    ParticipantWithdrawn,
    TreatmentCompleted,
    TreatmentDiscontinued,
)
from ledger.actions.fields import Source
from ledger.actions.visits import VisitMissed
from ledger.demo import schedule
from ledger.demo.cast import person_at
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, INVESTIGATOR, NURSE, PHYSICIAN, RATER
from ledger.demo.safety import fatal, stopped_for
from ledger.demo.stage import DAY_US, Story
from ledger.demo.visits import at_site
from ledger.study.definition import Visit
from ledger.study.schedule import visit_window

Reason = Literal["adverse_event", "pregnancy", "deviation", "physician", "participant"]
Leave = Callable[[Course, Visit, date], Story]


def completed(course: Course, visit: Visit, on: date) -> Story:
    """Record that the participant has been through the whole study."""
    pen = course.pen(on, 11 * 60)
    done = ParticipantCompleted(date=pen.day, last_visit=visit.id, source=pen.source())
    yield pen.note(INVESTIGATOR, done)


def treatment_completed(course: Course, on: date) -> Story:
    """Record that treatment went to its end, or to the end of what was not left out."""
    pen = course.pen(on, 18 * 60 + 30)
    yield pen.note(COORDINATOR, TreatmentCompleted(date=pen.day, source=pen.source()))


def _discontinued(course: Course, on: date, code: str, reason: Reason) -> Story:
    """End dosing and treatment by a physician's word."""
    pen = course.pen(on, 16 * 60 + 30)
    ended = DosingDiscontinued(
        effective=pen.text,
        code=code,
        decided_by=person_at(course.plan.site, PHYSICIAN),
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, ended)
    yield from _treatment_ended(pen, reason)


def _treatment_ended(pen: Pen, reason: Reason) -> Story:
    yield pen.note(PHYSICIAN, TreatmentDiscontinued(date=pen.day, reason=reason, source=pen.source()))


def stopped(course: Course, on: date, code: str, reason: Reason) -> Story:
    """End treatment early: follow-up comes weeks after the last infusion, outcomes at their time."""
    yield from _discontinued(course, on, code, reason)
    course.stopped = True
    day, visit = schedule.follow_up(course.definition, course.plan, course.last_infusion, course.dice)
    yield at_site(course, visit, day)


def _withdraw_consent(course: Course, on: date, *scopes: WithdrawalScope) -> Story:
    pen = course.pen(on, 17 * 60)
    withdrawn = ConsentWithdrawn(scopes=scopes, effective=pen.text, source=pen.source("participant"))
    yield pen.reported(COORDINATOR, withdrawn)


def _withdrawn(course: Course, visit: Visit, on: date, code: str) -> Story:
    course.left = True
    pen = course.pen(on, 18 * 60)
    ended = ParticipantWithdrawn(date=pen.day, last_visit=visit.id, code=code, source=pen.source())
    yield pen.note(PHYSICIAN, ended)


def _treatment(course: Course, visit: Visit, on: date) -> Story:
    """Withdraw from treatment only: follow-up comes weeks after the last infusion, outcomes at their time."""
    yield from _withdraw_consent(course, on, "study_treatment")
    yield from _treatment_ended(course.pen(on, 17 * 60 + 20), "participant")
    course.stopped = True
    day, follow_up = schedule.follow_up(course.definition, course.plan, course.last_infusion, course.dice)
    yield at_site(course, follow_up, day)


def _visits(course: Course, visit: Visit, on: date) -> Story:
    """Withdraw from visits and contact; a paper from before turns up later, and may still be entered."""
    next_day = on + timedelta(days=1)
    yield from _withdraw_consent(course, next_day, "study_treatment", "visits_and_procedures", "contact")
    yield from _withdrawn(course, visit, next_day, "withdrew_consent")
    pen = course.pen(on, 15 * 60)
    signs = course.vital_signs(
        Source(kind="paper", reference="bedside sheet"), "after_infusion", visit=visit.id
    )
    yield pen.note(NURSE, signs, at_us=pen.us + 6 * DAY_US, breaches=("LATE_ENTRY",))


def _data(course: Course, visit: Visit, on: date) -> Story:
    """Withdraw from everything; what is collected afterwards by mistake shows."""
    yield from _withdraw_consent(
        course,
        on,
        "study_treatment",
        "visits_and_procedures",
        "contact",
        "record_access",
        "future_samples",
        "future_data",
    )
    yield from _withdrawn(course, visit, on, "withdrew_consent")
    pen = course.pen(on + timedelta(days=3), 9 * 60)
    name = visit.instruments[0] if visit.instruments else next(iter(course.definition.instruments))
    outcome = course.outcome(course.definition.instruments[name], visit.id, visit.week or 0)
    yield pen.reported(RATER, outcome, breaches=("CONSENT_WITHDRAWN",))


def _adverse_event(course: Course, visit: Visit, on: date) -> Story:
    """End by what the infusion was stopped for."""
    yield stopped_for(course.pen(on, 15 * 60))
    yield from _discontinued(course, on, "adverse_event", "adverse_event")
    yield from _withdrawn(course, visit, on + timedelta(days=2), "adverse_event")


def _physician(course: Course, visit: Visit, on: date) -> Story:
    """End by a physician's decision."""
    yield from _discontinued(course, on, "no_benefit", "physician")
    yield from _withdrawn(course, visit, on + timedelta(days=1), "physician_decision")


def _lost(course: Course, visit: Visit, on: date) -> Story:
    """Try to reach somebody by every method of the definition, in vain."""
    definition = course.definition
    number = (visit.infusion or 0) + 1
    following = definition.infusion(number)
    course.left = True
    if following is not None:
        _, last = visit_window(definition, following.id, course.plan.day1)
        pen = course.pen(last, 17 * 60)
        missed = VisitMissed(visit=following.id, code="unreachable", source=pen.source())
        yield pen.note(COORDINATOR, missed)
        on = last
    count = max(definition.contact_attempts_required, len(definition.contact_methods))
    for number in range(count):
        pen = course.pen(on + timedelta(days=4 * number + 1), 17 * 60)
        method = definition.contact_methods[number % len(definition.contact_methods)]
        yield pen.note(COORDINATOR, ContactAttempted(method=method, source=pen.source()))
    pen = course.pen(on + timedelta(days=4 * count + 10), 10 * 60)
    lost = ParticipantLostToFollowUp(date=pen.day, last_visit=visit.id, attempts=(), source=pen.source())
    yield pen.note(COORDINATOR, lost)


def _died(course: Course, visit: Visit, on: date) -> Story:
    """Hear of a death some weeks later."""
    course.left = True
    yield from fatal(course.pen(on + timedelta(days=4), 14 * 60))


LEAVINGS: Final[Mapping[str, Leave]] = MappingProxyType(
    {
        "treatment": _treatment,
        "visits": _visits,
        "data": _data,
        "adverse_event": _adverse_event,
        "physician": _physician,
        "lost": _lost,
        "died": _died,
    }
)
