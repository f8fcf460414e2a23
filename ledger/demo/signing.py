"""Signatures over more than one record: the investigator's over a visit, and the final endorsement."""

from __future__ import annotations

from typing import Any, Literal

from ledger.actions.signatures import FINAL, RecordSigned
from ledger.demo.course import Course, Pen
from ledger.demo.hands import INVESTIGATOR
from ledger.demo.stage import Story, Wait
from ledger.recorded import Recorded
from ledger.rules.signing import signed_digest


def digest_at(course: Course, scope: str, subject: str | None) -> tuple[int, str | None]:
    """Return the size of the log, and the digest of what a scope holds below it."""
    fold = course.stage.ledger.refresh()
    return fold.size, signed_digest(fold.reader.entries_of(course.stream), scope, subject, fold.size)


def sign(
    pen: Pen,
    scope: Literal["visit", "participant", "milestone"],
    *,
    visit: str | None = None,
    role: str = INVESTIGATOR,
) -> Any:
    """Sign what a scope holds when the pen comes to it; nothing, where it holds nothing."""
    yield Wait(at_us=pen.us)
    milestone = FINAL if scope == "milestone" else None
    upto, sha256 = digest_at(pen.course, scope, visit or milestone)
    if sha256 is None:
        return None
    signature = RecordSigned(
        scope=scope,
        visit=visit,
        milestone=milestone,
        upto=upto,
        sha256=sha256,
        components=("identifier", "password"),
        source=pen.source(),
    )
    recorded: Recorded | None = yield pen.note(role, signature, after=0, at_us=pen.us)
    return recorded


def visit_signed(pen: Pen, visit: str) -> Story:
    """Let the investigator sign a visit."""
    yield from sign(pen, "visit", visit=visit)
