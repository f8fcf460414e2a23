"""The fold of the study's state: what each statement outside the participants' streams permits or ends.

A fact is recorded whoever states it (catalogue R6); here it takes effect only where its rule lets it: a
delegation is accepted by its delegate, ended by the site's investigator. Two types of the participants'
streams are folded too, because rules go across participants: registrations and allocations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from ledger.rules import outside
from ledger.rules.case import StudyFold
from ledger.rules.record import Record
from ledger.studystate import (
    Approval,
    Attachments,
    ConsentForm,
    Delegation,
    Designation,
    Draw,
    Enrolment,
    ErasureApproval,
    Protocol,
    RandomizationList,
    Seed,
    StudyState,
    Training,
    read_definition,
)
from ledger.times import Interval

V = TypeVar("V")


def _with(mapping: Mapping[str, V], key: str, value: V) -> Mapping[str, V]:
    return MappingProxyType({**mapping, key: value})


def _at_site(state: StudyState, site: str, **changes: Any) -> StudyState:
    return replace(state, sites=_with(state.sites, site, replace(state.site(site), **changes)))


def _study_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    if state.registered is not None:
        return state
    return replace(state, registered=record.index, sponsor=record.data["sponsor"])


def _protocol_approved(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    version = record.data["version"]
    definition = read_definition(attachments(record.data["definition"]["sha256"]), version)
    protocol = Protocol(index=record.index, version=version, definition=definition)
    zones = state.zones
    if definition is not None:
        zones = MappingProxyType({**zones, **{s.id: s.zone for s in definition.sites.values()}})
    return replace(state, protocols=(*state.protocols, protocol), zones=zones)


def _consent_form_approved(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    form = ConsentForm(
        index=record.index,
        version=data["version"],
        language=data["language"],
        begins=data["from"],
        ends=data.get("to"),
        sha256=data["document"]["sha256"],
        sites=tuple(data["sites"]),
    )
    return replace(state, forms=(*state.forms, form))


def _irb_approval_recorded(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    approval = Approval(index=record.index, event=record.event, begins=data["from"], ends=data["to"])
    return _at_site(state, site, approvals=(*state.site(site).approvals, approval))


def _investigator_designated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    designation = Designation(index=record.index, person=data["person"], begins=data["from"])
    return _at_site(state, site, investigators=(*state.site(site).investigators, designation))


def _delegation_granted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    delegation = Delegation(
        index=record.index,
        event=record.event,
        person=data["person"],
        tasks=frozenset(data["tasks"]),
        begins=data["from"],
        ends=data.get("to"),
        recorded_us=record.at_us,
    )
    return _at_site(state, site, delegations=(*state.site(site).delegations, delegation))


def _change_delegation(state: StudyState, site: str, named: Delegation, **changes: Any) -> StudyState:
    delegations = tuple(
        replace(d, **changes) if d.event == named.event else d for d in state.site(site).delegations
    )
    return _at_site(state, site, delegations=delegations)


def _delegation_accepted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Accept a delegation. A fact is recorded whoever states it; it takes effect by the delegate only."""
    site = record.site or ""
    named = state.delegation(site, record.data["delegation"])
    if named is None or named.person != record.statement.actor.id or named.accepted is not None:
        return state
    return _change_delegation(state, site, named, accepted=record.index, accepted_us=record.at_us)


def _delegation_ended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """End a delegation. It takes effect by the site's investigator only, once."""
    site = record.site or ""
    named = state.delegation(site, record.data["delegation"])
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    by = state.investigator(site, now, record.index)
    if named is None or by != record.statement.actor.id or named.ended is not None:
        return state
    ended_us = record.occurred.earliest_us
    return _change_delegation(state, site, named, ended=record.index, ended_us=ended_us)


def _site_initiated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _at_site(state, record.site or "", initiated=record.index)


def _site_activated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _at_site(state, record.site or "", activated=record.index)


def _enrolment_opened(state: StudyState, record: Record, _: Attachments) -> StudyState:
    opening = Enrolment(index=record.index, cap=record.data["cap"], sites=tuple(record.data["sites"]))
    return replace(state, enrolments=(*state.enrolments, opening))


