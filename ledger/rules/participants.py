"""One participant, one record: judge it, fold it in, and look back at what it settles.

`judge` and `fold` are the same for a new statement and for one that a correction folds again. `look_back`
finds what a record tells about earlier ones: a consent entered late, the first infusion that gives study
day 1, a second signature that is overdue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Breach, Participant
from ledger.rules import (
    assurance,
    clocks,
    consent,
    criteria,
    departures,
    diaries,
    disposition,
    dosing,
    eligibility,
    extension,
    forms,
    general,
    locks,
    medication,
    observations,
    people,
    pregnancy,
    randomization,
    reconsent,
    safety,
    transfer,
    visits,
    vital_events,
)
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import DAY_US, Record
from ledger.rules.rule_versions import breaches_in_force, in_force

_AREAS: Final = (
    consent,
    reconsent,
    eligibility,
    pregnancy,
    transfer,
    randomization,
    dosing,
    visits,
    observations,
    medication,
    diaries,
    forms,
    safety,
    vital_events,
    disposition,
    extension,
    people,
)
_DEPENDING_AREAS: Final = (randomization, reconsent, eligibility, pregnancy, disposition)
_DEPENDING: Final[Mapping[str, tuple[Judge, ...]]] = MappingProxyType(
    {
        type_: tuple(area.DEPENDING[type_] for area in _DEPENDING_AREAS if type_ in area.DEPENDING)
        for type_ in {type_ for area in _DEPENDING_AREAS for type_ in area.DEPENDING}
    }
)
"""What areas ask of types that are another's: gates that wait for something of theirs."""
JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {type_: rule for area in _AREAS for type_, rule in area.JUDGES.items()}
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {type_: rule for area in _AREAS for type_, rule in area.FOLDS.items()}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        type_: " ".join(area.ASKED[type_] for area in _AREAS if type_ in area.ASKED)
        for type_ in sorted({type_ for area in _AREAS for type_ in area.ASKED})
    }
)
"""The codes that each type is judged by, beside the general ones, separated by spaces."""


def judge(case: Case) -> Iterator[str]:
    """Judge a record of a registered participant by every rule in force but those about another statement."""
    return in_force(judge_any_version(case), case.study, case.record.index)


def judge_any_version(case: Case) -> Iterator[str]:
    """Judge such a record by the rules of every version."""
    yield from general.judge_clocks(case.record, case.study)
    yield from locks.judge_record(case.record, case.participant.assurance, case.study)
    yield from general.judge_protocol(case)
    yield from general.judge_gate(case)
    yield from general.judge_performer(case)
    yield from consent.judge_order(case)
    rule = JUDGES.get(case.record.type)
    if rule is not None:
        yield from rule(case)
    for other in _DEPENDING.get(case.record.type, ()):
        yield from other(case)


def fold(case: Case) -> Participant:
    """Fold a record in, rules apart."""
    rule = FOLDS.get(case.record.type)
    participant = rule(case) if rule is not None else case.participant
    if consent.is_dependent(case.record):
        participant = consent.fold_procedure(participant, case.record)
    participant = criteria.read(participant, case)
    return departures.use(participant, case.record)


def look_back(case: Case, before: Participant) -> Participant:
    """Return the participant with breaches that this record brings out on earlier ones, or closes there.

    `case` holds the participant after the record, `before` the one it was.
    """
    participant = case.participant
    if participant.consents != before.consents:
        participant = _order_again(participant, case.record.index)
    if participant.day1 != before.day1:
        participant = _windows_again(case._replace(participant=participant))
    if case.record.type in diaries.LOOK_BACK:
        participant = diaries.look_back(case._replace(participant=participant))
    if before.safety.waiting:
        participant = clocks.look_back(case._replace(participant=participant), before)
    participant = overdue(participant, case.record)
    if participant.breaches is case.participant.breaches:
        return participant
    return replace(participant, breaches=breaches_in_force(participant.breaches, case.study))


def _order_again(participant: Participant, index: int) -> Participant:
    """Judge the order of consent and procedures again, now that there is another consent."""
    breaches = list(participant.breaches)
    for procedure in participant.uncovered:
        code = consent.order_code(participant, procedure.occurred)
        held = [
            n
            for n, breach in enumerate(breaches)
            if breach.event == procedure.event and breach.is_open and breach.rule in consent.ORDER_CODES
        ]
        for n in held:
            if breaches[n].rule != code:
                breaches[n] = replace(breaches[n], closed=index)
        if held and code is not None and all(breaches[n].rule != code for n in held):
            breaches.append(Breach(event=procedure.event, rule=code, index=procedure.index, found=index))
    return replace(participant, breaches=tuple(breaches))


def _windows_again(case: Case) -> Participant:
    """Judge what was recorded before study day 1 was known."""
    participant, index = case.participant, case.record.index
    found = [
        Breach(event=visit.event, rule="OUTSIDE_WINDOW", index=visit.started, found=index)
        for name, visit in participant.visits.items()
        if visit.started is not None
        and visit.time is not None
        and not visits.is_in_window(case, name, visit.time)
    ]
    found += [
        Breach(event=r.request, rule="RANDOMIZATION_WINDOW", index=r.index, found=index)
        for r in participant.randomizations
        if not randomization.is_in_window(case, r)
    ]
    known = {(breach.event, breach.rule) for breach in participant.breaches}
    new = tuple(breach for breach in found if (breach.event, breach.rule) not in known)
    return replace(participant, breaches=participant.breaches + new) if new else participant


def overdue(participant: Participant, record: Record) -> Participant:
    """Flag what has waited for its second person for more than 24 hours by this record (R9), once."""
    late = assurance.overdue(participant.assurance, record)
    if late:
        flagged = assurance.flag_overdue(participant.breaches, late, record.index)
        participant = replace(participant, breaches=flagged)
    if not participant.pending:
        return participant
    known = {breach.event for breach in participant.breaches if breach.rule == "COSIGNATURE_OVERDUE"}
    new = tuple(
        Breach(event=p.event, rule="COSIGNATURE_OVERDUE", index=p.index, found=record.index)
        for p in participant.pending
        if record.at_us - p.at_us > DAY_US and p.event not in known
    )
    return replace(participant, breaches=participant.breaches + new) if new else participant
