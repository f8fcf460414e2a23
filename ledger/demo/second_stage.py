"""The second stage: a guess of the arm, then the request that everyone on treatment has, in every arm."""

from __future__ import annotations

from datetime import date
from typing import Final

from ledger.actions.randomization import RandomizationRequested
from ledger.actions.unblinding import BlindGuessRecorded
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR
from ledger.demo.stage import Story
from ledger.study.definition import Visit

_EVENING: Final = 17 * 60


def guess(pen: Pen, visit: Visit) -> Story:
    """Ask the participant for a guess of the arm, where the protocol asks it at this visit."""
    course = pen.course
    asked = course.definition.blind_guess
    if asked is None or visit.id not in asked.visits:
        return
    arms = course.definition.arms
    guessed = BlindGuessRecorded(
        who="participant",
        visit=visit.id,
        guess=arms[course.dice.below(len(arms))].id,
        certainty=course.dice.between(1, 5),
        source=pen.source("participant"),
    )
    yield pen.note(COORDINATOR, guessed)


def draw(course: Course, visit: Visit, on: date) -> Story:
    """Ask for the second allocation after the last infusion before its visit."""
    second = course.definition.drawn().second
    if second is None or not _is_last_before(course, visit, second.visit):
        return
    pen = course.pen(on, _EVENING)
    yield pen.note(COORDINATOR, RandomizationRequested(list=second.list, stage=2, stratum=course.plan.site))


def _is_last_before(course: Course, visit: Visit, named: str) -> bool:
    following = course.definition.visit(named)
    infusions = [v for v in course.definition.visits if v.infusion is not None]
    if following is None:
        return False
    before = [v for v in infusions if v.day < following.day]
    return bool(before) and visit.id == max(before, key=lambda v: v.day).id
