"""Rules of erasure: what may be destroyed, on whose approvals (catalogue A; record-format.md §7).

Withdrawal is not erasure: what a protocol had recorded stays, and a value of treatment or safety is under
retention. What is erased is what never belonged here or has to go by law: identity, free text, access. Each
erasure is of one statement, and its approvals name the digests that go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.actions.registry import find_spec
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.people import Erasure
from ledger.statement import Statement
from ledger.studystate import Attachments, ErasureApproval, StudyState

ERASABLE: Final = frozenset({"identity", "freetext", "access"})
"""Scopes whose values are not under retention."""
_TARGET: Final = "target"


def judge_approved(case: StudyCase) -> Iterator[str]:
    """Judge an approval: of digests of the statement named, none under retention, none erased before."""
    yield from _judge_digests(case)


def judge_erased(case: StudyCase) -> Iterator[str]:
    """Judge an erasure: two approvals of these digests by different people, one not of the sponsor."""
    data = case.record.data
    approvals = [case.study.erasures.get(named) for named in data["approvals"]]
    if any(approval is None for approval in approvals):
        yield "REFERENCE"
        return
    good = [a for a in approvals if a is not None and _covers(a, data["statement"], data["digests"])]
    if len({approval.person for approval in good}) < 2:
        yield "SAME_PERSON"
    if len(good) < 2 or all(approval.of_sponsor for approval in good):
        yield "ERASURE_APPROVALS"
    yield from _judge_digests(case)


def _covers(approval: ErasureApproval, statement: str, digests: list[str]) -> bool:
    return approval.statement == statement and approval.digests >= set(digests)


def _judge_digests(case: StudyCase) -> Iterator[str]:
    data = case.record.data
    if case.study.people.is_erased(data["digests"], case.record.index):
        yield "ERASURE_DIGESTS"
    named = case.earlier(data["statement"])
    if named is None or named.statement is None:
        return  # unknown: `REFERENCE`; withheld here: not judged
    paths = {digest: path for path, digest in named.statement.sealed.items()}
    if any(digest not in paths for digest in data["digests"]):
        yield "ERASURE_DIGESTS"
    scopes = {scope_of(case, named.statement, paths[d]) for d in data["digests"] if d in paths}
    if not scopes <= ERASABLE:
        yield "ERASURE_RETENTION"


def scope_of(case: StudyCase, statement: Statement, path: str) -> str | None:
    """Return the scope of a sealed value; of a correction's, that of what it corrects. None: unknown."""
    known = find_spec(statement.type, statement.schema)
    scope = None if known is None else known.scope_at(path)
    if scope != _TARGET:
        return scope
    corrected = case.earlier(statement.data["statement"])
    if corrected is None or corrected.statement is None:
        return None
    return scope_of(case, corrected.statement, statement.data["path"])


def _erased(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    approvals = [state.erasures[event] for event in data["approvals"] if event in state.erasures]
    erasure = Erasure(
        index=record.index,
        statement=data["statement"],
        digests=frozenset(data["digests"]),
        approved_by=tuple(approval.person for approval in approvals),
    )
    return replace(state, people=replace(state.people, erasures=(*state.people.erasures, erasure)))


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {"erasure.approved": judge_approved, "personal_data.erased": judge_erased}
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({"personal_data.erased": _erased})
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "erasure.approved": "REFERENCE ERASURE_DIGESTS ERASURE_RETENTION",
        "personal_data.erased": "REFERENCE SAME_PERSON ERASURE_APPROVALS ERASURE_DIGESTS ERASURE_RETENTION",
    }
)
