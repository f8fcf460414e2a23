"""Rules of queries, source verification, trail review, deviations and signatures (catalogue H; R8).

Each names statements of its own stream: what is not there is a wrong reference. They tell what somebody
looked at and found, so what can be wrong with them is form, sequence, role or integrity: refused, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ledger.actions.registry import find_spec
from ledger.errors import FormatError
from ledger.roles import SITE_STAFF
from ledger.rules.about import UNBLINDED, About, AboutJudge
from ledger.rules.assured import subject_of
from ledger.rules.record import value_at
from ledger.rules.signing import signed_digest
from ledger.rules.stream import QUALITY
from ledger.statement import Statement


def judge_author(case: About) -> Iterator[str]:
    """Keep who knows the treatment from showing by their work where blinded roles read (R8)."""
    if case.participant is not None and case.role in UNBLINDED:
        yield "AUTHOR_UNBLINDED"


def _query_opened(case: About) -> Iterator[str]:
    yield from _values(case, case.target, case.record.data["paths"])


def _query_step(case: About, *, by: str, states: frozenset[str]) -> Iterator[str]:
    query = case.assurance.query(case.record.data["statement"])
    if query is None:
        yield "REFERENCE"
        return
    if case.role not in SITE_STAFF if by == "site" else case.role != query.role:
        yield "QUERY_ROLE"
    if query.state not in states:
        yield "QUERY_STATE"


def _query_answered(case: About) -> Iterator[str]:
    yield from _query_step(case, by="site", states=frozenset({"open"}))
    correction = case.record.data.get("correction")
    if correction is not None and correction not in case.view.statements:
        yield "REFERENCE"


def _query_reopened(case: About) -> Iterator[str]:
    yield from _query_step(case, by="opener", states=frozenset({"answered", "closed"}))


def _query_closed(case: About) -> Iterator[str]:
    yield from _query_step(case, by="opener", states=frozenset({"open", "answered"}))


def _source_verified(case: About) -> Iterator[str]:
    for item in case.record.data["items"]:
        yield from _values(case, case.view.statements.get(item["statement"]), item["paths"])


def _discrepancy_found(case: About) -> Iterator[str]:
    yield from _values(case, case.target, case.record.data["paths"])


def _values(case: About, target: Statement | None, paths: Iterable[str]) -> Iterator[str]:
    """Judge values that are named: of a record of this stream, as it reads now."""
    spec = None if target is None else find_spec(target.type, target.schema)
    if target is None or spec is None or target.type in QUALITY:
        yield "REFERENCE"
        return
    for path in paths:
        try:
            value_at(target, case.view.changes.get(target.event, ()), path)
        except FormatError:
            if spec.scope_at(path) is None:
                yield "FIELD_UNKNOWN"


def _document_certified(case: About) -> Iterator[str]:
    yield from _in_stream(case, case.record.data["statements"])


def _in_stream(case: About, named: Iterable[str]) -> Iterator[str]:
    if any(event not in case.view.statements for event in named):
        yield "REFERENCE"


def _deviation_classified(case: About) -> Iterator[str]:
    target = case.target
    if target is None or target.type != "deviation.reported":
        yield "REFERENCE"
    elif target.actor.id == case.by:
        yield "SAME_PERSON"


def _trail_reviewed(case: About) -> Iterator[str]:
    if case.record.data["last"] >= case.record.index:
        yield "REVIEW_RANGE"


def _signed(case: About) -> Iterator[str]:
    """Judge a signature: over what the scope holds; the final one by the investigator, without open query."""
    data = case.record.data
    subject = subject_of(data)
    if data["scope"] == "form" and subject not in case.view.statements:
        yield "REFERENCE"
        return
    entries, upto = case.view.entries, data["upto"]
    if upto > case.record.index or signed_digest(entries, data["scope"], subject, upto) != data["sha256"]:
        yield "SIGNED_DIGEST"
    if is_final(data) and case.participant is not None:
        if case.role != "investigator":
            yield "ENDORSER"
        if case.assurance.open_queries:
            yield "QUERIES_OPEN"


def is_final(data: Mapping[str, object]) -> bool:
    """Tell whether a signature is the final endorsement."""
    return data.get("milestone") == "final"


JUDGES: Final[Mapping[str, AboutJudge]] = MappingProxyType(
    {
        "query.opened": _query_opened,
        "query.answered": _query_answered,
        "query.reopened": _query_reopened,
        "query.closed": _query_closed,
        "query.cancelled": _query_closed,
        "source.verified": _source_verified,
        "source.discrepancy_found": _discrepancy_found,
        "source_document.certified": _document_certified,
        "deviation.reported": _document_certified,
        "deviation.classified": _deviation_classified,
        "trail.reviewed": _trail_reviewed,
        "record.signed": _signed,
    }
)

_QUERY: Final = "AUTHOR_UNBLINDED QUERY_ROLE QUERY_STATE"
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "query.opened": "AUTHOR_UNBLINDED REFERENCE FIELD_UNKNOWN",
        "query.answered": f"{_QUERY} REFERENCE",
        "query.reopened": f"{_QUERY} REFERENCE",
        "query.closed": f"{_QUERY} REFERENCE",
        "query.cancelled": f"{_QUERY} REFERENCE",
        "source.verified": "AUTHOR_UNBLINDED REFERENCE FIELD_UNKNOWN",
        "source.discrepancy_found": "AUTHOR_UNBLINDED REFERENCE FIELD_UNKNOWN",
        "source_document.certified": "AUTHOR_UNBLINDED REFERENCE",
        "deviation.reported": "AUTHOR_UNBLINDED REFERENCE",
        "deviation.classified": "AUTHOR_UNBLINDED REFERENCE SAME_PERSON",
        "trail.reviewed": "AUTHOR_UNBLINDED REVIEW_RANGE",
        "record.signed": "AUTHOR_UNBLINDED REFERENCE SIGNED_DIGEST ENDORSER QUERIES_OPEN",
    }
)
