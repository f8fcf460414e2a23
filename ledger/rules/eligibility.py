"""Screening: criteria, eligibility and its end (catalogue C)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger import canonical
from ledger.participant import Assessment, Eligibility, Participant
from ledger.roles import PHYSICIANS
from ledger.rules.case import Case, Fold, Judge
from ledger.study.definition import Criterion, StudyDefinition
from ledger.times import local_date


def criteria_digest(assessments: Mapping[str, Assessment]) -> str:
    """Return what `eligibility.confirmed` signs: SHA-256 over the latest assessments, in order of ids."""
    rows = [[criterion, assessments[criterion].event] for criterion in sorted(assessments)]
    return hashlib.sha256(canonical.encode(rows)).hexdigest()


def fails(criterion: Criterion, result: str) -> bool:
    """Tell whether a result excludes: an inclusion criterion not met, or an exclusion criterion met."""
    return result == ("not_met" if criterion.kind == "inclusion" else "met")


def judge_assessed(case: Case) -> Iterator[str]:
    """Judge one assessment: a criterion of the version in force, not applicable only where that can be."""
    criterion = case.definition.criterion(case.record.data["criterion"]) if case.definition else None
    if criterion is None:
        yield "CRITERION_UNKNOWN"
    elif case.record.data["result"] == "not_applicable" and not criterion.conditional:
        yield "CRITERION_NOT_APPLICABLE"


def judge_failed(case: Case) -> Iterator[str]:
    """Judge a screen failure: the criteria named are the protocol's."""
    criteria = case.record.data["criteria"]
    if case.definition is None or not all(case.definition.criterion(c) for c in criteria):
        yield "CRITERION_UNKNOWN"


def judge_confirmed(case: Case) -> Iterator[str]:
    """Judge eligibility: every criterion assessed, none failing, signed over, by a physician, in time."""
    participant, record = case.participant, case.record
    if participant.screening_failed is not None:
        yield "SCREENING_FAILED"
    yield from judge_criteria(case.definition, participant)
    if record.data["criteria_sha256"] != criteria_digest(participant.assessments):
        yield "ELIGIBILITY_DIGEST"
    signer = record.statement.actor
    delegated = case.study.delegated(signer.id, record.type, case.site, record.occurred, record.index)
    if signer.role not in PHYSICIANS or not delegated:
        yield "ELIGIBILITY_ROLE"
    if _is_outside_screening(case):
        yield "SCREENING_WINDOW"


def judge_criteria(definition: StudyDefinition | None, participant: Participant) -> Iterator[str]:
    """Judge the assessments there are: complete for the version in force, and none failing."""
    if definition is None:
        yield "CRITERIA_INCOMPLETE"
        return
    assessments = participant.assessments
    if any(criterion.id not in assessments for criterion in definition.criteria):
        yield "CRITERIA_INCOMPLETE"
    if any(c.id in assessments and fails(c, assessments[c.id].result) for c in definition.criteria):
        yield "CRITERION_FAILED"


def _is_outside_screening(case: Case) -> bool:
    began = case.participant.screening_began
    if began is None:
        # Without a screening visit the first consent is where screening can have begun.
        began = case.participant.consents[0].time if case.participant.consents else None
    if began is None or case.definition is None:
        return True
    first, last = local_date(began.earliest_us, case.zone), local_date(case.record.now.latest_us, case.zone)
    return not 0 <= (last - first).days <= case.definition.screening_max_days


def fold_assessed(case: Case) -> Participant:
    """Keep the latest assessment of a criterion."""
    record, participant = case.record, case.participant
    assessment = Assessment(index=record.index, event=record.event, result=record.data["result"])
    assessments = {**participant.assessments, record.data["criterion"]: assessment}
    return replace(participant, assessments=MappingProxyType(assessments))


def fold_confirmed(case: Case) -> Participant:
    """Confirm eligibility."""
    record = case.record
    eligibility = Eligibility(index=record.index, event=record.event, confirmed=record.occurred)
    return replace(case.participant, eligibility=eligibility)


def fold_failed(case: Case) -> Participant:
    """End the screening."""
    return replace(case.participant, screening_failed=case.record.index)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "criterion.assessed": judge_assessed,
        "screening.failed": judge_failed,
        "eligibility.confirmed": judge_confirmed,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "criterion.assessed": fold_assessed,
        "screening.failed": fold_failed,
        "eligibility.confirmed": fold_confirmed,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
