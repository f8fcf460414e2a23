"""Rules of what is done about deviations, of archives, retention and copies (catalogue H).

They tell what was done with records as a whole. Nothing here can be refused for what it says: an archive that
cannot be read, a copy that differs and a retention that is too short are recorded, and flagged.

    retained(study, "SA-01", before=812)        # the date until which a site's records are kept
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.state.assurance import Assurance
from ledger.studystate import StudyState

_NOTHING: Final = Assurance()

Until = str | None | Literal[False]
"""The last day of a retention; None: until further notice; False: no rule is set."""


def retained(study: StudyState, site: str | None, before: int) -> Until:
    """Return until when the records of a site are kept; None for the site: those of the study alone.

    The longest retention wins: of all rules of the study and of the site, one without end before any date.
    """
    streams = ("study",) if site is None else ("study", f"site/{site}")
    found = [study.assurance.get(stream, _NOTHING).retained_until(before) for stream in streams]
    rules = [until for until in found if until is not False]
    if not rules:
        return False
    dates = [until for until in rules if until is not None]
    return max(dates) if len(dates) == len(rules) else None


def _own(case: StudyCase) -> Assurance:
    return case.study.assurance.get(case.record.stream, _NOTHING)


def _capa_closed(case: StudyCase) -> Iterator[str]:
    """Judge a closing: of an action of this stream that is open."""
    named = case.record.data["statement"]
    if not any(capa.event == named and capa.closed is None for capa in _own(case).capas):
        yield "CAPA_STATE"


def _archive_read(case: StudyCase) -> Iterator[str]:
    """Judge what an archive gave back: it can be read, and is what was sealed."""
    data = case.record.data
    archive = next((a for a in _own(case).archives if a.event == data["statement"]), None)
    if archive is None:
        yield "REFERENCE"
    elif not data["readable"] or data["sha256"] != archive.sha256:
        yield "ARCHIVE_DIFFERS"


def _copy_received(case: StudyCase) -> Iterator[str]:
    if not case.record.data["equal"]:
        yield "COPY_DIFFERS"


def _retention_set(case: StudyCase) -> Iterator[str]:
    """Judge a retention: not shorter than one that stands."""
    stands = retained(case.study, case.record.site, case.record.index)
    until = case.record.data.get("until")
    if (stands is None and until is not None) or (stands and until is not None and until < stands):
        yield "RETENTION_SHORTER"


def _visit_recorded(case: StudyCase) -> Iterator[str]:
    """Judge a monitoring visit: what it looked at in the log is there."""
    if case.record.data["last"] >= case.record.index:
        yield "REVIEW_RANGE"


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "monitoring_visit.recorded": _visit_recorded,
        "capa.closed": _capa_closed,
        "archive.restored_and_read": _archive_read,
        "certified_copy.received": _copy_received,
        "retention.rule_set": _retention_set,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "monitoring_visit.recorded": "REVIEW_RANGE",
        "capa.opened": "",
        "capa.closed": "CAPA_STATE",
        "data.imported": "",
        "archive.sealed": "",
        "archive.restored_and_read": "REFERENCE ARCHIVE_DIFFERS",
        "retention.rule_set": "RETENTION_SHORTER",
        "custody.transferred": "COSIGNATURE_OVERDUE",
        "certified_copy.received": "COPY_DIFFERS",
    }
)
