"""A projection: one question asked of the log, as a fold.

    state = None
    for entry in log:                         # in index order
        if entry.type in projection.types and projection.key(entry) == key:
            state = projection.fold(projection.initial(key) if state is None else state, entry, statement)

A projection keeps one state for each key, a participant or a stream for example. A state is plain JSON, so
that it can be kept in projections.db and go on from there; the same fold serves replay, as of any index, and
the kept view. Laws that hold for every projection: replaying everything equals folding step by step,
replaying up to i is what the fold had been at i, and rebuilding gives the same bytes.

Folds read stored entries by their columns; a statement is decoded once, when a fold first looks into it.
What is in the store was parsed strictly on its way in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.store.port import Reads, StoredEntry
from projections.lazily import LazyStatement, whole

State = dict[str, Any]
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One projection.

    Attributes:
        name: its stable name; `version` grows with every change of the fold, and a kept view of another
            version is built again.
        types: the action types that it folds; None for all.
        key: names the state that an entry belongs to, by the entry's columns alone; None for no state.
        initial: the state of a key before its first entry.
        fold: takes over the state, an entry and its statement, and returns the state after it.
    """

    name: str
    version: int
    types: frozenset[str] | None
    key: Callable[[StoredEntry], str | None]
    initial: Callable[[str], State]
    fold: Callable[[State, StoredEntry, Mapping[str, Any]], State]

    def folds(self, type_: str) -> bool:
        """Tell whether this projection folds a type."""
        return self.types is None or type_ in self.types


def by_stream(entry: StoredEntry) -> str | None:
    """Key by stream."""
    return entry.stream


def by_participant(entry: StoredEntry) -> str | None:
    """Key by participant: the part of `participant/<id>` after the slash."""
    stream = entry.stream
    return stream[12:] if stream.startswith("participant/") else None


def replay(projection: Projection, entries: Iterable[StoredEntry], key: str, size: int) -> State:
    """Fold the entries of one key, in order, that lie below an index."""
    state, fold, types = projection.initial(key), projection.fold, projection.types
    for entry in entries:
        if entry.index >= size:
            break
        if types is None or entry.type in types:
            state = fold(state, entry, LazyStatement(entry.statement))
    return state


def replay_all(
    projection: Projection, reads: Reads, size: int, begin: Mapping[str, State] | None = None
) -> dict[str, State]:
    """Fold the first `size` entries of the log, every key, on from states to begin with."""
    states = dict(begin or {})
    for start in range(0, size, PAGE):
        for entry in reads.entries(start, min(size, start + PAGE), projection.types):
            key = projection.key(entry) if projection.folds(entry.type) else None
            if key is not None:
                state = states.get(key) or projection.initial(key)
                states[key] = projection.fold(state, entry, LazyStatement(entry.statement))
    return states


def encode_state(state: State) -> bytes:
    """Write a state as it is kept: sorted, so that equal states are equal bytes."""
    return orjson.dumps(state, default=whole, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS)
