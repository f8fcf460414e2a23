"""Questions about the study, asked by name: enrolment, breaches, and the reports (`projections.reports`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from api import columns, openings, pages, sight
from api.answers import answer, last_index, next_page
from api.call import MAX_LIMIT, Call
from api.cells import cell, escape
from api.filter_form import filter_form
from api.openings import Looked
from api.operations import INDEX, KNOWN, PURPOSE, Operation, Parameter
from api.problems import ProblemError
from api.reading import Folded
from api.review_page import review_part
from api.sorting import sort_of
from api.tables import csv_text, names_of
from api.wanted import scope_of, wanted_of
from ledger.participant import Status
from ledger.store.port import Reads
from projections.authorization import withheld
from projections.breaches import breaches
from projections.desk import Desk
from projections.enrolment import enrolment, last_move
from projections.moments import known_size
from projections.ordering import ordered
from projections.report import Report, rows_of, unseen
from projections.reports import REPORTS
from projections.rows import rows_csv
from projections.signed import COLUMNS as SIGNED
from projections.signed import beside, indexes_of_rows, signed


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
    filters = () if name == "breaches" else (*_FILTERS, "sort")
    unused = next((each for each in (*filters, "limit", "after") if each in call.query), None)
    if unused is not None:
        raise ProblemError("FILTER", 400, field=unused)
    with call.study.reading.folded() as folded:
        value, rows, last = make(call, folded, known)
        control, head = folded.newest_control(known_size(folded.reads, known)), folded.reads.head()
    return answer(
        call,
        value,
        head,
        last=max(control, last),
        csv=csv_text(_CSV[name], map(_in_full, rows)),
        page=lambda: _page(call, name, QUESTIONS[name], names_of(_CSV[name]), rows),
    )


def _report(call: Call, report: Report, known: str | None) -> Response:
    """Answer a page of a report. Ages count from the last leaf, so each leaf may change it, seen or not."""
    limit, after = call.limit(MAX_LIMIT), call.number("after", 0)
    with call.study.reading.folded() as folded:
        reads, size = folded.reads, known_size(folded.reads, known)
        fold = folded.earlier(size)
        wanted = wanted_of(call, reads, folded.fold.authority)
        rows, noted = openings.read(
            call,
            reads,
            Looked(scope=scope_of(wanted), projection=report.name.replace("-", "_"), size=size),
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
        sort = sort_of(call, report.columns)
        if sort is not None:
            rows = ordered(rows, sort, lambda row: row[sort.column])
        page = rows[after : after + limit]
        before = ""
        if report.name == "trail-review" and call.twin == "html":
            desk = Desk(reads, reader=call.reader, known=known, fold=fold)
            before = review_part(call, rows, rows_of(REPORTS["trail-coverage"], desk))
        if call.twin == "html":
            before = _filter(call, report.columns, folded.participants) + before
        signatures = _signed(call, reads, size, page)
    # A page goes on in the report as known now: a row's number is its place for ever there.
    more = after + limit < len(rows)
    links = next_page(call, str(after + limit), known=str(size - 1)) if more else {}
    value = {
        "name": report.name,
        "question": report.question,
        "known": size - 1,
        "count": len(rows),
        "rows": page,
        "signed": signatures,
    }
    kinds = withheld(call.reader, report.restricted)
    if kinds:
        value["withheld"] = kinds
        said = " ".join(unseen(report, call.reader))
        before += f'<p class="withheld">{escape(said)} An empty page does not say that there are none.</p>'
    if "index" in report.columns:
        csv = rows_csv((*report.columns, *SIGNED), beside(page, signatures))
    else:
        csv = rows_csv(report.columns, page)
    return answer(
        call,
        value,
        head,
        last=size - 1,
        csv=csv,
        links=links,
        page=lambda: _page(call, report.name, report.question, report.columns, page, signatures, before),
        noted=noted,
    )


def _filter(call: Call, columns: Collection[str], participants: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a form for what narrows these rows, offering what this reader sees, and for the time known."""
    seen = {
        name: state["site"]
        for name, state in participants.items()
        if sight.sees_participant(call.reader, state["site"], name)
    }
    offered = {"site": sorted({site for site in seen.values() if site}), "participant": sorted(seen)}
    fields = [(name, name.capitalize()) for name in _FILTERS if name in columns]
    fields.append(("known", "As known at, an index or a time"))
    given = {name: offered[name] for name in _FILTERS if name in columns}
    return filter_form(call, fields, ("sort", "limit", "purpose"), label="Filter the rows", offered=given)


