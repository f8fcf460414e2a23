"""Corrections, voidings and the second signature that they need."""

from __future__ import annotations

from typing import Any

from ledger.actions.quality import CorrectionMade, CorrectionMadeSealed, RecordCosigned, RecordVoided
from ledger.demo.cast import person_at
from ledger.demo.course import Pen
from ledger.demo.stage import Story

INVESTIGATOR = "investigator"


def correct(
    pen: Pen,
    role: str,
    event: str,
    path: str,
    *,
    old: Any,
    new: Any,
    reason: tuple[str, str],
    source: str | None = None,
    cosigned: bool = False,
    breaches: tuple[str, ...] = (),
) -> Story:
    """Correct a value; `source` is what the new one rests on, `cosigned` by the investigator soon after."""
    members = {}
    if source is not None:
        person = person_at(pen.course.plan.site, role)
        members["originator"] = {"id": person, "kind": "person", "source": source}
    correction = CorrectionMade(statement=event, path=path, old=old, new=new)
    recorded = yield pen.note(role, correction, after=20, reason=reason, members=members, breaches=breaches)
    if cosigned and recorded is not None:
        yield from cosign(pen, recorded.event)


def correct_sealed(
    pen: Pen, role: str, event: str, path: str, *, old: Any, new: Any, reason: tuple[str, str]
) -> Story:
    """Correct a sealed value: old and new stay sealed."""
    correction = CorrectionMadeSealed(statement=event, path=path, old=old, new=new)
    yield pen.note(role, correction, after=20, reason=reason)


def void(pen: Pen, role: str, event: str, *, right: str | None, reason: tuple[str, str]) -> Story:
    """Void what was written for the wrong participant; it counts when the investigator has signed as well."""
    voided = RecordVoided(statement=event, code="wrong_participant", right=right, source=pen.source())
    recorded = yield pen.note(role, voided, after=20, reason=reason)
    if recorded is not None:
        yield from cosign(pen, recorded.event)


def cosign(pen: Pen, event: str) -> Story:
    """Let the investigator sign as the second person."""
    yield pen.note(INVESTIGATOR, RecordCosigned(as_="approver", statement=event), after=30)
