"""Visits and their windows of calendar days at the site (catalogue F).

A window is counted from study day 1, which is known when the first infusion starts. A visit before that is
judged then, and the breach stands on the visit although it is found later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.actions.visits import UNSCHEDULED
from ledger.participant import Participant, Visit
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.dosing import last_infusion_date
from ledger.rules.record import span
from ledger.study.definition import visit_window
from ledger.times import Interval, local_date


def judge_known(case: Case) -> Iterator[str]:
    """Judge a visit's id: one of the protocol's, or unscheduled."""
    visit = case.record.data.get("visit")
    if visit is None or visit == UNSCHEDULED:
        return
    if case.definition is None or case.definition.visit(visit) is None:
        yield "VISIT_UNKNOWN"


def judge_started(case: Case) -> Iterator[str]:
    """Judge a visit's start: once, and in its window as far as day 1 is known."""
    yield from judge_known(case)
    visit = case.record.data["visit"]
    if visit in case.participant.visits:
        yield "VISIT_REPEATED"
    if not is_in_window(case, visit, case.record.occurred):
        yield "OUTSIDE_WINDOW"


def judge_scheduled(case: Case) -> Iterator[str]:
    """Judge a date agreed for a visit: of one that is still to come, in its window."""
    yield from judge_known(case)
    data = case.record.data
    if data["visit"] in case.participant.visits:
        yield "VISIT_REPEATED"
    if not is_in_window(case, data["visit"], span(data["date"], case.zone)):
        yield "OUTSIDE_WINDOW"


def judge_contact(case: Case) -> Iterator[str]:
    """Judge a contact: in the window of the visit that it is made for."""
    yield from judge_known(case)
    if not is_in_window(case, case.record.data["visit"], case.record.occurred):
        yield "OUTSIDE_WINDOW"


def judge_completed(case: Case) -> Iterator[str]:
    """Judge a visit's completion: started before, and once."""
    yield from judge_known(case)
    if case.record.data["visit"] == UNSCHEDULED:
        return
    visit = case.participant.visits.get(case.record.data["visit"])
    if visit is None or visit.started is None:
        yield "VISIT_NOT_STARTED"
    elif visit.completed is not None or visit.missed is not None:
        yield "VISIT_REPEATED"


def judge_missed(case: Case) -> Iterator[str]:
    """Judge a visit missed: neither started nor missed before."""
    yield from judge_known(case)
    if case.record.data["visit"] in case.participant.visits:
        yield "VISIT_REPEATED"


def is_in_window(case: Case, visit: str, time: Interval) -> bool:
    """Tell whether a visit can lie in its window; true where day 1 or the visit is not known."""
    day1, definition = case.participant.day1, case.definition
    if day1 is None or definition is None or definition.visit(visit) is None:
        return True
    last = last_infusion_date(case.participant, case.zone) if case.participant.treatment_ended else None
    begins, ends = visit_window(definition, visit, day1, last_infusion=last)
    return local_date(time.latest_us, case.zone) >= begins and local_date(time.earliest_us, case.zone) <= ends


def fold_started(case: Case) -> Participant:
    """Begin a visit; that of screening, treatment or follow-up begins what it is of.

    In a study without infusions the visit of day 1 is study day 1.
    """
    record, participant = case.record, case.participant
    name = record.data["visit"]
    if name == UNSCHEDULED:
        return participant
    known = participant.visits.get(name) or Visit(event=record.event)
    visit = replace(known, event=record.event, started=record.index, time=record.occurred)
    planned = case.definition.visit(name) if case.definition else None
    kind = None if planned is None else planned.kind
    began = participant.screening_began
    day1 = participant.day1
    if day1 is None and planned is not None and case.definition is not None:
        is_day1 = case.definition.infusions == 0 and planned == case.definition.day1_visit
        day1 = local_date(record.occurred.earliest_us, case.zone) if is_day1 else None
    return replace(
        participant,
        visits=_with(participant.visits, name, visit),
        screening_began=record.occurred if kind == "screening" and began is None else began,
        treatment_began=participant.treatment_began or kind == "treatment",
        following_up=participant.following_up or kind == "follow_up",
        day1=day1,
    )


def fold_completed(case: Case) -> Participant:
    """Complete a visit."""
    return _change(case, completed=case.record.index)


def fold_missed(case: Case) -> Participant:
    """Note a visit as missed."""
    return _change(case, missed=case.record.index)


def _change(case: Case, **changes: Any) -> Participant:
    participant, name = case.participant, case.record.data["visit"]
    if name == UNSCHEDULED:
        return participant
    known = participant.visits.get(name) or Visit(event=case.record.event)
    return replace(participant, visits=_with(participant.visits, name, replace(known, **changes)))


def _with(visits: Mapping[str, Visit], name: str, visit: Visit) -> Mapping[str, Visit]:
    return MappingProxyType({**visits, name: visit})


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "visit.scheduled": judge_scheduled,
        "visit.started": judge_started,
        "visit.completed": judge_completed,
        "visit.missed": judge_missed,
        "contact.made": judge_contact,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"visit.started": fold_started, "visit.completed": fold_completed, "visit.missed": fold_missed}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "visit.scheduled": "VISIT_UNKNOWN VISIT_REPEATED OUTSIDE_WINDOW",
        "visit.started": "VISIT_UNKNOWN VISIT_REPEATED OUTSIDE_WINDOW",
        "visit.completed": "VISIT_UNKNOWN VISIT_NOT_STARTED VISIT_REPEATED",
        "visit.missed": "VISIT_UNKNOWN VISIT_REPEATED",
        "contact.made": "VISIT_UNKNOWN OUTSIDE_WINDOW",
    }
)
