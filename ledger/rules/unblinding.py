"""Unblinding: who learned an allocation, envelopes, drills, errors of randomization: `safety` (catalogue D).

Emergency unblinding needs nobody's leave: role and key are `authorisation`, and nothing here refuses it. What
is judged leaves traces in `safety` alone, where who is blinded does not read (R8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.authority import Authority
from ledger.roles import SIGHTS
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.unblinding import Envelope, Opened
from ledger.studystate import Attachments, StudyState


def judge_disclosed(case: StudyCase) -> Iterator[str]:
    """Judge a disclosure: to somebody in an unblinded role."""
    yield from _judge_recipients(case, (case.record.data["to"],))


def judge_planned(case: StudyCase) -> Iterator[str]:
    """Judge a planned unblinding: before database lock, of people in unblinded roles alone."""
    yield from _judge_recipients(case, case.record.data["disclosed_to"])


def _judge_recipients(case: StudyCase, persons: tuple[str, ...]) -> Iterator[str]:
    if case.study.locked(case.record.index):
        return
    if not all(is_unblinded(case.authority, person) for person in persons):
        yield "DISCLOSED_TO_BLINDED"


def is_unblinded(authority: Authority, person: str) -> bool:
    """Tell whether a person holds a role that sees the arm of everybody."""
    known = authority.persons.get(person)
    return known is not None and any(SIGHTS[role].treatment == "all" for role in known.roles)


def judge_performed(case: StudyCase) -> Iterator[str]:
    """Judge an emergency unblinding: it opened the current allocation, by an envelope that was issued."""
    data = case.record.data
    yield from _judge_allocation(case)
    if "envelope" in data:
        yield from _judge_envelope(case, data["envelope"], data["participant"])


def judge_issued(case: StudyCase) -> Iterator[str]:
    """Judge an envelope: new, of the current allocation, in place of one that was issued before."""
    data, index = case.record.data, case.record.index
    yield from _judge_allocation(case)
    if case.study.unblinding.envelope(data["envelope"], index) is not None:
        yield "ENVELOPE_REPEATED"
    if "replaces" in data:
        yield from _judge_envelope(case, data["replaces"], data["participant"])


def judge_checked(case: StudyCase) -> Iterator[str]:
    """Judge a check: of a known envelope with its own seal; one open or missing has its unblinding."""
    data, index, unblinding = case.record.data, case.record.index, case.study.unblinding
    envelope = unblinding.envelope(data["envelope"], index)
    if envelope is None:
        yield "ENVELOPE_UNKNOWN"
    elif "seal" in data and data["seal"] != envelope.seal:
        yield "ENVELOPE_SEAL"
    if data["found"] != "intact" and not unblinding.explains(data["envelope"], index):
        yield "ENVELOPE_UNEXPLAINED"


def _judge_allocation(case: StudyCase) -> Iterator[str]:
    """Compare with the newest allocation; where statements are withheld it may be one of those."""
    data, study = case.record.data, case.study
    newest = study.allocation(data["participant"], case.record.index)
    known = newest is not None or not study.partial
    if known and (newest is None or newest.event != data["statement"]):
        yield "ALLOCATION_NOT_CURRENT"


def _judge_envelope(case: StudyCase, name: str, participant: str) -> Iterator[str]:
    envelope = case.study.unblinding.envelope(name, case.record.index)
    if envelope is None or envelope.participant != participant:
        yield "ENVELOPE_UNKNOWN"


def judge_drill(case: StudyCase) -> Iterator[str]:
    """Judge a drill: somebody answered."""
    if not case.record.data["answered"]:
        yield "DRILL_UNANSWERED"


def fold_performed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Remember who was shown whose regimen: the signer and whom the statement names."""
    data = record.data
    opened = Opened(
        index=record.index,
        event=record.event,
        participant=data["participant"],
        statement=data["statement"],
        persons=frozenset({record.statement.actor.id, *data["disclosed_to"]}),
        envelope=data.get("envelope"),
    )
    return replace(state, unblinding=replace(state.unblinding, opened=(*state.unblinding.opened, opened)))


def fold_issued(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Remember an envelope; an id that is used again keeps what it first stood for."""
    data, known = record.data, state.unblinding.envelopes
    if data["envelope"] in known:
        return state
    envelope = Envelope(
        index=record.index, participant=data["participant"], site=data["site"], seal=data["seal"]
    )
    envelopes = MappingProxyType({**known, data["envelope"]: envelope})
    state = replace(state, unblinding=replace(state.unblinding, envelopes=envelopes))
    return _settle(state, data["replaces"], record.index) if "replaces" in data else state


def fold_checked(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Settle an envelope that was found intact under its own seal, or whose opening is explained."""
    data, unblinding = record.data, state.unblinding
    envelope = unblinding.envelope(data["envelope"], record.index)
    if envelope is None:
        return state
    intact = data["found"] == "intact" and data.get("seal", envelope.seal) == envelope.seal
    if intact or unblinding.explains(data["envelope"], record.index):
        return _settle(state, data["envelope"], record.index)
    return state


def _settle(state: StudyState, name: str, index: int) -> StudyState:
    known = state.unblinding.envelopes
    if name not in known:
        return state
    envelopes = MappingProxyType({**known, name: replace(known[name], settled=index)})
    return replace(state, unblinding=replace(state.unblinding, envelopes=envelopes))


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "allocation.disclosed": judge_disclosed,
        "unblinding.performed": judge_performed,
        "unblinding.envelope_issued": judge_issued,
        "unblinding.envelope_checked": judge_checked,
        "unblinding.planned": judge_planned,
        "unblinding.drill_done": judge_drill,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "unblinding.performed": fold_performed,
        "unblinding.envelope_issued": fold_issued,
        "unblinding.envelope_checked": fold_checked,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "allocation.disclosed": "DISCLOSED_TO_BLINDED",
        "unblinding.performed": "ALLOCATION_NOT_CURRENT ENVELOPE_UNKNOWN",
        "unblinding.envelope_issued": "ALLOCATION_NOT_CURRENT ENVELOPE_REPEATED ENVELOPE_UNKNOWN",
        "unblinding.envelope_checked": "ENVELOPE_UNKNOWN ENVELOPE_SEAL ENVELOPE_UNEXPLAINED",
        "unblinding.planned": "DISCLOSED_TO_BLINDED",
        "unblinding.drill_done": "DRILL_UNANSWERED",
    }
)
