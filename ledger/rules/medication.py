"""Concomitant medication: what is prohibited, and how long it holds (catalogue F).

A prohibited medication holds, where the definition says so, from its first intake: it is taken as long as
nobody records that it was stopped or changed for another, and then washed out by the definition's days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Medication, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.holding import FOREVER_US, hold
from ledger.rules.record import DAY_US, span
from ledger.state.observing import Course
from ledger.times import Interval

PROHIBITED: Final = "PROHIBITED_MEDICATION"


def judge_started(case: Case) -> Iterator[str]:
    """Judge a medication: under a label of its own, its class not prohibited."""
    if case.record.data["medication"] in case.participant.observing.courses:
        yield "MEDICATION_REPEATED"
    yield from _judge_class(case)


def _judge_class(case: Case) -> Iterator[str]:
    if case.definition is not None and case.definition.prohibited(case.record.data["class"]) is not None:
        yield PROHIBITED


def judge_changed(case: Case) -> Iterator[str]:
    """Judge a change: of a medication that is taken, to a class that is not prohibited."""
    yield from _judge_course(case, "change")
    if "class" in case.record.data:
        yield from _judge_class(case)


def judge_stopped(case: Case) -> Iterator[str]:
    """Judge a stop: of a medication that is taken."""
    yield from _judge_course(case, "stop")


def _judge_course(case: Case, member: str) -> Iterator[str]:
    course = case.participant.observing.courses.get(case.record.data["medication"])
    if course is None:
        yield "MEDICATION_UNKNOWN"
        return
    since = course.changed or course.started
    if course.stopped is not None or span(case.record.data[member], case.zone).latest_us < since.earliest_us:
        yield "MEDICATION_DATES"


def fold_started(case: Case) -> Participant:
    """Add a medication. A prohibited one holds by the definition."""
    record, participant = case.record, case.participant
    class_, started = record.data["class"], span(record.data["start"], case.zone)
    medication = Medication(index=record.index, event=record.event, medication_class=class_, started=started)
    course = Course(index=record.index, event=record.event, medication_class=class_, started=started)
    participant = replace(participant, medications=(*participant.medications, medication))
    return _hold(case, _take(participant, record.data["medication"], course), class_, started)


def fold_changed(case: Case) -> Participant:
    """Go on with another dose or class; what was prohibited and is none any more begins to wash out."""
    data = case.record.data
    course = case.participant.observing.courses.get(data["medication"])
    if course is None:
        return case.participant
    changed = span(data["change"], case.zone)
    class_ = data.get("class", course.medication_class)
    if class_ == course.medication_class:
        return _take(case.participant, data["medication"], replace(course, changed=changed))
    after = Course(
        index=case.record.index,
        event=case.record.event,
        medication_class=class_,
        started=course.started,
        changed=changed,
        stopped=course.stopped,
    )
    participant = _wash_out(case, _take(case.participant, data["medication"], after), course, changed)
    return _hold(case, participant, class_, changed) if course.stopped is None else participant


def fold_stopped(case: Case) -> Participant:
    """End a medication: its hold ends with its wash-out."""
    data = case.record.data
    course = case.participant.observing.courses.get(data["medication"])
    if course is None or course.stopped is not None:
        return case.participant
    stopped = span(data["stop"], case.zone)
    participant = _take(case.participant, data["medication"], replace(course, stopped=stopped))
    return _wash_out(case, participant, course, stopped)


def _take(participant: Participant, label: str, course: Course) -> Participant:
    courses = MappingProxyType({**participant.observing.courses, label: course})
    return replace(participant, observing=replace(participant.observing, courses=courses))


def _hold(case: Case, participant: Participant, medication_class: str, since: Interval) -> Participant:
    prohibited = case.definition.prohibited(medication_class) if case.definition is not None else None
    if prohibited is None or prohibited.effect != "hold":
        return participant
    return replace(participant, holds=(*participant.holds, hold(case.record, PROHIBITED, since)))


def _wash_out(case: Case, participant: Participant, course: Course, ended: Interval) -> Participant:
    """Let the hold of what was taken until then end when it is washed out, by the last instant it can be."""
    prohibited = case.definition.prohibited(course.medication_class) if case.definition is not None else None
    if prohibited is None:
        return participant
    until_us = ended.latest_us + prohibited.washout_days * DAY_US
    holds = tuple(
        replace(each, until_us=until_us)
        if each.event == course.event and each.rule == PROHIBITED and each.until_us == FOREVER_US
        else each
        for each in participant.holds
    )
    return replace(participant, holds=holds)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "medication.started": judge_started,
        "medication.changed": judge_changed,
        "medication.stopped": judge_stopped,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "medication.started": fold_started,
        "medication.changed": fold_changed,
        "medication.stopped": fold_stopped,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "medication.started": "PROHIBITED_MEDICATION MEDICATION_REPEATED",
        "medication.changed": "PROHIBITED_MEDICATION MEDICATION_UNKNOWN MEDICATION_DATES",
        "medication.stopped": "MEDICATION_UNKNOWN MEDICATION_DATES",
    }
)
