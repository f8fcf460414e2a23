"""What a signature over many statements would cover, to be read before it is signed (E6(R3) 3.16.1(o)).

`record.signed` signs a digest of `[index, event]` of what a scope holds below an index. Here stands what that
is: each statement as a line of the audit trail, with its values as this reader sees them, who signed it, and
the digest itself. Statements that the reader does not see are counted: a signature covers them too.

`eligibility.confirmed` signs a digest of the newest assessment of each criterion: scope `eligibility`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from starlette.responses import Response

from api import sight
from api.answers import answer
from api.call import Call
from api.operations import INDEX, PARTICIPANT, Operation, Parameter
from api.problems import ProblemError
from api.trail_page import trail_page
from api.wanted import require_participant
from ledger.covering import ELIGIBILITY, Row, criteria, criteria_signed, within
from ledger.fold import StoreReader
from ledger.rules.signing import covered, digest_of
from ledger.store.port import Reads
from projections.audit_trail import TrailFilter
from projections.render import to_csv
from projections.sorted_trail import lines_at

SCOPES: Final = ("form", "visit", "participant", "milestone", ELIGIBILITY)
_WHOLE: Final = frozenset({"participant", ELIGIBILITY})
"""Scopes that name no part of the record."""


def signing_scope(call: Call) -> Response:
    """Answer what a scope of a participant's stream holds, and its digest."""
    name, scope = call.path("participant"), call.query.get("scope", "participant")
    subject = call.query.get("of")
    if scope not in SCOPES:
        raise ProblemError("QUERY", 400, field="scope")
    if (subject is None) != (scope in _WHOLE):
        raise ProblemError("SCOPE", 400, field="of")
    with call.study.ledger.store.snapshot() as reads:
        require_participant(call.reader, reads, name)
        size = reads.head().size
    upto = min(call.number("upto", size), size)
    if upto < 1:
        raise ProblemError("SCOPE", 400, field="upto")
    if scope == ELIGIBILITY:
        return _eligibility(call, name, upto)
    with call.study.ledger.store.snapshot() as reads:
        # As the rules judge the digest: with what older logs hold of the participant, below 0.
        entries = StoreReader(reads).entries_of(f"participant/{name}")
        found = covered(entries, scope, subject, upto)
        sha256 = digest_of((int(each.index), each.event) for each in found) if found else None
        indexes = [int(each.index) for each in found]
        return _told(call, reads, _Scope(scope, subject, upto, sha256, indexes))


def _eligibility(call: Call, name: str, upto: int) -> Response:
    """Answer the newest assessments below an index, with every criterion beside them."""
    with call.study.reading.folded() as folded:
        fold = folded.fold if upto >= folded.fold.size else folded.earlier(upto)
        participant = fold.conduct.state(name)
        if participant is None:
            raise ProblemError("UNKNOWN_PARTICIPANT", 404)
        rows = criteria(fold, participant, call.study.ledger.sources.now_us())
        indexes = sorted(int(each.index) for each in participant.assessments.values())
        scope = _Scope(ELIGIBILITY, None, upto, criteria_signed(participant), indexes)
        return _told(call, folded.reads, scope, rows)


class _Scope(NamedTuple):
    """A scope, its digest, and the indexes that the digest is over."""

    name: str
    subject: str | None
    upto: int
    sha256: str | None
    indexes: list[int]


def _told(call: Call, reads: Reads, scope: _Scope, rows: list[Row] | None = None) -> Response:
    reader = sight.with_openings(call.reader, call.study.ledger, reads)
    lines = lines_at(reads, scope.indexes, TrailFilter(), reader=reader)
    value: dict[str, Any] = {
        "participant": call.path("participant"),
        "scope": scope.name,
        "of": scope.subject,
        "upto": scope.upto,
        "sha256": scope.sha256,
        "statements": len(scope.indexes),
        "not_shown": len(scope.indexes) - len(lines),
        "lines": lines,
    }
    if rows is not None:
        value["criteria"] = within(rows, {line["index"] for line in lines})
    return answer(call, value, reads.head(), csv=to_csv(lines), page=lambda: trail_page(call, lines))


OPERATIONS: Final = (
    Operation(
        name="signing-scope",
        method="GET",
        path="/participants/{participant}/signing-scope",
        summary="What a signature over a form, a visit, a participant or their eligibility covers",
        handler=signing_scope,
        parameters=(
            PARTICIPANT,
            Parameter(
                name="scope",
                text="what is signed; default: the participant. `eligibility`: criteria as assessed last",
                schema={"type": "string", "enum": list(SCOPES), "default": "participant"},
            ),
            Parameter(name="of", text="event hash of the form, id of the visit, or code of the milestone"),
            Parameter(name="upto", text="statements below this index; default: all", schema=INDEX),
        ),
        twins=("json", "csv", "html"),
        answers={
            200: "the statements, and the digest that is signed; null where it is empty",
            404: "no such participant",
        },
    ),
)
