"""The audit trail, field by field: who, what, when, old and new, why, signed how (FDA 2024 Q12; 11.10(e)).

One line for each statement, with a change for each of its fields. A recorded value has no old one; a
correction is the change of the original's field, from old to new. Lines are made from the log when they are
asked for, so there is no second trail that could differ from it. Pages follow one another by log index,
oldest or newest first, and a page is the same however often it is asked for.

Every name in a line is the printed one that was signed (21 CFR 11.50), every grade that of the key at that
index, and every breach one that the log recorded. What the reader's role does not see is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.actions.registry import REASON_TEXT
from ledger.errors import FormatError
from ledger.rules.record import span
from ledger.store.port import Reads, StoredEntry
from ledger.times import format_instant, parse_instant
from projections.book import BREACH, CORRECTION, QUALITY, named
from projections.describe import describe, plain_fields, scope_at
from projections.moments import UTC_ZONE, Known, known_size, occurred, recorded, recorded_by
from projections.projection import PAGE
from projections.reader import Reader
from projections.study import Study

MAX_LIMIT: Final = 10_000
_STRICTEST: Final = "treatment"  # for a sealed correction whose target is not known: shown to the fewest


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which lines are wanted; None asks for all.

    Attributes:
        field: pointer that a changed field is, or lies under, such as `/data/grade`.
        role: role that was signed in.
        since, until: index or recording time, both inclusive.
    """

    participant: str | None = None
    site: str | None = None
    actor: str | None = None
    role: str | None = None
    type: str | None = None
    field: str | None = None
    since: str | int | None = None
    until: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailPage:
    """One page of lines; `next` is the cursor for the page after it, None on the last."""

    lines: list[dict[str, Any]]
    next: int | None


