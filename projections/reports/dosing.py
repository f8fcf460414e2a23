"""Doses planned against given, from the bedside: volumes, never products or amounts, so that it tells no arm.

The bag looks the same in every arm (R8): volume and rate are all that the bedside knows, and all that a
blinded monitor needs to see whether the plan was followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Participant
from projections.desk import Desk, Line
from projections.report import Report, Row

_TYPES: Final = (
    "infusion.ordered",
    "infusion.started",
    "infusion.rate_changed",
    "infusion.interrupted",
    "infusion.resumed",
    "infusion.stopped",
    "infusion.completed",
    "dose.received",
    "dose.administered",
    "dose.held",
    "dose.omitted",
    "dose.reduced",
)


def dosing(desk: Desk) -> Iterator[Row]:
    """Yield the planned infusions of each randomized participant, by participant and number."""
    for participant in desk.participants():
        definition = desk.definition_of(participant)
        planned = [visit for visit in definition.visits if visit.infusion is not None] if definition else []
        lines = list(desk.records_of(f"participant/{participant.id}", *_TYPES))
        numbers = {line.data["infusion"] for line in lines}
        if not participant.randomized and not numbers:
            continue
        wanted = {visit.infusion: visit.id for visit in planned if visit.infusion is not None}
        for number in sorted({*wanted, *numbers}):
            own = [line for line in lines if line.data["infusion"] == number]
            under = desk.definition_of(participant, own[-1].index, own[-1].occurred) if own else definition
            volume = under.infusion_volume_ml if under is not None else None
            yield _row(participant, number, wanted.get(number), own, volume)


def _row(participant: Participant, number: int, visit: str | None, lines: list[Line], planned_ml: Any) -> Row:
    given = next((line for line in reversed(lines) if line.type == "dose.administered"), None)
    label = next((line for line in lines if line.type == "infusion.started"), None)
    volume = given.data["volume"]["value"] if given is not None else None
    planned = str(planned_ml) if planned_ml is not None else None
    return {
        "site": participant.site,
        "participant": participant.id,
        "infusion": number,
        "visit": visit,
        "state": _state(participant, lines),
        "planned_ml": planned,
        "given_ml": volume,
        "given_percent_of_plan": _percent(volume, planned),
        "percent_recorded": given.data["percent_given"] if given is not None else None,
        "start": given.data["start"] if given is not None else None,
        "end": given.data["end"] if given is not None else None,
        "interruptions": sum(line.type == "infusion.interrupted" for line in lines),
        "label": label.data["label"] if label is not None else None,
        "open_breaches": _open(participant, lines),
        "index": lines[-1].index if lines else None,
    }


def _state(participant: Participant, lines: list[Line]) -> str:
    types = [line.type for line in lines]
    for type_, state in (
        ("infusion.completed", "completed"),
        ("infusion.stopped", "stopped"),
        ("infusion.started", "running"),
        ("dose.omitted", "omitted"),
        ("dose.held", "held"),
        ("infusion.ordered", "ordered"),
    ):
        if type_ in types:
            return state
    ended = participant.disposition is not None or participant.died is not None
    return "not given" if ended or participant.treatment_ended else "planned"


def _percent(given: str | None, planned: str | None) -> str | None:
    if given is None or planned is None or Decimal(planned) == 0:
        return None
    return str((Decimal(given) * 100 / Decimal(planned)).quantize(Decimal("0.1")))


def _open(participant: Participant, lines: list[Line]) -> list[str]:
    events = {line.event for line in lines}
    return sorted({b.rule for b in participant.breaches if b.is_open and b.event in events})


REPORTS: Final = (
    Report(
        name="dosing",
        question="Which infusions were planned, which were given, and how much of the plan?",
        columns=MappingProxyType(
            {
                "site": "the participant's site",
                "participant": "coded id",
                "infusion": "number of the infusion",
                "visit": "its visit in the calendar",
                "state": "planned, ordered, held, omitted, running, stopped, completed, not given",
                "planned_ml": "volume that the protocol plans, the same in every arm",
                "given_ml": "volume given",
                "given_percent_of_plan": "the one in per cent of the other",
                "percent_recorded": "per cent as it was recorded",
                "start": "start, as written",
                "end": "end, as written",
                "interruptions": "how often it was interrupted",
                "label": "label code at the pump",
                "open_breaches": "rules that its records break, still open",
                "index": "index of its newest record",
            }
        ),
        rows=dosing,
    ),
)
