"""Rules of sites: approvals of boards and commands, activation, suspension and closing (catalogue B)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.assurance import Assurance
from ledger.state.pharmacy import Pharmacy
from ledger.state.sites import (
    Approval,
    CommandApproval,
    Continuation,
    Site,
    Standing,
    Suspension,
)
from ledger.studystate import Attachments, StudyState
from ledger.times import Interval

NOTHING_ASSURED: Final = Assurance()


def judge_activated(case: StudyCase) -> Iterator[str]:
    """Judge an activation: initiated, not active or closed, with approval, investigator and delegation."""
    record, site = case.record, _site(case)
    zone, now = case.study.zone(record.site), at_recording(record)
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


def at_recording(record: Record) -> Interval:
    """Return the instant at which a record was taken in."""
    return Interval(earliest_us=record.at_us, latest_us=record.at_us)


def _fold_approval(state: StudyState, record: Record, _: Attachments) -> StudyState:
    approval = Approval(
        index=record.index,
        event=record.event,
        reference=record.data["reference"],
        begins=record.data["from"],
        ends=record.data["to"],
    )
    return append(state, record, "approvals", approval)


def _fold_board_suspended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    suspension = Suspension(
        index=record.index, event=record.event, begins=record.data["from"], ends=record.data.get("to")
    )
    return append(state, record, "suspensions", suspension)


def _fold_continuation(state: StudyState, record: Record, _: Attachments) -> StudyState:
    continuation = Continuation(
        index=record.index,
        event=record.event,
        begins=record.data["from"],
        ends=record.data["to"],
        activities=frozenset(record.data["activities"]),
    )
    return append(state, record, "continuations", continuation)


def _fold_command(state: StudyState, record: Record, _: Attachments) -> StudyState:
    approval = CommandApproval(
        index=record.index, event=record.event, begins=record.data["from"], ends=record.data.get("to")
    )
    return append(state, record, "commands", approval)


def _fold_initiated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return state.with_site(record.site or "", initiated=record.index)


def _fold_standing(state: StudyState, record: Record, _: Attachments) -> StudyState:
    standing = Standing(index=record.index, state=_STANDINGS[record.type], begins=record.data["from"])
    return append(state, record, "standings", standing)


_STANDINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {"site.activated": "active", "site.suspended": "suspended", "site.closed": "closed"}
)


def append(state: StudyState, record: Record, member: str, item: object) -> StudyState:
    """Return the state with an item added to what the record's site has."""
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
        "site.initiated": "",
        "site.activated": "SITE_NOT_INITIATED SITE_ALREADY_ACTIVE SITE_CLOSED SITE_CHECKLIST",
        "site.suspended": "SITE_NOT_ACTIVE",
        "site.closed": "SITE_CLOSED SITE_COPY_MISSING SITE_DRUG_OPEN SITE_ENVELOPES_OPEN",
    }
)
