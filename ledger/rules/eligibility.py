"""Screening: pre-screening, criteria, eligibility, its end, and the next episode (catalogue C).

Who is found not to have been eligible stays in the analysis: nothing of status or allocation changes, and
infusions wait until it is decided whether dosing continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger import canonical
from ledger.participant import Assessment, Eligibility, Participant
from ledger.roles import PHYSICIANS
from ledger.rules.case import Case, Fold, Judge, StudyCase, StudyFold, StudyJudge
from ledger.rules.criteria import contradicts
from ledger.rules.record import Record
from ledger.state.consenting import Failure, Revocation
from ledger.study.definition import Criterion, StudyDefinition
from ledger.studystate import Attachments, StudyState
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
    elif contradicts(case, criterion):
        yield "CRITERION_CONTRADICTED"


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


def judge_revoked(case: Case) -> Iterator[str]:
    """Judge a revocation: of a confirmation there was, by the protocol's criteria, with dosing decided."""
    data, participant = case.record.data, case.participant
    if data["statement"] not in participant.consenting.confirmations:
        yield "REFERENCE"
    yield from judge_failed(case)
    if participant.enrolled and "dosing" not in data:
        yield "DOSING_DECISION"


def judge_rescreening(case: Case) -> Iterator[str]:
    """Judge a rescreening: of the newest failure, which it names, and of nobody beyond screening."""
    failures = case.participant.consenting.failures
    if case.record.data["statement"] not in [failure.event for failure in failures]:
        yield "REFERENCE"
        return
    newest = failures[-1]
    named = case.record.data["statement"] == newest.event and newest.rescreened is None
    if not named or case.participant.enrolled:
        yield "RESCREENING"


def judge_dosing(case: Case) -> Iterator[str]:
    """Judge an order, dose or start: eligibility stands, or it was decided that dosing continues."""
    if case.participant.consenting.dosing_is_held:
        yield "ELIGIBILITY_REVOKED"


def judge_prescreening(case: StudyCase) -> Iterator[str]:
    """Judge a row of the site's count: the next number, so that nobody who was looked at is left out."""
    earlier = case.study.prescreened(case.record.site or "", case.record.index)
    if case.record.data["number"] != earlier + 1:
        yield "PRESCREENING_NUMBER"


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
    corrected = max((c.index for c in record.changes if c.path == "/data/result"), default=None)
    assessment = Assessment(
        index=record.index, event=record.event, result=record.data["result"], corrected=corrected
    )
    assessments = {**participant.assessments, record.data["criterion"]: assessment}
    return replace(participant, assessments=MappingProxyType(assessments))


def fold_confirmed(case: Case) -> Participant:
    """Confirm eligibility."""
    record = case.record
    eligibility = Eligibility(index=record.index, event=record.event, confirmed=record.occurred)
    consenting = case.participant.consenting
    confirmations = (*consenting.confirmations, record.event)
    return replace(
        case.participant, eligibility=eligibility, consenting=replace(consenting, confirmations=confirmations)
    )


def fold_failed(case: Case) -> Participant:
    """End the screening."""
    record, consenting = case.record, case.participant.consenting
    failures = (*consenting.failures, Failure(index=record.index, event=record.event))
    return replace(
        case.participant, screening_failed=record.index, consenting=replace(consenting, failures=failures)
    )


def fold_revoked(case: Case) -> Participant:
    """Take eligibility back; status and allocation stay."""
    record, participant = case.record, case.participant
    revocation = Revocation(
        index=record.index,
        event=record.event,
        confirmation=record.data["statement"],
        dosing=record.data.get("dosing"),
    )
    revocations = (*participant.consenting.revocations, revocation)
    current = participant.eligibility
    return replace(
        participant,
        eligibility=None if current is None or current.event == revocation.confirmation else current,
        consenting=replace(participant.consenting, revocations=revocations),
    )


def fold_rescreening(case: Case) -> Participant:
    """Open the next screening episode: assessments and the screening visit are those of it alone."""
    record, participant, definition = case.record, case.participant, case.definition
    failures = tuple(
        replace(failure, rescreened=record.index) if failure.event == record.data["statement"] else failure
        for failure in participant.consenting.failures
    )
    screening = {v.id for v in definition.visits if v.kind == "screening"} if definition else set()
    visits = {name: visit for name, visit in participant.visits.items() if name not in screening}
    return replace(
        participant,
        assessments=MappingProxyType({}),
        screening_began=None,
        screening_failed=None,
        eligibility=None,
        visits=MappingProxyType(visits),
        consenting=replace(participant.consenting, failures=failures),
    )


def fold_prescreening(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Count a row of a site's pre-screening."""
    return replace(state, prescreenings=(*state.prescreenings, (record.site or "", record.index)))


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "criterion.assessed": judge_assessed,
        "screening.failed": judge_failed,
        "eligibility.confirmed": judge_confirmed,
        "eligibility.revoked": judge_revoked,
        "rescreening.authorised": judge_rescreening,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "criterion.assessed": fold_assessed,
        "screening.failed": fold_failed,
        "eligibility.confirmed": fold_confirmed,
        "eligibility.revoked": fold_revoked,
        "rescreening.authorised": fold_rescreening,
    }
)
DEPENDING: Final[Mapping[str, Judge]] = MappingProxyType(
    {"infusion.ordered": judge_dosing, "infusion.started": judge_dosing}
)
STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {"prescreening.recorded": judge_prescreening}
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({"prescreening.recorded": fold_prescreening})
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prescreening.recorded": "PRESCREENING_NUMBER",
        "demographics.recorded": "",
        "medical_history.recorded": "",
        "prior_therapy.recorded": "",
        "criterion.assessed": "CRITERION_UNKNOWN CRITERION_NOT_APPLICABLE CRITERION_CONTRADICTED",
        "screening.failed": "CRITERION_UNKNOWN",
        "eligibility.confirmed": "SCREENING_FAILED CRITERIA_INCOMPLETE CRITERION_FAILED ELIGIBILITY_DIGEST "
        "ELIGIBILITY_ROLE SCREENING_WINDOW",
        "eligibility.revoked": "REFERENCE CRITERION_UNKNOWN DOSING_DECISION",
        "rescreening.authorised": "REFERENCE RESCREENING",
        "infusion.ordered": "ELIGIBILITY_REVOKED",
        "infusion.started": "ELIGIBILITY_REVOKED",
    }
)
