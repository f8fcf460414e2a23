"""What is not there and should be: scores of a visit, an adverse event behind a stopped dose, a whole visit.

An absence is a question to the site, never a finding: what makes one expect the record is named by its index.
A visit is asked about once its day is over at the site. Who does not see ratings is not told which are
missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules.record import DAY_US
from ledger.times import local_date
from projections.desk import Desk, Line
from projections.report import Report, Row
from projections.reports.visits import visits

SCORE: Final = "a score"
ADVERSE_EVENT: Final = "an adverse event"
VISIT: Final = "a visit"
BEFORE_DAYS, AFTER_DAYS = 7, 1  # so long before and after a dose was stopped an onset explains it

_RATED: Final = "outcome.recorded"
_ANSWERS: Final = (_RATED, "outcome.not_done")
_TOOK_PLACE: Final = ("visit.started", "visit.completed")
_STOPS: Final = ("infusion.stopped", "dose.reduced", "dosing.discontinued")


def absences(desk: Desk) -> Iterator[Row]:
    """Yield what is missing, by participant and the record that makes one expect it."""
    overdue = [row for row in visits(desk) if row["state"] == "overdue"]
    for participant in desk.participants():
        lines = list(desk.records_of(f"participant/{participant.id}"))
        found = [*_unscored(desk, participant, lines), *_unexplained(lines)]
        for absent, visit, line in sorted(found, key=lambda each: (each[2].index, each[0], each[1] or "")):
            yield _row(desk, absent, visit, line)
        for row in overdue:
            if row["participant"] == participant.id:
                yield _overdue(row, lines)


Found = Iterator[tuple[str, str | None, Line]]


def _unscored(desk: Desk, participant: Participant, lines: list[Line]) -> Found:
    """Yield the instruments of a visit that were neither recorded nor given up."""
    if _RATED in desk.reader.hidden:
        return
    took_place = {line.data["visit"]: line for line in lines if line.type in _TOOK_PLACE}
    given = {(line.data["visit"], line.data["instrument"]) for line in lines if line.type in _ANSWERS}
    given |= {(line.data.get("visit"), line.data["form"]) for line in lines if line.type == "form.recorded"}
    for visit, line in took_place.items():
        definition = desk.definition_of(participant, line.index, line.occurred)
        planned = None if definition is None else definition.visit(visit)
        if planned is None or not _is_over(desk, line):
            continue
        for instrument in planned.instruments:
            if (visit, instrument) not in given:
                yield f"{SCORE} of {instrument}", visit, line


def _is_over(desk: Desk, line: Line) -> bool:
    zone = desk.zone(line.site)
    return local_date(desk.now_us, zone) > local_date(line.occurred.latest_us, zone)


def _unexplained(lines: list[Line]) -> Found:
    """Yield doses that were stopped or reduced without an adverse event around that time."""
    onsets = [line for line in lines if line.type == "adverse_event.reported"]
    for stop in (line for line in lines if line.type in _STOPS):
        first = stop.occurred.earliest_us - BEFORE_DAYS * DAY_US
        last = stop.occurred.latest_us + AFTER_DAYS * DAY_US
        if not any(line.occurred.latest_us >= first and line.occurred.earliest_us <= last for line in onsets):
            yield ADVERSE_EVENT, None, stop


def _row(desk: Desk, absent: str, visit: str | None, line: Line) -> Row:
    return {
        "site": line.site,
        "participant": line.participant,
        "absent": absent,
        "visit": visit,
        "because": line.type,
        "occurred_at": line.occurred_at,
        "days": (desk.now_us - line.occurred.latest_us) // DAY_US,
        "index": line.index,
    }


def _overdue(row: Row, lines: list[Line]) -> Row:
    """Return the row of a visit whose window is over without a record of it."""
    return {
        "site": row["site"],
        "participant": row["participant"],
        "absent": VISIT,
        "visit": row["visit"],
        "because": f"its window ended on {row['last_day']}",
        "occurred_at": None,
        "days": None,
        "index": lines[-1].index if lines else None,
    }


REPORTS: Final = (
    Report(
        name="absences",
        question="What is missing: scores of a visit, an event behind a stopped dose, a visit?",
        columns=MappingProxyType(
            {
                "site": "the site",
                "participant": "coded id",
                "absent": "what one would expect and is not there",
                "visit": "visit that it belongs to",
                "because": "what makes one expect it",
                "occurred_at": "when that happened, as written and corrected",
                "days": "whole days since then",
                "index": "index of that record; of a visit without one, the participant's newest",
            }
        ),
        rows=absences,
    ),
)
