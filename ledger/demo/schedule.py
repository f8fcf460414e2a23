"""Who comes when: screening dates, study day 1, and each participant's own dates within the windows.

Everything is counted from the definition's calendar; the draws only move a visit inside its window, and never
to where two infusions would come too close. Visits at the site fall on working days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from ledger.demo.dice import Dice
from ledger.demo.turns import Turns, turns_of
from ledger.study.definition import StudyDefinition, Visit
from ledger.study.schedule import day_date, visit_window

FIRST_DAY_1: Final = date(2024, 5, 6)
"""A Monday; later participants begin on later Mondays."""
ACCRUAL_WEEKS: Final = 30
PARTICIPANTS: Final = 34

_FAILED_WEEKS: Final = 5
_FRIDAY: Final = 4
_HOURS_A_DAY: Final = 24
_OF_FIVE_AT_FIRST_SITE: Final = (0, 2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One participant before anything has happened; `number` counts from 0 in the order of coming.

    `again` is the day of a second screening, after the first one failed.
    """

    number: int
    id: str
    site: str
    zone: str
    screening: date
    day1: date
    language: str
    sex: str
    turns: Turns
    again: date | None = None


def plans(definition: StudyDefinition, seed: int, count: int) -> tuple[Plan, ...]:
    """Plan the first `count` participants; ids go by site in the order of screening."""
    drafts = [_draft(definition, seed, number) for number in range(count)]
    numbers: dict[str, int] = {}
    named = []
    for draft in sorted(drafts, key=lambda plan: (plan.screening, plan.number)):
        numbers[draft.site] = numbers.get(draft.site, 0) + 1
        named.append(replace(draft, id=f"{draft.site}-{numbers[draft.site]:03d}"))
    return tuple(named)


def _draft(definition: StudyDefinition, seed: int, number: int) -> Plan:
    dice = Dice(f"trial-ledger demo {seed} plan {number}")
    sites = list(definition.sites.values())
    site = sites[0 if number % 5 in _OF_FIVE_AT_FIRST_SITE else -1]
    day1 = FIRST_DAY_1 + timedelta(weeks=number * ACCRUAL_WEEKS // (PARTICIPANTS - 1))
    screening = _screening(definition)
    first, _ = visit_window(definition, screening.id, day1)
    # The first days of its window, so that a screening of two days and its paperwork stay in it.
    screened = working_day(first + timedelta(days=dice.between(1, 5)))
    turns = turns_of(number)
    language, sex = dice.pick(("en", "en", "en", "es")), dice.pick(("female", "male"))
    return Plan(
        number=number,
        id="",
        site=site.id,
        zone=site.zone,
        screening=screened - timedelta(weeks=_FAILED_WEEKS if turns.rescreened else 0),
        day1=day1,
        language=language,
        sex="female" if turns.female else sex,
        turns=turns,
        again=screened if turns.rescreened else None,
    )


def _screening(definition: StudyDefinition) -> Visit:
    return next(visit for visit in definition.visits if visit.kind == "screening")


def infusion_dates(definition: StudyDefinition, plan: Plan, dice: Dice) -> Mapping[int, date]:
    """Return the day of each infusion by its number: planned, moved a little, or moved by a turn."""
    gap = timedelta(days=-(-definition.infusion_minimum_gap_hours // _HOURS_A_DAY))
    planned = {v.infusion: day_date(plan.day1, v.day) for v in definition.visits if v.infusion is not None}
    dates: dict[int, date] = {}
    before = plan.day1 - gap
    for visit in definition.visits:
        if visit.infusion is None:
            continue
        number, on = visit.infusion, planned[visit.infusion]
        if not _is_fixed(plan.turns, number):
            spread = min(1, visit.before_days), min(1, visit.after_days)
            moved = on + timedelta(days=dice.between(-spread[0], spread[1]))
            fits = before + gap <= moved <= planned.get(number + 1, date.max) - gap
            # Half of them keep the day; the others may, if there is room and the day is one of work.
            if dice.chance(50) and fits and moved.weekday() <= _FRIDAY:
                on = moved
        on += timedelta(days=plan.turns.shifted.get(number, 0))
        dates[number] = before = on
    return dates


def _is_fixed(turns: Turns, infusion: int) -> bool:
    """Keep the planned day around a turn, which has its own effect on days."""
    return any(number in turns.bedside for number in (infusion - 1, infusion, infusion + 1))


def remote_visits(definition: StudyDefinition, day1: date, dice: Dice) -> Iterator[tuple[date, Visit]]:
    """Yield assessments at home and contacts by phone with their days."""
    for visit in definition.visits:
        if visit.applies == "everyone" and visit.mode != "in_person":
            first, last = visit_window(definition, visit.id, day1)
            on = first + timedelta(days=dice.between(0, (last - first).days))
            yield (_within(on, first, last) if visit.mode == "phone" else on), visit


def outcome_visits_after_stopping(definition: StudyDefinition, day1: date) -> Iterator[tuple[date, Visit]]:
    """Yield the visits of those who stopped treatment early, on their planned days."""
    for visit in definition.visits:
        if visit.applies == "treatment_stopped":
            yield day_date(day1, visit.day), visit


def follow_up(
    definition: StudyDefinition, plan: Plan, last_infusion: date | None, dice: Dice
) -> tuple[date, Visit]:
    """Return the follow-up visit and its day; `last_infusion` where treatment has ended."""
    visit = next(visit for visit in definition.visits if visit.kind == "follow_up")
    first, last = visit_window(definition, visit.id, plan.day1, last_infusion=last_infusion)
    if plan.turns.follow_up == "late":
        return working_day(last + timedelta(days=3)), visit
    spread_days = (last - first).days // 4
    middle = first + timedelta(days=(last - first).days // 2)
    return _within(middle + timedelta(days=dice.between(-spread_days, spread_days)), first, last), visit


def working_day(on: date) -> date:
    """Return this day, or the Monday after it."""
    return on + timedelta(days=7 - on.weekday()) if on.weekday() > _FRIDAY else on


def _within(on: date, first: date, last: date) -> date:
    """Return the working day next to a day that lies in a window."""
    after = working_day(on)
    if first <= after <= last:
        return after
    before = on - timedelta(days=on.weekday() - _FRIDAY)
    return before if first <= before <= last else on
