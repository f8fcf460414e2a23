"""Visits: what the calendar asks of each participant, what took place, and in its window or not.

Windows are calendar days at the participant's site, counted from study day 1, which is known once the first
infusion has started (catalogue F); before that they are empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from types import MappingProxyType
from typing import Final

from ledger.actions.visits import UNSCHEDULED
from ledger.participant import Participant
from ledger.rules.disposition import applying
from ledger.rules.dosing import last_infusion_date
from ledger.study.definition import StudyDefinition, visit_window
from ledger.study.schedule import study_day
from ledger.times import local_date
from projections.desk import Desk, Line
from projections.report import Report, Row

_TYPES: Final = ("visit.started", "visit.completed", "visit.missed", "contact.made")
NOT_EXPECTED: Final = "not expected"


def visits(desk: Desk) -> Iterator[Row]:
    """Yield the planned visits of each participant in the order of the calendar, then unscheduled ones."""
    for participant in desk.participants():
        definition = desk.definition_of(participant)
        lines = list(desk.records_of(f"participant/{participant.id}", *_TYPES))
        by_visit: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by_visit[line.data["visit"]].append(line)
        planned = [visit.id for visit in definition.visits] if definition is not None else []
        has = {v.id for v in applying(definition, participant)} if definition is not None else set()
        for visit in (*planned, *(v for v in by_visit if v not in planned and v != UNSCHEDULED)):
            row = _row(desk, participant, visit, by_visit.get(visit, []), definition)
            if row["index"] is None and visit not in has:
                row["state"] = NOT_EXPECTED
            yield row
        for line in by_visit.get(UNSCHEDULED, ()):
            if line.type == "contact.made":
                continue
            yield _row(desk, participant, UNSCHEDULED, [line], None)


def _row(
    desk: Desk,
    participant: Participant,
    visit: str,
    lines: list[Line],
    definition: StudyDefinition | None,
) -> Row:
    zone = desk.zone(participant.site)
    first = ("visit.started",) if any(line.type != "contact.made" for line in lines) else ("contact.made",)
    started = next((line for line in lines if line.type in first), None)
    took_place = local_date(started.occurred.earliest_us, zone) if started is not None else None
    last = lines[-1] if lines else None
    told = started or last
    if told is not None and definition is not None:
        definition = desk.definition_of(participant, told.index, told.occurred)
    window = _window(participant, visit, definition, zone)
    return {
        "site": participant.site,
        "participant": participant.id,
        "visit": visit,
        "planned_day": _planned_day(visit, definition),
        "first_day": window[0].isoformat() if window else None,
        "last_day": window[1].isoformat() if window else None,
        "state": _state(desk, participant, lines, window, zone),
        "occurred_at": started.occurred_at if started is not None else None,
        "study_day": _study_day(participant, took_place),
        "in_window": None if window is None or took_place is None else window[0] <= took_place <= window[1],
        "mode": started.data.get("mode") if started is not None else None,
        "index": last.index if last is not None else None,
    }


def _window(
    participant: Participant, visit: str, definition: StudyDefinition | None, zone: str
) -> tuple[date, date] | None:
    if participant.day1 is None or definition is None or definition.visit(visit) is None:
        return None
    last = last_infusion_date(participant, zone) if participant.treatment_ended else None
    return visit_window(definition, visit, participant.day1, last_infusion=last)


def _planned_day(visit: str, definition: StudyDefinition | None) -> int | None:
    planned = definition.visit(visit) if definition is not None else None
    return planned.day if planned is not None else None


def _study_day(participant: Participant, on: date | None) -> int | None:
    return None if on is None or participant.day1 is None else study_day(participant.day1, on)


def _state(
    desk: Desk, participant: Participant, lines: list[Line], window: tuple[date, date] | None, zone: str
) -> str:
    """Say where a visit stands: by its records, else due, overdue or not needed any more."""
    types = {line.type for line in lines}
    if "visit.missed" in types:
        return "missed"
    if "visit.completed" in types:
        return "completed"
    if types:
        return "contact made" if types == {"contact.made"} else "started"
    if participant.disposition is not None or participant.died is not None:
        return NOT_EXPECTED
    if participant.screening_failed is not None and not participant.enrolled:
        return NOT_EXPECTED
    if window is None:
        return "planned"
    today = local_date(desk.now_us, zone)
    if today > window[1]:
        return "overdue"
    return "due" if today >= window[0] else "planned"


REPORTS: Final = (
    Report(
        name="visits",
        question="Which visits took place, when, in their windows or not, and which are due or overdue?",
        columns=MappingProxyType(
            {
                "site": "the participant's site",
                "participant": "coded id",
                "visit": "visit of the calendar, or unscheduled",
                "planned_day": "study day of the calendar; of a follow-up, days after the last infusion",
                "first_day": "first calendar day of the window at the site",
                "last_day": "last calendar day of the window",
                "state": "planned, due, overdue, started, completed, missed, contact made, or not expected",
                "occurred_at": "when it started, as written and corrected",
                "study_day": "study day on which it started; there is no day 0",
                "in_window": "whether it started on a day of the window",
                "mode": "in person, by phone, at home",
                "index": "index of its newest record",
            }
        ),
        rows=visits,
    ),
)
