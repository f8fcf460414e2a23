"""What stands above the rows of the review's page: criteria, what no review covers, how to sign one.

A reviewer sees how many entries each criterion found, the ranges that no signed review of the whole log
covers yet (E6(R3) 4.2.3), and for each range the statement to be signed, ready for the signing pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from api.call import Call
from api.cells import attribute, escape
from api.pages import base_of
from ledger.actions.registry import find_spec

TYPE: Final = "trail.reviewed"
CRITERIA: Final[Mapping[str, str]] = {
    "late entry": "recorded long after it happened",
    "odd hour": "recorded at night by the clock of the site",
    "repeated value": "the same measurement many times in a row",
    "changes before a lock": "many changes in the week before a lock",
    "before its visit": "happened before the visit that it belongs to",
}


def review_part(call: Call, rows: Sequence[Mapping[str, Any]], coverage: Sequence[Mapping[str, Any]]) -> str:
    """Write criteria with their counts, the ranges that are not covered, and what is to be signed."""
    counts = Counter(row["signal"] for row in rows)
    criteria = "".join(
        f'<div><dt>{escape(name)}</dt><dd>{counts[name]}<span class="aside">{escape(said)}</span></dd></div>'
        for name, said in CRITERIA.items()
    )
    gaps = [row for row in coverage if row["person"] is None]
    base = attribute(base_of(call))
    return (
        f'<section><h2>Criteria</h2><dl class="facts">{criteria}</dl></section>'
        f"<section><h2>Not yet covered by a review</h2>{_gaps(call, gaps, len(rows))}"
        f'<p><a href="{base}/projections/trail-coverage.html">All reviews, and what they cover</a></p>'
        "</section>"
        "<section><h2>Entries worth a look</h2></section>"
    )


def _gaps(call: Call, gaps: Sequence[Mapping[str, Any]], findings: int) -> str:
    if not gaps:
        return '<p class="nothing">Every entry of the log is covered.</p>'
    return "".join(
        f'<div class="card"><p>Entries {gap["first_index"]} to {gap["last_index"]}: '
        f"{gap['entries']} entries.</p>{_to_sign(call, gap, findings)}</div>"
        for gap in gaps
    )


def _to_sign(call: Call, gap: Mapping[str, Any], findings: int) -> str:
    spec, role = find_spec(TYPE, 1), call.reader.role
    if spec is None or role not in spec.roles:
        return ""
    action = {
        "type": TYPE,
        "stream": "study",
        "role": role,
        "meaning": "review",
        "data": {
            "criteria": sorted(name.replace(" ", "_") for name in CRITERIA),
            "findings": findings,
            "first": gap["first_index"],
            "last": gap["last_index"],
            "source": {"kind": "esource"},
        },
        "open": {"/data/text": None},
    }
    written = escape(orjson.dumps(action, option=orjson.OPT_INDENT_2).decode())
    return f"<details><summary>Sign this review</summary>{_where(call)}<pre>{written}</pre></details>"


def _where(call: Call) -> str:
    """Say where it is signed: at the study's signing pages, which are told which study it is."""
    settings = call.study.config.signing
    if settings is None:
        return "<p>Sign it with <code>trial-ledger sign</code> and a key of your own.</p>"
    study = str(call.request.base_url).rstrip("/") + base_of(call)
    link = attribute(f"{settings.origins[0]}/#{quote(study, safe='')}")
    return f'<p>Correct the number of findings, then hand it to the <a href="{link}">signing pages</a>.</p>'
