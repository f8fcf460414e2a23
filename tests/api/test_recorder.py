"""Group commit: what waits together is recorded together, and one's misfortune is not another's."""

from __future__ import annotations

import asyncio
import threading
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


def test_who_was_told_is_in_the_next_commit_again(made: SmallLedger) -> None:
    """What comes next from who was just told joins what waited behind them: one commit more for all of it."""
    statements = submissions(made)
    handed_in = threading.Event()
    recorder = Recorder(made.ledger, handed_in.wait)

    async def twice() -> list[Recorded]:
        return [await recorder.record(statements[0]), await recorder.record(statements[1])]

    async def story() -> list[Recorded]:
        told = asyncio.ensure_future(twice())
        await asyncio.sleep(0)  # its first is handed in …
        await asyncio.sleep(0)  # … and on its way; it waits for the others
        waiting = [asyncio.ensure_future(recorder.record(each)) for each in statements[2:]]
        await asyncio.sleep(0)
        handed_in.set()
        return [*await told, *await asyncio.gather(*waiting)]

    first, *others = asyncio.run(story())
    recorder.close()
    heads = {made.ledger.store.head_covering(each.index) for each in others}
    assert len(heads) == 1
    assert made.ledger.store.head_covering(first.index) not in heads


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


def test_who_comes_after_the_end_is_told(made: SmallLedger) -> None:
    """After the worker has ended nobody waits for ever, neither for one statement nor for a page."""

    async def story() -> None:
        recorder = Recorder(made.ledger)
        recorder.close()
        one, *others = submissions(made)
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            await recorder.record(one)
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            await recorder.record_page(others)

    asyncio.run(story())


def test_who_waits_behind_the_last_commit_is_told(made: SmallLedger) -> None:
    """What is being committed at the end is finished and answered; what waits behind it is not recorded."""

    async def story() -> list[Any]:
        recorder = Recorder(made.ledger)
        first, second, *_ = submissions(made)
        waiting = [asyncio.create_task(recorder.record(first))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # handed over by now
        waiting.append(asyncio.create_task(recorder.record(second)))
        await asyncio.sleep(0)
        recorder.close()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    recorded, refused = asyncio.run(story())
    assert isinstance(recorded, Recorded)
    assert isinstance(refused, StoreError)


def test_the_worker_outlives_what_fails_before_a_commit(made: SmallLedger) -> None:
    """What comes first and fails is told to who waits, and the next statement finds the worker again."""
    failing = [True]

    def first() -> None:
        if failing:
            failing.clear()
            raise StoreError("STORE_IO", "the queue cannot be read")

    async def story() -> list[Any]:
        recorder = Recorder(made.ledger, first)
        one, two, *_ = submissions(made)
        outcomes = [*await asyncio.gather(recorder.record(one), return_exceptions=True)]
        outcomes += await asyncio.gather(recorder.record(two), return_exceptions=True)
        recorder.close()
        return outcomes

    refused, recorded = asyncio.run(story())
    assert isinstance(refused, StoreError)
    assert isinstance(recorded, Recorded)
