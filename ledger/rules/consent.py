"""Consent: what it covers, when it came, and when it was taken back (catalogue C).

Order is judged on clinical times with their precision: a procedure is after consent, before it, or the times
cannot tell. Withdrawal is never refused and blocks only what is collected about later times; safety,
corrections and what was collected before stay possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Consent, Participant, Procedure, Withdrawal
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import Record, span
from ledger.times import Interval

PROCEDURES: Final = frozenset(
    {
        "demographics.recorded",
        "criterion.assessed",
        "vital_signs.recorded",
        "outcome.recorded",
        "infusion.started",
        "dose.administered",
    }
)
"""What is done to a participant or collected of one, and so depends on consent."""

CONSENT_GATES: Final = frozenset(
    {"eligibility.confirmed", "randomization.requested", "infusion.ordered", "infusion.started"}
)
"""Gates that need a consent in the ledger."""

DEPENDENT: Final = PROCEDURES | CONSENT_GATES

ORDER_CODES: Final = frozenset({"CONSENT_MISSING", "PROCEDURE_BEFORE_CONSENT", "CONSENT_ORDER_UNCLEAR"})

_TREATMENT: Final = frozenset(
    {"randomization.requested", "infusion.ordered", "infusion.started", "infusion.resumed", "dose.received",
     "dose.administered"}
)  # fmt: skip
_VISITS: Final = _TREATMENT | {
    "eligibility.confirmed",
    "visit.started",
    "visit.completed",
    "vital_signs.recorded",
    "outcome.recorded",
    "criterion.assessed",
}
_DATA: Final = _VISITS | {"demographics.recorded"}
_BLOCKS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"study_treatment": _TREATMENT, "visits_and_procedures": _VISITS, "future_data": _DATA}
)


def judge_obtained(case: Case) -> Iterator[str]:
    """Judge a consent against the approved forms, in effect at that site at the participant's time."""
    data, study = case.record.data, case.study
    time, before = _participant_time(case), case.record.index
    known = any(
        f.version == data["form_version"]
        and f.language == data["language"]
        and f.sha256 == data["form_sha256"]
        and f.index < before
        for f in study.forms
    )
    if not known:
        yield "CONSENT_FORM_UNKNOWN"
    else:
        forms = study.effective_form(case.site, data["language"], time, before)
        if any(form is None or form.version != data["form_version"] for form in forms):
            yield "CONSENT_FORM_INEFFECTIVE"
    if not (data["authorization"] and data["copy_given"]):
        yield "CONSENT_INCOMPLETE"


def judge_order(case: Case) -> Iterator[str]:
    """Judge whether consent covers what is done: it is there, came before, and was not taken back."""
    record = case.record
    if record.type in DEPENDENT:
        code = order_code(case.participant, record.now)
        if code == "PROCEDURE_BEFORE_CONSENT" and record.is_gate:
            yield "CONSENT_MISSING"  # a consent that is still to come opens no gate
        elif code is not None:
            yield code
    if case.participant.withdrawals and is_withdrawn(case.participant, record):
        yield "CONSENT_WITHDRAWN"


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
        and _is_blocked(withdrawal, record)
        and not any(c.time.earliest_us > withdrawal.effective.latest_us for c in participant.consents)
        for withdrawal in participant.withdrawals
    )


def _is_blocked(withdrawal: Withdrawal, record: Record) -> bool:
    if any(record.type in _BLOCKS.get(scope, ()) for scope in withdrawal.scopes):
        return True
    if "contact" in withdrawal.scopes and record.type == "visit.started":
        return bool(record.data["mode"] == "phone")
    source = record.data.get("source")
    from_records = isinstance(source, dict) and source.get("kind") == "ehr"
    return "record_access" in withdrawal.scopes and record.type in _DATA and from_records


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
    )
    return replace(case.participant, consents=(*case.participant.consents, consent))


def fold_withdrawn(case: Case) -> Participant:
    """Add a withdrawal; withdrawn from study treatment, treatment has ended."""
    record, participant = case.record, case.participant
    scopes = frozenset(record.data["scopes"])
    withdrawal = Withdrawal(
        index=record.index,
        event=record.event,
        scopes=scopes,
        effective=span(record.data["effective"], case.zone),
    )
    return replace(
        participant,
        withdrawals=(*participant.withdrawals, withdrawal),
        treatment_ended=participant.treatment_ended or "study_treatment" in scopes,
    )


def _participant_time(case: Case) -> Interval:
    return span(case.record.data["participant_time"], case.zone)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({"consent.obtained": judge_obtained})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"consent.obtained": fold_obtained, "consent.withdrawn": fold_withdrawn}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
