"""Corrections, voidings and co-signatures: their form against the statement that they name (catalogue H).

What they cause is not judged here: a correction is never refused for its consequences, it folds again. That
they have a reason is their form (`actions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ledger import canonical
from ledger.actions.registry import ActionSpec, find_spec, parse_data
from ledger.errors import FormatError
from ledger.participant import Breach
from ledger.roles import PHYSICIANS, SITE_STAFF
from ledger.rules.general import CLOCK_TOLERANCE_US, exists
from ledger.rules.record import Change, Record, put, span, value_at
from ledger.rules.stream import QUALITY, StreamView
from ledger.statement import ORIGINATOR_KINDS, Statement
from ledger.times import parse_instant

NEEDS_PHYSICIAN: Final = frozenset({"correction.made", "record.voided"})

IndexOf = Callable[[str], int | None]


def judge_correction(record: Record, view: StreamView, zone: str) -> Iterator[str]:
    """Judge a correction: by the site, of an original that stands, from its present value."""
    statement = record.statement
    target = view.statements.get(record.data["statement"])
    if target is None:
        yield "REFERENCE"
        return
    spec = find_spec(target.type, target.schema)
    if statement.actor.role not in SITE_STAFF:
        yield "CORRECTION_ROLE"
    if spec is None or not _can_be_corrected(target, spec) or target.event in view.voided:
        yield "CORRECTION_TARGET"
        return
    sealed = spec.scope_at(record.data["path"]) is not None
    if sealed != (statement.schema == 2):
        yield "CORRECTION_SEALED"
    elif not sealed:
        yield from _judge_values(record, target, spec, view, zone)


def _can_be_corrected(target: Statement, spec: ActionSpec) -> bool:
    """Tell whether a statement is an original with values to correct."""
    return spec.voidable and target.type not in QUALITY and target.type != "participant.registered"


def _judge_values(
    record: Record, target: Statement, spec: ActionSpec, view: StreamView, zone: str
) -> Iterator[str]:
    data = record.data
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
        yield from _judge_time(new, view, target, zone)


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
        data: Any = target.data
        for change in changes:
            if change.path.startswith("/data/"):
                data = put(data, change.path.split("/")[2:], change.new)
        parse_data(spec, put(data, path.split("/")[2:], new))
    except FormatError:
        return False
    return True


def _is_originator(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"id", "kind"} <= value.keys() <= {"id", "kind", "source"}
        and value["kind"] in ORIGINATOR_KINDS
        and all(isinstance(text, str) and 0 < len(text) <= 500 for text in value.values())
    )


def judge_voided(record: Record, view: StreamView, index_of: IndexOf) -> Iterator[str]:
    """Judge a voiding: of a record that stands and is of a kind that can be voided."""
    target = view.statements.get(record.data["statement"])
    right = record.data.get("right")
    if target is None or (right is not None and not _is_earlier(index_of(right), record.index)):
        yield "REFERENCE"
        return
    spec = find_spec(target.type, target.schema)
    if spec is None or not spec.voidable or target.event in view.voided or _stays(target):
        yield "NOT_VOIDABLE"


def _is_earlier(index: int | None, before: int) -> bool:
    return index is not None and index < before


def _stays(target: Statement) -> bool:
    """Tell whether a statement is never taken back: a randomization, and an id that is never used again."""
    return target.type in ("randomization.requested", "participant.randomized", "participant.registered")


def judge_cosigned(record: Record, view: StreamView) -> Iterator[str]:
    """Judge a co-signature: of an earlier statement, by another person, whose role may give it (R9)."""
    target = view.statements.get(record.data["statement"])
    if target is None:
        yield "REFERENCE"
        return
    actor = record.statement.actor
    if target.actor.id == actor.id:
        yield "SAME_PERSON"
    if target.type in NEEDS_PHYSICIAN and actor.role not in PHYSICIANS:
        yield "COSIGNER_NOT_ALLOWED"


def judge_detected(record: Record, breaches: tuple[Breach, ...]) -> Iterator[str]:
    """Judge a recorded breach: one that the rules find and that is not recorded yet."""
    named, rule = record.data["statement"], record.data["rule"]
    if not any(b.event == named and b.rule == rule and b.recorded is None for b in breaches):
        yield "BREACH_UNFOUNDED"


def has_source(statement: Statement) -> bool:
    """Tell whether a correction or voiding names what it rests on: only then can it make a breach vanish.

    A voiding always has `source`; a correction names it as its originator's source.
    """
    if statement.type == "record.voided":
        return True
    return statement.originator is not None and statement.originator.source is not None
