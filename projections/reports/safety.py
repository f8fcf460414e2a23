"""Adverse events with their clocks, and deaths, pregnancies and suicidality beside them (catalogue G).

Clocks are data of the study definition (21 CFR 312.32, 312.64): a serious event goes to the sponsor within
hours of the first knowledge of its seriousness. What is blinded stays so: regimen and expectedness stand in
`safety` and are no columns here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.record import HOUR_US, span
from projections.desk import Desk, Line
from projections.report import Report, Row

_REPORTED: Final = "adverse_event.reported"
_VERSIONS: Final = ("adverse_event.followed_up", "adverse_event.assessed", "adverse_event.resolved")
_NULLIFIED: Final = "adverse_event.nullified"
_TO_SPONSOR: Final = "sae.reported_to_sponsor"
_CHANGED: Final = "seriousness.changed"
_TYPES: Final = (_REPORTED, *_VERSIONS, _NULLIFIED, _TO_SPONSOR, _CHANGED, "safety_case.closed")
_READ: Final = ("grade", "serious", "action", "outcome")
SITE_TO_SPONSOR: Final = "site_to_sponsor"
_UNITS: Final = MappingProxyType({"h": HOUR_US, "d": 24 * HOUR_US})


def safety(desk: Desk) -> Iterator[Row]:
    """Yield each adverse event as its newest version reads, by participant and report."""
    for participant in desk.participants():
        by_id: dict[str, list[Line]] = defaultdict(list)
        for line in desk.records_of(f"participant/{participant.id}", *_TYPES):
            by_id[line.data["ae"]].append(line)
        for name, lines in by_id.items():
            if lines[0].type == _REPORTED:
                yield _row(desk, name, lines)


def _row(desk: Desk, name: str, lines: list[Line]) -> Row:
    first = lines[0]
    # What another system recorded may lack the action taken.
    now: dict[str, Any] = {member: first.data.get(member) for member in _READ}
    for line in lines:
        if line.type in _VERSIONS:
            now |= {member: line.data[member] for member in _READ if member in line.data}
    serious = _first_serious(lines)
    sent = next((line for line in lines if line.type == _TO_SPONSOR), None)
    due_us = _due(desk, serious)
    return {
        "site": first.site,
        "participant": first.participant,
        "ae": name,
        "onset": first.data["onset"],
        "awareness": first.data["awareness"],
        **now,
        "sponsor_raised": any(line.type == _CHANGED and line.data["assessor"] == "sponsor" for line in lines),
        "versions": 1 + sum(line.type in _VERSIONS for line in lines),
        "nullified": any(line.type == _NULLIFIED for line in lines),
        "serious_known_at": serious.recorded_at if serious is not None else None,
        "sponsor_due_at": desk.local(due_us, first.site) if due_us is not None else None,
        "reported_to_sponsor": sent.data["reported"] if sent is not None else None,
        "overdue": due_us is not None and _sent_us(desk, sent) > due_us,
        "closed": any(line.type == "safety_case.closed" for line in lines),
        "first_index": first.index,
        "index": lines[-1].index,
    }


def _first_serious(lines: list[Line]) -> Line | None:
    """Return the first record by which anybody at the site or the sponsor held it serious."""
    for line in lines:
        told = line.data.get("new") if line.type == _CHANGED else line.data.get("serious")
        if told is True:
            return line
    return None


def _due(desk: Desk, serious: Line | None) -> int | None:
    definition = desk.definition_at(serious.site if serious is not None else None)
    clock = definition.safety_clocks.get(SITE_TO_SPONSOR) if definition is not None else None
    if serious is None or clock is None:
        return None
    known = serious.data.get("awareness") or serious.data.get("new_information")
    first_us = span(known, desk.zone(serious.site)).latest_us if known is not None else serious.recorded_us
    return min(first_us, serious.recorded_us) + clock.limit * _UNITS[clock.unit]


def _sent_us(desk: Desk, sent: Line | None) -> int:
    return desk.now_us if sent is None else span(sent.data["reported"], desk.zone(sent.site)).earliest_us


REPORTS: Final = (
    Report(
        name="safety",
        question="Which adverse events were there, and were the serious ones reported in time?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participant": "coded id",
                "ae": "id of the event",
                "onset": "onset, as written",
                "awareness": "when the site learnt of it",
                "grade": "grade as it reads now",
                "serious": "whether the site holds it serious",
                "action": "action taken with the study treatment",
                "outcome": "outcome as it reads now",
                "sponsor_raised": "whether the sponsor raised or tried to change its seriousness",
                "versions": "how many versions it has",
                "nullified": "whether it was nullified; it stays visible",
                "serious_known_at": "when the log first had it as serious, UTC",
                "sponsor_due_at": "until when the sponsor had to know, site time",
                "reported_to_sponsor": "when it was reported, as written",
                "overdue": "whether that was, or still is, too late",
                "closed": "whether the case is closed",
                "first_index": "index of the report",
                "index": "index of its newest record",
            }
        ),
        rows=safety,
    ),
)
