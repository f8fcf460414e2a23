"""How a participant's record is looked after: source verified, signed, queried, corrected, accounted for."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Final

from ledger.actions.locks import FormFrozen, FormUnfrozen
from ledger.actions.monitoring import (
    SourceDiscrepancyFound,
    SourceDocumentCertified,
    SourceVerified,
    Verified,
)
from ledger.actions.quality import CorrectionMade, CorrectionProposed
from ledger.demo.cast import DATA_MANAGER, MONITOR
from ledger.demo.course import Course, Pen
from ledger.demo.deviating import accounted
from ledger.demo.hands import COORDINATOR, NURSE
from ledger.demo.querying import PULSE, Seen, query_story, seen_at_screening
from ledger.demo.signing import sign, visit_signed
from ledger.demo.stage import Story, Wait
from ledger.study.definition import StudyDefinition

MONITORING: Final = "blinded_monitor"
MANAGER: Final = "data_manager"
VERIFIED: Final = frozenset(
    {
        "consent.obtained",
        "reconsent.obtained",
        "vital_signs.recorded",
        "outcome.recorded",
        "dose.administered",
        "adverse_event.reported",
        "adverse_event.resolved",
        "screening.failed",
    }
)
"""What the monitoring plan has compared with source."""

_SIGNED_DAYS: Final = 2
_VISITED_DAYS: Final = (26, 100)
_ASKED_DAYS: Final = 28
_AGAIN_DAYS: Final = 41
_OTHER_VISIT_DAYS: Final = 50
_CERTIFIED_EVERY: Final = 7
_MOST: Final = 200
_AUTHORITY: Final = "Data management plan, section 6"


def looked_after(course: Course) -> Story:
    """Look after the record of somebody who is treated, beside what goes on."""
    definition, day1 = course.definition, course.plan.day1
    screening = next(visit.id for visit in definition.visits if visit.kind == "screening")
    yield from visit_signed(course.pen(day1 + timedelta(days=_SIGNED_DAYS), 17 * 60), screening)
    first, second = (course.pen(day1 + timedelta(days=days), 13 * 60) for days in _VISITED_DAYS)
    yield from verified(first)
    if course.plan.number % _CERTIFIED_EVERY == 0:
        yield from certified(first)
    yield from _asked(course, screening)
    yield from accounted(course.pen(day1 + timedelta(days=_AGAIN_DAYS + 4), 16 * 60))
    pen = course.pen(day1 + timedelta(days=_OTHER_VISIT_DAYS), 17 * 60)
    yield from visit_signed(pen, _weekly_end(definition))
    yield from verified(second)
    yield from accounted(second.after(240))


def _weekly_end(definition: StudyDefinition) -> str:
    """Return the visit of the last infusion before the boosters."""
    visit = definition.infusion(max(1, definition.infusions - 2))
    return visit.id if visit is not None else ""


def looked_over(course: Course, on: date) -> Story:
    """Compare the rest with source when participation is over."""
    yield from verified(course.pen(on, 13 * 60 + course.plan.number))


def verified(pen: Pen) -> Story:
    """Compare with source whatever the plan asks for and is not verified yet."""
    yield Wait(at_us=pen.us)
    course = pen.course
    fold = course.stage.ledger.refresh()
    state = fold.conduct.state(course.plan.id)
    known = {v.statement for v in state.assurance.verified if v.outdated is None} if state else set()
    items = tuple(
        Verified(statement=entry.event, paths=())
        for entry in fold.reader.entries_of(course.stream)
        if entry.statement is not None and entry.statement.type in VERIFIED and entry.event not in known
    )
    if items:
        done = SourceVerified(items=items[:_MOST], remote=course.dice.chance(30), source=pen.source("paper"))
        yield pen.note(MONITORING, done, person=MONITOR, after=0)


def certified(pen: Pen) -> Story:
    """Certify a scan of the signed consent form."""
    course = pen.course
    scan = SourceDocumentCertified(
        kind="scan",
        sha256=hashlib.sha256(f"scan of the form of {course.plan.id}".encode()).hexdigest(),
        pages=6,
        statements=(course.noted["consent"],) if "consent" in course.noted else (),
        source=pen.source("paper"),
    )
    yield pen.note(COORDINATOR, scan, after=30)


def _asked(course: Course, screening: str) -> Story:
    """Ask one question about the screening, each time another way; then sign and verify what changed."""
    pen = course.pen(course.plan.day1 + timedelta(days=_ASKED_DAYS), 9 * 60 + 30)
    yield Wait(at_us=pen.us)
    seen = seen_at_screening(course)
    if seen is None:
        return
    kinds = (*_CHANGING, None, None, None)
    change = kinds[course.plan.number % len(kinds)]
    if change is None:
        yield from query_story(pen, seen, course.plan.number)
        return
    yield from change(pen, seen)
    again = course.pen(course.plan.day1 + timedelta(days=_AGAIN_DAYS), 13 * 60)
    yield from verified(again)
    yield from sign(again.after(60), "visit", visit=screening)


def _corrected(pen: Pen, seen: Seen) -> Story:
    """A query leads to a correction, which outdates what was verified and signed."""
    yield from query_story(pen, seen, None)


def _differing(pen: Pen, seen: Seen) -> Story:
    """The monitor finds a value that is not as its source has it, and the site corrects it."""
    found = SourceDiscrepancyFound(
        statement=seen.event,
        paths=(PULSE,),
        code="differs",
        text="the chart has another pulse",
        source=pen.source("paper"),
    )
    yield pen.note(MONITORING, found, person=MONITOR)
    pen.us = pen.course.pen(date.fromisoformat(pen.day) + timedelta(days=2), 11 * 60).us
    correction = CorrectionMade(
        statement=seen.event, path=PULSE, old=seen.pulse, new=str(int(seen.pulse) + 2)
    )
    yield pen.note(NURSE, correction, reason=("transcription_error", "the chart is right"))


def _proposed(pen: Pen, seen: Seen) -> Story:
    """The screening is frozen; a data manager proposes a correction, and it is opened for the site's."""
    frozen = FormFrozen(statements=(seen.event,), authority=_AUTHORITY)
    yield pen.note(MANAGER, frozen, person=DATA_MANAGER, reason=("cleaned", "no open question"))
    new = str(int(seen.pulse) - 1)
    proposal = CorrectionProposed(
        statement=seen.event, path=PULSE, old=seen.pulse, new=new, source=pen.source()
    )
    reason = ("unlike_the_printout", "see the printout of the monitor")
    proposed = yield pen.note(MANAGER, proposal, person=DATA_MANAGER, after=30, reason=reason)
    opened = FormUnfrozen(statements=(seen.event,), authority=_AUTHORITY)
    yield pen.note(MANAGER, opened, person=DATA_MANAGER, reason=("correction_due", "for the site's"))
    if proposed is None:
        return
    pen.us = pen.course.pen(date.fromisoformat(pen.day) + timedelta(days=1), 11 * 60).us
    members = {"originator": {"id": DATA_MANAGER, "kind": "person", "source": proposed.event}}
    correction = CorrectionMade(statement=seen.event, path=PULSE, old=seen.pulse, new=new)
    yield pen.note(NURSE, correction, reason=("transcription_error", "as proposed"), members=members)
    yield pen.note(MANAGER, frozen, person=DATA_MANAGER, after=120, reason=("cleaned", "corrected"))


_CHANGING: Final = (_corrected, _differing, _proposed)
