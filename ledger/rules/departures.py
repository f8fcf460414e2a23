"""Departures to remove an immediate hazard: a hold is set aside for one gate (catalogue E; 21 CFR 312.66).

What was set aside is named beforehand, in `hazard_departure.recorded`. The next gate of that type passes in
spite of it, once; the breach is recorded with that gate, and explained by the departure. Consent, identity,
randomization and blinding are never set aside: a departure that names them changes nothing and is flagged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ledger.actions.registry import Effect as Kind
from ledger.actions.registry import find_spec
from ledger.participant import Breach, Participant
from ledger.rules.case import Case
from ledger.rules.codes import RULES, Effect
from ledger.rules.holding import holding
from ledger.rules.record import Record
from ledger.rules.sealed import RULE as SEALED_RULE
from ledger.state.bedside import Departure

ON_HOLD: Final = "ON_HOLD"
_BLINDING: Final = frozenset({SEALED_RULE, "LABEL_OF_ANOTHER"})


def may_depart(code: str) -> bool:
    """Tell whether a hazard sets a rule aside: a hold, not of consent, identity, randomization, blinding.

    Identity is form (`ID_REUSED`, `PARTICIPANT_ID`) or refused (`LABEL_MISMATCH`), so it never is a hold.
    """
    rule = RULES.get(code)
    if rule is None or rule.effect is not Effect.HOLD or rule.section == "D" or code in _BLINDING:
        return False
    return "CONSENT" not in code and "AUTHORIZATION" not in code


def judge(case: Case) -> Iterator[str]:
    """Judge a departure: from a hold that may be set aside, for a gate of a participant."""
    data = case.record.data
    spec = find_spec(data["gate"], 1)
    gates = spec is not None and spec.effect is Kind.GATE and "participant" in spec.streams
    if not gates or not may_depart(data["rule"]):
        yield "DEPARTURE_NOT_ALLOWED"


def fold(case: Case) -> Participant:
    """Add a departure that is allowed."""
    record, participant = case.record, case.participant
    if any(judge(case)):
        return participant
    departure = Departure(
        index=record.index,
        event=record.event,
        rule=record.data["rule"],
        gate=record.data["gate"],
        infusion=record.data.get("infusion"),
    )
    bedside = participant.bedside
    return replace(participant, bedside=replace(bedside, departures=(*bedside.departures, departure)))


def in_effect(participant: Participant, record: Record) -> Iterator[Departure]:
    """Yield the departures that let a gate pass."""
    if not record.is_gate:
        return
    for departure in participant.bedside.departures:
        if departure.is_for(record) and not (departure.rule == ON_HOLD and _is_kept(participant, record)):
            yield departure


def _is_kept(participant: Participant, record: Record) -> bool:
    """Tell whether what holds the participant is of a rule that is never set aside."""
    return any(not _may_pass(hold.rule) for hold in holding(participant, record))


def _may_pass(code: str) -> bool:
    """Tell whether a hold that a fact brought may be set aside, whatever effect its rule has on the fact."""
    rule = RULES.get(code)
    return rule is not None and rule.section != "D" and "CONSENT" not in code and code not in _BLINDING


def use(participant: Participant, record: Record) -> Participant:
    """Use up the departures for a gate that is passed: each is for one."""
    bedside = participant.bedside
    if not bedside.departures or not record.is_gate:
        return participant
    departures = tuple(
        replace(each, used=record.index) if each.is_for(record) else each for each in bedside.departures
    )
    return replace(participant, bedside=replace(bedside, departures=departures))


def explain(breach: Breach, participant: Participant, record: Record) -> Breach:
    """Say which departure explains a breach; it stays open. `participant` is as before the record."""
    for departure in in_effect(participant, record):
        if departure.rule == breach.rule:
            return replace(breach, explained=departure.index)
    return breach
