"""The general rules: times (R1), authority to perform (R2b), what every gate needs (R3).

Late and skewed entries are flagged, never refused: a fact is a fact. Only a time that cannot be is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ledger.errors import FormatError
from ledger.rules.case import Case
from ledger.rules.record import HOUR_US, MINUTE_US, Record
from ledger.studystate import StudyState
from ledger.times import check_local_time, parse_instant

CLOCK_TOLERANCE_US: Final = 5 * MINUTE_US

_OWN_WORK: Final = frozenset({"participant", "device", "service"})  # no staff: nothing is delegated to them


@lru_cache(maxsize=8192)
def exists(text: str, zone: str) -> bool:
    """Tell whether the clocks of a zone ever showed a clinical time; remembered, because times repeat."""
    try:
        check_local_time(text, zone)
    except FormatError:
        return False
    return True


def judge_clocks(record: Record, study: StudyState) -> Iterator[str]:
    """Judge the times of any statement (R1)."""
    statement = record.statement
    if not statement.occurred_at.endswith("Z") and not exists(statement.occurred_at, study.zone(record.site)):
        yield "LOCAL_TIME_NONEXISTENT"
    occurred = record.occurred
    if occurred.earliest_us > record.at_us + CLOCK_TOLERANCE_US:
        yield "TIME_IN_FUTURE"
    elif record.at_us - occurred.latest_us > study.late_entry_hours(record.index) * HOUR_US:
        yield "LATE_ENTRY"
    if abs(parse_instant(statement.signed_at) - record.at_us) > CLOCK_TOLERANCE_US:
        yield "SIGNED_AT_APART"


def judge_protocol(record: Record, study: StudyState) -> Iterator[str]:
    """Judge the protocol version that a record says it was done under."""
    if record.protocol is None:
        return
    if study.version(record.protocol, record.index) is None:
        yield "PROTOCOL_UNKNOWN"
        return
    newest = study.protocol(record.index)
    if newest is not None and newest.version != record.protocol:
        yield "PROTOCOL_SUPERSEDED"


def judge_gate(case: Case) -> Iterator[str]:
    """Judge what every gate needs: an active site and a review board's approval in force (R3)."""
    record, study = case.record, case.study
    if not record.gates:
        return
    site = study.site(case.site)
    if site.activated is None or site.activated >= record.index:
        yield "SITE_NOT_ACTIVE"
    if not study.approved(case.site, record.now, record.index):
        known = any(approval.index < record.index for approval in site.approvals)
        yield "IRB_LAPSED" if known else "IRB_MISSING"
    if record.type != "participant.registered" and _has_ended(case):
        yield "PARTICIPANT_ENDED"


def _has_ended(case: Case) -> bool:
    return case.participant.disposition is not None or case.participant.died is not None


def judge_performer(case: Case) -> Iterator[str]:
    """Judge who performed it: delegated the task and trained when it occurred (R2b)."""
    record, study = case.record, case.study
    if not record.spec.delegated or record.statement.actor.role in _OWN_WORK:
        return
    if _source_kind(record) == "participant" and "performer" not in record.data:
        return
    person, before = record.performer, record.index
    if not study.delegated(person, record.type, case.site, record.occurred, before):
        yield "NOT_DELEGATED"
    version = trained_version(record, study)
    if version is not None and study.trained(person, version, record.occurred, case.zone, before) is None:
        yield "NOT_TRAINED"


def trained_version(record: Record, study: StudyState) -> str | None:
    """Return the protocol version that a performer must be trained on; None before there is one."""
    if record.protocol is not None:
        return record.protocol
    newest = study.protocol(record.index)
    return None if newest is None else newest.version


def _source_kind(record: Record) -> str | None:
    source = record.data.get("source")
    return source.get("kind") if isinstance(source, dict) else None
