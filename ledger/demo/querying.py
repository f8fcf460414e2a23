"""Queries of the data manager, from opening to closing: answered, reopened, corrected, or asked in error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.actions.quality import CorrectionMade
from ledger.actions.queries import QueryAnswered, QueryCancelled, QueryClosed, QueryOpened, QueryReopened
from ledger.demo.cast import DATA_MANAGER
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, NURSE
from ledger.demo.stage import DAY_US, Command, Story, written
from ledger.statement import Statement

MANAGER: Final = "data_manager"
PULSE: Final = "/data/measurements/2/quantity/value"
_ROW: Final = 2
_DUE_DAYS: Final = 14
_KINDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Vital signs as they were entered, with the pulse that is asked about."""

    event: str
    pulse: str


def seen_at_screening(course: Course) -> Seen | None:
    """Return the first vital signs on record, as they read now."""
    seen = None
    for entry in course.stage.ledger.refresh().reader.entries_of(course.stream):
        statement = entry.statement
        if statement is None:
            continue
        if statement.type == "vital_signs.recorded" and seen is None:
            pulse = statement.data["measurements"][_ROW]["quantity"]["value"]
            seen = Seen(event=entry.event, pulse=pulse)
        elif seen is not None and _corrects(statement, seen):
            seen = Seen(event=seen.event, pulse=statement.data["new"])
    return seen


def _corrects(statement: Statement, seen: Seen) -> bool:
    """Tell whether a statement corrects the pulse that is asked about."""
    data = statement.data
    return statement.type == "correction.made" and (data["statement"], data["path"]) == (seen.event, PULSE)


def query_story(pen: Pen, seen: Seen, number: int | None) -> Story:
    """Ask about the pulse. Without a number the answer is a correction; else kinds of answers take turns."""
    course = pen.course
    asked = QueryOpened(
        statement=seen.event,
        paths=(PULSE,),
        kind="clarification" if number is not None else "discrepant",
        due=written(pen.us + _DUE_DAYS * DAY_US, course.plan.zone)[:10],
        text="The pulse is not like that in the chart note. Please check.",
        source=pen.source(),
    )
    opened = yield pen.note(MANAGER, asked, person=DATA_MANAGER)
    if opened is None:
        return
    if number is not None and number // _KINDS % _KINDS == 1:
        error = QueryCancelled(statement=opened.event, code="opened_in_error", source=pen.source())
        yield pen.note(MANAGER, error, person=DATA_MANAGER, after=40)
        return
    pen.us += 2 * DAY_US
    correction = None
    if number is None:
        made = CorrectionMade(statement=seen.event, path=PULSE, old=seen.pulse, new=str(int(seen.pulse) + 4))
        done = yield pen.note(NURSE, made, reason=("transcription_error", "a 4 was read as a 0"))
        correction = None if done is None else str(done.event)
    yield _answer(
        pen, opened.event, "Corrected." if correction else "Measured twice, as entered.", correction
    )
    pen.us += DAY_US
    if number is not None and number // _KINDS % _KINDS == 2:
        again = QueryReopened(
            statement=opened.event, text="Which of the two was entered?", source=pen.source()
        )
        yield pen.note(MANAGER, again, person=DATA_MANAGER)
        pen.us += DAY_US
        yield _answer(pen, opened.event, "The second one, as the protocol has it.", None)
        pen.us += DAY_US
    closed = QueryClosed(
        statement=opened.event, code="corrected" if correction else "answered", source=pen.source()
    )
    yield pen.note(MANAGER, closed, person=DATA_MANAGER)


def _answer(pen: Pen, query: str, text: str, correction: str | None) -> Command:
    answered = QueryAnswered(statement=query, correction=correction, text=text, source=pen.source())
    return pen.note(COORDINATOR, answered)
