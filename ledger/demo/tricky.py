"""Infusion visits that go another way: a failed check, a bag of another's, a dose left out or given less."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ledger.actions.bedside import (
    Check,
    DoseOmitted,
    DoseReduced,
    DosingErrorReported,
    HazardDepartureRecorded,
    InfusionRateChanged,
    PreinfusionCheckFailed,
)
from ledger.actions.fields import Measure
from ledger.actions.medication import MedicationStarted, MedicationStopped
from ledger.demo.cast import person_at
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN
from ledger.demo.pump import ML, ML_H, PUMPS, start
from ledger.demo.stage import DAY_US, Story, written
from ledger.study.definition import Visit

LABEL: Final = "label"


def check_failed(pen: Pen, visit: Visit, number: int, label: str) -> Story:
    """Find a high pressure before the infusion: the start waits until a check is passed."""
    course = pen.course
    asked = course.definition.preinfusion
    if asked is None:
        return
    signs = course.vital_signs(pen.source("device"), "before_infusion", visit=visit.id, high=True)
    failed = PreinfusionCheckFailed(
        infusion=number,
        vitals=signs.measurements,
        checks=tuple(
            Check(check=name, result="failed" if name == "vital_signs" else "not_applicable")
            for name in asked.checks
        ),
        note="came up the stairs; to be measured again after a rest",
        source=pen.source(),
    )
    yield pen.note(NURSE, failed)
    yield pen.note(NURSE, start(pen, number, label), after=2, refused="CHECK_FAILED")
    pen.after(35)


def omitted(pen: Pen, number: int) -> Story:
    """Leave a dose out for a cold with fever."""
    left_out = DoseOmitted(
        infusion=number,
        code="intercurrent_illness",
        decided_by=person_at(pen.course.plan.site, PHYSICIAN),
        note="38.6 degrees, cough",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, left_out)


def reduced(pen: Pen, number: int) -> Story:
    """Plan less volume, which is the same order in every arm."""
    less = DoseReduced(
        infusion=number,
        volume=Measure(value=str(less_ml(pen.course)), unit=ML),
        code="drowsy_last_time",
        decided_by=person_at(pen.course.plan.site, PHYSICIAN),
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, less)


def less_ml(course: Course) -> Decimal:
    """Return what a reduced dose holds: four fifths."""
    return (course.definition.infusion_volume_ml * 4 / 5).quantize(Decimal(1))


def slowed(pen: Pen, number: int, rate_ml_h: Decimal, so_far_ml: Decimal) -> Story:
    """Let the pump run slower from here on."""
    changed = InfusionRateChanged(
        infusion=number,
        rate=Measure(value=str(rate_ml_h), unit=ML_H),
        volume=Measure(value=str(so_far_ml), unit=ML),
        code="dizziness",
        pump=PUMPS[0],
        source=pen.source("device"),
    )
    yield pen.note(NURSE, changed, after=0)


def label_of_another(course: Course) -> str | None:
    """Return the label on the newest bag of somebody else at the site, used up long since."""
    site = course.plan.site
    of_others = [
        other.noted[LABEL]
        for other in course.others.values()
        if other is not course and other.plan.site == site and LABEL in other.noted
    ]
    return of_others[-1] if of_others else None


def mixed_up(pen: Pen, number: int, label: str, event: str) -> Story:
    """Somebody else's bag lies at the bedside: the start is refused, and the error reported."""
    yield pen.note(NURSE, start(pen, number, label), after=4, refused="LABEL_OF_ANOTHER")
    error = DosingErrorReported(
        infusion=number,
        kind="wrong_participant",
        discovered=pen.text,
        harm="none",
        statement=event,
        note="an empty bag of the morning was still on the tray; nothing ran",
        source=pen.source(),
    )
    yield pen.note(NURSE, error)


def despite_hold(pen: Pen, number: int, label: str) -> Story:
    """With the line in place a prohibited medication is told of; waiting is the greater hazard.

    A physician sets the hold aside for this one start. The medication was a single dose: its hold ends when
    it is washed out.
    """
    course = pen.course
    prohibited = course.definition.prohibited_medication[-1].medication_class
    yesterday = written(pen.us - DAY_US, course.plan.zone)[:10]
    taken = MedicationStarted(
        medication="CM-7",
        class_=prohibited,
        start=yesterday,
        drug="lorazepam",
        indication="at the dentist's",
        source=pen.source("participant"),
    )
    yield pen.reported(COORDINATOR, taken, breaches=("PROHIBITED_MEDICATION",))
    yield pen.note(NURSE, start(pen, number, label), after=2, refused="ON_HOLD")
    departure = HazardDepartureRecorded(
        rule="ON_HOLD",
        gate="infusion.started",
        code="pain_crisis",
        infusion=number,
        why="pain crisis with a pulse of 130; one small dose a day ago",
        done="the physician stayed at the bedside with a monitor",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, departure)
    stopped = MedicationStopped(medication="CM-7", stop=yesterday, code="single_dose", source=pen.source())
    yield pen.reported(COORDINATOR, stopped, after=1)
