"""What a study definition says about days and totals: visit windows and scores.

Calendar arithmetic without zones: the caller says which calendar day an instant is at the site (catalogue
R1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ledger.errors import FormatError

if TYPE_CHECKING:
    from ledger.study.definition import Instrument, StudyDefinition

VISIT: Final = "VISIT"
ITEMS: Final = "OUTCOME_ITEMS"


def day_date(day1: date, day: int) -> date:
    """Return the date of a study day: day 1 is `day1`, day -1 the day before; there is no day 0.

    A day before the calendar's first is the first: day 1 may be one that a clock which was never set wrote.

    Raises:
        FormatError: day 0, or a date after the calendar's last.
    """
    if day == 0:
        raise FormatError(VISIT, "expected a study day, got day 0, which does not exist")
    return _later(day1, day - 1 if day > 0 else day)


def study_day(day1: date, on: date) -> int:
    """Return the study day of a date; never 0."""
    days = (on - day1).days
    return days + 1 if days >= 0 else days


def visit_window(
    definition: StudyDefinition, visit_id: str, day1: date, *, last_infusion: date | None = None
) -> tuple[date, date]:
    """Return the first and the last calendar day of a visit.

    A visit that is counted from the last infusion takes `last_infusion`; without one, the planned day of the
    last infusion visit, which is what a calendar shows before there is a last infusion.

    Raises:
        FormatError: the calendar has no such visit.
    """
    visit = definition.visit(visit_id)
    if visit is None:
        raise FormatError(VISIT, "expected a visit of the study definition", field="visit")
    if visit.anchor == "last_infusion":
        planned = max(row.day for row in definition.visits if row.infusion is not None)
        anchor = last_infusion if last_infusion is not None else day_date(day1, planned)
        due = _later(anchor, visit.day)
    else:
        due = day_date(day1, visit.day)
    return _later(due, -visit.before_days), _later(due, visit.after_days)


def score(instrument: Instrument, items: Iterable[tuple[str, int]]) -> Decimal:
    """Return the total of one complete set of answers, in any order.

    Raises:
        FormatError: an item is unknown, answered twice, missing or out of range, or the instrument has no
            total. The message names no answer.
    """
    answers: dict[str, int] = {}
    for item, value in items:
        if item not in instrument.items or item in answers:
            raise FormatError(
                ITEMS, f"expected each item of {instrument.id} once and no other", field="items"
            )
        if not instrument.minimum <= value <= instrument.maximum:
            raise FormatError(
                ITEMS, f"expected answers from {instrument.minimum} to {instrument.maximum}", field="items"
            )
        answers[item] = value
    if len(answers) != len(instrument.items):
        raise FormatError(ITEMS, f"expected {len(instrument.items)} items, got {len(answers)}", field="items")
    values = [answers[item] for item in instrument.items]
    match instrument.scoring:
        case "single" | "sum":
            return Decimal(sum(values))
        case "highest":
            return Decimal(max(values))
        case "level":
            return Decimal(max((level for level, value in enumerate(values, 1) if value), default=0))
        case "none":
            raise FormatError(ITEMS, f"expected an instrument with a total, {instrument.id} has none")


def _later(on: date, days: int) -> date:
    try:
        return on + timedelta(days=days)
    except OverflowError:
        if days < 0:
            return date.min
        raise FormatError(VISIT, "expected a date within the calendar") from None
