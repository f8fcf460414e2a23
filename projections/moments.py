"""Known and true: the two clocks of every question (interfaces.md, "Known and true").

`known=K`, an index (inclusive) or a recording time, lets only leaves up to K count. `true=T`, a clinical
time, asks for the state at T as known at K. A clinical time that is partial can mean many instants: a record
counts from its earliest one on, and until T has passed the latest one it *may have* been. Both clocks are
read here and nowhere else; a partial T or K stands for its last instant, so a day asked for is included.
A text of digits alone is an index, never a year.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

from ledger.errors import FormatError
from ledger.rules.record import span
from ledger.store.port import Reads, StoredEntry
from ledger.times import Interval, format_instant, local_time, within_calendar

UTC_ZONE: Final = "UTC"
Known = int | str | None
"""An index, a recording time, or None for the head."""


def known_size(reads: Reads, known: Known, zone: str = UTC_ZONE) -> int:
    """Return how many leaves count: those with an index, or a recording time, up to `known`.

    Raises:
        FormatError: `KNOWN`, for an index that the log does not have or a text that is no time.
    """
    size = reads.head().size
    if known is None:
        return size
    if isinstance(known, str) and known.isascii() and known.isdigit():
        known = int(known)
    if isinstance(known, int):
        if not 0 <= known < size:
            raise FormatError("KNOWN", f"expected an index below {size}", field="known")
        return known + 1
    try:
        at = format_instant(span(known, zone).latest_us)
    except FormatError as error:
        raise FormatError("KNOWN", "expected an index or a time", field="known") from error
    return recorded_by(reads, at, size)


class Places(Protocol):
    """What entries stand at: a log's own, or those of what it goes on from as well."""

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at `index`."""


def recorded_by(reads: Places, at: str, size: int, first: int = 0) -> int:
    """Return the first index below `size` that was recorded after an instant; `at` never falls.

    From index 0 on it is how many leaves were recorded by then; `first` is below 0 where older logs count.
    """
    low, high = first, size
    while low < high:
        middle = (low + high) // 2
        entry = reads.entry(middle)
        if entry is not None and entry.at <= at:
            low = middle + 1
        else:
            high = middle
    return low


def true_us(true: str, zone: str) -> int:
    """Return the instant that a question about a clinical time asks for: the last that it can mean.

    Raises:
        FormatError: `TRUE`.
    """
    try:
        return span(true, zone).latest_us
    except FormatError as error:
        raise FormatError("TRUE", "expected a clinical time", field="true") from error


@lru_cache(maxsize=8192)
def local(us: int, zone: str) -> str:
    """Return an instant as the clock at the site shows it, with its offset from UTC (FDA 2024 Q14)."""
    return local_time(us, zone).isoformat(timespec="seconds")


def occurred(text: str, zone: str | None) -> dict[str, str | None]:
    """Show a clinical time: as written, in UTC (first and last instant where partial), and site-local.

    An offset may lead beyond the calendar, as in `0001-01-01T00:00:00+02:00`: then its end is shown.
    """
    when = span(text, zone or UTC_ZONE)
    shown: dict[str, str | None] = {"text": text, "utc": format_instant(within_calendar(when.earliest_us))}
    if when.earliest_us != when.latest_us:
        shown["utc_latest"] = format_instant(within_calendar(when.latest_us))
    shown["local"] = None if zone is None else _local_text(when, zone)
    return shown


def recorded(at: str, at_us: int, zone: str | None) -> dict[str, str | None]:
    """Show a recording time in UTC and site-local; without a site there is no local time."""
    return {"utc": at, "local": None if zone is None else local(at_us, zone)}


def _local_text(when: Interval, zone: str) -> str:
    first = local(when.earliest_us, zone)
    return first if when.earliest_us == when.latest_us else f"{first}/{local(when.latest_us, zone)}"
