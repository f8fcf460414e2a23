"""The access log: logins, views, refusals, exports and copies, and every opening of the blind.

What stands in `access/` is restricted: a reader gets the rows of the streams that the role sees, and of its
own where it sees no others (catalogue, "Roles"). Unblinding stands in `safety` (catalogue D).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from projections.describe import describe_shown
from projections.desk import Desk, Line
from projections.report import Report, Row

_OPENINGS: Final = (
    "allocation.disclosed",
    "unblinding.performed",
    "unblinding.planned",
    "unblinding.inadvertent",
    "unblinding.envelope_issued",
    "unblinding.envelope_checked",
    "unblinding.drill_done",
)


def access_log(desk: Desk) -> Iterator[Row]:
    """Yield each record of the access streams that the reader sees, in the order of the log."""
    for line in desk.records(kind="access"):
        yield {
            "recorded_at": line.recorded_at,
            "type": line.type,
            "who": line.data.get("who") or line.data.get("requested_by"),
            "role": line.data.get("role"),
            "rule": line.data.get("rule"),
            "refused_type": line.data.get("type"),
            "purpose": line.data.get("purpose"),
            "what": line.data.get("view") or line.data.get("kind"),
            "count": line.data.get("count"),
            "index": line.index,
        }


def unblinding_log(desk: Desk) -> Iterator[Row]:
    """Yield who was shown an allocation, when, why and by whom, in the order of the log."""
    for line in desk.records(*_OPENINGS, kind="safety"):
        reason = line.data.get("purpose") or line.data.get("means") or line.data.get("how")
        yield {
            "recorded_at": line.recorded_at,
            "occurred_at": line.occurred_at,
            "type": line.type,
            "participants": _participants(line),
            "disclosed_to": line.data.get("disclosed_to") or line.data.get("to") or line.data.get("learned"),
            "by": line.person,
            "role": line.role,
            "why": reason,
            "what": describe_shown(line.type, line.schema, line.data),
            "index": line.index,
        }


def _participants(line: Line) -> list[str]:
    named = line.data.get("participants") or line.data.get("participant") or []
    return list(named) if isinstance(named, list) else [named]


REPORTS: Final = (
    Report(
        name="access",
        question="Who logged in, looked, exported or was refused, and when?",
        columns=MappingProxyType(
            {
                "recorded_at": "when the log took it in, UTC",
                "type": "what it was",
                "who": "the person",
                "role": "the role in which it was read",
                "rule": "the rule that refused",
                "refused_type": "the action that was refused",
                "purpose": "what it was for",
                "what": "what was looked at or taken out",
                "count": "how many refusals were only counted",
                "index": "index of the record",
            }
        ),
        rows=access_log,
        restricted=("access",),
    ),
    Report(
        name="unblinding",
        question="Who saw which allocation, when and why; which envelopes were issued, checked or opened?",
        columns=MappingProxyType(
            {
                "recorded_at": "when the log took it in, UTC",
                "occurred_at": "when it happened, as written",
                "type": "what it was",
                "participants": "coded ids",
                "disclosed_to": "who got to know",
                "by": "who signed it",
                "role": "in which role",
                "why": "purpose, means or how it came about",
                "what": "the record in a sentence",
                "index": "index of the record",
            }
        ),
        rows=unblinding_log,
        unblinding=True,
        restricted=("safety",),
    ),
)
