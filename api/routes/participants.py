"""Participants: the list, one of them, the timeline, and the history of a field, as known and as true."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.responses import Response

from api import columns, openings, pages
from api.answers import answer, last_index, next_page
from api.call import Call
from api.openings import NOTHING, Looked, Noted
from api.operations import KNOWN, LIMIT, PARTICIPANT, PURPOSE, TRUE, Operation, Parameter, path
from api.problems import ProblemError
from api.reading import Folded
from api.replay_part import replay_part
from api.sorting import sort_of
from api.tables import csv_text
from api.wanted import require_participant
from ledger.lines import counted
from ledger.store.port import Head, Reads
from ledger.verify.options import Scope
from projections.enrolment import last_move
from projections.enrolment import participants as participants_list
from projections.history import fields_of, history
from projections.moments import known_size
from projections.ordering import Sort, ordered, sorts
from projections.participant import participant_view
from projections.timeline import timeline

COLUMNS: Final = ("participant", "site", "status", "status_index")
"""What the list can be sorted by."""


def participants(call: Call) -> Response:
    """Answer status and flags of the participants of the reader's sites, by id."""
    limit, after, known = call.limit(), call.query.get("after"), call.query.get("known")
    sort = sort_of(call, COLUMNS) or Sort(column="participant")
    with call.study.reading.folded() as folded:
        rows = participants_list(folded.reads, reader=call.reader, known=known, states=folded.participants)
        moved = last_move(folded.participants.values(), call.reader, known_size(folded.reads, known))
        last, head = max(_last(folded, known, rows), moved), folded.reads.head()
    rows = ordered(rows, sort, lambda row: row[sort.column])
    rest = rows if after is None else _after(rows, after, sort)
    page = rest[:limit]
    links = next_page(call, page[-1]["participant"]) if len(rest) > limit else {}
    value = {"participants": page, "count": len(rows)}
    csv = csv_text(columns.PARTICIPANTS, page)
    return answer(
        call, value, head, last=last, csv=csv, links=links, page=lambda: _list(call, page, len(rows))
    )


def _list(call: Call, rows: list[dict[str, Any]], count: int) -> pages.Page:
    """Lay the list out as one table, whose headings sort."""
    names = (*COLUMNS[:3], "milestones", COLUMNS[3])
    headings = []
    for name in names:
        href, state = pages.sort_link(call, name, call.query.get("sort")) if name in COLUMNS else (None, None)
        hint = "the newest entry that the status depends on" if name == "status_index" else ""
        headings.append(
            pages.Column(name=name, label=pages.plain_words(name), hint=hint, sort=href, sorted=state)
        )
    lead = (
        f"{counted(count, 'participant', 'participants')} of the reader's sites, with status and milestones."
    )
    body = pages.table(pages.base_of(call), headings, rows, "Participants")
    return pages.Page(title="Participants", lead=lead, body=body)


def _after(rows: list[dict[str, Any]], after: str, sort: Sort) -> list[dict[str, Any]]:
    """Return the rows behind that of a participant, wherever it stands.

    Raises:
        ProblemError: `AFTER` where the rows are sorted, and there is none of that participant.
    """
    if sort == Sort(column="participant"):
        return [row for row in rows if row["participant"] > after]
    place = next((n for n, row in enumerate(rows) if row["participant"] == after), None)
    if place is None:
        raise ProblemError("AFTER", 400, field="after")
    return rows[place + 1 :]


def participant(call: Call) -> Response:
    """Answer one participant: status, consent, visits, infusions, breaches, as known and as true."""
    known, true = call.query.get("known"), call.query.get("true")
    with call.study.reading.folded() as folded:
        name, reads, conduct = _name(call, folded.reads), folded.reads, folded.conduct
        value, noted = openings.read(
            call,
            reads,
            _looked(name, "participant", known_size(reads, known)),
            lambda reader: participant_view(
                reads, name, reader=reader, known=known, true=true, conduct=conduct
            ),
        )
        last, head = _last(folded, known, value), folded.reads.head()
        replay = _replay(call, folded, name, known)
    found = _found(value)
    return answer(
        call, found, head, last=last, noted=noted, page=partial(pages.laid_out, call, found, before=replay)
    )


def participant_timeline(call: Call) -> Response:
    """Answer one line for each record, in the order of the log or of clinical time."""
    known, true = call.query.get("known"), call.query.get("true")
    with call.study.reading.folded() as folded:
        name = _name(call, folded.reads)
        rows = timeline(
            folded.reads, name, reader=call.reader, known=known, true=true, conduct=folded.conduct
        )
        last, head = _last(folded, known, rows), folded.reads.head()
        replay = _replay(call, folded, name, known)
    return _rows(call, "timeline", rows, head, last, replay=replay)


