"""Corrections, voidings and co-signatures: their form against the statement that they name (catalogue H).

What they cause is not judged here: a correction is never refused for its consequences, it folds again. That
they have a reason is their form (`actions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger import canonical
from ledger.actions.registry import ActionSpec, find_spec, parse_data
from ledger.errors import FormatError
from ledger.participant import Breach
from ledger.roles import SITE_STAFF
from ledger.rules import locks, observations, oversight
from ledger.rules.about import About
from ledger.rules.assured import cited_proposal, same_change
from ledger.rules.case import StudyFold, StudyJudge
from ledger.rules.general import exists
from ledger.rules.protocols import version_for
from ledger.rules.record import CLOCK_TOLERANCE_US, Change, Record, put, span, value_at
from ledger.rules.seconds import may_cosign, persons_of
from ledger.rules.stream import QUALITY, StreamView
from ledger.statement import ORIGINATOR_KINDS, Statement
from ledger.studystate import Protocol
from ledger.times import parse_instant


def judge(case: About) -> Iterator[str]:
    """Judge a statement about others of its stream by the locks, its author, and the rules of its type."""
    record, target = case.record, None
    if "statement" in record.data:
        target = case.target
        spec = None if target is None else find_spec(target.type, target.schema)
        completes = record.type == "record.cosigned" and spec is not None and spec.always_open
    if target is None or not completes:
        yield from locks.judge_record(record, case.assurance, case.study)
    yield from oversight.judge_author(case)
    match record.type:
        case "correction.made":
            yield from _judge_correction(case)
        case "correction.proposed":
            yield from _judge_change(case)
        case "record.voided":
            yield from _judge_voided(case)
        case "record.cosigned":
            yield from _judge_cosigned(case)
        case _:
            rule = oversight.JUDGES.get(record.type) or locks.JUDGES.get(record.type)
            if rule is not None:
                yield from rule(case)


def _judge_correction(case: About) -> Iterator[str]:
    """Judge a correction: by the site, of an original that stands, from its present value."""
    if case.target is not None and case.role not in SITE_STAFF:
        yield "CORRECTION_ROLE"
    yield from _judge_change(case)
    yield from locks.judge_frozen(case)
    cited = cited_proposal(case.assurance, case.record)
    proposed = None if cited is None else case.view.statements.get(cited.event)
    if proposed is not None and not same_change(case.record, proposed.data):
        yield "PROPOSAL_DIFFERS"


def _judge_change(case: About) -> Iterator[str]:
    """Judge a change of a value, made or proposed."""
    record, view, target = case.record, case.view, case.target
    if target is None:
        yield "REFERENCE"
        return
    spec = find_spec(target.type, target.schema)
    if spec is None or not _can_be_corrected(target, spec) or target.event in view.voided:
        yield "CORRECTION_TARGET"
        return
    sealed = spec.scope_at(record.data["path"]) is not None
    if sealed != (record.statement.schema == 2):
        yield "CORRECTION_SEALED"
    elif not sealed:
        yield from _judge_values(case, target, spec)


def _can_be_corrected(target: Statement, spec: ActionSpec) -> bool:
    """Tell whether a statement is an original with values to correct."""
    return spec.voidable and target.type not in QUALITY and target.type != "participant.registered"


def _judge_values(case: About, target: Statement, spec: ActionSpec) -> Iterator[str]:
    data, view = case.record.data, case.view
    path, new = data["path"], data["new"]
    changes = view.changes.get(target.event, ())
    try:
        present = value_at(target, changes, path)
    except FormatError:
        yield "CORRECTION_PATH"
        return
    if not _is_same(present, data["old"]):
        yield "CORRECTION_OLD_MISMATCH"
    if _is_same(present, new) or not _has_form(target, spec, changes, path, new):
        yield "CORRECTION_MALFORMED"
    elif path == "/occurred_at":
        # The zone of the site at which it was recorded: the participant may have been transferred since.
        yield from _judge_time(new, view, target, case.study.zone(target.site))
    elif path.startswith("/data/"):
        corrected = _corrected(target, changes, path, new)
        yield from observations.judge_corrected(target, corrected, _protocol(case, target))


def _protocol(case: About, target: Statement) -> Protocol | None:
    """Return the version by whose names a corrected value is judged: the participant's, else the site's."""
    record, study = case.record, case.study
    if case.participant is None:
        return study.protocol_for(target.site, record.index, record.now)
    return version_for(case.participant, study, record.now, record.index)


def _judge_time(new: str, view: StreamView, target: Statement, zone: str) -> Iterator[str]:
    """Judge a corrected time as the original was judged: against the time of its recording (R1)."""
    at = next(entry.leaf.at for entry in view.entries if entry.event == target.event)
    if not exists(new, zone):
        yield "LOCAL_TIME_NONEXISTENT"
    elif span(new, zone).earliest_us > parse_instant(at) + CLOCK_TOLERANCE_US:
        yield "TIME_IN_FUTURE"


def _is_same(one: Any, other: Any) -> bool:
    """Compare as JSON: in Python 1 equals True."""
    return canonical.encode([one]) == canonical.encode([other])


def _has_form(target: Statement, spec: ActionSpec, changes: tuple[Change, ...], path: str, new: Any) -> bool:
    """Tell whether the corrected statement would still have the form of its type."""
    try:
        match path:
            case "/originator":
                return new is None or _is_originator(new)
            case "/protocol":
                return new is None or (isinstance(new, str) and 0 < len(new) <= 500)
            case "/occurred_at":
                return isinstance(new, str) and span(new, "UTC") is not None
        parse_data(spec, _corrected(target, changes, path, new))
    except FormatError:
        return False
    return True


def _corrected(target: Statement, changes: tuple[Change, ...], path: str, new: Any) -> Any:
    data: Any = target.data
    for change in changes:
        if change.path.startswith("/data/"):
            data = put(data, change.path.split("/")[2:], change.new)
    return put(data, path.split("/")[2:], new)


def _is_originator(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"id", "kind"} <= value.keys() <= {"id", "kind", "source"}
        and value["kind"] in ORIGINATOR_KINDS
        and all(isinstance(text, str) and 0 < len(text) <= 500 for text in value.values())
    )


def _judge_voided(case: About) -> Iterator[str]:
    """Judge a voiding: of a record that stands and is of a kind that can be voided."""
    record, view, target = case.record, case.view, case.target
    right = record.data.get("right")
    if target is None or (right is not None and not _is_earlier(case.index_of(right), record.index)):
        yield "REFERENCE"
        return
    yield from locks.judge_frozen(case)
    spec = find_spec(target.type, target.schema)
    if spec is None or not spec.voidable or target.event in view.voided or _stays(target):
        yield "NOT_VOIDABLE"


def _is_earlier(index: int | None, before: int) -> bool:
    return index is not None and index < before


def _stays(target: Statement) -> bool:
    """Tell whether a statement is never taken back: a randomization, and an id that is never used again."""
    return target.type in ("randomization.requested", "participant.randomized", "participant.registered")


def _judge_cosigned(case: About) -> Iterator[str]:
    """Judge a co-signature: of an earlier statement, by another person, whose role may give it (R9)."""
    target = case.target
    if target is None:
        yield "REFERENCE"
        return
    part = {person for w in case.assurance.waiting if w.event == target.event for person in w.persons}
    if case.by in part | persons_of(target):
        yield "SAME_PERSON"
    if not may_cosign(target, case.record.data["as"], case.record.statement.actor):
        yield "COSIGNER_NOT_ALLOWED"


def judge_detected(record: Record, breaches: tuple[Breach, ...]) -> Iterator[str]:
    """Judge a recorded breach: one that the rules find and that is not recorded yet."""
    named, rule = record.data["statement"], record.data["rule"]
    if not any(b.event == named and b.rule == rule and b.recorded is None for b in breaches):
        yield "BREACH_UNFOUNDED"


def has_source(statement: Statement, shown: Mapping[str, Statement]) -> bool:
    """Tell whether a correction or voiding names what it rests on: only then can it make a breach vanish.

    A voiding always has `source`; a correction names it as its originator's source. A proposal that is cited
    there is none.
    """
    if statement.type == "record.voided":
        return True
    source = None if statement.originator is None else statement.originator.source
    return source is not None and source not in shown


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {"database.unlocked": locks.judge_database_unlocked}
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})

_CHANGE: Final = (
    "REFERENCE CORRECTION_TARGET CORRECTION_SEALED CORRECTION_PATH CORRECTION_OLD_MISMATCH "
    "CORRECTION_MALFORMED UNBLINDING_ANALYTE_PLAIN AUTHOR_UNBLINDED"
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "correction.made": f"{_CHANGE} CORRECTION_ROLE PROPOSAL_DIFFERS FORM_FROZEN COSIGNATURE_OVERDUE",
        "correction.proposed": _CHANGE,
        "record.voided": "REFERENCE NOT_VOIDABLE FORM_FROZEN AUTHOR_UNBLINDED COSIGNATURE_OVERDUE",
        "record.cosigned": "REFERENCE SAME_PERSON COSIGNER_NOT_ALLOWED AUTHOR_UNBLINDED",
        "breach.detected": "BREACH_UNFOUNDED",
        **oversight.ASKED,
        **locks.ASKED,
    }
)
