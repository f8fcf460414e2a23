"""Levels of the products in plasma: taken from everybody, read by the pharmacist alone (R8).

The sample, the result and its author are the same in every arm; what was found is sealed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ledger.actions.fields import Quantity, Source
from ledger.actions.laboratory import Analyte, LabResultReceived, LabSampleCollected
from ledger.demo.cast import PHARMACIST, PREPARER, pharmacist
from ledger.demo.course import Course, Pen
from ledger.demo.hands import NURSE
from ledger.demo.preparing import arm_of
from ledger.demo.screening import LABORATORY
from ledger.demo.stage import Story, Wait
from ledger.study.definition import Visit

_DAYS: Final = 2
_TRACE: Final = "0.00"  # as many characters as any level


def sampled(pen: Pen, visit: Visit) -> Story:
    """Take blood before the infusion that precedes the second stage."""
    course = pen.course
    second = course.definition.drawn().second
    if second is None or not course.definition.unblinding_analytes or visit.infusion != _number(course):
        return
    sample = f"{course.plan.id}-levels"
    taken = LabSampleCollected(
        sample=sample, specimen="plasma", visit=visit.id, time_point="before_infusion", source=pen.source()
    )
    yield pen.note(NURSE, taken, after=4)
    yield _read(course, visit, sample, pen)


def _number(course: Course) -> int:
    """Return the number of the infusion before the second stage."""
    second = course.definition.drawn().second
    following = course.definition.visit(second.visit) if second is not None else None
    return (following.infusion or 1) - 1 if following is not None else 0


def _read(course: Course, visit: Visit, sample: str, taken: Pen) -> Story:
    """Receive the levels: one row for each analyte that tells the treatment, whatever the arm."""
    day = visit.day if visit.day > 0 else 1
    pen = course.pen(course.plan.day1 + timedelta(days=day + _DAYS), 13 * 60)
    yield Wait(at_us=pen.us)
    arm = course.definition.arm(arm_of(course))
    given = {dose.product for dose in arm.doses} if arm is not None else set()
    rows = tuple(_level(course, name, given) for name in course.definition.unblinding_analytes)
    received = LabResultReceived(
        sample=sample,
        laboratory=LABORATORY,
        analytes=(),
        visit=visit.id,
        unblinding_results=rows,
        source=Source(kind="ehr"),
    )
    yield pen.note(PHARMACIST, received, person=pharmacist(course.plan.site, PREPARER))


def _level(course: Course, name: str, given: set[str]) -> Analyte:
    there = any(name in product or product in name for product in given)
    value = f"{course.dice.between(11, 48)}.{course.dice.below(10)}"
    return Analyte(analyte=name, quantity=Quantity(value=value if there else _TRACE, unit="ng/mL"))
