"""An answer as a page for people: the HTML twin of every reading operation, and nothing that it could run.

The page is written from the very value that the JSON twin holds, so neither can show what the other does not.
Every signed record that it names stands on it with printed name, role, meaning, and when it was signed and
recorded, with zones (21 CFR 11.50). There is no script: filters are a form, sorting is a link, and the policy
lets a browser load one style sheet of this service and send forms to it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import orjson

from api import sight
from api.cells import MEANINGS, attribute, cell, escape, in_time, is_fact, signer
from api.cells import plain_words as plain_words
from api.cells import shown as shown
from ledger.earlier_store import EarlierStore
from ledger.lines import counted
from ledger.store.port import Head
from projections.authorization import allowed
from projections.reader import is_marker
from projections.signed import INDEXES, indexes_in, indexes_of_rows, signed

if TYPE_CHECKING:
    from api.call import Call

HTML: Final = "text/html; charset=utf-8"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STYLE: Final = "/pages/pages.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: the member it shows, its heading, what it says, and where its heading leads."""

    name: str
    label: str
    hint: str = ""
    sort: str | None = None
    sorted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page is about; `signed` are records whose signatures stand in its body already."""

    title: str
    lead: str
    body: str
    signed: Collection[int] = field(default=frozenset())


def write(
    call: Call, value: Any, head: Head, links: Mapping[str, str], page: Callable[[], Page] | None
) -> str:
    """Write the page of an answer."""
    plain = orjson.loads(orjson.dumps(value))
    made = page() if page is not None else whole(call, plain)
    rows = plain.get("rows", ()) if isinstance(plain, dict) else ()
    named = (indexes_in(plain) | indexes_of_rows(rows)) - set(made.signed)
    reader = call.reader
    with call.study.ledger.store.snapshot() as reads:
        found = signed(
            reads,
            head.size,
            named,
            lambda entry, statement: sight.sees(reader, entry, statement, reads),
        )
    pager = f'<p class="pager"><a href="{attribute(links["next"])}">Next page</a></p>' if links else ""
    body = f"{made.body}{pager}{_signatures(base_of(call), found)}"
    return document(call, made.title, made.lead, body, head)


def whole(call: Call, value: Any, *, before: str = "") -> Page:
    """Lay out any answer: its members in order, lists of objects as tables; `before` stands above them."""
    title = " ".join((plain_words(call.operation.name).capitalize(), *call.request.path_params.values()))
    title = title.replace(call.study.config.study, "").strip().replace("  ", " ")
    body = _ways(call) + before + fragment(base_of(call), value, 2)
    return Page(title=title, lead=call.operation.summary, body=body)


def laid_out(call: Call, value: Any, *, before: str = "") -> Page:
    """Lay out an answer as its handler has it, with what only the encoder of JSON can write."""
    return whole(call, orjson.loads(orjson.dumps(value)), before=before)


def _ways(call: Call) -> str:
    """Return where the page of one participant or entry leads."""
    base, path = base_of(call), call.request.path_params
    links: list[tuple[str, str]] = []
    if "participant" in path:
        name = quote(path["participant"])
        links = [
            ("Overview", f"/participants/{name}.html"),
            ("Timeline", f"/participants/{name}/timeline.html"),
            ("Audit trail", f"/audit-trail.html?participant={name}"),
        ]
    elif "event" in path:
        name = quote(path["event"])
        links = [
            ("Entry", f"/events/{name}.html"),
            ("Dossier of its signature", f"/events/{name}/dossier.html"),
        ]
    items = "".join(f'<li><a href="{attribute(base + to)}">{label}</a></li>' for label, to in links)
    return f'<ul class="ways">{items}</ul>' if items else ""


def document(call: Call, title: str, lead: str, body: str, head: Head | None) -> str:
    """Write a whole document of a study."""
    who, links = "", [(f"{base_of(call)}/pages", "Log in")]
    if call.who is not None:
        reader = call.who
        person = f"{escape(reader.person)}, " if reader.person else ""
        who = f'<p class="who">Read by {person}as {escape(plain_words(reader.role))}</p>'
        links = [
            (f"{base_of(call)}{path}", label)
            for operation, path, label in WAYS
            if operation is None or allowed(reader, operation)
        ]
    foot = ""
    if head is not None:
        read = f"<p>Read from the log at {counted(head.size, 'entry', 'entries')}, "
        foot = f"{read}root <code>{head.root.hex()}</code>.</p>{_older(call)}{_twins(call)}"
    return shell(title, lead, f"{who}{body}", links, study=call.study.config.study, foot=foot)


def _older(call: Call) -> str:
    """Say what came before this log, for who reads a list and takes it for all that there is."""
    older = call.study.continues
    if older is None:
        return ""
    count = counted(older.size, "entry", "entries")
    if isinstance(call.study.ledger.store.earlier, EarlierStore):
        which = (
            "Participants' pages, the audit trail and reports count them, at indexes below 0; copies, "
            "exports, the stream and single entries are of this log alone: those of that one are there."
        )
    else:
        which = "They are not at hand here: nothing on these pages counts them."
    return (
        f"<p>This log goes on from {count} of <code>{escape(older.origin)}</code>, ledger id "
        f"<code>{older.ledger_id}</code>. {which}</p>"
    )


def shell(
    title: str,
    lead: str,
    body: str,
    links: Iterable[tuple[str, str]],
    *,
    study: str | None = None,
    foot: str = "",
) -> str:
    """Write a whole document: its heading, what every page has around it, and links (address, label)."""
    way = "".join(f'<li><a href="{attribute(to)}">{escape(label)}</a></li>' for to, label in links)
    of = f" – {escape(study)}" if study is not None else ""
    about = f" · study {escape(study)}" if study is not None else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}{of}</title>"
        f'<link rel="stylesheet" href="{STYLE}"></head><body>'
        '<a class="skip" href="#main">To the content</a>'
        f'<header><p class="product">trial-ledger{about}</p>'
        f'<nav aria-label="Pages"><ul>{way}</ul></nav></header>'
        f'<main id="main"><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{body}</main>'
        f"<footer>{foot}</footer></body></html>\n"
    )


WAYS: Final = (
    (None, "/pages", "Start"),
    ("participants", "/participants.html", "Participants"),
    ("audit-trail", "/audit-trail.html", "Audit trail"),
    ("projection", "/projections/trail-review.html", "Review of the trail"),
    ("projection", "/projections/breaches.html", "Breaches"),
)
"""Where every page leads: the operation that a reader may ask for, its address, its name."""


def base_of(call: Call) -> str:
    """Return the address that the study's pages begin with."""
    return f"/v1/studies/{quote(call.study.config.study)}"


