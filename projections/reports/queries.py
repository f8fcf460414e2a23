"""Queries and their age, from the opening to the last word (catalogue H).

Ages count from recording to recording, up to the last leaf that counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.rules.record import span
from projections.desk import Desk, Line
from projections.report import Report, Row

KINDS: Final = ("participant", "site", "study", "pharmacy", "safety", "person")
_OPENED: Final = "query.opened"
_STEPS: Final = ("query.answered", "query.reopened", "query.closed", "query.cancelled")
_STATES: Final = MappingProxyType(
    {
        "query.opened": "open",
        "query.reopened": "open",
        "query.answered": "answered",
        "query.closed": "closed",
        "query.cancelled": "cancelled",
    }
)


def queries(desk: Desk) -> Iterator[Row]:
    """Yield every query, those that wait longest first, then those that are settled, by index."""
    rows = [row for kind in KINDS for stream in desk.streams(kind) for row in _of_stream(desk, stream)]
    settled = ("closed", "cancelled")
    yield from sorted(rows, key=lambda row: (row["state"] in settled, row["index"]))


def _of_stream(desk: Desk, stream: str) -> Iterator[Row]:
    lines = list(desk.records_of(stream, _OPENED, *_STEPS))
    named = {each["event"]: each for each in desk.book(stream)["records"]}
    for line in lines:
        if line.type != _OPENED:
            continue
        steps = [each for each in lines if each.type in _STEPS and each.data["statement"] == line.event]
        last = steps[-1] if steps else line
        about = named.get(line.data["statement"])
        ends = last.recorded_us if _STATES[last.type] in ("closed", "cancelled") else desk.now_us
        answer = next((each for each in steps if each.type == "query.answered"), None)
        yield {
            "site": line.site,
            "participant": line.participant,
            "state": _STATES[last.type],
            "kind": line.data["kind"],
            "about": about["type"] if about is not None else None,
            "fields": line.data["paths"],
            "text": line.data["text"],
            "opened_by": line.person,
            "role": line.role,
            "opened_at": line.recorded_at,
            "answered_after_hours": _hours(line, answer),
            "age_hours": (ends - line.recorded_us) // 3_600_000_000,
            "due": line.data.get("due"),
            "overdue": _is_overdue(desk, line, last),
            "steps": len(steps),
            "about_index": about["index"] if about is not None else None,
            "last_index": last.index,
            "index": line.index,
        }


def _hours(opened: Line, answer: Line | None) -> int | None:
    return None if answer is None else (answer.recorded_us - opened.recorded_us) // 3_600_000_000


def _is_overdue(desk: Desk, opened: Line, last: Line) -> bool:
    """Tell whether an open query has passed the day until which an answer was asked for."""
    due = last.data.get("due") or opened.data.get("due")
    if due is None or _STATES[last.type] != "open":
        return False
    return desk.now_us > span(due, desk.zone(opened.site)).latest_us


REPORTS: Final = (
    Report(
        name="queries",
        question="Which queries are open, how old are they, who waits for whom?",
        columns=MappingProxyType(
            {
                "site": "the site of the record asked about",
                "participant": "coded id",
                "state": "open, answered, closed or cancelled",
                "kind": "what kind of query",
                "about": "type of the record asked about",
                "fields": "fields asked about",
                "text": "the question, where the reader sees free text",
                "opened_by": "who asked",
                "role": "in which role",
                "opened_at": "when the log took it in, UTC",
                "answered_after_hours": "whole hours to the first answer",
                "age_hours": "whole hours until it was settled, or until the last leaf",
                "due": "until when an answer was asked for",
                "overdue": "whether that has passed without one",
                "steps": "how many steps it had",
                "about_index": "index of the record asked about",
                "last_index": "index of the newest step",
                "index": "index of the opening",
            }
        ),
        rows=queries,
    ),
)
