"""Around an infusion: the check before it, the observation after it, and who can become pregnant."""

from __future__ import annotations

from typing import Final, Literal

from ledger.actions.bedside import Check, PostinfusionObserved, PreinfusionCheckPassed, Score
from ledger.actions.pregnancy import ChildbearingPotentialChanged, PregnancyTestPerformed
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, NURSE
from ledger.demo.stage import Story
from ledger.study.definition import Visit

PREGNANCY_TEST: Final = "pregnancy_test"
FEMALE: Final = "female"

Result = Literal["negative", "positive", "invalid"]


def can_become_pregnant(course: Course) -> bool:
    """Tell whether pregnancy is possible: of about every second woman of these ages."""
    return course.plan.sex == FEMALE and course.plan.number % 4 != 1 and not course.barren


def childbearing(pen: Pen) -> Story:
    """Say whether pregnancy is possible. It is asked of everybody, so that the record tells no sex."""
    possible = can_become_pregnant(pen.course)
    changed = ChildbearingPotentialChanged(
        potential="yes" if possible else "no",
        code="by_history" if possible else "not_possible",
        source=pen.source(),
    )
    yield pen.note(COORDINATOR, changed)


def tested(pen: Pen, visit: Visit | None, unclear: Result | None) -> Story:
    """Test whoever can become pregnant; a test that is `unclear` is repeated."""
    if not can_become_pregnant(pen.course):
        return
    results: tuple[Result, ...] = ("negative",) if unclear is None else (unclear, "negative")
    for result in results:
        test = PregnancyTestPerformed(
            specimen="urine",
            result=result,
            visit=visit.id if visit is not None else None,
            source=pen.source(),
        )
        yield pen.note(NURSE, test)


def checked(pen: Pen, visit: Visit, number: int, *, unclear: Result | None = None) -> Story:
    """Pass the check that the protocol asks for before an infusion, with a test where one is due."""
    course = pen.course
    asked = course.definition.preinfusion
    if asked is None:
        return
    yield from tested(pen, visit, unclear)
    signs = course.vital_signs(pen.source("device"), "before_infusion", visit=visit.id)
    passed = PreinfusionCheckPassed(
        infusion=number,
        vitals=signs.measurements,
        checks=tuple(Check(check=name, result=_result(course, name)) for name in asked.checks),
        source=pen.source(),
    )
    yield pen.note(NURSE, passed)


def _result(course: Course, check: str) -> Literal["passed", "not_applicable"]:
    return "not_applicable" if check == PREGNANCY_TEST and not can_become_pregnant(course) else "passed"


def observed(pen: Pen, number: int) -> Story:
    """Observe after an infusion for as long as the protocol asks."""
    course = pen.course
    asked = course.definition.postinfusion
    if asked is None:
        return
    after = PostinfusionObserved(
        infusion=number,
        minutes_after=asked.minutes,
        sedation=Score(scale="MOAA/S", score=5),
        dissociation=Score(scale="CADSS-6", score=course.dice.between(0, 6)),
        escort=True,
        fit_to_leave=True,
        source=pen.source(),
    )
    yield pen.note(NURSE, after, after=asked.minutes)
