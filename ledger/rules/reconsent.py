"""The discussion before consent, defects of consent, and consent that is asked for again (catalogue C).

What is held by a defect or an overdue re-consent is read from `Consenting`; here is who brings it in and what
lifts it. A decision on a defect counts only with the ethics committee's reference, which its form asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.envelope import EventHash
from ledger.participant import Breach, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.consent import SIGNED_CODES, fold_obtained, judge_signed
from ledger.rules.record import Record, span
from ledger.state.consenting import Consenting, Defect, Discussion, Reconsent


def judge_discussed(case: Case) -> Iterator[str]:
    """Judge a discussion: no superior was present."""
    if case.record.data["superior_present"]:
        yield "SUPERIOR_PRESENT"


def judge_defect(case: Case) -> Iterator[str]:
    """Judge a defect: of a consent or a discussion of this participant."""
    if _target(case.participant, case.record.data["statement"]) is None:
        yield "REFERENCE"


def judge_again(case: Case) -> Iterator[str]:
    """Judge a re-consent like any consent, and against what was asked for."""
    yield from judge_signed(case)
    named = case.record.data.get("statement")
    if named is None:
        return
    asked = _asked(case.participant, named)
    if asked is None:
        yield "REFERENCE"
    elif not _answers(asked, case.record):
        yield "RECONSENT_FORM"


def judge_declined(case: Case) -> Iterator[str]:
    """Judge a refusal: of a re-consent that was asked for."""
    if _asked(case.participant, case.record.data["statement"]) is None:
        yield "REFERENCE"


def judge_start(case: Case) -> Iterator[str]:
    """Judge the start of an infusion: no re-consent is declined or past its last day."""
    if case.participant.consenting.reconsent_due(case.record.now.earliest_us):
        yield "RECONSENT_OVERDUE"


def _target(participant: Participant, event: str) -> int | None:
    """Return the index of the consent or discussion of an event hash."""
    indexes = {each.event: each.index for each in participant.consents}
    indexes |= {each.event: each.index for each in participant.consenting.discussions}
    indexes |= {each.event: each.index for each in participant.leaving.extension.consents}
    return indexes.get(EventHash(event))


def _asked(participant: Participant, event: str) -> Reconsent | None:
    return next((each for each in participant.consenting.reconsents if each.event == event), None)


def _answers(asked: Reconsent, record: Record) -> bool:
    """Tell whether a consent is on the form that was asked for, where one was."""
    return asked.form_version in (None, record.data["form_version"])


def _with(participant: Participant, **changes: Any) -> Participant:
    consenting: Consenting = replace(participant.consenting, **changes)
    return replace(participant, consenting=consenting)


def fold_discussed(case: Case) -> Participant:
    """Add a discussion."""
    record, participant = case.record, case.participant
    talk = Discussion(
        index=record.index,
        event=record.event,
        time=record.occurred,
        superior=record.data["superior_present"],
    )
    return _with(participant, discussions=(*participant.consenting.discussions, talk))


def fold_defect(case: Case) -> Participant:
    """Add a defect, or the decision on one; the consent that has it breaks a rule from now on."""
    record, data, participant = case.record, case.record.data, case.participant
    decided = record.index if "decision" in data else None
    known = participant.consenting.defects
    same = [d for d in known if (d.statement, d.kind) == (data["statement"], data["defect"])]
    if same:
        settled = tuple(replace(d, decided=decided) if d in same and d.decided is None else d for d in known)
        return _with(participant, defects=settled)
    defect = Defect(
        index=record.index,
        event=record.event,
        statement=data["statement"],
        kind=data["defect"],
        decided=decided,
    )
    return _flag(_with(participant, defects=(*known, defect)), record)


def _flag(participant: Participant, record: Record) -> Participant:
    """Bring the breach out on the consent itself, once."""
    event = record.data["statement"]
    index = _target(participant, event)
    known = any((b.event, b.rule) == (event, "CONSENT_DEFECT") for b in participant.breaches)
    if index is None or known:
        return participant
    breach = Breach(event=event, rule="CONSENT_DEFECT", index=index, found=record.index)
    return replace(participant, breaches=(*participant.breaches, breach))


def fold_required(case: Case) -> Participant:
    """Ask for a re-consent, until the end of its last day at the site."""
    record, participant = case.record, case.participant
    asked = Reconsent(
        index=record.index,
        event=record.event,
        form_version=record.data.get("form_version"),
        due=span(record.data["due"], case.zone),
    )
    return _with(participant, reconsents=(*participant.consenting.reconsents, asked))


def fold_again(case: Case) -> Participant:
    """Add a consent, and settle what asked for it: the one that it names, else all that its form answers."""
    record, participant = case.record, fold_obtained(case)
    named = record.data.get("statement")
    reconsents = tuple(
        replace(each, obtained=record.index)
        if not each.is_settled and named in (None, each.event) and _answers(each, record)
        else each
        for each in participant.consenting.reconsents
    )
    return _with(participant, reconsents=reconsents)


def fold_declined(case: Case) -> Participant:
    """Note a refusal; with the committee's word the participant goes on under the earlier consent."""
    record, participant = case.record, case.participant
    permitted = "irb_reference" in record.data
    reconsents = tuple(
        replace(each, declined=record.index, permitted=permitted)
        if each.event == record.data["statement"]
        else each
        for each in participant.consenting.reconsents
    )
    return _with(participant, reconsents=reconsents)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "consent.discussed": judge_discussed,
        "consent.defect_found": judge_defect,
        "reconsent.obtained": judge_again,
        "reconsent.declined": judge_declined,
    }
)
DEPENDING: Final[Mapping[str, Judge]] = MappingProxyType({"infusion.started": judge_start})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "consent.discussed": fold_discussed,
        "consent.defect_found": fold_defect,
        "reconsent.required": fold_required,
        "reconsent.obtained": fold_again,
        "reconsent.declined": fold_declined,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "consent.discussed": "SUPERIOR_PRESENT CONSENT_DEFECT",
        "consent.obtained": "CONSENT_DEFECT",
        "consent.defect_found": "REFERENCE",
        "reconsent.required": "",
        "reconsent.obtained": f"{SIGNED_CODES} CONSENT_DEFECT REFERENCE RECONSENT_FORM",
        "reconsent.declined": "REFERENCE",
        "infusion.started": "RECONSENT_OVERDUE",
    }
)
