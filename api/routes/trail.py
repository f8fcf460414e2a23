"""The audit trail: filtered, sorted, page by page, as JSON, CSV and a page for people."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from api import openings, sight
from api.answers import answer, is_unchanged, last_index, next_page
from api.call import Call
from api.openings import Looked
from api.operations import KNOWN, LIMIT, PLACE, PLACE_OR_TIME, PURPOSE, Operation, Parameter
from api.problems import ProblemError
from api.sorting import sort_of
from api.trail_page import trail_page
from api.wanted import TYPES, scope_of, wanted_of
from ledger.errors import FormatError
from ledger.exports import note_extract
from ledger.roles import ROLES
from ledger.store.port import Reads
from ledger.verify.options import Scope
from projections.audit_trail import TrailFilter, TrailPage, trail
from projections.joined import Joined
from projections.moments import known_size
from projections.ordering import Sort, sorts
from projections.render import to_csv
from projections.sorted_trail import INDEX as BY_INDEX
from projections.sorted_trail import MOST, SORTED, Chosen, chosen, lines_at

NEWEST: Final = "newest"
OLDEST: Final = "oldest"


def audit_trail(call: Call) -> Response:
    """Answer a page of the trail: who, what, when, old, new, why, and how it was signed."""
    limit, known = call.limit(), call.query.get("known")
    after = call.place("after")
    order = call.query.get("order", OLDEST)
    if order not in (NEWEST, OLDEST):
        raise ProblemError("QUERY", 400, field="order")
    if "order" in call.query and "sort" in call.query:
        raise ProblemError("SORT", 400, field="order", members={"columns": list(SORTED)})
    with call.study.reading.folded() as folded:
        # Taken before the page is read: an ETag may be older than its answer, never newer.
        control = folded.newest_control(known_size(folded.reads, known))
        wanted = wanted_of(call, folded.reads, folded.fold.authority)
    ledger = call.study.ledger
    with ledger.store.snapshot() as reads:
        if after is not None and after < Joined(reads).first:
            raise ProblemError("QUERY", 400, field="after")
        some = _chosen(call, reads, wanted, after, limit)
        page, noted = openings.read(
            call,
            reads,
            Looked(scope=scope_of(wanted), projection="audit_trail", size=known_size(reads, known)),
            lambda reader: (
                trail(
                    reads,
                    wanted,
                    reader=reader,
                    after=after,
                    limit=limit,
                    newest_first=order == NEWEST,
                    known=known,
                )
                if some is None
                else TrailPage(
                    lines=lines_at(reads, some.indexes, wanted, reader=reader, known=known), next=some.next
                )
            ),
            shown=lambda page: page.lines,
        )
        head, size = reads.head(), known_size(reads, known)
    fixed = {} if some is None else {"known": str(some.size - 1)}
    links = next_page(call, str(page.next), **fixed) if page.next is not None else {}
    # A line may come to stand before a page that is sorted, and not be on it: no index tells whether it did.
    # A page that was the last one and is no longer has changed too, by the line that follows.
    following = -1 if page.following is None else page.following
    last = max(control, last_index(page.lines), following) if some is None else None
    value = {"lines": page.lines, "next": page.next}
    csv = to_csv(page.lines)
    leaves = call.twin == "csv" and not call.head_only
    if leaves and (last is None or noted.viewed is not None or not is_unchanged(call, last)):
        _note_export(call, csv.encode(), scope_of(wanted), size)
    return answer(
        call,
        value,
        head,
        last=last,
        csv=csv,
        links=links,
        page=lambda: trail_page(call, page.lines),
        noted=noted,
    )


def _note_export(call: Call, data: bytes, scope: Scope, size: int) -> None:
    """Record that lines of the trail leave as a file, before its first byte (EMA 6.2.1)."""
    ledger, reader = call.study.ledger, call.reader
    person = ledger.refresh().authority.person(reader.person or "")
    who = person.id if person is not None else None
    note_extract(ledger, data, scope=scope, role=reader.role, size=size, requested_by=who)


def _chosen(call: Call, reads: Reads, wanted: TrailFilter, after: int | None, limit: int) -> Chosen | None:
    """Choose the lines of a page that is sorted or searched; None for one in the order of the log.

    They are chosen by what the reader sees anyway: no order and no search tells of a value of which each
    opening is an event.
    """
    if "sort" not in call.query and "value" not in call.query:
        return None
    sort = sort_of(call, SORTED)
    if sort is None:
        sort = Sort(column=BY_INDEX.column, descending=call.query.get("order") == NEWEST)
    try:
        return chosen(
            reads,
            wanted,
            reader=sight.with_openings(call.reader, call.study.ledger, reads),
            sort=sort,
            value=call.query.get("value"),
            after=after,
            limit=limit,
            known=call.query.get("known"),
        )
    except FormatError as error:
        if error.code in ("AFTER", "RANGE"):
            raise ProblemError(error.code, 400, field=error.field) from error
        raise


_ORDER: Final = {"type": "string", "enum": [OLDEST, NEWEST], "default": OLDEST}


OPERATIONS: Final = (
    Operation(
        name="audit-trail",
        method="GET",
        path="/audit-trail",
        summary="Audit trail: who, what, when, old, new, why, signature; one row a field in the CSV",
        handler=audit_trail,
        parameters=(
            Parameter(name="participant", text="only this participant"),
            Parameter(name="site", text="only this site"),
            Parameter(name="actor", text="only what this person signed"),
            Parameter(
                name="role",
                text="only what was signed in this role",
                schema={"type": "string", "enum": sorted(ROLES)},
            ),
            Parameter(
                name="type",
                text="only this action type",
                schema={"type": "string", "enum": sorted(TYPES)},
            ),
            Parameter(
                name="field",
                text="only changes of this field or below it, such as /data/grade",
            ),
            Parameter(
                name="value",
                text=f"only lines whose old or new value has this in it, in any case; of {MOST} at most",
            ),
            Parameter(
                name="since",
                text="index, below 0 of an older log, or recording time; inclusive",
                schema=PLACE_OR_TIME,
            ),
            Parameter(
                name="until",
                text="index, below 0 of an older log, or recording time; inclusive",
                schema=PLACE_OR_TIME,
            ),
            Parameter(name="order", text="oldest (default) or newest first", schema=_ORDER),
            Parameter(
                name="sort",
                text=(
                    f"a column of the CSV, with - before it descending, in place of `order`; of {MOST} at "
                    "most. What is sealed for the reader comes last, all of it alike. Has no ETag."
                ),
                schema={"type": "string", "enum": sorts(SORTED)},
            ),
            Parameter(
                name="after",
                text="index after whose line the page begins, in the order asked for",
                schema=PLACE,
            ),
            KNOWN,
            LIMIT,
            PURPOSE,
        ),
        twins=("json", "csv", "html"),
        text=(
            "Where the log goes on from an older one, lines of that one come first, at indexes below 0, each "
            "with its `log`. What leaves as CSV is recorded as export.generated before, with the SHA-256 of "
            "its bytes."
        ),
        answers={200: "one page by index; Link rel=next where there are more", 304: "unchanged"},
    ),
)
