"""Consent: what it covers, when it came, and when it was taken back (catalogue C).

Order is judged on clinical times with their precision: a procedure is after consent, before it, or the times
cannot tell. Withdrawal is never refused and blocks only what is collected about later times; safety,
corrections and what was collected before stay possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Consent, Participant, Procedure, Withdrawal
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import Record, span
from ledger.times import Interval

CONSENT_GATES: Final = frozenset(
    {
        "eligibility.confirmed",
        "rescreening.authorised",
        "randomization.requested",
        "infusion.ordered",
        "infusion.started",
    }
)
"""Gates that need a consent in the ledger."""

PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {"consent.obtained": "core", "extension.consented": "extension"}
)
"""Which part of the study a consent is to; one that is given again may be to either."""

SIGNED_CODES: Final = "CONSENT_FORM_UNKNOWN CONSENT_FORM_INEFFECTIVE CONSENT_INCOMPLETE"
ORDER_CODES: Final = frozenset({"CONSENT_MISSING", "PROCEDURE_BEFORE_CONSENT", "CONSENT_ORDER_UNCLEAR"})

_TREATMENT: Final = frozenset(
    {"randomization.requested", "infusion.ordered", "infusion.started", "infusion.resumed", "dose.received",
     "dose.administered"}
)  # fmt: skip
_VISITS: Final = _TREATMENT | {
    "eligibility.confirmed",
    "rescreening.authorised",
    "visit.started",
    "visit.completed",
}
# Procedures that are asked for or read up, not done at a visit.
_TOLD: Final = frozenset(
    {
        "demographics.recorded",
        "medical_history.recorded",
        "prior_therapy.recorded",
        "childbearing_potential.changed",
    }
)
# A duty of safety towards who was given something, whatever was withdrawn since.
_SAFETY: Final = frozenset({"postinfusion.observed"})
# Whom a survival status comes from -> the scope that closes that way; a public record stays open to anyone.
_SURVIVAL: Final[Mapping[str, str]] = MappingProxyType(
    {"participant": "contact", "next_of_kin": "contact", "clinician": "record_access"}
)


def judge_signed(case: Case) -> Iterator[str]:
    """Judge a consent against the approved forms, in effect at that site at the participant's time."""
    data = case.record.data
    yield from judge_form(case, data, case.site, PARTS.get(case.record.type))
    if not (data["authorization"] and data["copy_given"]):
        yield "CONSENT_INCOMPLETE"


def judge_form(case: Case, signed: Mapping[str, Any], site: str, part: str | None = None) -> Iterator[str]:
    """Judge the form of a consent: known by version, language and hash, in effect at a site for a part."""
    study, before = case.study, case.record.index
    known = any(
        f.version == signed["form_version"]
        and f.language == signed["language"]
        and f.sha256 == signed["form_sha256"]
        and f.index < before
        for f in study.forms
    )
    if not known:
        yield "CONSENT_FORM_UNKNOWN"
        return
    time = span(signed["participant_time"], study.zone(site))
    forms = study.effective_form(site, signed["language"], time, before, signed["form_version"], part)
    if any(form is None or form.version != signed["form_version"] for form in forms):
        yield "CONSENT_FORM_INEFFECTIVE"


def is_dependent(record: Record) -> bool:
    """Tell whether a record depends on consent: a procedure, or a gate that needs one in the ledger."""
    return record.spec.procedure or record.type in CONSENT_GATES


def judge_order(case: Case) -> Iterator[str]:
    """Judge whether consent covers what is done: it is there, came before, is sound, was not taken back."""
    record, participant = case.record, case.participant
    if is_dependent(record):
        code = order_code(participant, record.now)
        if code == "PROCEDURE_BEFORE_CONSENT" and record.is_gate:
            yield "CONSENT_MISSING"  # a consent that is still to come opens no gate
        elif code is not None:
            yield code
        if _is_held(participant, record):
            yield "CONSENT_HELD"
    if participant.withdrawals and is_withdrawn(participant, record):
        yield "CONSENT_WITHDRAWN"


def _is_held(participant: Participant, record: Record) -> bool:
    """Tell whether a defect makes gates wait, or a superior who was present whatever depends on consent."""
    consenting, consents = participant.consenting, participant.consents
    if record.gates and consenting.consent_is_held(consents):
        return True
    if any(
        b.rule == "SUPERIOR_PRESENT" and b.is_open and b.pending is not None for b in participant.breaches
    ):
        return True  # the correction that takes it back waits for the investigator
    return any(
        talk.superior and talk.time.earliest_us <= record.now.latest_us
        for talk in consenting.unrepaired(consents)
    )


