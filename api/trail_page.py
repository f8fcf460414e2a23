"""The audit trail as a page: a form that filters, headings that sort, one row for each signed statement.

Each row has who signed, in which role and for what meaning, when it was recorded and when it is said to have
happened, with zones, and each field with its old and new value (FDA 2024 Q12; 21 CFR 11.10(e), 11.50).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.call import Call
from api.cells import escape, moment, plain_words, shown, signer
from api.filter_form import filter_form
from api.pages import Column, Page, anchor, base_of, grid, sort_link
from api.wanted import TYPES
from ledger.roles import ROLES

COLUMNS: Final = (
    ("index", "entry"),
    ("recorded_utc", "recorded"),
    ("occurred_utc", "happened"),
    ("name", "signed by"),
    ("meaning", "meaning"),
    ("participant", "of"),
    ("type", "record"),
    ("field", "field"),
    ("old", "old"),
    ("new", "new"),
    ("reason_code", "reason"),
    ("breaches", "breaches"),
)
"""Columns of the page, by the name that they are sorted by."""

_FIELDS: Final = (
    ("participant", "Participant"),
    ("site", "Site"),
    ("actor", "Person id"),
    ("role", "Role"),
    ("type", "Type of record"),
    ("field", "Field, such as /data/grade"),
    ("value", "Old or new value has"),
    ("since", "Since, a time or an entry"),
    ("until", "Until, a time or an entry"),
)
_OFFERED: Final = {"role": sorted(ROLES), "type": sorted(TYPES)}
"""What a field of the form offers while it is filled in."""

_KEPT: Final = ("sort", "order", "known", "limit", "purpose")


def trail_page(call: Call, lines: Sequence[Mapping[str, Any]]) -> Page:
    """Lay a page of the trail out."""
    sort = call.query.get("sort")
    columns = []
    for name, label in COLUMNS:
        href, state = sort_link(call, name, sort)
        sortable = call.operation.name == "audit-trail"
        columns.append(Column(name=name, label=label, sort=href if sortable else None, sorted=state))
    base = base_of(call)
    anchors = [anchor(line["index"]) for line in lines]
    rows = [_row(base, line) for line in lines]
    body = grid(columns, rows, "Audit trail", anchors) if rows else '<p class="nothing">Nothing fits.</p>'
    if call.operation.name == "signing-scope":
        said = f"{len(lines)} statements that a signature would cover, with their values and signatures."
        return Page(title="What is to be signed", lead=said, body=body, signed=_indexes(lines))
    return Page(
        title="Audit trail",
        lead="Who did what and when, with old and new value, why, and how it was signed. Headings sort.",
        body=filter_form(call, _FIELDS, _KEPT, label="Filter the trail", offered=_OFFERED) + body,
        signed=_indexes(lines),
    )


def _indexes(lines: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    return frozenset(line["index"] for line in lines)


def _row(base: str, line: Mapping[str, Any]) -> list[str]:
    who, of = line["who"], line["participant"]
    place = shown(base, "participant", of) if of else shown(base, "stream", line["stream"])
    site = f'<span class="aside">site {escape(line["site"])}</span>' if line["site"] and of else ""
    changes = line["changes"]
    signatures = ", ".join(
        f"{escape(each['alg'])}{', ' + escape(plain_words(each['grade'])) if each['grade'] else ''}"
        for each in line["signatures"]
    )
    return [
        _index(base, line),
        moment(line["recorded"]),
        moment(line["occurred"]),
        signer(who),
        f'{shown(base, "meaning", line["meaning"])}<span class="aside">{signatures}</span>',
        place + site,
        f'{escape(line["type"])}<span class="aside">{escape(line["what"])}</span>{_about(base, line)}',
        _parts(f'<span class="path">{escape(each["field"])}</span>' for each in changes),
        _parts(shown(base, "old", each["old"]) for each in changes) if _has_old(changes) else "–",
        _parts(shown(base, "new", each["new"]) for each in changes),
        _reason(base, line["reason"]),
        _parts(f"{escape(each['rule'])} {shown(base, 'index', each['index'])}" for each in line["breaches"]),
    ]


def _index(base: str, line: Mapping[str, Any]) -> str:
    """Show where a line stands; of an older log's, which is not served here, which log it is."""
    if "log" not in line:
        return shown(base, "index", line["index"])
    return f'{line["index"]}<span class="aside">in the older log {escape(line["log"])}</span>'


def _parts(parts: Any) -> str:
    written = "".join(f'<span class="change">{part}</span>' for part in parts)
    return written or '<span class="none">–</span>'


def _has_old(changes: Sequence[Mapping[str, Any]]) -> bool:
    return any(each["old"] is not None for each in changes)


def _about(base: str, line: Mapping[str, Any]) -> str:
    about = line["about"]
    if about is None:
        return ""
    link = shown(base, "index", about["index"])
    return f'<span class="aside">of entry {link}, {escape(about["type"])}</span>'


def _reason(base: str, reason: Mapping[str, Any] | None) -> str:
    if reason is None:
        return '<span class="none">–</span>'
    text = reason["text"]
    aside = "" if text is None else f'<span class="aside">{shown(base, "text", text)}</span>'
    return escape(plain_words(reason["code"])) + aside
