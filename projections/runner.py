"""Keeps projections up to date: pages of the log in, states out, exactly once.

    with opened(path) as runner:
        runner.run(store)            # from where each projection was, up to the head

A page of a thousand entries is folded in memory; the states that it changed and the position after it go into
one transaction. So a run that dies goes on at the page that it had begun, and nothing is counted twice. A
position is kept under the projection's name and version: another version is another projection, built from
the start. Everything in the file follows from the log and may be thrown away: `rebuild` gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson
from eventsourcing.persistence import Tracking

from ledger.store.port import Reads, StoredEntry
from ledger.store.sql import queries
from ledger.store.tracking import LedgerTrackingRecorder
from projections.catalogue import KEPT
from projections.projection import PAGE, Projection, State, encode_state

FILE: Final = "projections.db"
CACHE: Final = 20_000
"""States that stay in memory between pages, over all projections."""

Progress = Callable[[int, int], None]
"""Told (position, head) after each page."""


SQL: Final = queries("store.sql", "projections")


class Runner:
    """Folds the log into kept states, one thread at a time."""

    def __init__(self, tracking: LedgerTrackingRecorder, projections: Sequence[Projection] = KEPT) -> None:
        self._tracking = tracking
        self._projections = tuple(projections)
        self._states: dict[tuple[str, str], State] = {}
        with tracking.transaction() as connection:
            connection.execute(SQL["create"])

    def run(self, reads: Reads, stop: int | None = None, progress: Progress | None = None) -> int:
        """Fold what is new up to the head, or to an index; return the position, the number of entries folded.

        Raises:
            IntegrityError: another runner was faster; its work is kept and this one's page is not.
        """
        size = reads.head().size if stop is None else stop
        begins = {projection.name: self.position(projection) for projection in self._projections}
        at = min(begins.values(), default=size)
        while at < size:
            page = reads.entries(at, min(size, at + PAGE))
            try:
                self._fold(page, begins)
            except BaseException:
                self._states.clear()  # what is in memory may be ahead of what is kept
                raise
            at += len(page)
            if progress is not None:
                progress(at, size)
        return at

    def rebuild(self, reads: Reads, progress: Progress | None = None) -> int:
        """Throw everything away and fold the log from its start; return the position."""
        self._states.clear()
        with self._tracking.transaction() as connection:
            for projection in self._projections:
                connection.execute(SQL["forget"], (_label(projection),))
                self._tracking.forget(_label(projection))
            labels = orjson.dumps([_label(projection) for projection in self._projections]).decode()
            connection.execute(SQL["forget_others"], (labels,))
        return self.run(reads, progress=progress)

    def position(self, projection: Projection) -> int:
        """Return how many entries of the log a projection has folded."""
        return self._tracking.max_tracking_id(_label(projection)) or 0

    def states(self, projection: Projection) -> dict[str, State]:
        """Return every kept state by key."""
        return {key: orjson.loads(state) for key, state in self.dump(projection)}

    def dump(self, projection: Projection) -> list[tuple[str, bytes]]:
        """Return every kept state's exact bytes, by key in order."""
        with self._tracking.transaction() as connection:
            return connection.execute(SQL["all"], (_label(projection),)).fetchall()

    def _fold(self, page: Sequence[StoredEntry], begins: dict[str, int]) -> None:
        """Fold a page into the projections that have not read it yet, and keep the outcome."""
        last = page[-1].index
        behind = [projection for projection in self._projections if begins[projection.name] <= last]
        with self._tracking.transaction() as connection:
            changed: set[tuple[str, str]] = set()
            wanted = _by_type(behind, {entry.type for entry in page})
            for entry in page:
                statement = None
                for projection in wanted[entry.type]:
                    if entry.index < begins[projection.name]:
                        continue
                    key = projection.key(entry)
                    if key is None:
                        continue
                    if statement is None:
                        statement = orjson.loads(entry.statement)
                    place = (_label(projection), key)
                    self._states[place] = projection.fold(self._state(projection, key), entry, statement)
                    changed.add(place)
            rows = [(*place, encode_state(self._states[place])) for place in sorted(changed)]
            connection.executemany(SQL["put"], rows)
            for projection in behind:
                self._tracking.insert_tracking(Tracking(_label(projection), last + 1))
        if len(self._states) > CACHE:
            self._states.clear()

    def _state(self, projection: Projection, key: str) -> State:
        place = (_label(projection), key)
        state = self._states.get(place)
        if state is None:
            with self._tracking.transaction() as connection:
                row = connection.execute(SQL["get"], place).fetchone()
            state = projection.initial(key) if row is None else orjson.loads(row[0])
        return state


@contextmanager
def opened(path: Path) -> Iterator[Runner]:
    """Open projections.db, making it where there is none: it holds nothing that the log does not."""
    tracking = LedgerTrackingRecorder.open(path) if path.is_file() else LedgerTrackingRecorder.create(path)
    try:
        yield Runner(tracking)
    finally:
        tracking.close()


def _label(projection: Projection) -> str:
    return f"{projection.name}/{projection.version}"


def _by_type(projections: Sequence[Projection], types: set[str]) -> dict[str, list[Projection]]:
    return {type_: [each for each in projections if each.folds(type_)] for type_ in types}
