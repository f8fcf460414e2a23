"""Rules of logins, sessions, views and inspections (catalogue A; 21 CFR 11.300(d))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.lines import parse_base64
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record, span
from ledger.state.people import Inspection, Logins, put
from ledger.studystate import Attachments, StudyState

INSPECTOR: Final = "inspector"
_INSPECTORS_VIEW: Final = 2  # the schema in which a view is sealed


def _judge_lockout(case: StudyCase) -> Iterator[str]:
    """Ask for the lock that failures before this statement owe (21 CFR 11.300(d))."""
    people = case.study.people
    logins = people.logins.get(case.record.data["who"])
    if logins is not None and logins.failures >= people.login_limit(case.record.index):
        yield "LOCKOUT_MISSING"


def judge_succeeded(case: StudyCase) -> Iterator[str]:
    """Judge a login: by an active account that is not locked."""
    yield from _judge_lockout(case)
    who = case.record.data["who"]
    logins, person = case.study.people.logins.get(who), case.authority.person(who)
    locked = logins is not None and case.record.at_us < logins.locked_until_us
    if locked or (person is not None and not person.active):
        yield "LOCKOUT_IGNORED"


def judge_session(case: StudyCase) -> Iterator[str]:
    """Judge the end of a session: of a login of this person, once."""
    data = case.record.data
    if case.study.people.sessions.get(data["statement"]) != data["who"]:
        yield "SESSION_NOT_OPEN"


def judge_view(case: StudyCase) -> Iterator[str]:
    """Judge an inspector's view: in an inspection that is open."""
    if case.record.statement.schema != _INSPECTORS_VIEW:
        return
    inspection = case.study.people.inspection(case.record.data["inspection"])
    if inspection is None or inspection.closed is not None:
        yield "INSPECTION_NOT_OPEN"


# Inspections.


def judge_inspection(case: StudyCase) -> Iterator[str]:
    """Judge the opening of an inspection: a new one, by inspectors, at a checkpoint that was seen."""
    data, seen = case.record.data, case.record.statement.seen
    if any(each.inspection == data["inspection"] for each in case.study.people.inspections):
        yield "ID_REUSED"
    if not all(case.authority.holds(person, INSPECTOR, None) for person in data["inspectors"]):
        yield "INSPECTOR_ROLE"
    root = parse_base64(data["root"], what="a root", code="DATA")
    if data["size"] > seen.size or (data["size"] == seen.size and root != seen.root):
        yield "INSPECTION_CHECKPOINT"


def judge_closed(case: StudyCase) -> Iterator[str]:
    """Judge the end of an inspection: one that was opened, once."""
    inspection = case.study.people.inspection(case.record.data["statement"])
    if inspection is None:
        yield "REFERENCE"
    elif inspection.closed is not None:
        yield "INSPECTION_NOT_OPEN"


def _changed(state: StudyState, **changes: Any) -> StudyState:
    return replace(state, people=replace(state.people, **changes))


def _logins(state: StudyState, record: Record, logins: Logins, **changes: Any) -> StudyState:
    return _changed(state, logins=put(state.people.logins, record.data["who"], logins), **changes)


def _succeeded(state: StudyState, record: Record, _: Attachments) -> StudyState:
    sessions = put(state.people.sessions, record.event, record.data["who"])
    return _logins(state, record, Logins(), sessions=sessions)


def _failed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    known = state.people.logins.get(record.data["who"], Logins())
    if record.data["code"] == "locked":
        return state  # an attempt while locked neither prolongs the lock nor owes another
    return _logins(state, record, replace(known, failures=known.failures + 1))


def _locked(state: StudyState, record: Record, _: Attachments) -> StudyState:
    until_us = span(record.data["until"], "UTC").latest_us
    return _logins(state, record, Logins(locked_until_us=until_us))


def _session_ended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    event = record.data["statement"]
    sessions = {name: who for name, who in state.people.sessions.items() if name != event}
    return _changed(state, sessions=MappingProxyType(sessions))


def _opened(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    inspection = Inspection(
        index=record.index,
        event=record.event,
        inspection=data["inspection"],
        inspectors=tuple(data["inspectors"]),
        size=data["size"],
        sites=tuple(data["sites"]),
        blinded=data["blinded"],
        opened_us=record.at_us,
    )
    return _changed(state, inspections=(*state.people.inspections, inspection))


def _closed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    event = record.data["statement"]
    inspections = tuple(
        replace(each, closed=record.index) if each.event == event and each.closed is None else each
        for each in state.people.inspections
    )
    return _changed(state, inspections=inspections)


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "login.succeeded": judge_succeeded,
        "login.failed": _judge_lockout,
        "session.ended": judge_session,
        "record.viewed": judge_view,
        "trail.viewed": judge_view,
        "inspection.opened": judge_inspection,
        "inspection.closed": judge_closed,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "login.succeeded": _succeeded,
        "login.failed": _failed,
        "login.locked": _locked,
        "session.ended": _session_ended,
        "inspection.opened": _opened,
        "inspection.closed": _closed,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "login.succeeded": "LOCKOUT_MISSING LOCKOUT_IGNORED",
        "login.failed": "LOCKOUT_MISSING",
        "session.ended": "SESSION_NOT_OPEN",
        "record.viewed": "INSPECTION_NOT_OPEN",
        "trail.viewed": "INSPECTION_NOT_OPEN",
        "inspection.opened": "ID_REUSED INSPECTOR_ROLE INSPECTION_CHECKPOINT",
        "inspection.closed": "REFERENCE INSPECTION_NOT_OPEN",
    }
)