def fragment(base: str, value: Any, level: int, of: str = "") -> str:
    """Write any value: facts first, then what has facts of its own, each under its name.

    `of` is the name of the member whose value this is: some hold indexes by names of their own.
    """
    if isinstance(value, list):
        rows = [each for each in value if isinstance(each, dict)]
        if rows and len(rows) == len(value) and not is_marker(rows[0]):
            return table(base, columns_of(rows), rows)
        return f"<p>{shown(base, '', value)}</p>"
    if not isinstance(value, dict) or is_fact(value):
        return f"<p>{shown(base, '', value)}</p>"
    facts = [(name, each) for name, each in value.items() if is_fact(each) and each != []]
    none = [plain_words(name) for name, each in value.items() if each == []]
    parts = [(name, each) for name, each in value.items() if not is_fact(each)]
    written = _facts(base, facts, "index" if of in INDEXES else None) if facts else ""
    if none:
        written += f'<p class="aside">None here: {escape(", ".join(none))}.</p>'
    heading = min(level, 5)
    for name, each in parts:
        written += (
            f"<section><h{heading}>{escape(plain_words(name).capitalize())}</h{heading}>"
            f"{fragment(base, each, level + 1, name)}</section>"
        )
    return written


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[Column]:
    """Return a column for each member of any row, in the order of their first appearance."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [Column(name=name, label=plain_words(name)) for name in names]


def table(base: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], label: str = "") -> str:
    """Write a table; on a narrow screen each row is a card whose cells have their headings."""
    if not rows:
        return '<p class="nothing">Nothing to show.</p>'
    return grid(
        columns,
        [[cell(base, column.name, row.get(column.name)) for column in columns] for row in rows],
        label,
        [_anchor(row) for row in rows],
    )


def grid(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], label: str = "", anchors: Sequence[str] = ()
) -> str:
    """Write a table of cells that are markup already."""
    head = "".join(_heading(column) for column in columns)
    body = []
    for number, row in enumerate(rows):
        anchor = anchors[number] if anchors else ""
        cells = "".join(
            f'<td data-label="{attribute(column.label)}"><div>{cell}</div></td>'
            for column, cell in zip(columns, row, strict=True)
        )
        body.append(f"<tr{anchor}>{cells}</tr>")
    named = attribute(label or "Table")
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{named}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _heading(column: Column) -> str:
    label = escape(column.label)
    title = f' title="{attribute(column.hint)}"' if column.hint else ""
    if column.sort is None:
        return f'<th scope="col"{title}>{label}</th>'
    order = f' aria-sort="{column.sorted}"' if column.sorted else ""
    mark = {"ascending": " ▲", "descending": " ▼"}.get(column.sorted or "", "")
    return f'<th scope="col"{title}{order}><a href="{attribute(column.sort)}">{label}{mark}</a></th>'


def anchor(index: int | None) -> str:
    """Mark a row that has the signature of a record."""
    return "" if index is None else f' data-signed="{index}"'


def _anchor(row: Mapping[str, Any]) -> str:
    index = row.get("index")
    return f' id="entry-{index}"' if type(index) is int else ""


def sort_link(call: Call, column: str, sort: str | None) -> tuple[str, str | None]:
    """Return where a heading leads: the other direction where it is the one sorted by; and how it is now."""
    now = None if sort is None or sort.removeprefix("-") != column else sort
    asked = f"-{column}" if now == column else column
    query = {k: v for k, v in call.query.items() if k not in ("after", "order")} | {"sort": asked}
    state = None if now is None else "descending" if now.startswith("-") else "ascending"
    return f"?{urlencode(query)}", state


def _facts(base: str, facts: Iterable[tuple[str, Any]], kind: str | None = None) -> str:
    return (
        '<dl class="facts">'
        + "".join(
            f"<div><dt>{escape(plain_words(name))}</dt><dd>{shown(base, kind or name, value)}</dd></div>"
            for name, value in facts
        )
        + "</dl>"
    )


def signature_cell(signature: Mapping[str, Any] | None) -> str:
    """Write who signed a record, what that means, and when it was recorded, in one cell."""
    if signature is None:
        return '<span class="none">–</span>'
    said = f"{escape(signature['meaning'])}: {MEANINGS[signature['meaning']]}"
    return f'{signer(signature)}<span class="aside">{said}</span><span class="aside">{when(signature)}</span>'


def when(signature: Mapping[str, Any]) -> str:
    """Write when a record was signed, by the signer's clock, with its zone."""
    return f"signed {in_time(str(signature['signed_at']))}"


