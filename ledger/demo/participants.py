"""A participant from screening to the end: the calendar of the definition, with the turns of the plan."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.demo import (
    afterwards,
    asides,
    consenting,
    diaries,
    leaving,
    monitoring,
    moving,
    schedule,
    second_stage,
    visits,
)
from ledger.demo.bedside import infusion
from ledger.demo.course import Course
from ledger.demo.safety import mild
from ledger.demo.signing import sign, visit_signed
from ledger.demo.stage import Story, Wait
from ledger.demo.turns import Turns
from ledger.study.definition import Visit
from ledger.study.schedule import day_date

_MILD_PERCENT: Final = 9
_LOOKED_OVER_DAYS: Final = 12
_REGISTER_DAYS: Final = 70
_FAR_DAYS: Final = 14
_POSTPONED_DAYS: Final = 5  # a follow-up that comes late had been agreed for a day in its window


def whole(course: Course) -> Story:
    """Play everything that is known of a participant."""
    definition, turns = course.definition, course.plan.turns
    screening = next(visit for visit in definition.visits if visit.kind == "screening")
    begin = asides.late_consent if turns.consent == "late" else visits.screening
    yield from begin(course, screening)
    if turns.fails:
        yield from visits.screen_failure(course, turns.fails)
        if turns.linked:
            yield from moving.linked(course)
        yield from monitoring.looked_over(course, course.plan.screening + timedelta(days=_LOOKED_OVER_DAYS))
        return
    if course.plan.again is not None:
        yield from visits.screened_again(course, screening, course.plan.again)
    yield from visits.randomization(course)
    yield diaries.kept(course)
    yield consenting.asked_again(course)
    yield monitoring.looked_after(course)
    yield from _treatment(course)
    if course.left:
        yield from _left(course)
    else:
        yield from _end(course)


def _left(course: Course) -> Story:
    """End the access to the diary, look the record over, and into a register if nothing more is heard."""
    on = course.today()
    yield from diaries.access_revoked(course, on + timedelta(days=1), completed=False)
    yield from monitoring.looked_over(course, on + timedelta(days=_LOOKED_OVER_DAYS))
    yield from sign(course.pen(on + timedelta(days=_LOOKED_OVER_DAYS + 1), 16 * 60), "participant")
    if course.plan.turns.after == "survival":
        yield from afterwards.survival(course, on + timedelta(days=_REGISTER_DAYS))


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
    yield Wait(at_us=course.pen(on - timedelta(days=1), 0).us)  # until then the site may be another
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
            yield from leaving.stopped(course, on, "prohibited_medication", "deviation")
        elif turns.bedside.get(number) == "pregnant":
            yield from leaving.stopped(course, on, "pregnancy", "pregnancy")
        elif course.dice.chance(_MILD_PERCENT) and number not in turns.asides:
            yield mild(course.pen(on, 16 * 60))
    following = course.definition.infusion(number + 1)
    if following is not None and following.day - visit.day > _FAR_DAYS and not course.stopped:
        planned = day_date(course.plan.day1, following.day)
        yield visits.scheduled(course.pen(on, 15 * 60 + 30), following, planned)
    aside = turns.asides.get(number)
    if aside is not None:
        yield asides.ASIDES[aside](course, visit, on)
    if turns.leaves is not None and turns.leaves[0] == number:
        yield from leaving.LEAVINGS[turns.leaves[1]](course, visit, on)


def _is_withdrawn(turns: Turns) -> bool:
    return turns.leaves is not None and turns.leaves[1] == "treatment"


def _end(course: Course) -> Story:
    """Follow up, complete, and look the record over."""
    definition, plan = course.definition, course.plan
    if course.stopped:
        *_, (on, visit) = schedule.outcome_visits_after_stopping(definition, plan.day1)
    else:
        on, visit = schedule.follow_up(definition, plan, course.last_infusion, course.dice)
        yield from leaving.treatment_completed(course, course.last_infusion or on)
        late = plan.turns.follow_up == "late"
        pen = course.pen(course.last_infusion or on, 18 * 60 + 50)
        yield visits.scheduled(pen, visit, on - timedelta(days=_POSTPONED_DAYS if late else 0))
        if plan.turns.follow_up == "missed":
            yield from visits.missed(course, visit, on, "unreachable")
        else:
            yield from visits.at_site(course, visit, on, ("OUTSIDE_WINDOW",) if late else ())
    yield from leaving.completed(course, visit, on + timedelta(days=1))
    yield from visit_signed(course.pen(on + timedelta(days=1), 16 * 60), visit.id)
    yield from diaries.access_revoked(course, on + timedelta(days=1), completed=True)
    match plan.turns.after:
        case "extension" | "extension_withdrawn":
            yield afterwards.extended(course, on + timedelta(days=1))
        case "serious_after_lock":
            yield afterwards.serious_after_lock(course, on)
    yield from monitoring.looked_over(course, on + timedelta(days=4))
    yield from consenting.informed(course, on + timedelta(days=5))