def order_code(participant: Participant, occurred: Interval) -> str | None:
    """Return the code for a procedure at a time: no consent, consent after, cannot tell; None if before."""
    if not participant.consents:
        return "CONSENT_MISSING"
    unclear = False
    for consent in participant.consents:
        if consent.time.latest_us <= occurred.earliest_us:
            return None
        unclear = unclear or consent.time.earliest_us <= occurred.latest_us
    return "CONSENT_ORDER_UNCLEAR" if unclear else "PROCEDURE_BEFORE_CONSENT"


def is_withdrawn(participant: Participant, record: Record) -> bool:
    """Tell whether consent for this was taken back clearly before it, and not given again."""
    return any(
        withdrawal.effective.latest_us < record.now.earliest_us
        and (
            (is_blocked(withdrawal, record) and not _is_given_again(participant, withdrawal))
            or _leaves_extension(participant, withdrawal, record)
        )
        for withdrawal in participant.withdrawals
    )


def _leaves_extension(participant: Participant, withdrawal: Withdrawal, record: Record) -> bool:
    """Tell whether a record is of the extension, consent to which was taken back and not given again."""
    extension = participant.leaving.extension
    of_it = record.type == "extension.entered" or (
        participant.in_extension and (record.spec.procedure or record.type in _VISITS)
    )
    return (
        "extension" in withdrawal.scopes
        and of_it
        and not record.spec.always_open
        and not any(c.time.earliest_us > withdrawal.effective.latest_us for c in extension.consents)
    )


def _is_given_again(participant: Participant, withdrawal: Withdrawal) -> bool:
    """Tell whether a consent followed; what was taken back of the authorization needs one that authorizes."""
    return any(
        consent.time.earliest_us > withdrawal.effective.latest_us
        and (consent.authorization or not withdrawal.authorization)
        for consent in participant.consents
    )


def is_blocked(withdrawal: Withdrawal, record: Record) -> bool:
    """Tell whether a withdrawal reaches what a record collects; safety and accountability stay open."""
    scopes, type_ = withdrawal.scopes, record.type
    procedure = record.spec.procedure and not (record.spec.always_open or type_ in _SAFETY)
    treatment, visit = type_ in _TREATMENT, type_ in _VISITS or (procedure and type_ not in _TOLD)
    if treatment and scopes & {"study_treatment", "visits_and_procedures", "future_data"}:
        return True
    if visit and scopes & {"visits_and_procedures", "future_data"}:
        return True
    if procedure and "future_data" in scopes:
        return True
    if type_ == "survival_status.recorded":
        way = _SURVIVAL.get(record.data["known_from"])
        return way is not None and bool(scopes & {way, "future_data"})
    if "contact" in scopes and (type_ in ("contact.attempted", "contact.made") or _is_call(record)):
        return True
    source = record.data.get("source")
    from_records = isinstance(source, dict) and source.get("kind") == "ehr"
    return "record_access" in scopes and (procedure or visit) and from_records


def _is_call(record: Record) -> bool:
    return record.type == "visit.started" and record.data["mode"] == "phone"


def fold_procedure(participant: Participant, record: Record) -> Participant:
    """Remember a procedure that no consent covers, so that one entered later is judged against it."""
    if order_code(participant, record.now) is None:
        return participant
    procedure = Procedure(index=record.index, event=record.event, type=record.type, occurred=record.now)
    return replace(participant, uncovered=(*participant.uncovered, procedure))


def fold_obtained(case: Case) -> Participant:
    """Add a consent."""
    record = case.record
    consent = Consent(
        index=record.index,
        event=record.event,
        form_version=record.data["form_version"],
        time=_participant_time(case),
        authorization=record.data["authorization"],
    )
    return replace(case.participant, consents=(*case.participant.consents, consent))


def fold_withdrawn(case: Case) -> Participant:
    """Add a withdrawal, of consent or of the authorization; of study treatment, it ends treatment."""
    record, participant = case.record, case.participant
    scopes = frozenset(record.data["scopes"])
    withdrawal = Withdrawal(
        index=record.index,
        event=record.event,
        scopes=scopes,
        effective=span(record.data["effective"], case.zone),
        authorization=record.type == "authorization.revoked",
    )
    return replace(
        participant,
        withdrawals=(*participant.withdrawals, withdrawal),
        treatment_ended=participant.treatment_ended or "study_treatment" in scopes,
    )


def _participant_time(case: Case) -> Interval:
    return span(case.record.data["participant_time"], case.zone)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({"consent.obtained": judge_signed})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "consent.obtained": fold_obtained,
        "consent.withdrawn": fold_withdrawn,
        "authorization.revoked": fold_withdrawn,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "participant.registered": "PARTICIPANT_ID ID_REUSED CLASS_STREAM STUDY_NOT_REGISTERED",
        "consent.obtained": SIGNED_CODES,
        "consent.withdrawn": "",
        "authorization.revoked": "",
        "participant.informed": "",
    }
)
