"""Safety clocks: what is due by when, and overdue once a later record comes without it (catalogue F, G).

A clock is data of the study definition: so many hours or days from the instant that it names. It runs from
the knowledge that a statement tells of, and its answer counts when it is recorded: the log has no other time
that nobody can move. Nothing is overdue by itself; the first later record of the stream finds it, once, and
the breach stands on the statement that the clock ran from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ledger.participant import Breach, Participant
from ledger.rules.case import Case
from ledger.rules.record import DAY_US, HOUR_US, Record, span
from ledger.state.clocks import Due, answered, past
from ledger.study.definition import Clock, StudyDefinition

FIRST_KNOWLEDGE: Final = "first_knowledge_of_seriousness"
ALERT: Final = "suicidality_alert"
_UNITS: Final = {"h": HOUR_US, "d": DAY_US}


def limit_us(definition: StudyDefinition | None, starts: str) -> int | None:
    """Return how long a clock runs that starts at a named instant; None where the study has none."""
    clocks = definition.safety_clocks.values() if definition is not None else ()
    return next((length_us(clock) for clock in clocks if clock.starts == starts), None)


def length_us(clock: Clock) -> int:
    """Return how long a clock runs: its days are elapsed time too."""
    return clock.limit * _UNITS[clock.unit]


def known_us(record: Record, text: str, zone: str) -> int:
    """Return from when on something was known: the last instant that a time can mean, at most recording."""
    return min(span(text, zone).latest_us, record.at_us)


def wait(participant: Participant, record: Record, rule: str, subject: str, due_us: int) -> Participant:
    """Wait for the answer to a record, once for each rule and subject."""
    safety = participant.safety
    if any((due.rule, due.subject) == (rule, subject) for due in safety.waiting):
        return participant
    due = Due(index=record.index, event=record.event, rule=rule, subject=subject, due_us=due_us)
    return replace(participant, safety=replace(safety, waiting=(*safety.waiting, due)))


def answer(participant: Participant, rule: str, subject: str) -> Participant:
    """End the wait for an answer."""
    safety = participant.safety
    if not safety.waiting:
        return participant
    return replace(participant, safety=replace(safety, waiting=answered(safety.waiting, rule, subject)))


def look_back(case: Case, before: Participant) -> Participant:
    """Flag what was due before this record and was not there, this record's own answer being too late."""
    late = tuple(past(before.safety.waiting, case.record.at_us))
    if not late:
        return case.participant
    participant = case.participant
    left = tuple(due for due in participant.safety.waiting if due not in late)
    return replace(
        participant,
        safety=replace(participant.safety, waiting=left),
        breaches=(*participant.breaches, *_breaches(late, case.record)),
    )


def _breaches(late: tuple[Due, ...], record: Record) -> Iterator[Breach]:
    for due in late:
        yield Breach(event=due.event, rule=due.rule, index=due.index, found=record.index)
