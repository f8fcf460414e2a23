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
from ledger.rules.eligibility import fails
from ledger.rules.holding import is_held
from ledger.study.definition import Criterion, SecondStage
from ledger.study.schedule import study_day
from ledger.studystate import RandomizationList
from ledger.times import local_date


def judge_requested(case: Case) -> Iterator[str]:
    """Judge a request: once for each stage, from a committed list, by what its stage asks besides."""
    participant, record = case.participant, case.record
    stage = record.data["stage"]
    yield from _judge_first(case) if stage == 1 else _judge_second(case)
    if any(r.stage == stage for r in participant.randomizations):
        yield "RANDOMIZED_TWICE"
    if is_held(participant, record):
        yield "ON_HOLD"
    yield from _judge_list(case)


def _judge_first(case: Case) -> Iterator[str]:
    """Judge what stage 1 asks: eligible, enrolment open and below the cap."""
    record, study = case.record, case.study
    if not is_eligible(case):
        yield "NOT_ELIGIBLE"
    opening = study.enrolment(case.site, record.index)
    if opening is None:
        yield "ENROLMENT_NOT_OPEN"
    elif study.randomized(record.index) >= opening.cap:
        yield "ENROLMENT_CAP"


def _judge_second(case: Case) -> Iterator[str]:
    """Judge what stage 2 asks: planned, after stage 1, on treatment, at its visit, guesses given before."""
    participant = case.participant
    if _second(case) is None:
        yield "STAGE_NOT_PLANNED"
    if not participant.randomized:
        yield "NOT_RANDOMIZED"
    elif not participant.treated or participant.treatment_ended or participant.disposition is not None:
        yield "NOT_ON_TREATMENT"
    if not _is_second_in_window(case):
        yield "RANDOMIZATION_WINDOW"
    if _lacks_guess(case, before_second=True):
        yield "BLIND_GUESS_MISSING"


def _second(case: Case) -> SecondStage | None:
    """Return the second stage that the protocol plans."""
    definition = case.definition
    if definition is None or definition.randomization is None:
        return None
    return definition.randomization.second


def _is_second_in_window(case: Case) -> bool:
    """Tell whether stage 2 falls after the infusions that are planned before its visit, and by that visit."""
    second, definition, day1 = _second(case), case.definition, case.participant.day1
    visit = definition.visit(second.visit) if definition is not None and second is not None else None
    if definition is None or visit is None or day1 is None:
        return True
    before = [v for v in definition.visits if v.infusion is not None and v.day < visit.day]
    earliest = max((v.day - v.before_days for v in before), default=visit.day - visit.before_days)
    first = study_day(day1, local_date(case.record.now.earliest_us, case.zone))
    last = study_day(day1, local_date(case.record.now.latest_us, case.zone))
    return last >= earliest and first <= visit.day + visit.after_days


def _stratum(case: Case) -> str:
    """Return where a participant is allocated first: at the site, or with all of the study."""
    plan = case.definition.randomization if case.definition is not None else None
    return case.site if plan is None else plan.stratum(case.site)


def _judge_list(case: Case) -> Iterator[str]:
    """Judge the list: committed, of the stage, with the stratum of the participant."""
    record, participant = case.record, case.participant
    first = next((r for r in participant.randomizations if r.stage == 1), None)
    stratum = _stratum(case) if first is None or record.data["stage"] == 1 else first.stratum
    list_ = case.study.lists.get(record.data["list"])
    if list_ is None or list_.committed is None or list_.committed >= record.index:
        yield "LIST_NOT_COMMITTED"
    elif record.data["stratum"] not in list_.strata:
        yield "STRATUM"
        return
    elif list_.first != (None if record.data["stage"] == 1 else first and first.list):
        yield "LIST_OF_STAGE"
    if record.data["stratum"] != stratum:
        yield "STRATUM"


def judge_going_on(case: Case) -> Iterator[str]:
    """Judge a start of an infusion at or after the visit of the second stage: nobody is skipped (§8.4).

    Who is not blinded needs no second record; who is, has one whether or not the regimen changes.
    """
    second, definition = _second(case), case.definition
    if second is None or definition is None or not definition.masking.blinded:
        return
    planned, visit = definition.infusion(case.record.data["infusion"]), definition.visit(second.visit)
    if planned is None or visit is None or planned.day < visit.day:
        return
    if not any(r.stage == 2 and r.answered is not None for r in case.participant.randomizations):
        yield "STAGE_TWO_MISSING"


