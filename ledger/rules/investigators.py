"""Rules of investigators and their delegations: designation, hand-over, tasks given and taken (catalogue B).

A fact is recorded whoever states it (catalogue R6); here it takes effect only where its rule lets it: a
delegation is accepted by its delegate, ended by the site's investigator, a hand-over by the successor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record, span
from ledger.rules.sites import append, at_recording
from ledger.state.sites import Delegation, Designation
from ledger.studystate import Attachments, StudyState


def judge_investigator(case: StudyCase) -> Iterator[str]:
    """Judge a designation: who holds the role, at a site that has no principal investigator."""
    yield from _judge_successor(case)
    if case.study.site(case.record.site or "").investigators:
        yield "INVESTIGATOR_PRESENT"


def judge_handed_over(case: StudyCase) -> Iterator[str]:
    """Judge a hand-over: from the site's investigator, or on the sponsor's word, to another who can be it."""
    yield from _judge_successor(case)
    record, site = case.record, case.record.site or ""
    present = case.study.investigator(site, at_recording(record), record.index)
    if present is None:
        yield "INVESTIGATOR_MISSING"
    if present == record.data["person"] and not case.study.is_cut(record.stream):
        yield "INVESTIGATOR_PRESENT"
    if record.statement.actor.role == "investigator":
        yield from _judge_investigator_signs(case)


def _judge_successor(case: StudyCase) -> Iterator[str]:
    record = case.record
    if record.data["site"] != record.site:
        yield "SITE_UNKNOWN"
    if not case.authority.holds(record.data["person"], "investigator", record.site or ""):
        yield "INVESTIGATOR_ROLE"


def judge_granted(case: StudyCase) -> Iterator[str]:
    """Judge a delegation: by the site's own investigator; back-dated it is flagged."""
    record, data = case.record, case.record.data
    yield from _judge_investigator_signs(case)
    if data["site"] != record.site:
        yield "SITE_UNKNOWN"
    if span(data["from"], case.study.zone(record.site)).latest_us < record.at_us:
        yield "DELEGATION_BACKDATED"


def judge_accepted(case: StudyCase) -> Iterator[str]:
    """Judge an acceptance: of a delegation at this site, by its delegate, once and before its end."""
    delegation = _delegation(case)
    if delegation is None:
        yield "REFERENCE"
        return
    if delegation.person != case.record.statement.actor.id or delegation.accepted is not None:
        yield "NOT_THE_DELEGATE"
    if delegation.ended is not None:
        yield "DELEGATION_ENDED"


def judge_delegation(case: StudyCase) -> Iterator[str]:
    """Judge the end or the reaffirmation of a delegation: by the site's own investigator, before its end."""
    delegation = _delegation(case)
    if delegation is None:
        yield "REFERENCE"
        return
    yield from _judge_investigator_signs(case)
    if delegation.ended is not None:
        yield "DELEGATION_ENDED"


def _judge_investigator_signs(case: StudyCase) -> Iterator[str]:
    record = case.record
    if not case.study.leads(record.statement.actor.id, record.site or "", at_recording(record), record.index):
        yield "NOT_SITE_INVESTIGATOR"


def _delegation(case: StudyCase) -> Delegation | None:
    return case.study.delegation(case.record.site or "", case.record.data["delegation"])


def _fold_designated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    designation = Designation(index=record.index, person=data["person"], begins=data["from"])
    return append(state, record, "investigators", designation)


def _fold_handed_over(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    designation = Designation(
        index=record.index, person=data["person"], begins=data["from"], handed_over=record.event
    )
    return append(state, record, "investigators", designation)


def accept_hand_over(state: StudyState, record: Record) -> StudyState:
    """Let a hand-over take effect by its successor's co-signature; any other one changes nothing (R9)."""
    site, named = record.site or "", record.data["statement"]
    person = record.statement.actor.id
    waiting = [
        d
        for d in state.site(site).investigators
        if d.handed_over == named and d.accepted is None and d.person == person
    ]
    if not waiting:
        return state
    designations = tuple(
        replace(d, accepted=record.index) if d in waiting else d for d in state.site(site).investigators
    )
    return state.with_site(site, investigators=designations)


def _fold_granted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    delegation = Delegation(
        index=record.index,
        event=record.event,
        person=data["person"],
        tasks=frozenset(data["tasks"]),
        begins=data["from"],
        ends=data.get("to"),
        recorded_us=record.at_us,
    )
    return append(state, record, "delegations", delegation)


def _fold_accepted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Accept a delegation, by the delegate and once."""
    named = state.delegation(record.site or "", record.data["delegation"])
    if named is None or named.person != record.statement.actor.id or named.accepted is not None:
        return state
    return _change(state, record, named, accepted=record.index, accepted_us=record.at_us)


def _fold_ended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """End a delegation, by the site's investigator and once."""
    site = record.site or ""
    named = state.delegation(site, record.data["delegation"])
    if named is None or named.ended is not None:
        return state
    if not state.leads(record.statement.actor.id, site, at_recording(record), record.index):
        return state
    return _change(state, record, named, ended=record.index, ended_us=record.occurred.earliest_us)


def _fold_reaffirmed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    named = state.delegation(record.site or "", record.data["delegation"])
    return state if named is None else _change(state, record, named, reaffirmed=record.index)


def _change(state: StudyState, record: Record, named: Delegation, **changes: Any) -> StudyState:
    site = record.site or ""
    delegations = tuple(
        replace(d, **changes) if d.event == named.event else d for d in state.site(site).delegations
    )
    return state.with_site(site, delegations=delegations)


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "investigator.designated": judge_investigator,
        "investigator.handed_over": judge_handed_over,
        "delegation.granted": judge_granted,
        "delegation.accepted": judge_accepted,
        "delegation.ended": judge_delegation,
        "delegation.reaffirmed": judge_delegation,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "investigator.designated": _fold_designated,
        "investigator.handed_over": _fold_handed_over,
        "delegation.granted": _fold_granted,
        "delegation.accepted": _fold_accepted,
        "delegation.ended": _fold_ended,
        "delegation.reaffirmed": _fold_reaffirmed,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "investigator.designated": "SITE_UNKNOWN INVESTIGATOR_ROLE INVESTIGATOR_PRESENT",
        "investigator.handed_over": "SITE_UNKNOWN INVESTIGATOR_ROLE INVESTIGATOR_MISSING "
        "INVESTIGATOR_PRESENT NOT_SITE_INVESTIGATOR",
        "delegation.granted": "NOT_SITE_INVESTIGATOR SITE_UNKNOWN DELEGATION_BACKDATED",
        "delegation.accepted": "REFERENCE NOT_THE_DELEGATE DELEGATION_ENDED",
        "delegation.ended": "REFERENCE NOT_SITE_INVESTIGATOR DELEGATION_ENDED",
        "delegation.reaffirmed": "REFERENCE NOT_SITE_INVESTIGATOR DELEGATION_ENDED",
    }
)
