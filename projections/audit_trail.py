"""The audit trail, field by field: who, what, when, old and new, why, signed how (FDA 2024 Q12; 11.10(e)).

One line for each statement, with a change for each of its fields. A recorded value has no old one; a
correction is the change of the original's field, from old to new. Lines are made from the log when they are
asked for, so there is no second trail that could differ from it. Pages follow one another by log index,
oldest or newest first, and a page is the same however often it is asked for. Where the log goes on from an
older one, what that one recorded comes first, at indexes below 0 and under its log's name; what it sealed
stays a marker here, for it is opened where that log is served.

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
from ledger.store.port import Reads, StoredEntry
from ledger.times import parse_instant
from projections.before import own_log
from projections.book import BREACH, CORRECTION, QUALITY, named
from projections.describe import describe, plain_fields, scope_at
from projections.joined import Joined, bounds, name_of
from projections.moments import Known, known_size, occurred, recorded
from projections.projection import PAGE
from projections.reader import Reader, sealed
from projections.study import Study

MAX_LIMIT: Final = 10_000
_STRICTEST: Final = "treatment"  # for a sealed correction whose target is not known: shown to the fewest


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Which lines are wanted; None asks for all.

    Attributes:
        field: pointer that a changed field is, or lies under, such as `/data/grade`.
        role: role that was signed in.
        since, until: index or recording time, both inclusive; an index of an older log is below 0.
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
    """One page of lines; `next` is the cursor for the page after it, None on the last.

    `following` is the index of the line that makes it not the last: of the first one of the page after it.
    """

    lines: list[dict[str, Any]]
    next: int | None
    following: int | None = None


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
    joined = Joined(reads)
    start, stop = bounds(joined, wanted.since, wanted.until, size)
    if after is not None:
        start, stop = (start, min(stop, after)) if newest_first else (max(start, after + 1), stop)
    lines: list[dict[str, Any]] = []
    maker = Lines(reads, size, reader)
    for entry in candidates(joined, wanted, start, stop, newest_first=newest_first):
        line = maker.line(entry, wanted)
        if line is None:
            continue
        if len(lines) == limit:
            return TrailPage(lines=lines, next=lines[-1]["index"], following=entry.index)
        lines.append(line)
    return TrailPage(lines=lines, next=None)


def candidates(
    joined: Joined, wanted: TrailFilter, start: int, stop: int, *, newest_first: bool
) -> Iterator[StoredEntry]:
    """Yield the entries of the range that can be wanted by their columns alone."""
    for page in _pages(joined, wanted, start, stop, newest_first=newest_first):
        for entry in reversed(page) if newest_first else page:
            if start <= entry.index < stop and (wanted.type is None or entry.type == wanted.type):
                yield entry


def _pages(
    joined: Joined, wanted: TrailFilter, start: int, stop: int, *, newest_first: bool
) -> Iterator[list[StoredEntry]]:
    if wanted.participant is not None:
        yield joined.stream_entries(f"participant/{wanted.participant}")
        return
    # Read log by log, so that a page of one log's lines asks for no entry of the other.
    parts = ((start, min(stop, 0)), (max(start, 0), stop))
    if newest_first:
        for first, beyond in reversed(parts):
            for end in range(beyond, first, -PAGE):
                yield joined.entries(max(first, end - PAGE), end)
        return
    for first, beyond in parts:
        for begin in range(first, beyond, PAGE):
            yield joined.entries(begin, min(beyond, begin + PAGE))


class Lines:
    """Makes lines, and remembers what many lines of a page ask for."""

    def __init__(self, reads: Reads, size: int, reader: Reader) -> None:
        self._joined = Joined(reads)
        self._size = size
        self._reader = reader
        self._study = Study(reads, size)
        self._breaches: dict[tuple[str, bool], dict[str, list[dict[str, Any]]]] = {}

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
            **own_log(entry.index, statement),
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
            "about": None if target is None else name_of(target),
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
            index = self._joined.index_of_event(event)
            if index is not None:
                return self._joined.entry(index)
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
                new = self._value(entry, path, scope)
                changes.append({"field": path, "old": None, "new": new})
        return changes

    def _correction(
        self, entry: StoredEntry, statement: Mapping[str, Any], target: StoredEntry | None
    ) -> dict[str, Any]:
        data = statement["data"]
        change = {"field": data["path"], "of": None if target is None else name_of(target)}
        if entry.schema == 1:
            return {**change, "old": data["old"], "new": data["new"]}
        scope = None if target is None else scope_at(target.type, target.schema, data["path"])
        return change | {
            name: self._value(entry, f"/data/{name}", scope or _STRICTEST) for name in ("old", "new")
        }

    def _reason(self, entry: StoredEntry, statement: Mapping[str, Any]) -> dict[str, Any] | None:
        reason = statement.get("reason")
        if reason is None:
            return None
        return {
            "code": reason["code"],
            "text": self._value(entry, REASON_TEXT, "freetext"),
        }

    def _value(self, entry: StoredEntry, path: str, scope: str) -> Any:
        """Return a sealed value or its marker; what an older log sealed is not opened here."""
        return sealed(scope) if entry.index < 0 else self._reader.value(entry.event, path, scope)

    def _signatures(self, entry: StoredEntry, statement: Mapping[str, Any]) -> list[dict[str, Any]]:
        person = statement["actor"]["id"]
        return [
            {**key, "grade": self._study.grade(person, key["id"], entry.index)}
            for key in (statement["key"], *statement.get("with", ()))
        ]

    def _breaches_of(self, entry: StoredEntry) -> list[dict[str, Any]]:
        """Return the breaches that were recorded of a statement: in its own log or in a later one."""
        key = (entry.stream, entry.index < 0)
        if key not in self._breaches:
            of = self._joined.stream_entries if entry.index < 0 else self._joined.of_own
            found: dict[str, list[dict[str, Any]]] = {}
            for other in of(entry.stream):
                if other.type == BREACH and other.index < self._size:
                    said = orjson.loads(other.statement)
                    shown = {"rule": said["data"]["rule"], "index": other.index, **own_log(other.index, said)}
                    found.setdefault(said["data"]["statement"], []).append(shown)
            self._breaches[key] = found
        return self._breaches[key].get(entry.event, [])


def _is_under(field: str, wanted: str) -> bool:
    return field == wanted or field.startswith(f"{wanted}/")
