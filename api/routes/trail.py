"""The audit trail, and the projections that are asked for by name."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from api import openings, sight
from api.answers import answer, last_index, next_page
from api.call import MAX_LIMIT, Call
from api.openings import Looked
from api.operations import INDEX, KNOWN, LIMIT, MOMENT, PURPOSE, Operation, Parameter
from api.problems import ProblemError
from api.reading import Folded
from api.routes.participants import require_participant
from api.tables import csv_text
from ledger.verify.options import Scope
from projections.audit_trail import TrailFilter, trail
from projections.authorization import Site, allowed
from projections.breaches import breaches
from projections.desk import Desk
from projections.enrolment import enrolment
from projections.moments import known_size
from projections.render import to_csv
from projections.report import Report, rows_of
from projections.reports import REPORTS
from projections.rows import rows_csv

NEWEST: Final = "newest"
OLDEST: Final = "oldest"


def audit_trail(call: Call) -> Response:
    """Answer a page of the trail: who, what, when, old, new, why, and how it was signed."""
    limit, known = call.limit(), call.query.get("known")
    after = call.number("after", -1) if "after" in call.query else None
    order = call.query.get("order", OLDEST)
    if order not in (NEWEST, OLDEST):
        raise ProblemError("QUERY", 400, field="order")
    with call.study.reading.folded() as folded:
        # Taken before the page is read: an ETag may be older than its answer, never newer.
        control = folded.newest_control(known_size(folded.reads, known))
    ledger = call.study.ledger
    with ledger.store.snapshot() as reads:
        wanted = _wanted(call)
        if wanted.participant is not None:
            require_participant(call.reader, reads, wanted.participant)
        page, noted = openings.read(
            call,
            reads,
            Looked(scope=_scope(wanted), projection="audit_trail", size=known_size(reads, known)),
            lambda reader: trail(
                reads,
                wanted,
                reader=reader,
                after=after,
                limit=limit,
                newest_first=order == NEWEST,
                known=known,
            ),
            shown=lambda page: page.lines,
        )
        head = reads.head()
    links = next_page(call, str(page.next)) if page.next is not None else {}
    last = max(control, last_index(page.lines))
    value = {"lines": page.lines, "next": page.next}
    return answer(call, value, head, last=last, csv=to_csv(page.lines), links=links, noted=noted)


def projection(call: Call) -> Response:
    """Answer a projection of the study."""
    name, known = call.path("name"), call.query.get("known")
    call.purpose()  # also where nothing is opened: what is malformed is refused
    report = REPORTS.get(name)
    if report is not None:
        return _report(call, report, known)
    make = _PROJECTIONS.get(name)
    if make is None:
        raise ProblemError("UNKNOWN_PROJECTION", 404)
    filters = () if name == "breaches" else _FILTERS
    unused = next((each for each in (*filters, "limit", "after") if each in call.query), None)
    if unused is not None:
        raise ProblemError("FILTER", 400, field=unused)
    with call.study.reading.folded() as folded:
        value, rows, last = make(call, folded, known)
        control, head = folded.newest_control(known_size(folded.reads, known)), folded.reads.head()
    return answer(call, value, head, last=max(control, last), csv=csv_text(rows))


def _report(call: Call, report: Report, known: str | None) -> Response:
    """Answer a page of a report. Ages count from the last leaf, so each leaf may change it, seen or not."""
    limit, after = call.limit(MAX_LIMIT), call.number("after", 0)
    wanted = _wanted(call)
    with call.study.reading.folded() as folded:
        reads, size = folded.reads, known_size(folded.reads, known)
        fold = folded.earlier(size)
        rows, noted = openings.read(
            call,
            reads,
            Looked(scope=_scope(wanted), projection=report.name.replace("-", "_"), size=size),
            lambda reader: rows_of(
                report,
                Desk(reads, reader=reader, known=known, fold=fold),
                site=wanted.site,
                participant=wanted.participant,
            ),
            # Such a report reckons with what it opens, and has no marker where it can't.
            shown=None if report.unblinding else lambda rows: rows,
        )
        head = reads.head()
    page = rows[after : after + limit]
    # A page goes on in the report as known now: a row's number is its place for ever there.
    more = after + limit < len(rows)
    links = next_page(call, str(after + limit), known=str(size - 1)) if more else {}
    value = {
        "name": report.name,
        "question": report.question,
        "known": size - 1,
        "count": len(rows),
        "rows": page,
    }
    csv = rows_csv(report.columns, page)
    return answer(call, value, head, last=size - 1, csv=csv, links=links, noted=noted)


def _scope(wanted: TrailFilter) -> Scope:
    """Return what is looked at: one participant, one site, or the study."""
    if wanted.participant is not None:
        return Scope(kind="participant", id=wanted.participant)
    return Scope(kind="study") if wanted.site is None else Scope(kind="site", id=wanted.site)


Made = tuple[dict[str, Any], list[dict[str, Any]], int]
"""What JSON holds, the rows of the CSV, and the last index that changed them."""


def _enrolment(call: Call, folded: Folded, known: str | None) -> Made:
    value = enrolment(folded.reads, reader=call.reader, known=known, states=folded.participants)
    shown = {**value["sites"], "overall": value["overall"]}
    size = known_size(folded.reads, known)
    states = (
        state
        for name, state in folded.participants.items()
        if sight.sees_participant(call.reader, state["site"], name)
    )
    # As of an earlier index every later change lies beyond it, and none of them changed this answer.
    last = max((min(state["last"], size - 1) for state in states), default=-1)
    return value, [{"site": site, **counts} for site, counts in shown.items()], last


def _breaches(call: Call, folded: Folded, known: str | None) -> Made:
    wanted = _wanted(call)
    rows = [
        row
        for row in breaches(folded.reads, folded.conduct, reader=call.reader, known=known)
        if wanted.site in (None, row["site"]) and wanted.participant in (None, row["participant"])
    ]
    return {"breaches": rows}, rows, last_index(rows)


_PROJECTIONS: Final = {"enrolment": _enrolment, "breaches": _breaches}
_QUESTIONS: Final = {
    "enrolment": "How many participants has each site registered, randomized, treated, lost?",
    "breaches": "Which rules were broken, by what, and is that still open?",
    **{report.name: report.question for report in REPORTS.values()},
}
_HOW: Final = (
    "Every question by its name. Reports answer in pages of rows, which `site` and `participant` narrow "
    "where the rows have that column; Link rel=next goes on in the report as known at the first page."
)
_ORDER: Final = {"type": "string", "enum": [OLDEST, NEWEST], "default": OLDEST}
_FILTERS: Final = ("site", "participant")


def _wanted(call: Call) -> TrailFilter:
    reader, query = call.reader, call.query
    site, participant = query.get("site"), query.get("participant")
    if site is not None and not allowed(reader, None, Site(site=site)):
        raise ProblemError("FORBIDDEN", 403, field="site")
    if reader.only_own and participant is None:
        participant = reader.person
    return TrailFilter(
        participant=participant,
        site=site,
        actor=query.get("actor"),
        type=query.get("type"),
        field=query.get("field"),
        since=query.get("since"),
        until=query.get("until"),
    )


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
            Parameter(name="type", text="only this action type"),
            Parameter(
                name="field",
                text="only changes of this field or below it, such as /data/grade",
            ),
            Parameter(name="since", text="index or recording time, inclusive", schema=MOMENT),
            Parameter(name="until", text="index or recording time, inclusive", schema=MOMENT),
            Parameter(name="order", text="oldest (default) or newest first", schema=_ORDER),
            Parameter(
                name="after",
                text="index after which the page begins, in the order asked for",
                schema=INDEX,
            ),
            KNOWN,
            LIMIT,
            PURPOSE,
        ),
        twins=("json", "csv"),
        answers={200: "one page by index; Link rel=next where there are more", 304: "unchanged"},
    ),
    Operation(
        name="projection",
        method="GET",
        path="/projections/{name}",
        summary="A projection of the study: enrolment, breaches, or one of the reports",
        text="\n".join(
            (
                _HOW,
                "",
                *(f"- `{name}`: {question}" for name, question in _QUESTIONS.items()),
            )
        ),
        handler=projection,
        parameters=(
            Parameter(
                name="name",
                text="which question",
                where="path",
                schema={"type": "string", "enum": list(_QUESTIONS)},
            ),
            KNOWN,
            Parameter(name="site", text="of a report or breaches: only rows of this site"),
            Parameter(name="participant", text="of a report or breaches: only rows of this participant"),
            Parameter(
                name="limit",
                text="of a report: at most so many rows on a page",
                schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
            ),
            Parameter(name="after", text="of a report: number of rows that were read before", schema=INDEX),
            PURPOSE,
        ),
        twins=("json", "csv"),
        answers={200: "the projection for the reader's sites", 304: "unchanged", 404: "no such projection"},
    ),
)
