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

from ledger.rules import conditions, criteria, investigators, outside, pharmacy, safety_desk, sites
from ledger.rules.case import StudyFold
from ledger.rules.record import Record
from ledger.studystate import (
    Attachments,
    ConsentForm,
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

V = TypeVar("V")


def _with(mapping: Mapping[str, V], key: str, value: V) -> Mapping[str, V]:
    return MappingProxyType({**mapping, key: value})


def _study_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    if state.registered is not None:
        return state
    return replace(state, registered=record.index, sponsor=record.data["sponsor"])


def _protocol_approved(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    version = record.data["version"]
    definition = read_definition(attachments(record.data["definition"]["sha256"]), version)
    protocol = Protocol(
        index=record.index,
        version=version,
        definition=definition,
        irb_reference=record.data["irb_reference"],
        reconsent=record.data["reconsent"],
        checked=frozenset() if definition is None else criteria.checked(definition.criteria),
    )
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


def _enrolment_opened(state: StudyState, record: Record, _: Attachments) -> StudyState:
    opening = Enrolment(
        index=record.index,
        cap=record.data["cap"],
        sites=tuple(record.data["sites"]),
        recorded_us=record.at_us,
    )
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
    if record.type == "record.cosigned":
        return investigators.accept_hand_over(state, record)
    fold = FOLDS.get(record.type)
    return fold(state, record, attachments) if fold else state


CORRECTABLE: Final = frozenset({"training.recorded"}).union(
    sites.CORRECTABLE, conditions.CORRECTABLE, pharmacy.CORRECTABLE, safety_desk.CORRECTABLE
)
"""Facts outside the participants' streams that can be corrected or voided, and that this state holds."""


def again(state: StudyState, stream: str, records: tuple[Record, ...]) -> StudyState:
    """Return the state with a stream's correctable facts as they read after a correction or voiding (R10)."""
    kind, _, name = stream.partition("/")
    if kind == "site":
        state = sites.without_facts(state, name)
    elif kind == "person":
        state = replace(state, trainings=_with(state.trainings, name, ()))
    for area in (conditions, pharmacy, safety_desk):
        state = area.without_facts(state, stream)
    for record in records:
        state = evolve(state, record, _no_attachment)
    return state


def _no_attachment(_: str) -> bytes | None:
    return None