def _signed(call: Call, reads: Reads, size: int, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return printed name, time and meaning of each record that rows rest on (21 CFR 11.50)."""
    reader, named = call.reader, indexes_of_rows(rows)
    return signed(reads, size, named, lambda entry, statement: sight.sees(reader, entry, statement, reads))


def _page(
    call: Call,
    name: str,
    question: str,
    columns: Iterable[str],
    rows: Sequence[Mapping[str, Any]],
    signatures: Sequence[Mapping[str, Any]] = (),
    before: str = "",
) -> pages.Page:
    """Lay the rows of a projection out as one table, whose headings sort; each row with its signature."""
    sort, shown = call.query.get("sort"), []
    hints = REPORTS[name].columns if name in REPORTS else {}
    for column in columns:
        href, state = pages.sort_link(call, column, sort) if name != "enrolment" else (None, None)
        label = pages.plain_words(column)
        shown.append(
            pages.Column(name=column, label=label, hint=hints.get(column, ""), sort=href, sorted=state)
        )
    title, base = pages.plain_words(name).capitalize(), pages.base_of(call)
    if not signatures or not rows or "index" not in rows[0]:
        return pages.Page(title=title, lead=question, body=before + pages.table(base, shown, rows, question))
    by_index = {each["index"]: each for each in signatures}
    cells = [
        [
            *(cell(base, each.name, row[each.name]) for each in shown),
            pages.signature_cell(by_index.get(row["index"])),
        ]
        for row in rows
    ]
    anchors = [pages.anchor(row["index"]) for row in rows]
    body = pages.grid([*shown, pages.Column(name="signed", label="signed by")], cells, question, anchors)
    return pages.Page(title=title, lead=question, body=before + body, signed={row["index"] for row in rows})


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
    last = max(last, last_move(folded.participants.values(), call.reader, size))
    return value, [{"site": site, **counts} for site, counts in shown.items()], last


def _in_full(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row with a number for every status: JSON leaves those out at which nobody is."""
    if "now" not in row:
        return row
    return {**row, "now": {str(each): row["now"].get(str(each), 0) for each in Status}}


def _breaches(call: Call, folded: Folded, known: str | None) -> Made:
    wanted = wanted_of(call, folded.reads, folded.fold.authority)
    rows = [
        row
        for row in breaches(folded.reads, folded.conduct, reader=call.reader, known=known)
        if wanted.site in (None, row["site"]) and wanted.participant in (None, row["participant"])
    ]
    sort = sort_of(call, _BREACH_COLUMNS)
    if sort is not None:
        rows = ordered(rows, sort, lambda row: row[sort.column])
    return {"breaches": rows}, rows, last_index(rows)


_BREACH_COLUMNS: Final = (
    "rule", "section", "text", "effect", "found", "recorded", "open", "closed_by", "explained_by",
    "deviation", "participant", "site",
)  # fmt: skip
_CSV: Final = {"enrolment": columns.ENROLMENT, "breaches": columns.BREACHES}
_PROJECTIONS: Final = {"enrolment": _enrolment, "breaches": _breaches}
QUESTIONS: Final = {
    "enrolment": "How many participants has each site registered, randomized, treated, lost?",
    "breaches": "Which rules were broken, by what, and is that still open?",
    **{report.name: report.question for report in REPORTS.values()},
}
_HOW: Final = (
    "Every question by its name. Reports answer in pages of rows, which `site` and `participant` narrow "
    "where the rows have that column; Link rel=next goes on in the report as known at the first page. "
    "`withheld` names the kinds of records that the reader's role does not see whole."
)
_FILTERS: Final = ("site", "participant")

OPERATIONS: Final = (
    Operation(
        name="projection",
        method="GET",
        path="/projections/{name}",
        summary="A projection of the study: enrolment, breaches, or one of the reports",
        text="\n".join(
            (
                _HOW,
                "",
                *(f"- `{name}`: {question}" for name, question in QUESTIONS.items()),
            )
        ),
        handler=projection,
        parameters=(
            Parameter(
                name="name",
                text="which question",
                where="path",
                schema={"type": "string", "enum": list(QUESTIONS)},
            ),
            KNOWN,
            Parameter(name="sort", text="of a report or breaches: a column; with - before it descending"),
            Parameter(name="site", text="of a report or breaches: only rows of this site"),
            Parameter(name="participant", text="of a report or breaches: only rows of this participant"),
            Parameter(
                name="limit",
                # No default of the schema: clients would send it, and what is no report refuses it.
                text=f"of a report: at most so many rows on a page; without it {MAX_LIMIT}, of a CSV 5000",
                schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            ),
            Parameter(name="after", text="of a report: number of rows that were read before", schema=INDEX),
            PURPOSE,
        ),
        twins=("json", "csv", "html"),
        answers={200: "the projection for the reader's sites", 304: "unchanged", 404: "no such projection"},
    ),
)
