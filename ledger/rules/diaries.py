"""Diaries that participants keep, and how one sees that they were filled in at once (catalogue F).

Diaries are back-filled when somebody enters several days together on the way to a visit: entries for three
days or more, made within a day before it, are flagged once the visit is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Breach, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import CLOCK_TOLERANCE_US, DAY_US, HOUR_US, span
from ledger.state.observing import DiaryEntry
from ledger.study.definition import Diary, StudyDefinition
from ledger.study.schedule import study_day
from ledger.times import Interval

SECOND_US: Final = 1_000_000
BATCH_DAYS: Final = 3
BATCH_WITHIN_US: Final = DAY_US
BACKFILLED: Final = "DIARY_BACKFILLED"
LOOK_BACK: Final = frozenset({"visit.started", "diary.submitted"})
"""Types that can show earlier diaries to have been entered together."""
_SOURCES: Final = frozenset({"device", "system"})


def judge_diary(case: Case) -> Iterator[str]:
    """Judge a diary: of the protocol, for a day that is due, in time, by a known clock and device."""
    data = case.record.data
    yield from _judge_answers(case)
    yield from _judge_once(case)
    entered = entered_at(data, case.zone)
    if not _is_due(case, data["diary"], entered):
        yield "DIARY_DAY"
    yield from _judge_device(case)
    if any(_is_batched(case.participant, entry_of(case), visit) for visit in _visits(case.participant)):
        yield BACKFILLED


def judge_missed(case: Case) -> Iterator[str]:
    """Judge a diary that was missed: of the protocol, and not there."""
    if case.definition is None or find(case.definition, case.record.data["diary"]) is None:
        yield "DIARY_UNKNOWN"
    yield from _judge_once(case)


def _judge_answers(case: Case) -> Iterator[str]:
    data, definition = case.record.data, case.definition
    diary = find(definition, data["diary"]) if definition is not None else None
    instrument = definition.instruments.get(data["instrument"]) if definition is not None else None
    known = diary is not None and instrument is not None and diary.instrument == instrument.id
    if not known or instrument is None or instrument.version != data["version"]:
        yield "DIARY_UNKNOWN"


def find(definition: StudyDefinition, diary: str) -> Diary | None:
    """Return the diary of this id, or None where the protocol asks for none such."""
    return next((row for row in definition.diaries if row.id == diary), None)


def _judge_once(case: Case) -> Iterator[str]:
    data = case.record.data
    if any((d.diary, d.due) == (data["diary"], data["due"]) for d in case.participant.observing.diaries):
        yield "DIARY_REPEATED"


def _judge_device(case: Case) -> Iterator[str]:
    data, record = case.record.data, case.record
    uploaded = _by_server(data["uploaded"], data["clock_offset_s"], case.zone)
    backwards = entered_at(data, case.zone).earliest_us > uploaded.latest_us
    ahead = uploaded.earliest_us > record.at_us + CLOCK_TOLERANCE_US
    if backwards or ahead or abs(data["clock_offset_s"]) * SECOND_US > CLOCK_TOLERANCE_US:
        yield "DIARY_CLOCK"
    device, people = data.get("device"), case.study.people
    if device is not None and not people.takes_in(device, _SOURCES, uploaded.earliest_us, record.index):
        yield "SOURCE_UNREGISTERED"


def entered_at(data: Mapping[str, Any], zone: str) -> Interval:
    """Return when a diary was entered, by the server's clock."""
    return _by_server(data["entered"], data["clock_offset_s"], zone)


def _by_server(text: str, offset_s: int, zone: str) -> Interval:
    read, offset_us = span(text, zone), offset_s * SECOND_US
    return Interval(earliest_us=read.earliest_us - offset_us, latest_us=read.latest_us - offset_us)


def _is_due(case: Case, name: str, entered: Interval) -> bool:
    """Tell whether a diary can have been entered while its day was open, and asks for that day at all."""
    diary = find(case.definition, name) if case.definition is not None else None
    if diary is None:
        return True
    due = case.record.data["due"]
    day = span(due, case.zone)
    if (
        entered.latest_us < day.earliest_us
        or entered.earliest_us > day.latest_us + diary.open_hours * HOUR_US
    ):
        return False
    if case.participant.day1 is None:
        return True
    after = (date.fromisoformat(due) - case.participant.day1).days
    on = study_day(case.participant.day1, date.fromisoformat(due))
    first = diary.first_day - 1 if diary.first_day > 0 else diary.first_day
    return diary.first_day <= on <= diary.last_day and (after - first) % diary.every_days == 0


def entry_of(case: Case) -> DiaryEntry:
    """Return what is kept of a diary, submitted or missed."""
    record = case.record
    entered = entered_at(record.data, case.zone) if record.type == "diary.submitted" else None
    return DiaryEntry(
        index=record.index,
        event=record.event,
        diary=record.data["diary"],
        due=record.data["due"],
        entered=entered,
    )


def fold_diary(case: Case) -> Participant:
    """Keep when a day's diary was entered."""
    observing = case.participant.observing
    diaries = (*observing.diaries, entry_of(case))
    return replace(case.participant, observing=replace(observing, diaries=diaries))


def _visits(participant: Participant) -> Iterator[Interval]:
    return (visit.time for visit in participant.visits.values() if visit.time is not None)


def _is_batched(participant: Participant, entry: DiaryEntry, visit: Interval) -> bool:
    return entry in _batch((*participant.observing.diaries, entry), visit)


def _batch(diaries: tuple[DiaryEntry, ...], visit: Interval) -> tuple[DiaryEntry, ...]:
    """Return the entries made within a day before a visit, where they are for several days."""
    near = tuple(entry for entry in diaries if _is_just_before(entry, visit))
    return near if len({entry.due for entry in near}) >= BATCH_DAYS else ()


def _is_just_before(entry: DiaryEntry, visit: Interval) -> bool:
    """Tell whether an entry was made for certain within a day before the start of a visit."""
    entered = entry.entered
    if entered is None:
        return False
    return visit.earliest_us - BATCH_WITHIN_US <= entered.earliest_us and entered.latest_us <= visit.latest_us


def look_back(case: Case) -> Participant:
    """Flag diaries that turn out to have been entered together before a visit: each once."""
    participant, record = case.participant, case.record
    started = record.type == "visit.started"
    visits = (record.occurred,) if started else tuple(_visits(participant))
    known = {breach.event for breach in participant.breaches if breach.rule == BACKFILLED}
    diaries = participant.observing.diaries
    found = {e.event: e for visit in visits for e in _batch(diaries, visit) if e.event not in known}
    new = tuple(
        Breach(event=entry.event, rule=BACKFILLED, index=entry.index, found=record.index)
        for entry in found.values()
    )
    return replace(participant, breaches=participant.breaches + new) if new else participant


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {"diary.submitted": judge_diary, "diary.missed": judge_missed}
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"diary.submitted": fold_diary, "diary.missed": fold_diary}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "diary.submitted": "DIARY_UNKNOWN DIARY_DAY DIARY_REPEATED DIARY_CLOCK SOURCE_UNREGISTERED "
        "DIARY_BACKFILLED",
        "diary.missed": "DIARY_UNKNOWN DIARY_REPEATED",
    }
)
