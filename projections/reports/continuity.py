"""Whether the record was ever interrupted, by what was said about the system itself; and who held which role.

Nothing switches the trail off: every entry has the next index, and `verify` finds one that is missing. What
people and the service said about the system itself stands in the log like everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from projections.describe import describe_shown
from projections.desk import Desk, Line
from projections.report import Report, Row

_ABOUT_SYSTEM: Final = (
    "ledger.opened",
    "policy.changed",
    "system.released",
    "configuration.changed",
    "downtime.declared",
    "downtime.ended",
    "clock.drifted",
    "backup.taken",
    "restore.tested",
    "inspection.opened",
    "inspection.closed",
    "archive.sealed",
    "archive.restored_and_read",
    "custody.transferred",
)
_GRANTED: Final = "role.granted"
_ENDS: Final = ("role.revoked", "account.disabled")
ALL_SITES: Final = "*"


def continuity(desk: Desk) -> Iterator[Row]:
    """Yield what was said about the system itself, in the order of the log."""
    lines = [line for kind in ("study", "site") for line in desk.records(*_ABOUT_SYSTEM, kind=kind)]
    for line in sorted(lines, key=lambda each: each.index):
        yield {
            "recorded_at": line.recorded_at,
            "site": line.site,
            "type": line.type,
            "what": describe_shown(line.type, line.schema, line.data),
            "from": line.data.get("from"),
            "to": line.data.get("to"),
            "person": line.person,
            "role": line.role,
            "index": line.index,
        }


def roles_log(desk: Desk) -> Iterator[Row]:
    """Yield each role that was granted, with its end, by person and index."""
    opened = sorted(desk.records("ledger.opened", kind="study"), key=lambda each: each.index)
    for stream in desk.streams("person"):
        lines = list(desk.records_of(stream, _GRANTED, *_ENDS))
        for line in (line for line in lines if line.type == _GRANTED):
            sites = [s for s in line.data["sites"] if s == ALL_SITES or desk.sees_site(s)]
            if not sites:
                continue
            # The log that goes on from another begins without anybody's roles: each is granted anew there.
            ends = [
                *(each for each in lines if _ends(each, line)),
                *(o for o in opened if o.index > line.index),
            ]
            ended = min(ends, key=lambda each: each.index, default=None)
            yield {
                "person": line.data["person"],
                "role": line.data["role"],
                "sites": sites,
                "blinded": line.data["blinded"],
                "granted_by": line.person,
                "granted_at": line.recorded_at,
                "ended_at": ended.recorded_at if ended is not None else None,
                "ended_by": ended.person if ended is not None else None,
                "how": ended.type if ended is not None else None,
                "index": line.index,
                "ended_index": ended.index if ended is not None else None,
            }


def _ends(later: Line, granted: Line) -> bool:
    """Tell whether a record ends a grant: it revokes or replaces the role, or disables the account."""
    if later.index <= granted.index:
        return False
    return later.type == "account.disabled" or later.data["role"] == granted.data["role"]


REPORTS: Final = (
    Report(
        name="continuity",
        question="Was the record ever interrupted: what was released, set, down, adrift, saved, restored?",
        columns=MappingProxyType(
            {
                "recorded_at": "when the log took it in, UTC",
                "site": "the site, where it is about one",
                "type": "what it was",
                "what": "the record in a sentence",
                "from": "since when, as written",
                "to": "until when, as written",
                "person": "who signed it",
                "role": "in which role",
                "index": "index of the record",
            }
        ),
        rows=continuity,
    ),
    Report(
        name="roles-log",
        question="Who was granted which role, where, by whom, and when did it end?",
        columns=MappingProxyType(
            {
                "person": "id of the person",
                "role": "the role",
                "sites": "sites on which it was held; * for all",
                "blinded": "whether it was granted blinded",
                "granted_by": "who signed the grant",
                "granted_at": "when the log took it in, UTC",
                "ended_at": "when it ended, UTC",
                "ended_by": "who signed that",
                "how": "revoked, replaced by a later grant, the account disabled, or another log opened",
                "index": "index of the grant",
                "ended_index": "index of the end",
            }
        ),
        rows=roles_log,
    ),
)
