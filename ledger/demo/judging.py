"""Adverse events as the site judges them again: assessed anew, or found to have been none."""

from __future__ import annotations

from typing import Final

from ledger.actions.observations import SuicidalityAcknowledged, SuicidalityAlerted
from ledger.actions.safety import AdverseEventAssessed, AdverseEventNullified, AdverseEventResolved, Causality
from ledger.demo.cast import person_at
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN, RATER
from ledger.demo.safety import report
from ledger.demo.stage import DAY_US, Story
from ledger.study.definition import Visit

_INSTRUMENT: Final = "cssrs"


def assessed(pen: Pen) -> Story:
    """The investigator looks again at what a nurse reported, and sees no relation."""
    course = pen.course
    ae = course.next_event()
    yield pen.note(NURSE, report(pen, ae, "rash on both forearms", grade=2))
    pen.us += DAY_US
    judged = AdverseEventAssessed(
        ae=ae,
        version=2,
        new_information=pen.text,
        assessor="investigator",
        serious=False,
        criteria=(),
        causality=tuple(
            Causality(product=product, relation="unlikely") for product in course.definition.products
        ),
        note="new washing powder",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, judged)
    pen.us += 4 * DAY_US
    over = AdverseEventResolved(ae=ae, version=3, resolved=pen.day, outcome="recovered", source=pen.source())
    yield pen.note(COORDINATOR, over)


def nullified(pen: Pen) -> Story:
    """What was reported turns out to be old."""
    ae = pen.course.next_event()
    yield pen.note(NURSE, report(pen, ae, "ringing in both ears", grade=1))
    pen.us += 2 * DAY_US
    none = AdverseEventNullified(
        ae=ae,
        version=2,
        new_information=pen.text,
        code="present_before_the_study",
        note="in the medical history since 2014",
        source=pen.source("ehr"),
    )
    yield pen.note(PHYSICIAN, none)


def suicidality(course: Course, pen: Pen, visit: Visit) -> Story:
    """An answer gives a sign: a clinician is told at once and speaks with the participant, who goes on."""
    clinician = person_at(course.plan.site, PHYSICIAN)
    alert = SuicidalityAlerted(
        basis=f"{_INSTRUMENT}_answer",
        clinician=clinician,
        alerted=pen.text,
        note="wished not to wake up, no plan, no intent",
        source=pen.source("participant"),
    )
    recorded = yield pen.note(RATER, alert)
    if recorded is None:
        return
    pen.after(12)
    seen = SuicidalityAcknowledged(
        statement=recorded.event,
        clinician=clinician,
        acknowledged=pen.text,
        code="safety_plan_made",
        note="spoke for half an hour, crisis line handed out, partner called",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, seen)
