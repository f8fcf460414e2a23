"""Observations: vital signs, outcomes with their scores, suicidality (catalogue F)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.errors import FormatError
from ledger.frozen import changed
from ledger.participant import Participant
from ledger.rules import clocks
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.holding import hold
from ledger.rules.record import DAY_US, span
from ledger.rules.visits import judge_known
from ledger.state.observing import with_result
from ledger.statement import Statement
from ledger.study.definition import Instrument, StudyDefinition, score
from ledger.studystate import Protocol

UNACKNOWLEDGED: Final = "SUICIDALITY_UNACKNOWLEDGED"
ACKNOWLEDGED_WITHIN_US: Final = DAY_US  # as R9, where the study has no clock for it


NAMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "vital_signs.recorded": ("measurements", "name"),
        "ecg.recorded": ("measurements", "name"),
        "lab_result.received": ("analytes", "analyte"),
        "form.recorded": ("fields", "field"),
    }
)
"""Where values stand in plain under a name: the list, and the member of each row."""


def judge_plain(case: Case) -> Iterator[str]:
    """Judge what is measured: at a visit of the protocol, nothing in plain that tells the treatment (R8)."""
    yield from judge_known(case)
    if _tells_treatment(case.definition, case.record.type, case.record.data):
        yield "UNBLINDING_ANALYTE_PLAIN"


def judge_corrected(target: Statement, data: Any, protocol: Protocol | None) -> Iterator[str]:
    """Judge data as a correction would have them: it tells the treatment no more than a first entry may."""
    if protocol is not None and _tells_treatment(protocol.definition, target.type, data):
        yield "UNBLINDING_ANALYTE_PLAIN"


def _tells_treatment(definition: StudyDefinition | None, type_: str, data: Mapping[str, Any]) -> bool:
    if definition is None or type_ not in NAMES:
        return False
    rows, name = NAMES[type_]
    return not set(definition.unblinding_analytes).isdisjoint(row[name] for row in data[rows])


def judge_outcome(case: Case) -> Iterator[str]:
    """Judge an outcome: the protocol's instrument, the total that the items give, a rater who is blinded."""
    data, definition = case.record.data, case.definition
    yield from judge_known(case)
    instrument = definition.instruments.get(data["instrument"]) if definition is not None else None
    if instrument is None or instrument.version != data["version"]:
        yield "INSTRUMENT_UNKNOWN"
    elif not _adds_up(instrument, data):
        yield "SCORE_MISMATCH"
    rated = instrument is None or instrument.reported_by == "rater"
    if rated and case.record.performer in case.participant.infusion_staff:
        yield "RATER_UNBLINDED"


def _adds_up(instrument: Instrument, data: Mapping[str, Any]) -> bool:
    if instrument.scoring == "none":
        return True
    try:
        total = score(instrument, ((item["item"], item["value"]) for item in data["items"]))
    except FormatError:
        return False
    return total == Decimal(data["total"])


def judge_not_done(case: Case) -> Iterator[str]:
    """Judge an outcome that was not done: the protocol's instrument, at a visit of it."""
    yield from judge_known(case)
    if case.definition is None or case.record.data["instrument"] not in case.definition.instruments:
        yield "INSTRUMENT_UNKNOWN"


def judge_acknowledged(case: Case) -> Iterator[str]:
    """Judge an acknowledgement: of an alert of this participant."""
    if case.record.data["statement"] not in case.participant.observing.alerts:
        yield "ALERT_UNKNOWN"


def fold_result(case: Case) -> Participant:
    """Remember what a physician can review."""
    observing = case.participant.observing
    results = with_result(observing.results, case.record.index)
    return changed(case.participant, observing=changed(observing, results=results))


def fold_alerted(case: Case) -> Participant:
    """Hold for an alert of suicidality, and wait for its acknowledgement by the study's clock."""
    record, participant = case.record, case.participant
    alerts = MappingProxyType({**participant.observing.alerts, record.event: None})
    alerted = span(record.data["alerted"], case.zone)
    participant = replace(
        participant,
        observing=replace(participant.observing, alerts=alerts),
        holds=(*participant.holds, hold(record, UNACKNOWLEDGED, alerted)),
    )
    limit = clocks.limit_us(case.definition, clocks.ALERT) or ACKNOWLEDGED_WITHIN_US
    due_us = clocks.known_us(record, record.data["alerted"], case.zone) + limit
    return clocks.wait(participant, record, UNACKNOWLEDGED, record.event, due_us)


def fold_acknowledged(case: Case) -> Participant:
    """Lift the hold of an alert; the first acknowledgement counts."""
    participant, alert = case.participant, case.record.data["statement"]
    observing = participant.observing
    if observing.alerts.get(alert, case.record.index) is not None:
        return participant
    alerts = MappingProxyType({**observing.alerts, alert: case.record.index})
    participant = replace(
        participant,
        observing=replace(observing, alerts=alerts),
        holds=tuple(h for h in participant.holds if (h.event, h.rule) != (alert, UNACKNOWLEDGED)),
    )
    return clocks.answer(participant, UNACKNOWLEDGED, alert)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "vital_signs.recorded": judge_plain,
        "weight.recorded": judge_known,
        "outcome.recorded": judge_outcome,
        "outcome.not_done": judge_not_done,
        "suicidality.acknowledged": judge_acknowledged,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "vital_signs.recorded": fold_result,
        "suicidality.alerted": fold_alerted,
        "suicidality.acknowledged": fold_acknowledged,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vital_signs.recorded": "VISIT_UNKNOWN UNBLINDING_ANALYTE_PLAIN",
        "weight.recorded": "VISIT_UNKNOWN",
        "outcome.recorded": "VISIT_UNKNOWN INSTRUMENT_UNKNOWN SCORE_MISMATCH RATER_UNBLINDED",
        "outcome.not_done": "VISIT_UNKNOWN INSTRUMENT_UNKNOWN",
        "suicidality.alerted": "SUICIDALITY_UNACKNOWLEDGED",
        "suicidality.acknowledged": "ALERT_UNKNOWN",
    }
)
