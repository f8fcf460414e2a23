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
from ledger.fold import FoldState, LogFold, StoreReader
from ledger.savepoint import Savepoint
from ledger.statement import class_of
from ledger.store.port import Snapshot, Store
from projections.before import states_before
from projections.projection import State, encode_state
from projections.status import PARTICIPANTS

PAGE: Final = 1_000
NEVER: Final = -1
STOPS: Final = 8


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

    def __init__(self, store: Store, savepoint: Savepoint | None = None) -> None:
        self._store = store
        self._savepoint = savepoint
        self._lock = threading.Lock()
        self._earlier = LogFold(StoreReader(store))
        self._stops: dict[int, FoldState] = {}
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
        """Return the fold of a size: who pages through a report as known then asks for the same one again.

        Who goes back in steps does not wait for the log's beginning each time: some states on the way are
        remembered.
        """
        if size == self._fold.size:
            return self._fold
        nearest = max((stop for stop in self._stops if stop <= size), default=0)
        if not nearest <= self._earlier.size <= size:
            reader, known = StoreReader(self._store), self._stops.get(nearest)
            self._earlier = LogFold(reader) if known is None else LogFold.of(reader, known)
        try:
            self._fold_on(reads, size)
        except BaseException:
            self._earlier = LogFold(StoreReader(self._store))
            raise
        self._earlier.reader.reads = self._store
        return self._earlier

    def _fold_on(self, reads: Snapshot, size: int) -> None:
        """Fold the earlier one up to a size, remembering at most twice `STOPS` states on the way."""
        step = PAGE
        while self._fold.size > 2 * STOPS * step:
            step *= 2
        for stop in [stop for stop in self._stops if stop % step]:
            del self._stops[stop]
        for stop in range(self._earlier.size // step * step + step, size + 1, step):
            self._earlier.catch_up(reads, stop)
            self._stops[stop] = self._earlier.saved()
        self._earlier.catch_up(reads, size)

    def _reset(self) -> None:
        self._earlier = LogFold(StoreReader(self._store))
        self._fold = LogFold(StoreReader(self._store))
        self._stops.clear()
        self._participants: dict[str, State] = {}
        self._controls: list[int] = []

    def keep(self, *, ending: bool = False) -> None:
        """Keep what is folded beside the ledger, as `Ledger.keep` does."""
        savepoint = self._savepoint
        if savepoint is None or not savepoint.is_due(self._fold.size, ending=ending):
            return
        with self._lock:
            size = self._fold.size
            participants = {key: encode_state(state) for key, state in self._participants.items()}
            state = self._fold.saved(), participants, list(self._controls)
        with self._store.snapshot() as reads:
            savepoint.save(state, size, reads)

    def _restore(self, reads: Snapshot) -> None:
        """Begin with what was kept, or with what stands before the log's first entry."""
        kept = None if self._savepoint is None else self._savepoint.load(reads, reads.size)
        if kept is None:
            self._participants = states_before(PARTICIPANTS, reads)
        else:
            state, participants, self._controls = kept
            self._participants = {key: orjson.loads(each) for key, each in participants.items()}
            self._fold = LogFold.of(self._fold.reader, state)

    def _catch_up(self, reads: Snapshot) -> None:
        if self._fold.size == 0:
            self._restore(reads)
        start = self._fold.size
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
