"""A log and what it goes on from, read as one: the older log's entries stand below 0 (record-format.md §6).

    joined = Joined(reads)
    joined.entries(joined.first, 0)                # all of the older log, the oldest first
    joined.index_of_event(event)                   # below 0 for an event of the older log

Ranges are read where they lie: one that lies in this log asks nothing of the older one. What stands past the
size that is continued is void, and not read. A log that continues no other is read as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

import orjson

from ledger.errors import FormatError
from ledger.rules.record import span
from ledger.store.port import Reads, StoredEntry
from ledger.times import format_instant
from projections.before import older_log, own_log
from projections.moments import UTC_ZONE, recorded_by

_INDEX: Final = re.compile(r"0|-?[1-9][0-9]{0,15}")


class Joined:
    """What a trail asks of a log, over all its epochs."""

    def __init__(self, reads: Reads) -> None:
        older = older_log(reads)
        self._own = reads
        self._older = None if older is None else Joined(older.store)
        self._continued = 0 if older is None else older.size
        self.first: int = 0 if self._older is None else self._older.first - self._continued
        """The index of the oldest entry: 0 in a study's first log."""

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        """Return the entries with start <= index < stop, in order; of these types alone."""
        found: list[StoredEntry] = []
        if start < 0 and self._older is not None:
            by = self._continued
            before = self._older.entries(max(start, self.first) + by, min(stop, 0) + by, types)
            found = [entry._replace(index=entry.index - by) for entry in before]
        return [*found, *self._own.entries(max(start, 0), stop, types)] if stop > 0 else found

    def entry(self, index: int) -> StoredEntry | None:
        """Return the entry at an index."""
        if index >= 0 or self._older is None:
            return self._own.entry(index)
        found = self._older.entry(index + self._continued) if index >= self.first else None
        return None if found is None else found._replace(index=index)

    def index_of_event(self, event: str) -> int | None:
        """Return the index of an event hash."""
        index = self._own.index_of_event(event)
        if index is not None or self._older is None:
            return index
        index = self._older.index_of_event(event)
        return None if index is None or index >= self._continued else index - self._continued

    def stream_entries(self, stream: str) -> list[StoredEntry]:
        """Return the entries of a stream, in order; `seq` begins anew with each log."""
        own = self._own.stream_entries(stream)
        if self._older is None:
            return own
        by = self._continued
        before = (entry for entry in self._older.stream_entries(stream) if entry.index < by)
        return [*(entry._replace(index=entry.index - by) for entry in before), *own]

    def streams(self) -> set[str]:
        """Return the names of all streams; one of an older log may have begun past what counts of it."""
        own = {row.stream for row in self._own.streams()}
        return own if self._older is None else own | self._older.streams()

    def begin_of(self, index: int) -> int:
        """Return where the log begins that an index stands in: 0 for this one."""
        if index >= 0 or self._older is None:
            return 0
        return self._older.begin_of(index + self._continued) - self._continued

    def of_own(self, stream: str) -> list[StoredEntry]:
        """Return the entries of a stream that this log has, in order."""
        return self._own.stream_entries(stream)


def bounds(joined: Joined, since: str | int | None, until: str | int | None, size: int) -> tuple[int, int]:
    """Return the range of indexes that `since` and `until` leave: first, and one beyond.

    Of the first `size` entries of this log and all before it; of none where `size` is 0, for as known before
    this log began nothing is.

    Raises:
        FormatError: `SINCE`, `UNTIL`.
    """
    first = joined.first if size else 0
    start, stop = first, size
    if since is not None:
        start = max(first, _position(joined, since, first, size, "since"))
    if until is not None:
        stop = min(size, _position(joined, until, first, size, "until"))
    return start, stop


def _position(joined: Joined, given: str | int, first: int, size: int, name: str) -> int:
    """Return the first index at or after `since`, or the first beyond `until`."""
    beyond = 0 if name == "since" else 1
    if isinstance(given, str) and _INDEX.fullmatch(given):
        given = int(given)
    if isinstance(given, int):
        return given + beyond
    try:
        when = span(given, UTC_ZONE)
    except FormatError as error:
        raise FormatError(name.upper(), "expected an index or a time", field=name) from error
    us = when.earliest_us - 1 if name == "since" else when.latest_us
    return recorded_by(joined, format_instant(us), size, first)


def name_of(entry: StoredEntry) -> dict[str, Any]:
    """Name an entry: its index, event and type; below 0 its log too."""
    named = {"index": entry.index, "event": entry.event, "type": entry.type}
    return named if entry.index >= 0 else named | own_log(entry.index, orjson.loads(entry.statement))
