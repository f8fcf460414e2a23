"""What a signature over many statements would cover, to be read before it is signed (E6(R3) 3.16.1(o)).

`record.signed` signs a digest of `[index, event]` of what a scope holds below an index. Here stands what that
is: each statement as a line of the audit trail, with its values as this reader sees them, who signed it, and
the digest itself. Statements that the reader does not see are counted: a signature covers them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from api import sight
from api.answers import answer
from api.call import Call
from api.operations import INDEX, PARTICIPANT, Operation, Parameter
from api.problems import ProblemError
from api.trail_page import trail_page
from api.wanted import require_participant
from ledger.entry import Entry
from ledger.fold import StoreReader
from ledger.rules.signing import WHOLE, covers, signed_digest
from ledger.statement import Statement
from projections.audit_trail import TrailFilter
from projections.render import to_csv
from projections.sorted_trail import lines_at

SCOPES: Final = ("form", "visit", "participant", "milestone")


def signing_scope(call: Call) -> Response:
    """Answer what a scope of a participant's stream holds, and its digest."""
    name, scope = call.path("participant"), call.query.get("scope", "participant")
    subject = call.query.get("of")
    if scope not in SCOPES:
        raise ProblemError("QUERY", 400, field="scope")
    if (subject is None) != (scope == "participant"):
        raise ProblemError("SCOPE", 400, field="of")
    ledger = call.study.ledger
    with ledger.store.snapshot() as reads:
        require_participant(call.reader, reads, name)
        upto = min(call.number("upto", reads.head().size), reads.head().size)
        if upto < 1:
            raise ProblemError("SCOPE", 400, field="upto")
        # As the rules judge the digest: with what older logs hold of the participant, below 0.
        entries = StoreReader(reads).entries_of(f"participant/{name}")
        sha256 = signed_digest(entries, scope, subject, upto)
        covered = _covered(entries, scope, subject, upto)
        reader = sight.with_openings(call.reader, ledger, reads)
        lines = lines_at(reads, covered, TrailFilter(), reader=reader)
        head = reads.head()
    value: dict[str, Any] = {
        "participant": name,
        "scope": scope,
        "of": subject,
        "upto": upto,
        "sha256": sha256,
        "statements": len(covered),
        "not_shown": len(covered) - len(lines),
        "lines": lines,
    }
    return answer(call, value, head, csv=to_csv(lines), page=lambda: trail_page(call, lines))


def _covered(entries: Sequence[Entry], scope: str, subject: str | None, upto: int) -> list[int]:
    """Return the indexes that the digest is over."""
    kept = [each for each in entries if each.index < upto]
    shown: dict[str, Statement] = {e.event: e.statement for e in kept if e.statement is not None}
    return [
        int(each.index)
        for each in kept
        if scope in WHOLE or (each.event in shown and covers(scope, subject, shown[each.event], shown))
    ]


OPERATIONS: Final = (
    Operation(
        name="signing-scope",
        method="GET",
        path="/participants/{participant}/signing-scope",
        summary="What a signature over a form, a visit or a participant covers, and the digest that it signs",
        handler=signing_scope,
        parameters=(
            PARTICIPANT,
            Parameter(
                name="scope",
                text="what is signed; default: the participant",
                schema={"type": "string", "enum": list(SCOPES), "default": "participant"},
            ),
            Parameter(name="of", text="event hash of the form, id of the visit, or code of the milestone"),
            Parameter(name="upto", text="statements below this index; default: all", schema=INDEX),
        ),
        twins=("json", "csv", "html"),
        answers={
            200: "the statements, and the digest; null where it is empty",
            404: "no such participant",
        },
    ),
)