def field_history(call: Call) -> Response:
    """Answer every value that a field ever had, with who set it, when and why."""
    known = call.query.get("known")
    with call.study.reading.folded() as folded:
        name, reads = _name(call, folded.reads), folded.reads
        rows, noted = openings.read(
            call,
            reads,
            _looked(name, "history", known_size(reads, known)),
            lambda reader: history(reads, name, call.path("field"), reader=reader, known=known),
        )
        last, head = _last(folded, known, rows), folded.reads.head()
    if rows == []:  # a mistyped field too: "no value ever" would be said of one that there is
        members = {"fields": fields_of(call.path("field").partition("/")[0])}
        raise ProblemError("UNKNOWN_FIELD", 404, field="field", members=members)
    return _rows(call, "history", rows, head, last, noted)


def _name(call: Call, reads: Reads) -> str:
    name = call.path("participant")
    require_participant(call.reader, reads, name)
    return name


def _looked(participant: str, projection: str, size: int) -> Looked:
    return Looked(scope=Scope(kind="participant", id=participant), projection=projection, size=size)


def _last(folded: Folded, known: str | None, shown: Any) -> int:
    """Return the last index that changed what is shown: one that it names, or a control statement's."""
    return max(last_index(shown), folded.newest_control(known_size(folded.reads, known)))


def _found(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:  # nothing was recorded of them yet at the index asked for
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)
    return value


def _rows(
    call: Call,
    name: str,
    rows: list[dict[str, Any]] | None,
    head: Head,
    last: int,
    noted: Noted = NOTHING,
    *,
    replay: str = "",
) -> Response:
    if rows is None:
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)
    value = {"participant": call.path("participant"), name: rows}
    page = partial(pages.laid_out, call, value, before=replay)
    return answer(call, value, head, last=last, csv=csv_text(_CSV[name], rows), noted=noted, page=page)


def _replay(call: Call, folded: Folded, name: str, known: str | None) -> str:
    """Return what of a page replays a participant, whose records are those that this reader sees now."""
    if call.twin != "html":
        return ""
    rows = timeline(folded.reads, name, reader=call.reader, conduct=folded.conduct) or []
    steps = sorted(row["index"] for row in rows if "log" not in row)
    return replay_part(call, steps, known_size(folded.reads, known) - 1, folded.reads.head().size)


_CSV: Final = {"timeline": columns.TIMELINE, "history": columns.HISTORY}
_UNCHANGED: Final = {304: "unchanged", 404: "no such participant"}
_LISTS: Final = ("json", "csv", "html")

OPERATIONS: Final = (
    Operation(
        name="participants",
        method="GET",
        path="/participants",
        summary="Participants of the reader's sites, with status and milestones",
        text="status_index is the newest entry that the status depends on; other records may be newer.",
        handler=participants,
        parameters=(
            KNOWN,
            LIMIT,
            Parameter(
                name="sort",
                text="a column, with - before it descending",
                schema={"type": "string", "enum": sorts(COLUMNS)},
            ),
            Parameter(name="after", text="id after which the page begins"),
        ),
        twins=_LISTS,
        answers={200: "one page by id; Link rel=next where there are more", 304: "unchanged"},
    ),
    Operation(
        name="timeline",
        method="GET",
        path="/participants/{participant}/timeline",
        summary="One line for each record of a participant",
        handler=participant_timeline,
        parameters=(PARTICIPANT, KNOWN, TRUE),
        twins=_LISTS,
        answers={200: "the lines in order", **_UNCHANGED},
    ),
    Operation(
        name="history",
        method="GET",
        path="/participants/{participant}/history/{field:path}",
        summary="Every value that a field ever had",
        handler=field_history,
        parameters=(
            PARTICIPANT,
            path("field", "type or index, and a pointer: adverse_event.reported/data/grade, 412/occurred_at"),
            KNOWN,
            PURPOSE,
        ),
        twins=_LISTS,
        answers={
            200: "the values by record",
            304: "unchanged",
            404: "no such participant, or no record that the reader sees has the field; `fields` of the type",
        },
    ),
    Operation(
        name="participant",
        method="GET",
        path="/participants/{participant}",
        summary="One participant as known and as true",
        handler=participant,
        parameters=(PARTICIPANT, KNOWN, TRUE, PURPOSE),
        twins=("json", "html"),
        answers={200: "the participant", **_UNCHANGED},
    ),
)
