"""A fold of the log for readers, beside the writer's own: judging what comes in never waits for a view.

It catches up when somebody asks. A reader holds it while a view is made, so that the fold and the snapshot
that it goes with are of one size.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from ledger.conduct import Conduct
from ledger.fold import LogFold, StoreReader
from ledger.statement import class_of
from ledger.store.port import Snapshot, Store
from projections.before import states_before
from projections.projection import State
from projections.status import PARTICIPANTS

PAGE: Final = 1_000
NEVER: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A snapshot and the folds that go with it, as long as it is held.

    Attributes:
        participants: states of the projection `participants`, by participant.
        earlier: returns the log folded up to a size.
    """

    reads: Snapshot
    fold: LogFold
    participants: dict[str, State]
    controls: list[int]
    earlier: Callable[[int], LogFold]

    @property
    def conduct(self) -> Conduct:
        """The rules' part of the fold."""
        return self.fold.conduct

    def newest_control(self, size: int) -> int:
        """Return the newest index below `size` of a `control` statement; -1 where there is none.

        What everybody sees anyway: protocols, delegations, roles. Answers that depend on them change there.
        """
        found = bisect_left(self.controls, size)
        return self.controls[found - 1] if found else NEVER


class Reading:
    """The readers' fold of one log. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._earlier = LogFold(StoreReader(store))
        self._reset()

    @property
    def size(self) -> int:
        """How many entries of the log are folded; it may grow while it is read."""
        return self._fold.size

    def catch_up(self) -> None:
        """Fold in what the log has beyond this fold."""
        with self.folded():
            pass

    @contextmanager
    def folded(self) -> Iterator[Folded]:
        """Hold the fold, caught up with the log."""
        with self._lock, self._store.snapshot() as reads:
            try:
                self._catch_up(reads)
            except BaseException:
                self._reset()
                raise
            yield Folded(
                reads=reads,
                fold=self._fold,
                participants=self._participants,
                controls=self._controls,
                earlier=lambda size: self._at(reads, size),
            )

    def _at(self, reads: Snapshot, size: int) -> LogFold:
        """Return the fold of a size: who pages through a report as known then asks for the same one again."""
        if size == self._fold.size:
            return self._fold
        if self._earlier.size > size:
            self._earlier = LogFold(StoreReader(self._store))
        try:
            self._earlier.catch_up(reads, size)
        except BaseException:
            self._earlier = LogFold(StoreReader(self._store))
            raise
        self._earlier.reader.reads = self._store
        return self._earlier

    def _reset(self) -> None:
        self._fold = LogFold(StoreReader(self._store))
        self._earlier = LogFold(StoreReader(self._store))
        self._participants: dict[str, State] = {}
        self._controls: list[int] = []

    def _catch_up(self, reads: Snapshot) -> None:
        start = self._fold.size
        if start == 0:
            self._participants = states_before(PARTICIPANTS, reads)
        self._fold.catch_up(reads, reads.size)
        self._fold.reader.reads = self._store
        for at in range(start, reads.size, PAGE):
            for entry in reads.entries(at, min(at + PAGE, reads.size)):
                if class_of(entry.type, entry.stream) == "control":
                    self._controls.append(entry.index)
                key = PARTICIPANTS.key(entry) if PARTICIPANTS.folds(entry.type) else None
                if key is not None:
                    state = self._participants.get(key) or PARTICIPANTS.initial(key)
                    self._participants[key] = PARTICIPANTS.fold(state, entry, orjson.loads(entry.statement))
