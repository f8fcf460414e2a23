"""The general rules: times (R1), authority to perform (R2b), what every gate needs (R3).

Late and skewed entries are flagged, never refused: a fact is a fact. Only a time that cannot be is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ledger.errors import FormatError
from ledger.rules.case import Case
from ledger.rules.protocols import version_for, versions_at
from ledger.rules.record import CLOCK_TOLERANCE_US, HOUR_US, PERFORMERS, Record
from ledger.studystate import StudyState
from ledger.times import Interval, check_local_time, parse_instant

OF_TIME: Final = frozenset({"LOCAL_TIME_NONEXISTENT", "TIME_IN_FUTURE", "LATE_ENTRY", "SIGNED_AT_APART"})
"""Rules that rest on the times of a statement alone (R1)."""

OF_DATA: Final = frozenset(
    {
        "form.frozen",
        "form.unfrozen",
        "participant.locked",
        "participant.unlocked",
        "participant_access.revoked",
    }
)
"""Gates of data and not of conduct: they come when site, approval and participation may be over (R4)."""

HALTED: Final = frozenset(
    {
        "participant.registered",
        "eligibility.confirmed",
        "rescreening.authorised",
        "randomization.requested",
        "infusion.ordered",
        "dose.dispensed",
        "infusion.started",
        "extension.entered",
    }
)
"""Gates that wait while the study is halted: enrolment, randomization, dispensing, starts (R3)."""

RESUMED: Final = frozenset({"infusion.resumed"})
"""Facts that a halt makes a breach: what runs is stopped, and not taken up again (R3)."""

RECRUITING: Final = frozenset({"participant.registered", "eligibility.confirmed"})
"""Gates that need the command's approval where the definition asks for it (catalogue B)."""

AFTER_END: Final = frozenset({"extension.entered"})
"""Gates that open after participation in the core study is over."""

_OWN_WORK: Final = frozenset({"participant", "device", "service"})  # no staff: nothing is delegated to them


@lru_cache(maxsize=8192)
def exists(text: str, zone: str) -> bool:
    """Tell whether the clocks of a zone ever showed a clinical time; remembered, because times repeat."""
    return hint(text, zone) is None


def hint(text: str, zone: str) -> str | None:
    """Say how the clocks of a zone went where they never showed a clinical time (R1)."""
    try:
        check_local_time(text, zone)
    except FormatError as error:
        return error.message
    return None


def judge_clocks(record: Record, study: StudyState) -> Iterator[str]:
    """Judge the times of any statement (R1)."""
    statement = record.statement
    if not statement.occurred_at.endswith("Z") and not exists(statement.occurred_at, study.zone(record.site)):
        yield "LOCAL_TIME_NONEXISTENT"
    occurred = record.occurred
    hours = study.late_entry_hours(record.index, record.site, record.now)
    if occurred.earliest_us > record.at_us + CLOCK_TOLERANCE_US:
        yield "TIME_IN_FUTURE"
    elif record.at_us - occurred.latest_us > hours * HOUR_US:
        yield "LATE_ENTRY"
    if abs(parse_instant(statement.signed_at) - record.at_us) > CLOCK_TOLERANCE_US:
        yield "SIGNED_AT_APART"


def judge_protocol(case: Case) -> Iterator[str]:
    """Judge the protocol version that a record says it was done under: that in force for the participant."""
    record, named = case.record, case.record.protocol
    if named is None:
        return
    if case.study.version(named, record.index) is None:
        yield "PROTOCOL_UNKNOWN"
    elif case.protocol is not None and case.protocol.version != named:
        # A time that can lie before an activation and after it does not tell.
        first = Interval(earliest_us=record.now.earliest_us, latest_us=record.now.earliest_us)
        other = version_for(case.participant, case.study, first, record.index)
        if other is None or other.version != named:
            yield "PROTOCOL_SUPERSEDED"


def judge_gate(case: Case) -> Iterator[str]:
    """Judge what every gate needs: a study that goes on, an active site, an approval in force (R3)."""
    record = case.record
    if not record.gates or record.type in OF_DATA or record.spec.always_open:
        if record.type in RESUMED and _standing(record, case.study) == "halted":
            yield "STUDY_HALTED"
        return
    # The site that a participant leaves may have closed: a transfer asks of the one that takes over.
    transferred = record.type == "participant.transferred"
    yield from judge_conditions(record, case.study, record.data["to"] if transferred else case.site)
    yield from _judge_recruiting(case)
    if record.type != "participant.registered" and _has_ended(case):
        yield "PARTICIPANT_ENDED"


