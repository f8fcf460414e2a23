"""The delegation log, and work that was done outside of it.

A delegation is in effect from its acceptance on; until it is ended (ICH E6(R3) 2.3.3). Work outside it is a
breach of R2b that stands, explained or not (catalogue R2b).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from projections.desk import Desk, Line
from projections.report import Report, Row

_ABOUT: Final = ("delegation.accepted", "delegation.ended", "delegation.reaffirmed")
_OUTSIDE: Final = frozenset({"NOT_DELEGATED", "NOT_TRAINED", "PRESCRIBER_NOT_DELEGATED", "ELIGIBILITY_ROLE"})


def delegation_log(desk: Desk) -> Iterator[Row]:
    """Yield each delegation of each site in the order of the log."""
    for site in desk.sites():
        lines = list(desk.records_of(f"site/{site}"))
        about: dict[str, dict[str, Line]] = {name: {} for name in _ABOUT}
        for line in lines:
            if line.type in about:
                about[line.type].setdefault(line.data["delegation"], line)
        for line in (line for line in lines if line.type == "delegation.granted"):
            accepted = about["delegation.accepted"].get(line.event)
            ended = about["delegation.ended"].get(line.event)
            reaffirmed = about["delegation.reaffirmed"].get(line.event)
            yield {
                "site": site,
                "person": line.data["person"],
                "tasks": line.data["tasks"],
                "from": line.data["from"],
                "to": line.data.get("to"),
                "granted_by": line.person,
                "granted_at": line.recorded_at,
                "backdated": line.data["from"] < desk.local(line.recorded_us, site)[:10],
                "accepted_at": accepted.recorded_at if accepted is not None else None,
                "ended_at": ended.recorded_at if ended is not None else None,
                "reaffirmed_by": reaffirmed.person if reaffirmed is not None else None,
                "index": line.index,
                "accepted_index": accepted.index if accepted is not None else None,
                "ended_index": ended.index if ended is not None else None,
            }


def outside_delegation(desk: Desk) -> Iterator[Row]:
    """Yield the records of work that nobody had delegated or trained for, by participant and index."""
    for participant in desk.participants():
        broken = [breach for breach in participant.breaches if breach.rule in _OUTSIDE]
        lines = {line.event: line for line in desk.records_of(f"participant/{participant.id}", voided=True)}
        for breach in sorted(broken, key=lambda each: (each.index, each.rule)):
            line = lines.get(breach.event)
            if line is None:
                continue
            yield {
                "site": line.site,
                "participant": participant.id,
                "person": line.data.get("consenter") or line.data.get("performer") or line.person,
                "signed_by": line.person,
                "type": line.type,
                "occurred_at": line.occurred_at,
                "rule": breach.rule,
                "open": breach.is_open,
                "explained_index": breach.explained,
                "closed_index": breach.closed,
                "index": line.index,
            }


REPORTS: Final = (
    Report(
        name="delegation-log",
        question="Who was delegated what, by whom, from when to when, and when was it accepted?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "person": "the delegate",
                "tasks": "action types",
                "from": "first day, as written",
                "to": "last day, where one was set",
                "granted_by": "the investigator who granted it",
                "granted_at": "when the log took it in, UTC",
                "backdated": "whether it begins before the day on which it was recorded",
                "accepted_at": "when the delegate accepted; before that it is not in effect",
                "ended_at": "when it was ended",
                "reaffirmed_by": "who reaffirmed it after a hand-over",
                "index": "index of the delegation",
                "accepted_index": "index of the acceptance",
                "ended_index": "index of the end",
            }
        ),
        rows=delegation_log,
    ),
    Report(
        name="outside-delegation",
        question="What was done by people who were not delegated or trained for it at that time?",
        columns=MappingProxyType(
            {
                "site": "the site of the record",
                "participant": "coded id",
                "person": "who did it",
                "signed_by": "who signed the record",
                "type": "what was done",
                "occurred_at": "when, as written and corrected",
                "rule": "which rule it breaks",
                "open": "whether the breach still stands",
                "explained_index": "delegation or training that came too late and explains it",
                "closed_index": "what made the breach vanish",
                "index": "index of the record",
            }
        ),
        rows=outside_delegation,
    ),
)
