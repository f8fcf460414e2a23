"""Rules of people, devices, participants' access and reaffirmed records (catalogue A).

Accounts, keys and roles themselves are `authorisation`. Here stands what comes before what among the rest;
logins and inspections, the running of the system, and erasure have modules of their own beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.entry import Entry
from ledger.rules import erasure, logins, system
from ledger.rules.case import Case, Fold, Judge, StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.people import Access, Device, People, put
from ledger.studystate import Attachments, StudyState

DEVICE: Final = "device"
PARTICIPANT: Final = "participant"
_OF_DEVICE: Final = frozenset({DEVICE})
_OF_SYSTEM: Final = frozenset({"system"})
_SIGNED_BY: Final = frozenset({DEVICE, "system"})


def judge_source(record: Record, study: StudyState) -> Iterator[str]:
    """Judge what any statement names as device or system of origin: registered (21 CFR 11.10(h)).

    What was measured before a device was retired may be entered after it. Who signs as participant does so by
    an access that was issued in that participant's stream; an alert is taken from anyone (R7).
    """
    for name, kinds in _sources(record):
        if not study.people.takes_in(name, kinds, record.occurred.earliest_us, record.index):
            yield "SOURCE_UNREGISTERED"
    signed = record.statement.actor.role == PARTICIPANT and not record.spec.always_open
    if signed and not study.people.has_access(record.stream, record.occurred.earliest_us, record.index):
        yield "SOURCE_UNREGISTERED"


def _sources(record: Record) -> Iterator[tuple[str, frozenset[str]]]:
    originator = record.statement.originator
    if originator is not None and originator.kind == DEVICE:
        yield originator.id, _OF_DEVICE
    elif originator is not None and originator.kind == "system":
        yield originator.id, _OF_SYSTEM
    source = record.data.get("source")
    if isinstance(source, Mapping) and source.get("kind") == DEVICE:
        yield source.get("reference", ""), _OF_DEVICE
    if record.statement.actor.role == DEVICE:
        yield record.statement.actor.id, _SIGNED_BY


# Devices and participants' access.


def judge_registered(case: StudyCase) -> Iterator[str]:
    """Judge a registration: an id is used once."""
    if case.record.data["device"] in case.study.people.devices:
        yield "ID_REUSED"


def judge_retired(case: StudyCase) -> Iterator[str]:
    """Judge the end of a device: registered, and not retired."""
    if not _is_in_use(case.study.people, case.record.data["device"]):
        yield "DEVICE_UNKNOWN"


def _is_in_use(people: People, name: str) -> bool:
    device = people.devices.get(name)
    return device is not None and device.retired is None


def judge_issued(case: Case) -> Iterator[str]:
    """Judge an access: its id is used once, and its device is registered."""
    people, data = case.study.people, case.record.data
    known = people.accesses.get(data["access"])
    if known is not None and known.index < case.record.index:
        yield "ID_REUSED"
    name = data.get("device")
    device = people.devices.get(name) if name is not None else None
    retired = device is not None and device.retired is not None and device.retired < case.record.index
    if name is not None and (device is None or device.index >= case.record.index or retired):
        yield "DEVICE_UNKNOWN"


def judge_revoked(case: Case) -> Iterator[str]:
    """Judge the end of an access: this participant's, and not ended before."""
    record = case.record
    for access in case.study.people.accesses.values():
        if access.event == record.data["statement"] and access.stream == record.stream:
            if access.revoked is not None and access.revoked < record.index:
                yield "ACCESS_UNKNOWN"
            return
    yield "ACCESS_UNKNOWN"


def judge_reaffirmed(case: StudyCase) -> Iterator[str]:
    """Judge a reaffirmation: of a suspect record, by another person, who answers for it."""
    record, data = case.record, case.record.data
    actor = record.statement.actor
    if actor.id == data["person"]:
        yield "SAME_PERSON"
    named = case.earlier(data["statement"])
    if named is None:
        return
    keys = [case.authority.keys.get(key) for key in _keys_of(named)]
    suspect = any(
        key is not None
        and key.person == data["person"]
        and key.suspect_from is not None
        and named.index >= key.suspect_from
        for key in keys
    )
    if not suspect:
        yield "NOT_SUSPECT"
    if not _answers_for(case, named.leaf.site or None):
        yield "NOT_RESPONSIBLE"


def _keys_of(entry: Entry) -> Iterator[str]:
    """Yield the ids of the keys that signed an entry; its leaf names them where it is withheld."""
    statement = entry.statement
    if statement is None:
        yield from (sig.key for sig in entry.leaf.sigs)
    else:
        yield from (ref.id for ref in (statement.key, *statement.with_))


def _answers_for(case: StudyCase, site: str | None) -> bool:
    """Tell whether the signer answers for records of a site, or for those of the study as a whole."""
    actor = case.record.statement.actor
    if site is None:
        return actor.role == "sponsor_administrator"
    return actor.role == "investigator" and case.authority.holds(actor.id, actor.role, site)


def _changed(state: StudyState, **changes: Any) -> StudyState:
    return replace(state, people=replace(state.people, **changes))


def _registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    device = Device(index=record.index, kind=record.data["kind"])
    return _changed(state, devices=put(state.people.devices, record.data["device"], device))


def _retired(state: StudyState, record: Record, _: Attachments) -> StudyState:
    name = record.data["device"]
    device = replace(state.people.devices[name], retired=record.index, retired_us=record.occurred.earliest_us)
    return _changed(state, devices=put(state.people.devices, name, device))


def _issued(state: StudyState, record: Record, _: Attachments) -> StudyState:
    access = Access(index=record.index, event=record.event, stream=record.stream)
    return _changed(state, accesses=put(state.people.accesses, record.data["access"], access))


def _revoked(state: StudyState, record: Record, _: Attachments) -> StudyState:
    for name, access in state.people.accesses.items():
        if access.event == record.data["statement"] and access.revoked is None:
            revoked = replace(access, revoked=record.index, revoked_us=record.occurred.earliest_us)
            return _changed(state, accesses=put(state.people.accesses, name, revoked))
    return state


def _reaffirmed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _changed(state, reaffirmed=put(state.people.reaffirmed, record.data["statement"], record.index))


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {"participant_access.issued": judge_issued, "participant_access.revoked": judge_revoked}
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType({})
STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        **logins.STUDY_JUDGES,
        **system.STUDY_JUDGES,
        **erasure.STUDY_JUDGES,
        "device.registered": judge_registered,
        "device.retired": judge_retired,
        "record.reaffirmed": judge_reaffirmed,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        **logins.STUDY_FOLDS,
        **system.STUDY_FOLDS,
        **erasure.STUDY_FOLDS,
        "device.registered": _registered,
        "device.retired": _retired,
        "participant_access.issued": _issued,
        "participant_access.revoked": _revoked,
        "record.reaffirmed": _reaffirmed,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **logins.ASKED,
        **system.ASKED,
        **erasure.ASKED,
        "account.created": "CLASS_STREAM",
        "device.registered": "ID_REUSED",
        "device.retired": "DEVICE_UNKNOWN",
        "participant_access.issued": "ID_REUSED DEVICE_UNKNOWN",
        "participant_access.revoked": "ACCESS_UNKNOWN",
        "record.reaffirmed": "SAME_PERSON NOT_SUSPECT NOT_RESPONSIBLE",
    }
)
