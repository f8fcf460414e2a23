"""What holds a participant's treatment: from when on, and until when (catalogue E).

A hold is brought by a record and begins with what that record tells of. Gates ask for it when they are
passed; one that was passed outside and is recorded later asks for what held then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.participant import Hold, Participant
from ledger.rules.record import Record
from ledger.times import Interval

FOREVER_US: Final = 1 << 62
"""Until something ends the hold."""


def hold(record: Record, rule: str, since: Interval) -> Hold:
    """Return the hold that a record brings, until something ends it.

    A beginning that lies ahead of the record is a mistake of somebody: it holds at once.
    """
    since_us = min(since.earliest_us, record.at_us)
    return Hold(index=record.index, event=record.event, rule=rule, since_us=since_us, until_us=FOREVER_US)


def holding(participant: Participant, record: Record) -> Iterator[Hold]:
    """Yield what holds the participant where a gate is passed."""
    us = record.now.earliest_us
    for each in participant.holds:
        since = Interval(earliest_us=each.since_us, latest_us=each.since_us)
        if us < each.until_us and not record.precedes(since):
            yield each


def is_held(participant: Participant, record: Record) -> bool:
    """Tell whether anything holds the participant where a gate is passed."""
    return any(True for _ in holding(participant, record))