def judge_guess(case: Case) -> Iterator[str]:
    """Judge a guess: at a visit and by whom the protocol asks, once, before the second stage where it is."""
    data, definition = case.record.data, case.definition
    asked = definition.blind_guess if definition is not None else None
    if asked is None or data["visit"] not in asked.visits or data["who"] not in asked.guessed_by:
        yield "BLIND_GUESS_UNASKED"
    elif _is_before_second(case, data["visit"]) and any(
        r.stage == 2 and r.answered is not None and r.requested.earliest_us < case.record.occurred.latest_us
        for r in case.participant.randomizations
    ):
        yield "BLIND_GUESS_LATE"
    if (data["visit"], data["who"]) in case.participant.guesses:
        yield "BLIND_GUESS_REPEATED"


def judge_completed(case: Case) -> Iterator[str]:
    """Judge the end of the study: every guess was given at the visits that took place."""
    if _lacks_guess(case, before_second=False):
        yield "BLIND_GUESS_MISSING"


def _lacks_guess(case: Case, *, before_second: bool) -> bool:
    """Tell whether a guess is missing of a visit that took place."""
    definition = case.definition
    asked = definition.blind_guess if definition is not None else None
    if asked is None:
        return False
    visits = (v for v in asked.visits if _is_before_second(case, v) or not before_second)
    return any(
        name in case.participant.visits
        and case.participant.visits[name].missed is None
        and any((name, who) not in case.participant.guesses for who in asked.guessed_by)
        for name in visits
    )


def _is_before_second(case: Case, name: str) -> bool:
    """Tell whether a visit is planned before that of the second stage."""
    second, definition = _second(case), case.definition
    if second is None or definition is None:
        return False
    visit, then = definition.visit(name), definition.visit(second.visit)
    return visit is not None and then is not None and visit.day < then.day


def is_eligible(case: Case) -> bool:
    """Tell whether eligibility stands: confirmed, unchanged since, not expired.

    A later assessment outdates it, and one that was voided, or corrected by then so that it excludes.
    """
    participant, definition = case.participant, case.definition
    eligibility = participant.eligibility
    if eligibility is None or definition is None or participant.screening_failed is not None:
        return False
    if case.record.precedes(eligibility.confirmed):
        return False
    if any(assessment.index > eligibility.index for assessment in participant.assessments.values()):
        return False
    if any(_excludes(criterion, participant, case.record.index) for criterion in definition.criteria):
        return False
    first = local_date(eligibility.confirmed.earliest_us, case.zone)
    last = local_date(case.record.now.latest_us, case.zone)
    return (last - first).days <= definition.eligibility_valid_days


def _excludes(criterion: Criterion, participant: Participant, before: int) -> bool:
    """Tell whether a criterion keeps somebody out, with the corrections below an index.

    What is corrected later is a breach of the confirmation, and of nothing that was let pass until then.
    """
    assessment = participant.assessments.get(criterion.id)
    if assessment is None:
        return True
    is_later = assessment.corrected is not None and assessment.corrected >= before
    return fails(criterion, assessment.result) and not is_later


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
    """Return the next unused index of the stratum drawn from: indexes run through all strata in order."""
    stratum = case.record.data["stratum"]
    rank = sorted(list_.strata).index(stratum) if stratum in list_.strata else 0
    return rank * list_.slots + case.study.used(list_.name, stratum, case.record.index)


def is_in_window(case: Case, randomization: Randomization) -> bool:
    """Tell whether a first randomization fell on the days before day 1 that the protocol allows."""
    day1, definition = case.participant.day1, case.definition
    plan = definition.randomization if definition is not None else None
    if day1 is None or plan is None or randomization.stage != 1:
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


def fold_guess(case: Case) -> Participant:
    """Remember that a guess was given; what was guessed is sealed."""
    data = case.record.data
    return replace(case.participant, guesses=case.participant.guesses | {(data["visit"], data["who"])})


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "randomization.requested": judge_requested,
        "participant.randomized": judge_randomized,
        "blind_guess.recorded": judge_guess,
    }
)
DEPENDING: Final[Mapping[str, Judge]] = MappingProxyType(
    {"infusion.started": judge_going_on, "participant.completed": judge_completed}
)
"""What other areas' types are asked besides, because they rest on randomization and the blind."""
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "randomization.requested": fold_requested,
        "participant.randomized": fold_randomized,
        "blind_guess.recorded": fold_guess,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "randomization.requested": "NOT_ELIGIBLE ENROLMENT_NOT_OPEN ENROLMENT_CAP RANDOMIZED_TWICE ON_HOLD"
        " LIST_NOT_COMMITTED STRATUM LIST_OF_STAGE STAGE_NOT_PLANNED NOT_RANDOMIZED NOT_ON_TREATMENT"
        " RANDOMIZATION_WINDOW BLIND_GUESS_MISSING",
        "participant.randomized": "REFERENCE ALLOCATION_ORDER",
        "blind_guess.recorded": "BLIND_GUESS_UNASKED BLIND_GUESS_LATE BLIND_GUESS_REPEATED",
        "infusion.started": "STAGE_TWO_MISSING",
        "participant.completed": "BLIND_GUESS_MISSING",
    }
)
