"""How participation ends (catalogue I)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Disposition, Participant, Status
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.visits import UNSCHEDULED

STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "participant.completed": Status.COMPLETED,
        "participant.withdrawn": Status.WITHDRAWN,
        "participant.lost_to_follow_up": Status.LOST_TO_FOLLOW_UP,
    }
)


def judge_ended(case: Case) -> Iterator[str]:
    """Judge any disposition: recorded once, and its last visit one of the protocol's."""
    if case.participant.disposition is not None:
        yield "ALREADY_ENDED"
    visit = case.record.data["last_visit"]
    if visit != UNSCHEDULED and (case.definition is None or case.definition.visit(visit) is None):
        yield "VISIT_UNKNOWN"


def judge_completed(case: Case) -> Iterator[str]:
    """Judge completion: every required visit is done or missed."""
    yield from judge_ended(case)
    if not all(_is_settled(case.participant, visit) for visit in _required(case)):
        yield "COMPLETED_EARLY"


def _required(case: Case) -> Iterator[str]:
    """Name the visits that count: those of everyone, and for who stopped early those in their place.

    Who stopped treatment early no longer has the infusion visits that were still to come.
    """
    if case.definition is None:
        return
    planned = max(visit.infusion or 0 for visit in case.definition.visits)
    done = max((infusion.number for infusion in case.participant.infusions), default=0)
    early = case.participant.treatment_ended and done < planned
    for visit in case.definition.visits:
        if not visit.required or (visit.applies == "treatment_stopped" and not early):
            continue
        if early and visit.infusion is not None and visit.infusion > done:
            continue
        yield visit.id


def _is_settled(participant: Participant, visit: str) -> bool:
    known = participant.visits.get(visit)
    return known is not None and (known.completed is not None or known.missed is not None)


def judge_lost(case: Case) -> Iterator[str]:
    """Judge lost to follow-up: the attempts that the protocol asks for, by its methods."""
    yield from judge_ended(case)
    attempts, definition = case.record.data["attempts"], case.definition
    if definition is None:
        return
    methods = {attempt["method"] for attempt in attempts}
    if len(attempts) < definition.contact_attempts_required or not methods <= set(definition.contact_methods):
        yield "CONTACT_ATTEMPTS"


def fold_ended(case: Case) -> Participant:
    """End participation; the first disposition stands."""
    record, participant = case.record, case.participant
    if participant.disposition is not None:
        return participant
    disposition = Disposition(index=record.index, event=record.event, status=STATUSES[record.type])
    return replace(participant, disposition=disposition)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "participant.completed": judge_completed,
        "participant.withdrawn": judge_ended,
        "participant.lost_to_follow_up": judge_lost,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(dict.fromkeys(STATUSES, fold_ended))
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
