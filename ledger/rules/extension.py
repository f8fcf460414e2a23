"""The extension after the core study (catalogue I).

It begins after the core study is completed and on a consent of its own. Nothing here knows an arm: whether,
when and in which words somebody enters is asked the same of everyone (R8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Participant, Status
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.consent import SIGNED_CODES, judge_signed
from ledger.rules.record import span
from ledger.state.leaving import ExtensionConsent
from ledger.study.definition import Extension
from ledger.times import local_date


def judge_consented(case: Case) -> Iterator[str]:
    """Judge a consent to the extension like any consent, under a protocol that has one."""
    yield from judge_signed(case)
    if _planned(case) is None:
        yield "EXTENSION_UNKNOWN"


def judge_entered(case: Case) -> Iterator[str]:
    """Judge the entry: once, after the core study, in its days, on the consent to the extension."""
    participant, planned = case.participant, _planned(case)
    extension = participant.leaving.extension
    if planned is None:
        yield "EXTENSION_UNKNOWN"
    if participant.died is not None:
        yield "PARTICIPANT_ENDED"
    elif participant.disposition is None or participant.disposition.status is not Status.COMPLETED:
        yield "EXTENSION_CORE"
    if extension.entered is not None:
        yield "EXTENSION_REPEATED"
    named = next((c for c in extension.consents if c.event == case.record.data["consent"]), None)
    defective = {d.statement for d in participant.consenting.defects if d.decided is None}
    late = named is not None and named.time.latest_us > case.record.now.latest_us
    if named is None or late or named.event in defective:
        yield "EXTENSION_CONSENT"
    if planned is not None and _is_late(case, planned):
        yield "EXTENSION_WINDOW"


def _planned(case: Case) -> Extension | None:
    return case.definition.extension if case.definition is not None else None


def _is_late(case: Case, planned: Extension) -> bool:
    completed = case.participant.leaving.completed
    if completed is None:
        return False
    last = local_date(completed.latest_us, case.zone)
    return (local_date(case.record.now.earliest_us, case.zone) - last).days > planned.entry_within_days


def judge_exited(case: Case) -> Iterator[str]:
    """Judge the end: of an extension that was entered and has not ended."""
    if not case.participant.in_extension:
        yield "EXTENSION_NOT_ENTERED"


def _with(case: Case, **changes: Any) -> Participant:
    leaving = case.participant.leaving
    extension = replace(leaving.extension, **changes)
    return replace(case.participant, leaving=replace(leaving, extension=extension))


def fold_consented(case: Case) -> Participant:
    """Add a consent to the extension; the core study does not rest on it."""
    record = case.record
    consent = ExtensionConsent(
        index=record.index,
        event=record.event,
        time=span(record.data["participant_time"], case.zone),
    )
    return _with(case, consents=(*case.participant.leaving.extension.consents, consent))


def fold_entered(case: Case) -> Participant:
    """Begin the extension."""
    return _with(case, entered=case.record.index)


def fold_exited(case: Case) -> Participant:
    """End the extension."""
    return _with(case, ended=case.record.index) if case.participant.in_extension else case.participant


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "extension.consented": judge_consented,
        "extension.entered": judge_entered,
        "extension.exited": judge_exited,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "extension.consented": fold_consented,
        "extension.entered": fold_entered,
        "extension.exited": fold_exited,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "extension.consented": f"{SIGNED_CODES} CONSENT_DEFECT EXTENSION_UNKNOWN",
        "extension.entered": "EXTENSION_UNKNOWN EXTENSION_CORE EXTENSION_REPEATED EXTENSION_CONSENT "
        "EXTENSION_WINDOW CONSENT_WITHDRAWN",
        "extension.exited": "EXTENSION_NOT_ENTERED",
    }
)
