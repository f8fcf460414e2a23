"""State: what is due by an instant, and overdue when a later record comes without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.envelope import EventHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that a statement demands by an instant of recording.

    Attributes:
        index, event: the statement that demands it, and so breaks the rule where nothing comes.
        rule: the code of that rule.
        subject: what it is about, by which the answer is known: an adverse event, an alert.
        due_us: the last instant at which it is in time.
    """

    index: int
    event: EventHash
    rule: str
    subject: str
    due_us: int


def answered(waiting: tuple[Due, ...], rule: str, subject: str) -> tuple[Due, ...]:
    """Return what is still waited for when one demand is met."""
    return tuple(due for due in waiting if (due.rule, due.subject) != (rule, subject))


def past(waiting: tuple[Due, ...], at_us: int) -> Iterator[Due]:
    """Yield what an instant of recording is too late for."""
    return (due for due in waiting if due.due_us < at_us)
