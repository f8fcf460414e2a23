"""Deaths and pregnancies: always open (catalogue G, R7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules import clocks
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.holding import hold
from ledger.rules.safety import NO_DEATH, settle_death

HELD: Final = "ON_HOLD"


def judge_death(case: Case) -> Iterator[str]:
    """Judge a death: reported once, and laid to an adverse event that was reported."""
    participant, ae = case.participant, case.record.data.get("ae")
    if participant.safety.deaths:
        yield "DEATH_REPEATED"
    if ae is not None and ae not in participant.adverse_events:
        yield "DEATH_EVENT"


def judge_pregnancy(case: Case) -> Iterator[str]:
    """Judge a pregnancy: under an id of its own."""
    if case.record.data["pregnancy"] in case.participant.safety.pregnancies:
        yield "PREGNANCY_REPEATED"


def judge_pregnancy_outcome(case: Case) -> Iterator[str]:
    """Judge how a pregnancy ended: one that was reported."""
    if case.record.data["pregnancy"] not in case.participant.safety.pregnancies:
        yield "PREGNANCY_UNKNOWN"


def fold_death(case: Case) -> Participant:
    """End participation by death; no adverse event waits for its report any more."""
    participant, record = case.participant, case.record
    deaths = (*participant.safety.deaths, record.index)
    participant = replace(participant, safety=replace(participant.safety, deaths=deaths))
    for ae in participant.adverse_events:
        participant = clocks.answer(participant, NO_DEATH, ae)
    return settle_death(participant, record.index)


def fold_pregnancy(case: Case) -> Participant:
    """Add a pregnancy; the participant's own stops dosing."""
    participant, record = case.participant, case.record
    pregnancies = MappingProxyType({record.data["pregnancy"]: record.event, **participant.safety.pregnancies})
    participant = replace(participant, safety=replace(participant.safety, pregnancies=pregnancies))
    if record.data["of"] != "participant":
        return participant
    return replace(participant, holds=(*participant.holds, hold(record, HELD, record.occurred)))


def fold_pregnancy_outcome(case: Case) -> Participant:
    """Lift the hold where there was no pregnancy; no other outcome lets dosing begin again."""
    participant, data = case.participant, case.record.data
    if data["outcome"] != "not_pregnant":
        return participant
    reported = participant.safety.pregnancies.get(data["pregnancy"])
    holds = tuple(each for each in participant.holds if (each.event, each.rule) != (reported, HELD))
    return replace(participant, holds=holds)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "death.reported": judge_death,
        "pregnancy.reported": judge_pregnancy,
        "pregnancy.outcome_recorded": judge_pregnancy_outcome,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "death.reported": fold_death,
        "pregnancy.reported": fold_pregnancy,
        "pregnancy.outcome_recorded": fold_pregnancy_outcome,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "death.reported": "DEATH_REPEATED DEATH_EVENT",
        "pregnancy.reported": "PREGNANCY_REPEATED",
        "pregnancy.outcome_recorded": "PREGNANCY_UNKNOWN",
    }
)
