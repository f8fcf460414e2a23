"""Group commit: what waits together is recorded together, and one's misfortune is not another's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.recorder import Recorder
from ledger.errors import StoreError
from ledger.recorded import Recorded
from ledger.submission import Submission
from tests.api.client import VITALS
from tests.behind import full
from tests.ledger.small_ledger import SmallLedger, make

COUNT = 8


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger with a participant for each statement that is handed in at once."""
    small = make(tmp_path / "ledger", participants=COUNT)
    yield small
    small.ledger.close()


def submissions(made: SmallLedger) -> list[Submission]:
    """Sign one measurement of each participant."""
    return [
        made.people["bchan"].submission(
            made.ledger,
            {
                "type": "vital_signs.recorded",
                "stream": f"participant/SA-01-{number:03}",
                "role": "coordinator",
                "data": VITALS,
                "site": "SA-01",
                "protocol": "1.0",
            },
            {},
        )
        for number in range(1, COUNT + 1)
    ]


def record_at_once(made: SmallLedger) -> list[Any]:
    async def story() -> list[Any]:
        recorder = Recorder(made.ledger)
        waiting = [recorder.record(each) for each in submissions(made)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        recorder.close()
        return list(outcomes)

    return asyncio.run(story())


def test_what_waits_together_is_one_commit(made: SmallLedger) -> None:
    """Receipts of statements handed in at once are to one head, in the order of their coming."""
    outcomes = record_at_once(made)
    indexes = [outcome.index for outcome in outcomes]
    assert indexes == sorted(indexes)
    size = made.ledger.store.head().size
    assert {made.ledger.store.head_covering(index) for index in indexes} == {made.ledger.store.head()}
    assert size > max(indexes)


def test_a_commit_that_fails_is_tried_one_by_one(made: SmallLedger) -> None:
    """With room for some of them only, some are recorded and the others are told that the store is full."""
    with full(made.ledger.store, room=4):
        outcomes = record_at_once(made)
    recorded = [outcome for outcome in outcomes if isinstance(outcome, Recorded)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, StoreError)]
    assert recorded
    assert failed
    assert len(recorded) + len(failed) == COUNT
    assert {error.code for error in failed} == {"STORE_FULL"}
    for outcome in recorded:
        assert made.ledger.store.index_of_event(outcome.event) == outcome.index