def trail(
    reads: Reads,
    wanted: TrailFilter,
    *,
    reader: Reader,
    after: int | None = None,
    limit: int = 100,
    newest_first: bool = False,
    known: Known = None,
) -> TrailPage:
    """Return a page of the trail: lines beyond the index `after` in the order asked for.

    Raises:
        FormatError: `KNOWN`, `SINCE`, `UNTIL`, or `LIMIT`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise FormatError("LIMIT", f"expected a limit from 1 to {MAX_LIMIT}", field="limit")
    size = known_size(reads, known)
    start, stop = bounds(reads, wanted, size)
    if after is not None:
        start, stop = (start, min(stop, after)) if newest_first else (max(start, after + 1), stop)
    lines: list[dict[str, Any]] = []
    maker = Lines(reads, size, reader)
    for entry in candidates(reads, wanted, start, stop, newest_first=newest_first):
        if len(lines) == limit:
            return TrailPage(lines=lines, next=lines[-1]["index"])
        line = maker.line(entry, wanted)
        if line is not None:
            lines.append(line)
    return TrailPage(lines=lines, next=None)


def bounds(reads: Reads, wanted: TrailFilter, size: int) -> tuple[int, int]:
    """Return the range of indexes that `since` and `until` leave of the first `size`: first, and one beyond.

    Raises:
        FormatError: `SINCE`, `UNTIL`.
    """
    start, stop = 0, size
    if wanted.since is not None:
        start = _position(reads, wanted.since, size, "since")
    if wanted.until is not None:
        stop = min(size, _position(reads, wanted.until, size, "until"))
    return start, stop


def _position(reads: Reads, given: str | int, size: int, name: str) -> int:
    """Return the first index at or after `since`, or the first beyond `until`."""
    beyond = 0 if name == "since" else 1
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given)
    if isinstance(given, int):
        return given + beyond
    try:
        when = span(given, UTC_ZONE)
    except FormatError as error:
        raise FormatError(name.upper(), "expected an index or a time", field=name) from error
    if name == "since":
        return recorded_by(reads, format_instant(when.earliest_us - 1), size)
    return recorded_by(reads, format_instant(when.latest_us), size)


def candidates(
    reads: Reads, wanted: TrailFilter, start: int, stop: int, *, newest_first: bool
) -> Iterator[StoredEntry]:
    """Yield the entries of the range that can be wanted by their columns alone."""
    for page in _pages(reads, wanted, start, stop, newest_first=newest_first):
        for entry in reversed(page) if newest_first else page:
            if start <= entry.index < stop and (wanted.type is None or entry.type == wanted.type):
                yield entry


def _pages(
    reads: Reads, wanted: TrailFilter, start: int, stop: int, *, newest_first: bool
) -> Iterator[list[StoredEntry]]:
    if wanted.participant is not None:
        yield reads.stream_entries(f"participant/{wanted.participant}")
        return
    if newest_first:
        for end in range(stop, start, -PAGE):
            yield reads.entries(max(start, end - PAGE), end)
        return
    for begin in range(start, stop, PAGE):
        yield reads.entries(begin, min(stop, begin + PAGE))


class Lines:
    """Makes lines, and remembers what many lines of a page ask for."""

    def __init__(self, reads: Reads, size: int, reader: Reader) -> None:
        self._reads = reads
        self._size = size
        self._reader = reader
        self._study = Study(reads, size)
        self._breaches: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def line(self, entry: StoredEntry, wanted: TrailFilter) -> dict[str, Any] | None:
        """Make the line of an entry; None where it is not wanted, or this reader does not see it."""
        statement = orjson.loads(entry.statement)
        site, actor = statement.get("site"), statement["actor"]
        if (wanted.site is not None and site != wanted.site) or (
            wanted.actor is not None and actor["id"] != wanted.actor
        ):
            return None
        if wanted.role is not None and actor["role"] != wanted.role:
            return None
        target = self._target(entry, statement)
        if not self._sees(entry, statement, target):
            return None
        changes = self._changes(entry, statement, target)
        if wanted.field is not None:
            changes = [change for change in changes if _is_under(change["field"], wanted.field)]
            if not changes:
                return None
        return self._write(entry, statement, target, changes)

    def _write(
        self,
        entry: StoredEntry,
        statement: Mapping[str, Any],
        target: StoredEntry | None,
        changes: list[dict[str, Any]],
    ) -> dict[str, Any]:
        site, actor, data = statement.get("site"), statement["actor"], statement["data"]
        zone = self._study.zone(site)
        kind, _, name = entry.stream.partition("/")
        return {
            "index": entry.index,
            "event": entry.event,
            "stream": entry.stream,
            "participant": name if kind == "participant" else None,
            "site": site,
            "protocol": statement.get("protocol"),
            "who": dict(actor),
            "performer": data.get("performer"),
            "originator": statement.get("originator"),
            "source": data.get("source"),
            "type": entry.type,
            "what": describe(entry.type, entry.schema, data),
            "about": None if target is None else _name(target),
            "occurred": occurred(statement["occurred_at"], zone),
            "recorded": recorded(entry.at, parse_instant(entry.at), zone),
            "signed_at": statement["signed_at"],
            "changes": changes,
            "reason": self._reason(entry, statement),
            "meaning": statement["meaning"],
            "signatures": self._signatures(entry, statement),
            "breaches": self._breaches_of(entry),
        }

    def _target(self, entry: StoredEntry, statement: Mapping[str, Any]) -> StoredEntry | None:
        if entry.type not in QUALITY:
            return None
        for event in named(statement["data"]):
            index = self._reads.index_of_event(event)
            if index is not None:
                return self._reads.entry(index)
        return None

    def _sees(self, entry: StoredEntry, statement: Mapping[str, Any], target: StoredEntry | None) -> bool:
        """Tell whether the reader sees a statement; not one about another that is hidden."""
        if not self._reader.sees(entry.stream, entry.type, statement):
            return False
        if target is None:
            return True
        named = orjson.loads(target.statement)
        return self._sees(target, named, self._target(target, named))

    def _changes(
        self, entry: StoredEntry, statement: Mapping[str, Any], target: StoredEntry | None
    ) -> list[dict[str, Any]]:
        if entry.type == CORRECTION:
            return [self._correction(entry, statement, target)]
        changes = [
            {"field": path, "old": None, "new": value}
            for path, value in plain_fields(entry.type, entry.schema, statement["data"])
        ]
        for path in statement.get("sealed", ()):
            if path != REASON_TEXT:
                scope = scope_at(entry.type, entry.schema, path) or _STRICTEST
                new = self._reader.value(entry.event, path, scope)
                changes.append({"field": path, "old": None, "new": new})
        return changes

    def _correction(
        self, entry: StoredEntry, statement: Mapping[str, Any], target: StoredEntry | None
    ) -> dict[str, Any]:
        data = statement["data"]
        change = {"field": data["path"], "of": None if target is None else _name(target)}
        if entry.schema == 1:
            return {**change, "old": data["old"], "new": data["new"]}
        scope = None if target is None else scope_at(target.type, target.schema, data["path"])
        return change | {
            name: self._reader.value(entry.event, f"/data/{name}", scope or _STRICTEST)
            for name in ("old", "new")
        }

    def _reason(self, entry: StoredEntry, statement: Mapping[str, Any]) -> dict[str, Any] | None:
        reason = statement.get("reason")
        if reason is None:
            return None
        return {
            "code": reason["code"],
            "text": self._reader.value(entry.event, REASON_TEXT, "freetext"),
        }

    def _signatures(self, entry: StoredEntry, statement: Mapping[str, Any]) -> list[dict[str, Any]]:
        person = statement["actor"]["id"]
        return [
            {**key, "grade": self._study.grade(person, key["id"], entry.index)}
            for key in (statement["key"], *statement.get("with", ()))
        ]

    def _breaches_of(self, entry: StoredEntry) -> list[dict[str, Any]]:
        """Return the breaches that the log recorded of a statement."""
        stream = entry.stream
        if stream not in self._breaches:
            found: dict[str, list[dict[str, Any]]] = {}
            for other in self._reads.stream_entries(stream):
                if other.type == BREACH and other.index < self._size:
                    data = orjson.loads(other.statement)["data"]
                    found.setdefault(data["statement"], []).append(
                        {"rule": data["rule"], "index": other.index}
                    )
            self._breaches[stream] = found
        return self._breaches[stream].get(entry.event, [])


def _name(entry: StoredEntry) -> dict[str, Any]:
    return {"index": entry.index, "event": entry.event, "type": entry.type}


def _is_under(field: str, wanted: str) -> bool:
    return field == wanted or field.startswith(f"{wanted}/")
