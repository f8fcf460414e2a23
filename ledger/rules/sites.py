"""Rules of sites: approvals, investigators, delegation, activation and closing (catalogue B).

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
from ledger.state.assurance import Assurance
from ledger.state.pharmacy import Pharmacy
from ledger.state.sites import (
    Approval,
    CommandApproval,
    Continuation,
    Delegation,
    Designation,
    Site,
    Standing,
    Suspension,
)
from ledger.studystate import Attachments, StudyState
from ledger.times import Interval

NOTHING_ASSURED: Final = Assurance()


def judge_investigator(case: StudyCase) -> Iterator[str]:
    """Judge a designation: who holds the role, at a site that has no principal investigator."""
    yield from _judge_successor(case)
    if _site(case).investigators:
        yield "INVESTIGATOR_PRESENT"


def judge_handed_over(case: StudyCase) -> Iterator[str]:
    """Judge a hand-over: from the site's investigator, or on the sponsor's word, to another who can be it."""
    yield from _judge_successor(case)
    record, site = case.record, case.record.site or ""
    present = case.study.investigator(site, _now(record), record.index)
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
    if not case.study.leads(record.statement.actor.id, record.site or "", _now(record), record.index):
        yield "NOT_SITE_INVESTIGATOR"


def judge_activated(case: StudyCase) -> Iterator[str]:
    """Judge an activation: initiated, not active or closed, with approval, investigator and delegation."""
    record, site = case.record, _site(case)
    zone, now = case.study.zone(record.site), _now(record)
    if site.initiated is None:
        yield "SITE_NOT_INITIATED"
    standing = site.last_standing(record.index)
    if standing == "active":
        yield "SITE_ALREADY_ACTIVE"
    if standing == "closed":
        yield "SITE_CLOSED"
    approved = site.approved(zone, now, record.index) or case.study.is_cut(record.stream)
    led = site.investigator(zone, now, record.index) is not None
    if not (approved and led and any(d.accepted is not None for d in site.delegations)):
        yield "SITE_CHECKLIST"


def judge_suspended(case: StudyCase) -> Iterator[str]:
    """Judge a suspension: of a site that is active."""
    if _site(case).last_standing(case.record.index) != "active":
        yield "SITE_NOT_ACTIVE"


def judge_closed(case: StudyCase) -> Iterator[str]:
    """Judge the closing of a site: once, the investigator's copy there, envelopes and drug reconciled.

    Pharmacies and envelopes are judged by what is open there: where they are not shown, nothing is. Where the
    site's own statements are withheld, its copy may be among them.
    """
    record, study = case.record, case.study
    site = record.site or ""
    if _site(case).last_standing(record.index) == "closed":
        yield "SITE_CLOSED"
    assured = study.assurance.get(record.stream, NOTHING_ASSURED)
    own = any(c.role == "investigator" and c.equal and c.index < record.index for c in assured.copies)
    if not own and not study.is_cut(record.stream):
        yield "SITE_COPY_MISSING"
    pharmacy = study.pharmacies.get(site)
    if pharmacy is not None and _is_unreconciled(pharmacy):
        yield "SITE_DRUG_OPEN"
    if any(envelope.site == site for envelope in study.unblinding.unsettled):
        yield "SITE_ENVELOPES_OPEN"


def _is_unreconciled(pharmacy: Pharmacy) -> bool:
    """Tell whether a kit, a dose, a difference or a quantity is left that nobody has accounted for."""
    left = any(kit.gone is None for kit in pharmacy.kits.values())
    waiting = any(dose.dispensed is None and dose.wasted is None for dose in pharmacy.doses.values())
    short = not pharmacy.closed and any(pharmacy.stock(account) for account in pharmacy.balances)
    return left or waiting or short or bool(pharmacy.due)


def _site(case: StudyCase) -> Site:
    return case.study.site(case.record.site or "")


def _delegation(case: StudyCase) -> Delegation | None:
    return _site(case).delegation(case.record.data["delegation"])


def _now(record: Record) -> Interval:
    return Interval(earliest_us=record.at_us, latest_us=record.at_us)


def _fold_approval(state: StudyState, record: Record, _: Attachments) -> StudyState:
    approval = Approval(
        index=record.index,
        event=record.event,
        reference=record.data["reference"],
        begins=record.data["from"],
        ends=record.data["to"],
    )
    return _append(state, record, "approvals", approval)


def _fold_board_suspended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    suspension = Suspension(
        index=record.index, event=record.event, begins=record.data["from"], ends=record.data.get("to")
    )
    return _append(state, record, "suspensions", suspension)


def _fold_continuation(state: StudyState, record: Record, _: Attachments) -> StudyState:
    continuation = Continuation(
        index=record.index,
        event=record.event,
        begins=record.data["from"],
        ends=record.data["to"],
        activities=frozenset(record.data["activities"]),
    )
    return _append(state, record, "continuations", continuation)


def _fold_command(state: StudyState, record: Record, _: Attachments) -> StudyState:
    approval = CommandApproval(
        index=record.index, event=record.event, begins=record.data["from"], ends=record.data.get("to")
    )
    return _append(state, record, "commands", approval)


def _fold_designated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    designation = Designation(index=record.index, person=data["person"], begins=data["from"])
    return _append(state, record, "investigators", designation)


def _fold_handed_over(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    designation = Designation(
        index=record.index, person=data["person"], begins=data["from"], handed_over=record.event
    )
    return _append(state, record, "investigators", designation)


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
    return _append(state, record, "delegations", delegation)


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
    if not state.leads(record.statement.actor.id, site, _now(record), record.index):
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


def _fold_initiated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return state.with_site(record.site or "", initiated=record.index)


def _fold_standing(state: StudyState, record: Record, _: Attachments) -> StudyState:
    standing = Standing(index=record.index, state=_STANDINGS[record.type], begins=record.data["from"])
    return _append(state, record, "standings", standing)


_STANDINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {"site.activated": "active", "site.suspended": "suspended", "site.closed": "closed"}
)


def _append(state: StudyState, record: Record, member: str, item: object) -> StudyState:
    site = record.site or ""
    return state.with_site(site, **{member: (*getattr(state.site(site), member), item)})


def without_facts(state: StudyState, site: str) -> StudyState:
    """Return the state without what CORRECTABLE facts brought to a site, before they are folded again."""
    return state.with_site(site, approvals=(), suspensions=(), continuations=(), commands=())


CORRECTABLE: Final = frozenset(
    {
        "irb_approval.recorded",
        "irb_approval.suspended",
        "irb_continuation.permitted",
        "command_approval.recorded",
    }
)
STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "investigator.designated": judge_investigator,
        "investigator.handed_over": judge_handed_over,
        "delegation.granted": judge_granted,
        "delegation.accepted": judge_accepted,
        "delegation.ended": judge_delegation,
        "delegation.reaffirmed": judge_delegation,
        "site.activated": judge_activated,
        "site.suspended": judge_suspended,
        "site.closed": judge_closed,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "irb_approval.recorded": _fold_approval,
        "irb_approval.suspended": _fold_board_suspended,
        "irb_continuation.permitted": _fold_continuation,
        "command_approval.recorded": _fold_command,
        "investigator.designated": _fold_designated,
        "investigator.handed_over": _fold_handed_over,
        "delegation.granted": _fold_granted,
        "delegation.accepted": _fold_accepted,
        "delegation.ended": _fold_ended,
        "delegation.reaffirmed": _fold_reaffirmed,
        "site.initiated": _fold_initiated,
        **dict.fromkeys(_STANDINGS, _fold_standing),
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "irb_approval.recorded": "",
        "irb_approval.suspended": "",
        "irb_continuation.permitted": "",
        "command_approval.recorded": "",
        "investigator.designated": "SITE_UNKNOWN INVESTIGATOR_ROLE INVESTIGATOR_PRESENT",
        "investigator.handed_over": "SITE_UNKNOWN INVESTIGATOR_ROLE INVESTIGATOR_MISSING "
        "INVESTIGATOR_PRESENT NOT_SITE_INVESTIGATOR",
        "delegation.granted": "NOT_SITE_INVESTIGATOR SITE_UNKNOWN DELEGATION_BACKDATED",
        "delegation.accepted": "REFERENCE NOT_THE_DELEGATE DELEGATION_ENDED",
        "delegation.ended": "REFERENCE NOT_SITE_INVESTIGATOR DELEGATION_ENDED",
        "delegation.reaffirmed": "REFERENCE NOT_SITE_INVESTIGATOR DELEGATION_ENDED",
        "site.initiated": "",
        "site.activated": "SITE_NOT_INITIATED SITE_ALREADY_ACTIVE SITE_CLOSED SITE_CHECKLIST",
        "site.suspended": "SITE_NOT_ACTIVE",
        "site.closed": "SITE_CLOSED SITE_COPY_MISSING SITE_DRUG_OPEN SITE_ENVELOPES_OPEN",
    }
)
