"""Adverse events: always open (catalogue G, R7). Only what makes a version unreadable is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import AdverseEvent, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.study.definition import StudyDefinition

FATAL: Final = "fatal"


def judge_reported(case: Case) -> Iterator[str]:
    """Judge a report: a new id, seriousness with its criteria, causality per product, the right scale."""
    data, definition = case.record.data, case.definition
    if data["ae"] in case.participant.adverse_events:
        yield "ID_REUSED"
    if data["serious"] != bool(data["criteria"]):
        yield "SERIOUS_CRITERIA"
    if definition is None:
        return
    if not _is_complete(definition, data["causality"]):
        yield "CAUSALITY_INCOMPLETE"
    scale = definition.adverse_event_scale
    if (data["scale"], data["scale_version"]) != (scale.name, scale.version):
        yield "SCALE_UNKNOWN"


def judge_followed_up(case: Case) -> Iterator[str]:
    """Judge new information: the next version of a known event, still coherent."""
    yield from judge_version(case)
    data = case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        return
    serious = data.get("serious", known.serious)
    criteria = bool(data["criteria"]) if "criteria" in data else known.serious
    if serious != criteria:
        yield "SERIOUS_CRITERIA"
    if "causality" in data and case.definition and not _is_complete(case.definition, data["causality"]):
        yield "CAUSALITY_INCOMPLETE"


def judge_version(case: Case) -> Iterator[str]:
    """Judge a version: of a known event, the one after the last."""
    data = case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        yield "ADVERSE_EVENT_UNKNOWN"
    elif data["version"] != known.version + 1:
        yield "ADVERSE_EVENT_VERSION"


def _is_complete(definition: StudyDefinition, causality: list[Mapping[str, Any]]) -> bool:
    return sorted(row["product"] for row in causality) == sorted(definition.products)


def fold_reported(case: Case) -> Participant:
    """Add an adverse event, version 1."""
    record, data = case.record, case.record.data
    event = AdverseEvent(
        index=record.index,
        event=record.event,
        version=1,
        grade=data["grade"],
        serious=data["serious"],
        outcome=data["outcome"],
    )
    return _put(case, event)


def fold_version(case: Case) -> Participant:
    """Carry an adverse event to its next version, with the members that changed."""
    record, data = case.record, case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        return case.participant
    event = replace(
        known,
        index=record.index,
        event=record.event,
        version=data["version"],
        grade=data.get("grade", known.grade),
        serious=data.get("serious", known.serious),
        outcome=data.get("outcome", known.outcome),
    )
    return _put(case, event)


def _put(case: Case, event: AdverseEvent) -> Participant:
    participant = case.participant
    events = MappingProxyType({**participant.adverse_events, case.record.data["ae"]: event})
    died = participant.died
    if not any(known.outcome == FATAL for known in events.values()):
        died = None
    elif died is None:
        died = case.record.index
    return replace(participant, adverse_events=events, died=died)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "adverse_event.reported": judge_reported,
        "adverse_event.followed_up": judge_followed_up,
        "adverse_event.resolved": judge_version,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "adverse_event.reported": fold_reported,
        "adverse_event.followed_up": fold_version,
        "adverse_event.resolved": fold_version,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
