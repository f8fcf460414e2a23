"""The laws of projections, for every projection of the catalogue, over real ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.store.port import Reads, StoredEntry
from ledger.store.tracking import LedgerTrackingRecorder
from projections.catalogue import KEPT, PROJECTIONS
from projections.projection import Projection, State, encode_state, replay, replay_all
from projections.runner import Runner, opened
from tests.ledger.small_ledger import SmallLedger
from tests.projections.conftest import Told

EVERY = pytest.mark.parametrize("projection", PROJECTIONS.values(), ids=lambda each: each.name)


def encoded(states: Mapping[str, State]) -> dict[str, bytes]:
    return {key: encode_state(state) for key, state in states.items()}


def steps(projection: Projection, reads: Reads) -> list[dict[str, bytes]]:
    """Fold entry by entry, carrying states as bytes only; return all states after each entry."""
    states: dict[str, bytes] = {}
    after = [dict(states)]
    for entry in reads.entries(0, reads.head().size):
        key = projection.key(entry) if projection.folds(entry.type) else None
        if key is not None:
            kept = states.get(key)
            state = projection.initial(key) if kept is None else orjson.loads(kept)
            states[key] = encode_state(projection.fold(state, entry, orjson.loads(entry.statement)))
        after.append(dict(states))
    return after


@EVERY
@pytest.mark.parametrize("ledger", ["told", "small"])
def test_replay_up_to_an_index_is_what_the_fold_had_been_there(
    projection: Projection, ledger: str, told: Told, small: SmallLedger
) -> None:
    """Replaying any prefix gives the states of going on step by step from kept bytes."""
    reads = told.store if ledger == "told" else small.ledger.store
    for size, expected in enumerate(steps(projection, reads)):
        assert encoded(replay_all(projection, reads, size)) == expected


@EVERY
def test_replay_of_one_key_is_that_key_of_a_replay_of_all(projection: Projection, told: Told) -> None:
    """A key's own entries are enough for its state."""
    size = told.store.head().size
    for key, state in replay_all(projection, told.store, size).items():
        entries = [entry for entry in told.store.entries(0, size) if projection.key(entry) == key]
        assert encode_state(replay(projection, entries, key, size)) == encode_state(state)


@settings(max_examples=12)
@given(stops=st.lists(st.integers(0, 73), max_size=5))
def test_runs_in_any_steps_keep_the_same_bytes(
    stops: list[int], told: Told, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However a run was cut, and whether its memory was lost in between, the kept states are the same."""
    path = tmp_path_factory.mktemp("runs") / "projections.db"
    size = told.store.head().size
    for stop in [*sorted(stops), size]:
        with opened(path) as runner:
            runner.run(told.store, min(stop, size))
    with opened(path) as runner:
        for projection in KEPT:
            assert dict(runner.dump(projection)) == encoded(replay_all(projection, told.store, size))


def test_a_rebuild_is_byte_identical(told: Told, tmp_path: Path) -> None:
    """Throwing everything away and folding again gives the bytes that were there."""
    with opened(tmp_path / "projections.db") as runner:
        runner.run(told.store)
        before = [runner.dump(projection) for projection in KEPT]
        assert all(before)
        assert runner.rebuild(told.store) == told.store.head().size
        assert [runner.dump(projection) for projection in KEPT] == before


def test_a_run_that_dies_in_a_page_keeps_nothing_of_it(told: Told, tmp_path: Path) -> None:
    """States and position of a page become durable together or not at all."""

    def failing(state: State, entry: StoredEntry, statement: Mapping[str, Any]) -> State:
        if entry.type == "infusion.started":
            raise OSError("the power went")
        return PROJECTIONS["participants"].fold(state, entry, statement)

    known = PROJECTIONS["participants"]
    dying = Projection(
        name=known.name,
        version=known.version,
        types=known.types,
        key=known.key,
        initial=known.initial,
        fold=failing,
    )
    tracking = LedgerTrackingRecorder.create(tmp_path / "projections.db")
    with pytest.raises(OSError, match="the power went"):
        Runner(tracking, [dying]).run(told.store)
    runner = Runner(tracking, [known])
    assert runner.position(known) == 0
    assert runner.dump(known) == []
    runner.run(told.store)
    expected = encoded(replay_all(known, told.store, told.store.head().size))
    assert dict(runner.dump(known)) == expected
    tracking.close()


def test_another_version_is_built_from_the_start(told: Told, tmp_path: Path) -> None:
    """A changed fold never goes on from the states of the one before it."""
    known = PROJECTIONS["participants"]
    newer = Projection(
        name=known.name,
        version=known.version + 1,
        types=known.types,
        key=known.key,
        initial=known.initial,
        fold=known.fold,
    )
    tracking = LedgerTrackingRecorder.create(tmp_path / "projections.db")
    Runner(tracking, [known]).run(told.store)
    runner = Runner(tracking, [newer])
    assert runner.position(newer) == 0
    runner.rebuild(told.store)
    assert len(runner.dump(newer)) == 1
    assert Runner(tracking, [known]).dump(known) == []
    tracking.close()
