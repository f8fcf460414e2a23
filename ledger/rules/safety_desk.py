"""The unblinded steps of safety: the stream `safety` (catalogue G; 21 CFR 312.32).

Which clock an expedited report runs by is plain in an assessment. It runs from when the sponsor was told, or
from the determination itself, as the study definition says; the report counts when it is recorded, and the
first later record of the stream finds what is overdue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Breach
from ledger.rules import clocks
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.safety_desk import Assessment, Receipt
from ledger.study.definition import Clock
from ledger.studystate import Attachments, StudyState

STREAM: Final = "safety"
LATE: Final = "EXPEDITED_REPORT_LATE"
RECEIPT: Final = "receipt_by_sponsor"


def judge_assessed(case: StudyCase) -> Iterator[str]:
    """Judge an assessment: of a report to the sponsor, with a clock of the study definition."""
    record, study = case.record, case.study
    told = study.safety_desk.receipt(record.data["statement"], record.index)
    if told is None and not study.partial:
        yield "SUSAR_REPORT"
    if "clock" in record.data and clock_of(study, record) is None:
        yield "CLOCK_UNKNOWN"


def judge_submitted(case: StudyCase) -> Iterator[str]:
    """Judge an expedited report: of an assessment that asks for one."""
    record = case.record
    asked = case.study.safety_desk.assessment(record.data["statement"], record.index)
    known = asked is not None or not case.study.partial
    if known and (asked is None or not asked.asked):
        yield "EXPEDITED_UNASKED"


def judge_decided(case: StudyCase) -> Iterator[str]:
    """Judge a decision of the committee: on data that were in the log."""
    if case.record.data["data_cut"] >= case.record.index:
        yield "DATA_CUT_AHEAD"


def clock_of(study: StudyState, record: Record) -> Clock | None:
    """Return the safety clock that an assessment names, of the protocol version in force."""
    protocol = study.protocol(record.index)
    definition = protocol.definition if protocol is not None else None
    return definition.safety_clocks.get(record.data.get("clock", "")) if definition is not None else None


def fold_receipt(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Keep when a report to the sponsor was recorded."""
    desk = state.safety_desk
    receipt = Receipt(index=record.index, at_us=record.at_us)
    receipts = MappingProxyType({**desk.receipts, record.event: receipt})
    return replace(state, safety_desk=replace(desk, receipts=receipts))


def fold_assessed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Keep an assessment, and by when its report is due."""
    asked = clock_of(state, record) is not None
    due_us = _due_us(state, record)
    return _keep(state, Assessment(index=record.index, event=record.event, asked=asked, due_us=due_us))


def _due_us(state: StudyState, record: Record) -> int | None:
    """Return by when the report is due; None where none is asked for, or its beginning is not shown here."""
    clock = clock_of(state, record)
    if clock is None:
        return None
    begins_us = clocks.known_us(record, record.data["determined"], state.zone(None))
    if clock.starts == RECEIPT:
        told = state.safety_desk.receipt(record.data["statement"], record.index)
        if told is None and state.partial:
            return None
        begins_us = begins_us if told is None else told.at_us
    return begins_us + clocks.length_us(clock)


def fold_submitted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Note the first report of an assessment."""
    asked = state.safety_desk.assessment(record.data["statement"], record.index)
    if asked is None or asked.submitted is not None:
        return state
    return _keep(state, replace(asked, submitted=record.index))


def _keep(state: StudyState, assessment: Assessment) -> StudyState:
    desk = state.safety_desk
    assessments = MappingProxyType({**desk.assessments, assessment.event: assessment})
    return replace(state, safety_desk=replace(desk, assessments=assessments))


CORRECTABLE: Final = frozenset({"susar.assessed", "expedited_report.submitted"})
"""Facts of this stream that can be corrected or voided, and that the state holds."""


def without_facts(state: StudyState, stream: str) -> StudyState:
    """Return the state without the assessments of the stream, to be folded again."""
    if stream != STREAM:
        return state
    desk = replace(state.safety_desk, assessments=MappingProxyType({}))
    return replace(state, safety_desk=desk)


def overdue(state: StudyState, record: Record, known: tuple[Breach, ...]) -> tuple[Breach, ...]:
    """Return what a record of the stream `safety` finds overdue that was not found before."""
    if record.stream != STREAM:
        return ()
    flagged = {breach.event for breach in known if breach.rule == LATE}
    return tuple(
        Breach(event=each.event, rule=LATE, index=each.index, found=record.index)
        for each in state.safety_desk.late(record.at_us, record.index)
        if each.event not in flagged
    )


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "susar.assessed": judge_assessed,
        "expedited_report.submitted": judge_submitted,
        "safety_committee.decided": judge_decided,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "sae.reported_to_sponsor": fold_receipt,
        "susar.assessed": fold_assessed,
        "expedited_report.submitted": fold_submitted,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "susar.assessed": "SUSAR_REPORT CLOCK_UNKNOWN EXPEDITED_REPORT_LATE",
        "expedited_report.submitted": "EXPEDITED_UNASKED",
        "safety_committee.decided": "DATA_CUT_AHEAD",
    }
)
