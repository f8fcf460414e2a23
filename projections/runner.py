"""Keeps projections up to date: pages of the log in, states out, exactly once.

    with opened(path) as runner:
        runner.run(store)            # from where each projection was, up to the head

A page of a thousand entries is folded in memory; the states that it changed and the position after it go into
one transaction. So a run that dies goes on at the page that it had begun, and nothing is counted twice. A
position is kept under the projection's name and version: another version is another projection, built from
the start. Everything in the file follows from the log and may be thrown away: `rebuild` gives the same bytes,
in one transaction, so that readers have the old states until the new ones are whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import orjson
from eventsourcing.persistence import Tracking

from ledger.store.port import Reads, StoredEntry
from ledger.store.tracking import LedgerTrackingRecorder
from projections.catalogue import KEPT
from projections.lazily import LazyStatement
from projections.projection import PAGE, Projection, State, encode_state

FILE: Final = "projections.db"
CACHE: Final = 20_000
"""States that stay in memory between pages, over all projections."""

Progress = Callable[[int, int], None]
"""Told (position, head) after each page."""
Place = tuple[str, str]

_PUT: Final = """
INSERT INTO states (projection, key, state) VALUES (?, ?, ?)
ON CONFLICT (projection, key) DO UPDATE SET state = excluded.state
"""
_GET: Final = "SELECT state FROM states WHERE projection = ? AND key = ?"
_ALL: Final = "SELECT key, state FROM states WHERE projection = ? ORDER BY key"


class Runner:
    """Folds the log into kept states, one thread at a time."""

    def __init__(self, tracking: LedgerTrackingRecorder, projections: Sequence[Projection] = KEPT) -> None:
        self._tracking = tracking
        self._projections = tuple(projections)
        self._types = _types(projections)
        self._states: dict[Place, State] = {}
        self._changed: set[Place] = set()
        with tracking.transaction() as connection:
            connection.execute((files("projections") / "store.sql").read_text(encoding="utf-8"))

    def run(self, reads: Reads, stop: int | None = None, progress: Progress | None = None) -> int:
        """Fold what is new up to the head, or to an index; return the position, the number of entries folded.

        Raises:
            IntegrityError: another runner was faster; its work is kept and this one's page is not.
        """
        size = reads.head().size if stop is None else min(stop, reads.head().size)
        begins = {projection.name: self.position(projection) for projection in self._projections}
        at = min(begins.values(), default=size)
        while at < size:
            end = min(size, at + PAGE)
            page = reads.entries(at, end, self._types)
            with self._page() as connection:
                self._fold(connection, page, begins)
                self._keep(connection)
                self._move(end - 1, begins)
            at = end
            if progress is not None:
                progress(at, size)
        return at

    def rebuild(self, reads: Reads, progress: Progress | None = None) -> int:
        """Throw everything away and fold the log from its start; return the position."""
        size = reads.head().size
        with self._page() as connection:
            self._states.clear()
            connection.execute("DELETE FROM states")
            connection.execute("DELETE FROM tracking")
            begins = {projection.name: 0 for projection in self._projections}
            for at in range(0, size, PAGE):
                end = min(size, at + PAGE)
                page = reads.entries(at, end, self._types)
                self._fold(connection, page, begins)
                if len(self._states) > CACHE:
                    self._keep(connection)
                    self._states.clear()
                if progress is not None:
                    progress(end, size)
            self._keep(connection)
            if size:
                self._move(size - 1, begins)
        return size

    def position(self, projection: Projection) -> int:
        """Return how many entries of the log a projection has folded."""
        return self._tracking.max_tracking_id(_label(projection)) or 0

    def states(self, projection: Projection) -> dict[str, State]:
        """Return every kept state by key."""
        return {key: orjson.loads(state) for key, state in self.dump(projection)}

    def dump(self, projection: Projection) -> list[tuple[str, bytes]]:
        """Return every kept state's exact bytes, by key in order."""
        with self._tracking.transaction() as connection:
            return connection.execute(_ALL, (_label(projection),)).fetchall()

    @contextmanager
    def _page(self) -> Iterator[sqlite3.Connection]:
        """Hold one transaction; after a failure nothing that is in memory is trusted any more."""
        try:
            with self._tracking.transaction() as connection:
                yield connection
        except BaseException:
            self._states.clear()
            self._changed.clear()
            raise
        if len(self._states) > CACHE:
            self._states.clear()

    def _fold(
        self, connection: sqlite3.Connection, page: Sequence[StoredEntry], begins: dict[str, int]
    ) -> None:
        """Fold a page into the projections that have not read it yet; a statement is decoded once."""
        types = {entry.type for entry in page}
        wanted = {
            type_: [(_label(p), begins[p.name], p) for p in self._projections if p.folds(type_)]
            for type_ in types
        }
        states, changed = self._states, self._changed
        for entry in page:
            statement = None
            for label, begin, projection in wanted[entry.type]:
                key = projection.key(entry) if entry.index >= begin else None
                if key is None:
                    continue
                if statement is None:
                    statement = LazyStatement(entry.statement)
                place = (label, key)
                state = states.get(place)
                if state is None:
                    state = _kept(connection, place) or projection.initial(key)
                states[place] = projection.fold(state, entry, statement)
                changed.add(place)

    def _keep(self, connection: sqlite3.Connection) -> None:
        rows = [(*place, encode_state(self._states[place])) for place in sorted(self._changed)]
        connection.executemany(_PUT, rows)
        self._changed.clear()

    def _move(self, last: int, begins: dict[str, int]) -> None:
        for projection in self._projections:
            if begins[projection.name] <= last:
                self._tracking.insert_tracking(Tracking(_label(projection), last + 1))


@contextmanager
def opened(path: Path) -> Iterator[Runner]:
    """Open projections.db, making it where there is none: it holds nothing that the log does not."""
    tracking = LedgerTrackingRecorder(path) if path.is_file() else LedgerTrackingRecorder.create(path)
    try:
        yield Runner(tracking)
    finally:
        tracking.close()


def _kept(connection: sqlite3.Connection, place: Place) -> State | None:
    row = connection.execute(_GET, place).fetchone()
    return None if row is None else orjson.loads(row[0])


def _types(projections: Sequence[Projection]) -> frozenset[str] | None:
    """Return every type that somebody folds, None for all: no other entry is read."""
    found: set[str] = set()
    for projection in projections:
        if projection.types is None:
            return None
        found |= projection.types
    return frozenset(found)


def _label(projection: Projection) -> str:
    return f"{projection.name}/{projection.version}"
