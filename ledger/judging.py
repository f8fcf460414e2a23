"""Which rules one record breaks where the study and its participants stand; nothing is changed.

What is asked depends on the stream: of participants' streams `rules.participants`, of every other one
`rules.outside`; statements about other statements are `rules.quality`, whatever stream they stand in.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ledger.authority import Authority
from ledger.participant import Participant
from ledger.rules import (
    assurance,
    departures,
    general,
    locks,
    outside,
    participants,
    people,
    quality,
    refold,
    study,
)
from ledger.rules.about import About
from ledger.rules.case import StudyCase
from ledger.rules.record import Record
from ledger.rules.stream import QUALITY
from ledger.standing import PARTICIPANT, Standing


def judge(standing: Standing, record: Record, authority: Authority) -> Iterator[str]:
    """Yield the codes of the rules that a record breaks, in the order in which they are asked.

    They are those of every version; which are in force is asked by `rule_versions`.
    """
    yield from people.judge_source(record, standing.study)
    yield from _judge_by_area(standing, record, authority)
    if record.spec.references and not all(standing.is_earlier(e, record) for e in record.references):
        yield "REFERENCE"


def departed(standing: Standing, record: Record | None) -> frozenset[str]:
    """Return the rules that were set aside for a gate, to remove an immediate hazard (catalogue E)."""
    if record is None or not record.stream.startswith(PARTICIPANT):
        return frozenset()
    participant = standing.participant_of(record.stream)
    if participant is None or not participant.bedside.departures:
        return frozenset()
    return frozenset(each.rule for each in departures.in_effect(participant, record))


def _judge_by_area(standing: Standing, record: Record, authority: Authority) -> Iterator[str]:
    if standing.is_cut(record):
        yield from general.judge_clocks(record, standing.study)
    elif record.type in QUALITY:
        yield from general.judge_clocks(record, standing.study)
        yield from _judge_quality(standing, record)
    elif record.stream.startswith(PARTICIPANT):
        yield from _judge_participant(standing, record)
        if record.type == "participant.registered" and authority.used(record.data["participant"]):
            yield "CLASS_STREAM"
    else:
        yield from _judge_outside(standing, record, authority)


def _judge_outside(standing: Standing, record: Record, authority: Authority) -> Iterator[str]:
    state, everybody = standing.study, standing.participants
    earlier = partial(standing.earlier, before=record.index)
    case = StudyCase(
        record, state, authority, standing.reader.attachment, earlier, everybody.get, standing.arm
    )
    yield from general.judge_clocks(record, state)
    yield from study.judge_any(case)
    yield from locks.judge_record(record, assurance.EMPTY, state)
    if record.type == "database.locked":
        yield from locks.judge_database(case, everybody.values(), withheld=standing.withheld > 0)
    rule = outside.JUDGES.get(record.type)
    if rule is not None:
        yield from rule(case)
    if record.type == "account.created" and record.data["person"] in everybody:
        yield "CLASS_STREAM"


def _judge_participant(standing: Standing, record: Record) -> Iterator[str]:
    participant = standing.participant_of(record.stream)
    if record.type == "participant.registered":
        if participant is not None:
            yield "ID_REUSED"
        if record.data["participant"] != record.stream[len(PARTICIPANT) :]:
            yield "PARTICIPANT_ID"
        if standing.study.registered is None:
            yield "STUDY_NOT_REGISTERED"
        participant = refold.start(record)
    elif participant is None:
        yield "PARTICIPANT_UNKNOWN"
        return
    yield from participants.judge_any_version(standing.case_of(record, participant))


def _judge_quality(standing: Standing, record: Record) -> Iterator[str]:
    if record.type == "breach.detected":
        # A breach may rest on a statement that is not shown here.
        if not standing.study.partial and not standing.rests_unseen(record):
            yield from quality.judge_detected(record, standing.breaches_of(record.stream))
        return
    view = standing.view(record)
    participant: Participant | None = None
    if record.stream.startswith(PARTICIPANT):
        participant = standing.participant_of(record.stream)
        if participant is None:
            yield "PARTICIPANT_UNKNOWN"
    own = standing.assurance_of(record.stream)
    index_of, withheld = standing.reader.index_of, standing.withheld > 0
    yield from quality.judge(About(record, view, own, standing.study, participant, index_of, withheld))