def _training_recorded(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    training = Training(index=record.index, protocol=data.get("protocol"), date=data["date"])
    known = state.trainings.get(data["person"], ())
    return replace(state, trainings=_with(state.trainings, data["person"], (*known, training)))


def _policy_changed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    hours = record.data.get("late_entry_hours")
    if hours is None:
        return state
    return replace(state, late_hours=(*state.late_hours, (record.index, hours)))


def _list(state: StudyState, record: Record, **changes: Any) -> StudyState:
    name = record.data["list"]
    known = state.lists.get(name) or RandomizationList(name=name, begun=record.index)
    return replace(state, lists=_with(state.lists, name, replace(known, **changes)))


def _seed_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    actor = record.statement.actor
    seed = Seed(index=record.index, event=record.event, person=actor.id, organisation=actor.organisation)
    known = state.lists.get(record.data["list"])
    return _list(state, record, seeds=(*(known.seeds if known else ()), seed))


def _parameters_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    return _list(
        state,
        record,
        parameters=record.index,
        algorithm=data["algorithm"],
        first=data.get("first"),
        strata=tuple(data["strata"]),
        slots=data["slots"],
        beacon_size=data["beacon_size"],
    )


def _list_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _list(state, record, committed=record.index)


def _participant_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    if state.first_registration is not None:
        return state
    return replace(state, first_registration=record.index)


def _participant_randomized(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    draw = Draw(
        index=record.index,
        event=record.event,
        participant=record.stream.partition("/")[2],
        list=data["list"],
        stage=data["stage"],
        stratum=data["stratum"],
        list_index=data.get("list_index"),
    )
    return replace(state, draws=(*state.draws, draw))


def _erasure_approved(state: StudyState, record: Record, _: Attachments) -> StudyState:
    actor = record.statement.actor
    approval = ErasureApproval(
        event=record.event,
        statement=record.data["statement"],
        digests=frozenset(record.data["digests"]),
        person=actor.id,
        of_sponsor=actor.role == "sponsor_administrator" or actor.organisation == state.sponsor,
    )
    return replace(state, erasures=_with(state.erasures, record.event, approval))


FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        **outside.FOLDS,
        "policy.changed": _policy_changed,
        "training.recorded": _training_recorded,
        "study.registered": _study_registered,
        "protocol.approved": _protocol_approved,
        "consent_form.approved": _consent_form_approved,
        "irb_approval.recorded": _irb_approval_recorded,
        "investigator.designated": _investigator_designated,
        "delegation.granted": _delegation_granted,
        "delegation.accepted": _delegation_accepted,
        "delegation.ended": _delegation_ended,
        "site.initiated": _site_initiated,
        "site.activated": _site_activated,
        "enrolment.opened": _enrolment_opened,
        "randomization.seed_committed": _seed_committed,
        "randomization.parameters_committed": _parameters_committed,
        "randomization.list_committed": _list_committed,
        "erasure.approved": _erasure_approved,
        "participant.registered": _participant_registered,
        "participant.randomized": _participant_randomized,
    }
)
"""Types that change the state of the study; every other one leaves it as it is."""


def evolve(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    """Fold one record in. Types that the study's state does not depend on return the same value."""
    fold = FOLDS.get(record.type)
    return fold(state, record, attachments) if fold else state


CORRECTABLE: Final = frozenset({"irb_approval.recorded", "training.recorded"})
"""Facts outside the participants' streams that can be corrected or voided, and that this state holds."""


def again(state: StudyState, stream: str, records: tuple[Record, ...]) -> StudyState:
    """Return the state with a stream's correctable facts as they read after a correction or voiding (R10)."""
    kind, _, name = stream.partition("/")
    if kind == "site":
        state = _at_site(state, name, approvals=())
    elif kind == "person":
        state = replace(state, trainings=_with(state.trainings, name, ()))
    for record in records:
        state = evolve(state, record, _no_attachment)
    return state


def _no_attachment(_: str) -> bytes | None:
    return None