def judge_conditions(record: Record, study: StudyState, site: str) -> Iterator[str]:
    """Judge what a gate rests on: the study, the site, the review board (R3)."""
    standing = _standing(record, study)
    if standing == "closed":
        yield "STUDY_CLOSED"
    elif standing == "halted" and record.type in HALTED:
        yield "STUDY_HALTED"
    if study.site(site).standing(study.zone(site), record.now, record.index) != "active":
        yield "SITE_NOT_ACTIVE"
    yield from judge_board(record, study, site)


def _standing(record: Record, study: StudyState) -> str | None:
    return study.conditions.standing(record.now, record.index) if study.conditions.steps else None


def judge_board(record: Record, study: StudyState, site: str) -> Iterator[str]:
    """Judge the review board's approval of a site: in force and not suspended, else a continuation (R3)."""
    if study.is_cut(f"site/{site}"):
        return  # a correction or voiding of an approval may be withheld
    of_site, zone, when, before = study.site(site), study.zone(site), record.now, record.index
    suspended = bool(of_site.suspensions) and of_site.suspended(zone, when, before)
    if not suspended and of_site.approved(zone, when, before):
        return
    activity = "enrolment" if _enrols(record) else None
    if of_site.continuations and of_site.continues(zone, when, before, activity):
        return
    if suspended:
        yield "IRB_SUSPENDED"
    else:
        known = any(approval.index < before for approval in of_site.approvals)
        yield "IRB_LAPSED" if known else "IRB_MISSING"


def _enrols(record: Record) -> bool:
    """Tell whether a gate takes somebody new in: registration, or the first randomization."""
    return record.type == "participant.registered" or (
        record.type == "randomization.requested" and record.data["stage"] == 1
    )


def _judge_recruiting(case: Case) -> Iterator[str]:
    """Judge what taking somebody in needs besides: enrolment not paused, the command's approval."""
    record, study = case.record, case.study
    if study.conditions.pauses and _enrols(record) and study.paused(case.site, record.now, record.index):
        yield "ENROLMENT_PAUSED"
    if (
        record.type in RECRUITING
        and case.definition is not None
        and case.definition.command_approval
        and not study.site(case.site).commanded(case.zone, record.now, record.index)
        and not study.is_cut(f"site/{case.site}")
    ):
        yield "COMMAND_APPROVAL_MISSING"


def _has_ended(case: Case) -> bool:
    return case.record.type not in AFTER_END and case.participant.has_ended


def judge_pharmacy(record: Record, study: StudyState) -> Iterator[str]:
    """Judge a record of a pharmacy: its gates as any other (R3), and who performed it (R2b)."""
    site = record.site or ""
    if record.gates:
        yield from judge_conditions(record, study, site)
    named = record.protocol
    if named is not None and study.version(named, record.index) is None:
        yield "PROTOCOL_UNKNOWN"
    elif named is not None and named not in versions_at(study, site, record.now, record.index):
        yield "PROTOCOL_SUPERSEDED"
    if record.spec.delegated:
        protocol = study.protocol_for(site, record.index, record.now)
        yield from judge_performers(record, study, site, protocol.version if protocol else None)


def judge_performer(case: Case) -> Iterator[str]:
    """Judge who performed it, for a participant (R2b)."""
    if case.record.spec.delegated:
        version = None if case.protocol is None else case.protocol.version
        yield from judge_performers(case.record, case.study, case.site, version)


def judge_performers(record: Record, study: StudyState, site: str, version: str | None) -> Iterator[str]:
    """Judge each performer named: delegated the task, trained on the version in force then (R2b)."""
    if record.statement.actor.role in _OWN_WORK:
        return
    if _source_kind(record) == "participant" and "performer" not in record.data:
        return
    if _is_taken_over(record):
        return
    people, before = record.performers, record.index
    if not all(study.delegated(p, record.type, site, record.occurred, before) for p in people):
        yield "NOT_DELEGATED"
    zone = study.zone(site)
    if version is not None and any(
        study.trained(p, version, record.occurred, zone, before) is None and not study.is_cut(f"person/{p}")
        for p in people
    ):
        yield "NOT_TRAINED"


def _is_taken_over(record: Record) -> bool:
    """Tell whether a system wrote it down first and named nobody: then the signer did not do it."""
    originator = record.statement.originator
    named = any(member in record.data for member in PERFORMERS)
    return originator is not None and originator.kind == "system" and not named


def _source_kind(record: Record) -> str | None:
    source = record.data.get("source")
    return source.get("kind") if isinstance(source, dict) else None
