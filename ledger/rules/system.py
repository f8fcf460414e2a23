"""Rules of the running of the system: backups, releases, configuration, downtime (catalogue A)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record, span
from ledger.rules.rule_versions import newest
from ledger.state.people import LOGIN_FAILURES, LOGIN_UNLOCKED, Backup, Downtime, Logins, Release, put
from ledger.studystate import Attachments, StudyState


def judge_backup(case: StudyCase) -> Iterator[str]:
    """Judge a backup: a new one; those destroyed were taken and are destroyed once."""
    if any(b.backup == case.record.data["backup"] for b in case.study.people.backups.values()):
        yield "ID_REUSED"
    yield from judge_destroyed(case)


def judge_destroyed(case: StudyCase) -> Iterator[str]:
    """Judge which backups were destroyed: taken before, and not destroyed."""
    backups = case.study.people.backups
    for event in case.record.data.get("destroyed", ()):
        known = backups.get(event)
        if known is None and _is_withheld(case, event):
            continue
        if known is None or known.destroyed is not None:
            yield "BACKUP_UNKNOWN"


def _is_withheld(case: StudyCase, event: str) -> bool:
    """Tell whether a statement is in the log and not shown here: what it is is not judged then.

    What is asked for here stands in streams that everybody reads, so a restricted one is none of it.
    """
    named = case.earlier(event)
    return named is not None and named.statement is None and named.leaf.cls != "restricted"


def judge_restore(case: StudyCase) -> Iterator[str]:
    """Judge a restore test: of a backup that was taken, which gives back what was put into it."""
    data = case.record.data
    backup = case.study.people.backups.get(data["statement"])
    if backup is None:
        if not _is_withheld(case, data["statement"]):
            yield "REFERENCE"
    elif data["outcome"] != "passed" or data["size"] != backup.size:
        yield "RESTORE_FAILED"


def judge_release(case: StudyCase) -> Iterator[str]:
    """Judge a release: this program knows the version of the rules that it puts to use."""
    if case.record.data["rules"] > newest():
        yield "RULES_UNKNOWN"


def judge_downtime_ended(case: StudyCase) -> Iterator[str]:
    """Judge the end of a downtime: one that was declared, once, after its beginning."""
    record = case.record
    downtime = case.study.people.downtimes.get(record.data["statement"])
    if downtime is None:
        if not _is_withheld(case, record.data["statement"]):
            yield "REFERENCE"
        return
    ended_us = span(record.data["to"], case.study.zone(record.site)).latest_us
    if downtime.ended is not None or ended_us < downtime.began_us:
        yield "DOWNTIME_ENDED"


def _changed(state: StudyState, **changes: Any) -> StudyState:
    return replace(state, people=replace(state.people, **changes))


def _backup(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    data = record.data
    backup = Backup(
        index=record.index, backup=data["backup"], size=data["size"], stores=frozenset(data["stores"])
    )
    state = _destroyed(state, record, attachments)
    return _changed(state, backups=put(state.people.backups, record.event, backup))


def _destroyed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    backups = dict(state.people.backups)
    for event in record.data.get("destroyed", ()):
        if event in backups and backups[event].destroyed is None:
            backups[event] = replace(backups[event], destroyed=record.index)
    return _changed(state, backups=MappingProxyType(backups))


def _configured(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    limits = tuple(
        (record.index, int(change["new"]))
        for change in record.data["changes"]
        if change["setting"] == LOGIN_FAILURES and _is_limit(change.get("new", ""))
    )
    state = _destroyed(state, record, attachments)
    for change in record.data["changes"]:
        if change["setting"] == LOGIN_UNLOCKED and "new" in change:  # failures before count no more
            state = _changed(state, logins=put(state.people.logins, change["new"], Logins()))
    return _changed(state, login_limits=(*state.people.login_limits, *limits)) if limits else state


def _is_limit(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:4]) > 0 and len(text) < 4


def _released(state: StudyState, record: Record, _: Attachments) -> StudyState:
    release = Release(index=record.index, version=record.data["version"], rules=record.data["rules"])
    return _changed(state, releases=(*state.people.releases, release))


def _declared(state: StudyState, record: Record, _: Attachments) -> StudyState:
    began_us = span(record.data["from"], state.zone(record.site)).earliest_us
    downtime = Downtime(index=record.index, began_us=began_us)
    return _changed(state, downtimes=put(state.people.downtimes, record.event, downtime))


def _ended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    event = record.data["statement"]
    downtime = state.people.downtimes.get(event)
    if downtime is None or downtime.ended is not None:
        return state
    ended = replace(downtime, ended=record.index)
    return _changed(state, downtimes=put(state.people.downtimes, event, ended))


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "backup.taken": judge_backup,
        "configuration.changed": judge_destroyed,
        "restore.tested": judge_restore,
        "system.released": judge_release,
        "downtime.ended": judge_downtime_ended,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "backup.taken": _backup,
        "configuration.changed": _configured,
        "system.released": _released,
        "downtime.declared": _declared,
        "downtime.ended": _ended,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "backup.taken": "ID_REUSED BACKUP_UNKNOWN",
        "configuration.changed": "BACKUP_UNKNOWN",
        "restore.tested": "REFERENCE RESTORE_FAILED",
        "system.released": "RULES_UNKNOWN",
        "downtime.ended": "REFERENCE DOWNTIME_ENDED",
    }
)
