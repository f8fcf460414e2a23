"""Randomization of a participant: the request, and the service's answer (catalogue D, record-format.md §8.4).

What depends on other participants (the cap, the next unused slot) is asked of the study's state as of the
record's own index, so it reads the same when a correction folds the participant again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant, Randomization
from ledger.rules.case import Case, Fold, Judge
from ledger.study.schedule import study_day
from ledger.studystate import RandomizationList
from ledger.times import local_date


def judge_requested(case: Case) -> Iterator[str]:
    """Judge a request: eligible, enrolment open and below the cap, once per stage, from a committed list."""
    participant, record, study = case.participant, case.record, case.study
    stage = record.data["stage"]
    if stage == 1:
        if not is_eligible(case):
            yield "NOT_ELIGIBLE"
        opening = study.enrolment(case.site, record.index)
        if opening is None:
            yield "ENROLMENT_NOT_OPEN"
        elif study.randomized(record.index) >= opening.cap:
            yield "ENROLMENT_CAP"
    elif not participant.randomized:
        yield "NOT_RANDOMIZED"
    if any(r.stage == stage for r in participant.randomizations):
        yield "RANDOMIZED_TWICE"
    if participant.held_at(record.now.earliest_us):
        yield "ON_HOLD"
    yield from _judge_list(case)


def _judge_list(case: Case) -> Iterator[str]:
    record = case.record
    list_ = case.study.lists.get(record.data["list"])
    if list_ is None or list_.committed is None or list_.committed >= record.index:
        yield "LIST_NOT_COMMITTED"
    elif record.data["stratum"] not in list_.strata:
        yield "STRATUM"
        return
    if record.data["stratum"] != case.site:
        yield "STRATUM"


def is_eligible(case: Case) -> bool:
    """Tell whether eligibility stands: confirmed, not outdated by a later assessment, not expired."""
    participant, definition = case.participant, case.definition
    eligibility = participant.eligibility
    if eligibility is None or definition is None or participant.screening_failed is not None:
        return False
    if any(assessment.index > eligibility.index for assessment in participant.assessments.values()):
        return False
    first = local_date(eligibility.confirmed.earliest_us, case.zone)
    last = local_date(case.record.now.latest_us, case.zone)
    return (last - first).days <= definition.eligibility_valid_days


def judge_randomized(case: Case) -> Iterator[str]:
    """Judge an answer: to an open request of this participant, with the next unused index of its stratum."""
    data = case.record.data
    asked = next((r for r in case.participant.randomizations if r.request == data["request"]), None)
    if asked is None:
        yield "REFERENCE"
        return
    answers = (data["list"], data["stage"], data["stratum"]) == (asked.list, asked.stage, asked.stratum)
    if asked.answered is not None or not answers:
        yield "ALLOCATION_ORDER"
        return
    list_ = case.study.lists.get(asked.list)
    if list_ is not None and "list_index" in data and not _is_next(case, list_, data["list_index"]):
        yield "ALLOCATION_ORDER"


def _is_next(case: Case, list_: RandomizationList, index: int) -> bool:
    """Tell whether an index is the next unused one; where draws are withheld, whether it can be."""
    expected = next_index(case, list_)
    if not case.study.partial:
        return index == expected
    taken = any(
        d.list == list_.name and d.list_index == index and d.index < case.record.index
        for d in case.study.draws  # a participant that is folded again has drawn already
    )
    return index >= expected and not taken


def next_index(case: Case, list_: RandomizationList) -> int:
    """Return the next unused index of the participant's stratum: indexes run through all strata in order."""
    rank = sorted(list_.strata).index(case.site) if case.site in list_.strata else 0
    return rank * list_.slots + case.study.used(list_.name, case.site, case.record.index)


def is_in_window(case: Case, randomization: Randomization) -> bool:
    """Tell whether a first randomization fell on the days before day 1 that the protocol allows."""
    day1, definition = case.participant.day1, case.definition
    if day1 is None or definition is None or randomization.stage != 1:
        return True
    plan = definition.randomization
    if plan is None:
        return True
    first = study_day(day1, local_date(randomization.requested.earliest_us, case.zone))
    last = study_day(day1, local_date(randomization.requested.latest_us, case.zone))
    return last >= plan.first_day and first <= plan.last_day


def fold_requested(case: Case) -> Participant:
    """Add an open request."""
    record, data = case.record, case.record.data
    request = Randomization(
        index=record.index,
        request=record.event,
        requested=record.now,
        list=data["list"],
        stage=data["stage"],
        stratum=data["stratum"],
    )
    return replace(case.participant, randomizations=(*case.participant.randomizations, request))


def fold_randomized(case: Case) -> Participant:
    """Answer the request."""
    record, data = case.record, case.record.data
    randomizations = tuple(
        replace(r, answered=record.index, list_index=data.get("list_index"))
        if r.request == data["request"]
        else r
        for r in case.participant.randomizations
    )
    return replace(case.participant, randomizations=randomizations)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {"randomization.requested": judge_requested, "participant.randomized": judge_randomized}
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"randomization.requested": fold_requested, "participant.randomized": fold_randomized}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
