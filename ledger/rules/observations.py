"""Observations: vital signs, outcomes with their scores, and medication (catalogue F)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.errors import FormatError
from ledger.participant import Hold, Medication, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import DAY_US, span
from ledger.rules.visits import judge_known
from ledger.study.definition import Instrument, score

PROHIBITED: Final = "PROHIBITED_MEDICATION"


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


def judge_medication(case: Case) -> Iterator[str]:
    """Judge a medication: its class is not prohibited."""
    if case.definition is not None and case.definition.prohibited(case.record.data["class"]) is not None:
        yield PROHIBITED


def fold_medication(case: Case) -> Participant:
    """Add a medication. A prohibited one holds by the definition, from when it was found for its wash-out.

    Found is the clinical time of the record: until then it may have been taken, whenever it was started.
    """
    record, participant = case.record, case.participant
    class_ = record.data["class"]
    medication = Medication(
        index=record.index,
        event=record.event,
        medication_class=class_,
        started=span(record.data["start"], case.zone),
    )
    prohibited = case.definition.prohibited(class_) if case.definition is not None else None
    holds = participant.holds
    if prohibited is not None and prohibited.effect == "hold":
        until_us = record.occurred.latest_us + prohibited.washout_days * DAY_US
        hold = Hold(index=record.index, event=record.event, rule=PROHIBITED, until_us=until_us)
        holds = (*holds, hold)
    return replace(participant, medications=(*participant.medications, medication), holds=holds)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "vital_signs.recorded": judge_known,
        "outcome.recorded": judge_outcome,
        "medication.started": judge_medication,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType({"medication.started": fold_medication})
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
