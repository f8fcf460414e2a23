"""Transfer to another site, and one person under two ids (catalogue C).

From the index after the transfer every statement of the stream stands under the site that took over, which is
how `chain` reads it too. So a transfer is neither voided nor corrected: a way back is another transfer.
That both investigators signed is `control`. Id, stream, stratum and allocation are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Consent, Participant
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.consent import judge_form
from ledger.rules.record import span
from ledger.state.consenting import Transfer
from ledger.times import Interval

CONSENTING: Final = "consent.obtained"
"""The task that who takes the consent at the new site is delegated."""


def judge_transferred(case: Case) -> Iterator[str]:
    """Judge a transfer: from this site to another of the study, on a consent that is good there.

    What every gate needs of a site is asked of the one that takes over: the other may have closed.
    """
    data, participant = case.record.data, case.participant
    there = data["to"]
    sites = case.definition.sites if case.definition is not None else {}
    if data["from"] != participant.site or there not in sites:
        yield "TRANSFER_SITES"
        return
    if participant.running is not None:
        yield "INFUSION_RUNNING"
    yield from _judge_consent(case, there)


def _judge_consent(case: Case, there: str) -> Iterator[str]:
    consent, record = case.record.data["consent"], case.record
    time = _signed(case, there)
    bad_form = any(True for _ in judge_form(case, consent, there))
    complete = consent["authorization"] and consent["copy_given"]
    if bad_form or not complete or time.latest_us > record.now.latest_us:
        yield "TRANSFER_CONSENT"
    taken = span(consent["consenter_time"], case.study.zone(there))
    if not case.study.delegated(consent["consenter"], CONSENTING, there, taken, record.index):
        yield "TRANSFER_CONSENTER"


def _signed(case: Case, there: str) -> Interval:
    return span(case.record.data["consent"]["participant_time"], case.study.zone(there))


def fold_transferred(case: Case) -> Participant:
    """Move the participant: the site from here on, with the consent that was given there."""
    record, participant = case.record, case.participant
    there = record.data["to"]
    signed = record.data["consent"]
    consent = Consent(
        index=record.index,
        event=record.event,
        form_version=signed["form_version"],
        time=_signed(case, there),
        authorization=signed["authorization"],
    )
    transfer = Transfer(index=record.index, event=record.event, left=participant.site, entered=there)
    return replace(
        participant,
        site=there,
        consents=(*participant.consents, consent),
        consenting=replace(participant.consenting, transfers=(*participant.consenting.transfers, transfer)),
    )


def fold_linked(case: Case) -> Participant:
    """Note that the same human has another id, which is sealed."""
    consenting = case.participant.consenting
    linked = (*consenting.linked, case.record.index)
    return replace(case.participant, consenting=replace(consenting, linked=linked))


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({"participant.transferred": judge_transferred})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {"participant.transferred": fold_transferred, "participant.linked": fold_linked}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "participant.transferred": "TRANSFER_SITES INFUSION_RUNNING TRANSFER_CONSENT TRANSFER_CONSENTER",
        "participant.linked": "",
    }
)
