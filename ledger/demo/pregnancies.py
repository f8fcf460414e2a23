"""Pregnancies: found by the test before an infusion, of a partner, and not possible any more."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.actions.pregnancy import ChildbearingPotentialChanged, PregnancyTestPerformed
from ledger.actions.safety import PregnancyOutcomeRecorded, PregnancyReported
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN
from ledger.demo.stage import Story
from ledger.study.definition import Visit

_TERM_DAYS: Final = 245
_PARTNERS_DAYS: Final = 150


def found(pen: Pen, visit: Visit) -> Story:
    """Find a pregnancy by the test in urine, and again in serum; what it came to is told months later."""
    for specimen in ("urine", "serum"):
        test = PregnancyTestPerformed(
            specimen="urine" if specimen == "urine" else "serum",
            result="positive",
            visit=visit.id,
            source=pen.source(),
        )
        yield pen.note(NURSE, test, after=20)
    on = date.fromisoformat(pen.day)
    reported = PregnancyReported(
        pregnancy="PREG-1",
        of="participant",
        awareness=pen.text,
        conception=str(on - timedelta(days=24))[:7],
        due=str(on + timedelta(days=_TERM_DAYS))[:7],
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, reported)
    yield _ended(pen.course, "PREG-1", on + timedelta(days=_TERM_DAYS))


def of_a_partner(course: Course, visit: Visit, on: date) -> Story:
    """Hear that a partner is pregnant: nothing stops, and it is followed with her agreement."""
    pen = course.pen(on, 15 * 60)
    reported = PregnancyReported(
        pregnancy="PREG-P1",
        of="partner",
        awareness=pen.text,
        note="partner agreed to be asked",
        source=pen.source("participant"),
    )
    yield pen.note(PHYSICIAN, reported)
    yield from _ended(course, "PREG-P1", on + timedelta(days=_PARTNERS_DAYS))


def _ended(course: Course, pregnancy: str, on: date) -> Story:
    pen = course.pen(on + timedelta(days=3), 11 * 60)
    ended = PregnancyOutcomeRecorded(
        pregnancy=pregnancy,
        outcome="live_birth",
        date=on.isoformat(),
        child="healthy",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, ended)


def not_possible_any_more(course: Course, visit: Visit, on: date) -> Story:
    """Pregnancy is not possible any more after an operation; no test is asked from then on."""
    pen = course.pen(on, 16 * 60)
    changed = ChildbearingPotentialChanged(
        potential="no", code="after_hysterectomy", source=pen.source("participant")
    )
    yield pen.note(COORDINATOR, changed)
    course.barren = True
