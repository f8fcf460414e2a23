"""Replay on a page: a slider over the log, the records of this participant one by one, and a true time.

*Known then* is `known` alone, *true then* is `true` with the head (interfaces.md). There is no script: the
slider is sent as it stands, and stepping goes from record to record of those that this reader sees.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from api.call import Call
from api.cells import attribute, escape
from api.filter_form import kept_fields

_KEPT: Final = ("purpose",)


def replay_part(call: Call, steps: Sequence[int], known: int, size: int) -> str:
    """Return the part of a page by which a participant is replayed.

    `steps` are the indexes of the participant's records in ascending order, `known` the newest index that the
    page counts, of a log of `size` entries.
    """
    if not size:
        return ""
    before, after = bisect_left(steps, known), bisect_right(steps, known)
    ways = [("First record", steps[0])] if steps else []
    ways += [("Record before", steps[before - 1])] if before else []
    ways += [("Record after", steps[after])] if after < len(steps) else []
    links = "".join(f'<li><a href="{_at(call, index)}">{label} ({index})</a></li>' for label, index in ways)
    now = f'<li><a href="{_at(call, None)}">Now</a></li>'
    kept = kept_fields(call, _KEPT)
    true = attribute(call.query.get("true", ""))
    truly = f", true at {escape(call.query['true'])}" if "true" in call.query else ""
    said = f"As known at {known}{truly}"
    return (
        f'<section class="replay" aria-label="Replay"><p>{said}.</p><ul class="ways">{links}{now}</ul>'
        f'<form class="filter" method="get"><label>Known then: index {known} of {size - 1}'
        f'<input type="range" name="known" min="0" max="{size - 1}" value="{known}"></label>{kept}'
        f"<button>Replay</button></form>"
        f'<form class="filter" method="get"><label>True then: a clinical time, whole or partial'
        f'<input name="true" value="{true}" placeholder="2026-01-05T14:00-06:00" required></label>{kept}'
        f"<button>Replay</button></form></section>"
    )


def _at(call: Call, known: int | None) -> str:
    """Return the address of this page as known at an index, or now."""
    query = {name: call.query[name] for name in _KEPT if name in call.query}
    if known is not None:
        query["known"] = str(known)
    path = str(call.request.url.path)
    return attribute(f"{path}?{urlencode(query)}" if query else path)