def _signatures(base: str, found: Sequence[Mapping[str, Any]]) -> str:
    """Write who signed every record that the page names."""
    if not found:
        return ""
    columns = [
        Column(name="index", label="entry"),
        Column(name="type", label="record"),
        Column(name="name", label="signed by"),
        Column(name="meaning", label="meaning"),
        Column(name="signed_at", label="signed at"),
        Column(name="recorded", label="recorded at"),
    ]
    rows = [
        [
            signer(row) if column.name == "name" else shown(base, column.name, row[column.name])
            for column in columns
        ]
        for row in found
    ]
    anchors = [anchor(row["index"]) for row in found]
    return (
        '<section class="signatures"><h2>Who signed the records on this page</h2>'
        f"{grid(columns, rows, 'Signatures', anchors)}</section>"
    )


def _twins(call: Call) -> str:
    """Link the same answer for programs."""
    path = call.request.url.path.removesuffix(f".{call.twin}") if call.twin else call.request.url.path
    links = (
        f'<a href="{attribute(f"{quote(path)}.{twin}{_query(call, twin)}")}">{twin.upper()}</a>'
        for twin in call.operation.twins
        if twin != "html"
    )
    said = ", ".join(links)
    return f"<p>The same for programs: {said}.</p>" if said else ""


def _query(call: Call, twin: str) -> str:
    """Return what a twin is asked for: a page's JSON is of the same rows, its CSV of all that fit."""
    own = ("after", "limit") if twin == "csv" else ()
    asked = {name: value for name, value in call.query.items() if name not in own}
    return f"?{urlencode(asked)}" if asked else ""
