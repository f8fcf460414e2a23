"""A participant from screening to the end: the calendar of the definition, with the turns of the plan."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.demo import asides, leaving, schedule, second_stage, visits
from ledger.demo.bedside import infusion
from ledger.demo.course import Course
from ledger.demo.safety import mild
from ledger.demo.stage import Story
from ledger.demo.turns import Turns
from ledger.study.definition import Visit

_MILD_PERCENT: Final = 9


def whole(course: Course) -> Story:
    """Play everything that is known of a participant."""
    definition, turns = course.definition, course.plan.turns
    screening = next(visit for visit in definition.visits if visit.kind == "screening")
    begin = asides.late_consent if turns.consent == "late" else visits.screening
    yield from begin(course, screening)
    if turns.fails:
        yield from visits.screen_failure(course)
        return
    yield from visits.randomization(course)
    yield from _treatment(course)
    if not course.left:
        yield from _end(course)


def _treatment(course: Course) -> Story:
    """Go through the calendar day by day until it ends or the participant leaves."""
    definition, plan = course.definition, course.plan
    infusions = schedule.infusion_dates(definition, plan, course.dice)
    days: list[tuple[date, Visit]] = []
    for visit in definition.visits:
        if visit.infusion is not None:
            days.append((infusions[visit.infusion], visit))
    days += schedule.remote_visits(definition, plan.day1, course.dice)
    days += schedule.outcome_visits_after_stopping(definition, plan.day1)
    for on, visit in sorted(days, key=lambda row: (row[0], row[1].infusion is None)):
        if visit.infusion is not None:
            yield from _infusion(course, visit, on)
        elif visit.applies == "treatment_stopped":
            if course.stopped:
                yield from visits.at_site(course, visit, on)
        elif visit.mode == "phone":
            yield visits.by_phone(course, visit, on)
        else:
            yield visits.at_home(course, visit, on)
        if course.left:
            return


def _infusion(course: Course, visit: Visit, on: date) -> Story:
    turns, number = course.plan.turns, visit.infusion or 0
    if course.stopped:
        # Consent to treatment was withdrawn: there is no such visit any more. Otherwise it is missed.
        if not _is_withdrawn(turns):
            yield from visits.missed(course, visit, on, "treatment_discontinued")
        return
    if number in turns.missed:
        yield from visits.missed(course, visit, on, turns.missed[number])
        yield from second_stage.draw(course, visit, on)
    else:
        yield from infusion(course, visit, on)
        yield from second_stage.draw(course, visit, on)
        if turns.bedside.get(number) == "hold_stays":
            course.stopped = True
        elif course.dice.chance(_MILD_PERCENT) and number not in turns.asides:
            yield mild(course.pen(on, 16 * 60))
    aside = turns.asides.get(number)
    if aside is not None:
        yield asides.ASIDES[aside](course, visit, on)
    if turns.leaves is not None and turns.leaves[0] == number:
        yield from leaving.LEAVINGS[turns.leaves[1]](course, visit, on)


def _is_withdrawn(turns: Turns) -> bool:
    return turns.leaves is not None and turns.leaves[1] == "treatment"


def _end(course: Course) -> Story:
    """Follow up, and complete."""
    definition, plan = course.definition, course.plan
    if _is_withdrawn(plan.turns):
        *_, (on, visit) = schedule.outcome_visits_after_stopping(definition, plan.day1)
        yield from leaving.completed(course, visit, on + timedelta(days=1))
        return
    last = None if course.stopped else course.last_infusion
    on, visit = schedule.follow_up(definition, plan, last, course.dice)
    if plan.turns.follow_up == "missed":
        yield from visits.missed(course, visit, on, "unreachable")
    else:
        late = plan.turns.follow_up == "late"
        yield from visits.at_site(course, visit, on, ("OUTSIDE_WINDOW",) if late else ())
    yield from leaving.completed(course, visit, on + timedelta(days=1))
