"""Risk-based review of the trail: signals that a reviewer looks at, and what signed reviews have covered.

Signals (E6(R3) 4.2.3; EMA 6.2.2): late entries, entries at odd hours by the clock of the site, the same value
many times in a row, many changes shortly before a lock, values recorded before the visit that they belong to.
A signal is a reason to look, never a finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import orjson

from ledger.rules.record import DAY_US, HOUR_US
from projections.desk import Desk, Line
from projections.report import Report, Row

LATE_HOURS: Final = 72
FIRST_HOUR, LAST_HOUR = 6, 22  # by the clock of the site; outside of them an entry is at an odd hour
REPEATED: Final = 5
LOCK_DAYS: Final = 7
MANY_CHANGES: Final = 3
_CHANGES: Final = frozenset({"correction.made", "record.voided"})
_MEASURED: Final = frozenset({"vital_signs.recorded", "outcome.recorded", "weight.recorded"})
_REVIEWED: Final = "trail.reviewed"


def signals(desk: Desk) -> Iterator[Row]:
    """Yield the signals by participant, kind and index."""
    for participant in desk.participants():
        lines = list(desk.records_of(f"participant/{participant.id}", voided=True))
        for kind, found in (
            ("late entry", _late(lines)),
            ("odd hour", _odd(desk, lines)),
            ("repeated value", _repeated(lines)),
            ("changes before a lock", _before_lock(lines)),
            ("before its visit", _before_visit(lines)),
        ):
            for line, measure in found:
                yield {
                    "site": line.site,
                    "participant": participant.id,
                    "signal": kind,
                    "type": line.type,
                    "person": line.person,
                    "measure": measure,
                    "occurred_at": line.occurred_at,
                    "recorded_local": desk.local(line.recorded_us, line.site),
                    "index": line.index,
                }


Found = Iterator[tuple[Line, str]]


def _late(lines: list[Line]) -> Found:
    for line in lines:
        hours = (line.recorded_us - line.occurred.latest_us) // HOUR_US
        if hours > LATE_HOURS:
            yield line, f"{hours} h after it occurred"


def _odd(desk: Desk, lines: list[Line]) -> Found:
    for line in lines:
        at = desk.local(line.recorded_us, line.site)
        if line.role != "service" and not FIRST_HOUR <= int(at[11:13]) < LAST_HOUR:
            yield line, at[11:16]


def _repeated(lines: list[Line]) -> Found:
    """Yield the last of each run of equal measurements of one kind."""
    runs: dict[str, list[Line]] = defaultdict(list)
    for line in (line for line in lines if line.type in _MEASURED):
        key = f"{line.type} {line.data.get('instrument', '')} {line.data.get('time_point', '')}"
        run = runs[key]
        if run and _values(run[-1]) != _values(line):
            if len(run) >= REPEATED:
                yield run[-1], f"{len(run)} times the same"
            run.clear()
        run.append(line)
    for run in runs.values():
        if len(run) >= REPEATED:
            yield run[-1], f"{len(run)} times the same"


def _values(line: Line) -> bytes:
    told = {n: v for n, v in line.data.items() if n in ("measurements", "items", "total", "weight")}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _before_lock(lines: list[Line]) -> Found:
    for lock in (line for line in lines if line.type == "participant.locked"):
        near = [
            line
            for line in lines
            if line.type in _CHANGES and 0 <= lock.recorded_us - line.recorded_us <= LOCK_DAYS * DAY_US
        ]
        if len(near) >= MANY_CHANGES:
            yield near[-1], f"{len(near)} in the {LOCK_DAYS} days before the lock"


def _before_visit(lines: list[Line]) -> Found:
    starts = {line.data["visit"]: line for line in lines if line.type == "visit.started"}
    for line in lines:
        start = starts.get(line.data.get("visit", ""))
        if start is None or line.type.startswith("visit."):
            continue
        if line.occurred.latest_us < start.occurred.earliest_us:
            minutes = (start.occurred.earliest_us - line.occurred.latest_us) // 60_000_000
            yield line, f"{minutes} min before {line.data['visit']} started"


def coverage(desk: Desk) -> Iterator[Row]:
    """Yield each signed review with the range that it covered, then the ranges that none did."""
    reviews = sorted(
        (line for kind in ("study", "site", "participant") for line in desk.records(_REVIEWED, kind=kind)),
        key=lambda line: line.index,
    )
    covered: list[tuple[int, int]] = []
    for line in reviews:
        first, last = line.data["first"], line.data["last"]
        if line.stream == "study":
            covered.append((first, last))
        yield _range("reviewed", first, last, line)
    for first, last in _gaps(covered, desk.size):
        yield _range("not reviewed as a whole", first, last, None)


def _range(state: str, first: int, last: int, line: Line | None) -> Row:
    return {
        "state": state,
        "first_index": first,
        "last_index": last,
        "entries": last - first + 1,
        "stream": line.stream if line is not None else None,
        "person": line.person if line is not None else None,
        "role": line.role if line is not None else None,
        "reviewed_at": line.recorded_at if line is not None else None,
        "criteria": line.data["criteria"] if line is not None else None,
        "findings": _counted(line.data["findings"]) if line is not None else None,
        "index": line.index if line is not None else None,
    }


def _counted(findings: Any) -> int:
    return len(findings) if isinstance(findings, list) else int(findings)


def _gaps(covered: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    at = 0
    for first, last in sorted(covered):
        if first > at:
            yield at, first - 1
        at = max(at, last + 1)
    if at < size:
        yield at, size - 1


def sites(desk: Desk) -> Iterator[Row]:
    """Yield the sites side by side, worst first: how much broke, waits and is late for each participant."""
    rows: list[tuple[float, Row]] = []
    for site in desk.sites():
        members = [each for each in desk.participants() if each.site == site]
        lines = [line for each in members for line in desk.records_of(f"participant/{each.id}", voided=True)]
        types = Counter(line.type for line in lines)
        breaches = [breach for each in members for breach in each.breaches]
        late = sum(1 for _ in _late(lines))
        open_ = sum(breach.is_open for breach in breaches)
        queries = sum(len(each.assurance.open_queries) for each in members)
        people = len(members) or 1
        row = {
            "site": site,
            "participants": len(members),
            "randomized": sum(each.randomized for each in members),
            "records": len(lines),
            "breaches": len(breaches),
            "open_breaches": open_,
            "open_breaches_per_participant": f"{open_ / people:.2f}",
            "open_queries": queries,
            "late_entries": late,
            "corrections": types["correction.made"],
            "missed_visits": types["visit.missed"],
            "adverse_events": types["adverse_event.reported"],
            "adverse_events_per_participant": f"{types['adverse_event.reported'] / people:.2f}",
            "last_record_index": max((line.index for line in lines), default=None),
        }
        rows.append((open_ / people, row))
    yield from (row for _, row in sorted(rows, key=lambda pair: (-pair[0], pair[1]["site"])))


REPORTS: Final = (
    Report(
        name="trail-review",
        question="Which entries are worth a look: late, at odd hours, repeated, before a lock or visit?",
        columns=MappingProxyType(
            {
                "site": "the site of the record",
                "participant": "coded id",
                "signal": "why it is worth a look",
                "type": "what was recorded",
                "person": "who signed it",
                "measure": "how far it goes",
                "occurred_at": "when it happened, as written and corrected",
                "recorded_local": "when the log took it in, by the clock of the site",
                "index": "index of the record",
            }
        ),
        rows=signals,
    ),
    Report(
        name="trail-coverage",
        question="Which part of the log has been reviewed, by whom, and which has not?",
        columns=MappingProxyType(
            {
                "state": "reviewed, or not reviewed as a whole",
                "first_index": "first index of the range",
                "last_index": "last index of the range",
                "entries": "how many entries",
                "stream": "what the review was of: study is the whole log",
                "person": "who reviewed",
                "role": "in which role",
                "reviewed_at": "when the log took the review in, UTC",
                "criteria": "by which criteria",
                "findings": "how many findings",
                "index": "index of the review",
            }
        ),
        rows=coverage,
    ),
    Report(
        name="sites",
        question="How do the sites compare?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participants": "registered there",
                "randomized": "randomized",
                "records": "records of its participants",
                "breaches": "breaches ever found",
                "open_breaches": "of these, still open",
                "open_breaches_per_participant": "the same for each participant",
                "open_queries": "queries that are not settled",
                "late_entries": "records more than 72 hours after they occurred",
                "corrections": "corrections made",
                "missed_visits": "visits missed",
                "adverse_events": "adverse events reported",
                "adverse_events_per_participant": "the same for each participant",
                "last_record_index": "index of the newest record of its participants",
            }
        ),
        rows=sites,
    ),
)
