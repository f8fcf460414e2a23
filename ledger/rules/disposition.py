"""How treatment and participation end (catalogue I).

The end of treatment is no end of participation: follow-up goes on, and only infusions start no more. Who is
lost to follow-up and found again goes on where the record stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.actions.visits import UNSCHEDULED
from ledger.participant import Disposition, Participant, Status
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import span
from ledger.rules.safety import settle_death
from ledger.state.leaving import ContactAttempt, TreatmentEnd
from ledger.study.definition import StudyDefinition, Visit

STATUSES: Final[Mapping[str, Status]] = MappingProxyType(
    {
        "participant.completed": Status.COMPLETED,
        "participant.withdrawn": Status.WITHDRAWN,
        "participant.lost_to_follow_up": Status.LOST_TO_FOLLOW_UP,
    }
)
TREATMENT_GATES: Final = ("randomization.requested", "infusion.ordered", "infusion.started")


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
    """Name the visits that count."""
    if case.definition is not None:
        for visit in applying(case.definition, case.participant):
            if visit.required:
                yield visit.id


def applying(definition: StudyDefinition, participant: Participant) -> Iterator[Visit]:
    """Yield the visits that a participant has: everyone's, and for who stopped early those in their place.

    Who stopped treatment early no longer has the visits of it that were still to come.
    """
    to_come = {visit.id for visit in _to_come(definition, participant)}
    end = participant.leaving.treatment
    early = participant.treatment_ended and (end is None or end.kind == "discontinued")
    if definition.infusions:
        early = early and bool(to_come)
    for visit in definition.visits:
        if visit.applies == "treatment_stopped" and not early:
            continue
        if not (early and visit.id in to_come):
            yield visit


def _to_come(definition: StudyDefinition, participant: Participant) -> Iterator[Visit]:
    """Yield the visits of treatment after the last that there was: of infusions, where there are any."""
    if definition.infusions:
        done = max((infusion.number for infusion in participant.infusions), default=0)
        yield from (v for v in definition.visits if v.infusion is not None and v.infusion > done)
        return
    treatment = [visit for visit in definition.visits if visit.kind == "treatment"]
    last = max((v.day for v in treatment if v.id in participant.visits), default=None)
    yield from (visit for visit in treatment if last is None or visit.day > last)


def _is_settled(participant: Participant, visit: str) -> bool:
    known = participant.visits.get(visit)
    return known is not None and (known.completed is not None or known.missed is not None)


def judge_lost(case: Case) -> Iterator[str]:
    """Judge lost to follow-up: the attempts that the protocol asks for, by its methods.

    Attempts that were recorded when they were made count beside those that are named here, each once.
    """
    yield from judge_ended(case)
    definition = case.definition
    if definition is None:
        return
    methods = [*_recorded(case), *_named(case)]
    few = len(methods) < definition.contact_attempts_required
    if few or not set(methods) <= set(definition.contact_methods):
        yield "CONTACT_ATTEMPTS"


def _recorded(case: Case) -> Iterator[str]:
    """Yield the method of each attempt recorded since the last visit."""
    seen = max((v.started for v in case.participant.visits.values() if v.started is not None), default=-1)
    return (a.method for a in case.participant.leaving.attempts if a.index > seen)


def _named(case: Case) -> Iterator[str]:
    """Yield the method of each attempt named in the statement that is not one of those recorded."""
    recorded = list(case.participant.leaving.attempts)
    for attempt in case.record.data["attempts"]:
        time = span(attempt["date"], case.zone)
        same = next(
            (
                a
                for a in recorded
                if a.method == attempt["method"]
                and a.time.earliest_us <= time.latest_us
                and time.earliest_us <= a.time.latest_us
            ),
            None,
        )
        if same is None:
            yield attempt["method"]
        else:
            recorded.remove(same)


def judge_found(case: Case) -> Iterator[str]:
    """Judge a finding: of somebody who is lost."""
    if not _is_lost(case.participant):
        yield "NOT_LOST"


def _is_lost(participant: Participant) -> bool:
    disposition = participant.disposition
    return disposition is not None and disposition.status is Status.LOST_TO_FOLLOW_UP


def judge_treatment_end(case: Case) -> Iterator[str]:
    """Judge the end of treatment: once; completed, every planned infusion was given or left out."""
    participant, definition = case.participant, case.definition
    if participant.leaving.treatment is not None:
        yield "TREATMENT_ENDED_TWICE"
    if case.record.type != "treatment.completed" or definition is None:
        return
    given = {infusion.number for infusion in participant.infusions}
    missed = {name for name, visit in participant.visits.items() if visit.missed is not None}
    left_out = {visit.infusion for visit in definition.visits if visit.id in missed}
    left_out |= set(participant.bedside.omitted)
    if not given | left_out >= set(range(1, definition.infusions + 1)):
        yield "TREATMENT_INCOMPLETE"


def judge_after_treatment(case: Case) -> Iterator[str]:
    """Judge a gate of treatment: treatment has not ended, or this is the extension."""
    if case.participant.leaving.treatment is not None and not case.participant.in_extension:
        yield "TREATMENT_ENDED"


def fold_ended(case: Case) -> Participant:
    """End participation; the first disposition stands."""
    record, participant = case.record, case.participant
    if participant.disposition is not None:
        return participant
    disposition = Disposition(index=record.index, event=record.event, status=STATUSES[record.type])
    leaving = participant.leaving
    if disposition.status is Status.COMPLETED:
        leaving = replace(leaving, completed=span(record.data["date"], case.zone))
    return replace(participant, disposition=disposition, leaving=leaving)


def fold_treatment_end(case: Case) -> Participant:
    """End treatment; the first end stands."""
    record, participant = case.record, case.participant
    if participant.leaving.treatment is not None:
        return participant
    end = TreatmentEnd(
        index=record.index,
        event=record.event,
        kind="completed" if record.type == "treatment.completed" else "discontinued",
    )
    return replace(participant, treatment_ended=True, leaving=replace(participant.leaving, treatment=end))


def fold_attempted(case: Case) -> Participant:
    """Add an attempt to reach the participant."""
    record, leaving = case.record, case.participant.leaving
    attempt = ContactAttempt(index=record.index, time=record.occurred, method=record.data["method"])
    return replace(case.participant, leaving=replace(leaving, attempts=(*leaving.attempts, attempt)))


def fold_contact(case: Case) -> Participant:
    """Count attempts anew once the participant was reached."""
    if case.record.data["with"] != "participant":
        return case.participant
    return replace(case.participant, leaving=replace(case.participant.leaving, attempts=()))


def fold_found(case: Case) -> Participant:
    """Take back that somebody is lost; attempts are counted anew."""
    participant = case.participant
    leaving = replace(participant.leaving, attempts=())
    kept = None if _is_lost(participant) else participant.disposition
    return replace(participant, disposition=kept, leaving=leaving)


def fold_survival(case: Case) -> Participant:
    """Fold a death in that is known from elsewhere; found alive later, the participant is not dead by it."""
    participant, record = case.participant, case.record
    if record.data["status"] == "unknown":
        return participant
    dead = record.index if record.data["status"] == "dead" else None
    participant = replace(participant, leaving=replace(participant.leaving, dead=dead))
    return settle_death(participant, record.index)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "participant.completed": judge_completed,
        "participant.withdrawn": judge_ended,
        "participant.lost_to_follow_up": judge_lost,
        "participant.found": judge_found,
        "treatment.completed": judge_treatment_end,
        "treatment.discontinued": judge_treatment_end,
    }
)
DEPENDING: Final[Mapping[str, Judge]] = MappingProxyType(
    dict.fromkeys(TREATMENT_GATES, judge_after_treatment)
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        **dict.fromkeys(STATUSES, fold_ended),
        "treatment.completed": fold_treatment_end,
        "treatment.discontinued": fold_treatment_end,
        "contact.attempted": fold_attempted,
        "contact.made": fold_contact,
        "participant.found": fold_found,
        "survival_status.recorded": fold_survival,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "treatment.completed": "TREATMENT_ENDED_TWICE TREATMENT_INCOMPLETE",
        "treatment.discontinued": "TREATMENT_ENDED_TWICE",
        "contact.attempted": "CONSENT_WITHDRAWN",
        "participant.lost_to_follow_up": "ALREADY_ENDED VISIT_UNKNOWN CONTACT_ATTEMPTS",
        "participant.found": "NOT_LOST",
        "survival_status.recorded": "CONSENT_WITHDRAWN",
        "participant.withdrawn": "ALREADY_ENDED VISIT_UNKNOWN",
        "participant.completed": "ALREADY_ENDED VISIT_UNKNOWN COMPLETED_EARLY",
        **dict.fromkeys(TREATMENT_GATES, "TREATMENT_ENDED"),
    }
)
