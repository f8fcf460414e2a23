"""The tail of the log: no gap, no duplicate, whatever a subscriber's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from api.audience import Filter, audience, renderer
from api.frames import frame
from api.routes.stream import events
from api.tailer import Tailer
from ledger.store.sqlite import SqliteStore
from projections.reader import Reader
from tests.api.client import PARTICIPANT, STREAM, VITALS
from tests.ledger.small_ledger import SmallLedger, make

AUDITOR = Reader(role="inspector")
EVERYTHING = Filter(types=frozenset(), participant=None)
SOURCE = "/v1/studies/small"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A small ledger of the test's own."""
    small = make(tmp_path / "ledger", participants=1)
    yield small
    small.ledger.close()


async def always() -> bool:
    """Hold one's rights."""
    return True


def grow(made: SmallLedger, count: int) -> None:
    """Record measurements; each brings a breach with it."""
    for number in range(count):
        made.say(
            f"more {number}", "bchan", "coordinator", "authorship", "vital_signs.recorded", STREAM, VITALS
        )


async def take(stream: AsyncIterator[bytes], until: str) -> list[tuple[str, str]]:
    """Read (event, id) pairs up to a control event."""
    found: list[tuple[str, str]] = []
    async for chunk in stream:
        for block in chunk.decode().strip().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            found.append((lines["event"], lines.get("id", "")))
        if until in dict(found):
            return found
    return found


def indexes(found: list[tuple[str, str]]) -> list[int]:
    return [int(index) for _, index in found if index]


def subscribe(tailer: Tailer, made: SmallLedger, cursor: int = 0) -> AsyncIterator[bytes]:
    return events(tailer, audience(AUDITOR, EVERYTHING), cursor, hold=always, promised=0)


def test_everything_comes_once_in_order_then_caught_up(made: SmallLedger) -> None:
    """From the start to the head, then `caught-up`, then what is recorded after."""

    async def story() -> tuple[list[int], list[int], int]:
        tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        stream = subscribe(tailer, made)
        first = await take(stream, "caught-up")
        size = tailer.size
        await asyncio.to_thread(grow, made, 2)
        later: list[int] = []
        while len(later) < made.ledger.store.head().size - size:
            later += indexes(await take(stream, "vital_signs.recorded"))
            if later and later[-1] == made.ledger.store.head().size - 1:
                break
        await tailer.stop()
        return indexes(first), later, size

    first, later, size = asyncio.run(story())
    assert first == list(range(size))
    assert later == list(range(size, size + len(later)))


def test_a_slow_subscriber_is_told_and_loses_nothing(made: SmallLedger) -> None:
    """Who falls out of the ring is told `fell-behind`, reads on from the store, and is caught up again."""

    async def story() -> list[tuple[str, str]]:
        tailer = Tailer(made.ledger, SOURCE, ring=3)
        await tailer.start()
        stream = subscribe(tailer, made)
        found = await take(stream, "caught-up")
        await asyncio.to_thread(grow, made, 6)
        size = made.ledger.store.head().size
        while tailer.size < size:
            await tailer.wait()
        found += await take(stream, "caught-up")
        await tailer.stop()
        return found

    found = asyncio.run(story())
    assert [kind for kind, index in found if not index] == ["caught-up", "fell-behind", "caught-up"]
    assert indexes(found) == list(range(made.ledger.store.head().size))


def test_a_writer_in_another_process_is_seen(made: SmallLedger, tmp_path: Path) -> None:
    """What another open store of the same file records arrives as well."""

    async def story() -> list[tuple[str, str]]:
        watched = SqliteStore.open(tmp_path / "ledger" / "ledger.db")
        own, made.ledger.store = made.ledger.store, watched
        tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        stream = subscribe(tailer, made, tailer.size)
        await take(stream, "caught-up")
        made.ledger.store = own
        await asyncio.to_thread(grow, made, 1)
        made.ledger.store = watched
        found = await take(stream, "vital_signs.recorded")
        await tailer.stop()
        made.ledger.store = own
        watched.close()
        return found

    assert "vital_signs.recorded" in dict(asyncio.run(story()))


def test_draining_ends_every_stream_with_its_event(made: SmallLedger) -> None:
    """`server-draining` is the last event, with the place to go on from."""

    async def story() -> list[tuple[str, str]]:
        tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        stream = subscribe(tailer, made)
        await take(stream, "caught-up")
        tailer.drain()
        found = [chunk async for chunk in stream]
        await tailer.stop()
        assert tailer.subscribers == 0
        return [("", chunk.decode()) for chunk in found]

    ((_, last),) = asyncio.run(story())
    assert last.startswith("event: server-draining")
    assert f'"after":{made.ledger.store.head().size - 1}' in last


def test_a_published_checkpoint_is_told_even_where_all_is_filtered_out(made: SmallLedger) -> None:
    """With a filter that nothing passes, checkpoints still show how far the log has come."""

    async def story() -> list[tuple[str, str]]:
        tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        nothing = Filter(types=frozenset({"consent.withdrawn"}), participant=None)
        stream = events(tailer, audience(AUDITOR, nothing), 0, hold=always, promised=0)
        found = await take(stream, "caught-up")
        await asyncio.to_thread(made.ledger.publish)
        found += await take(stream, "checkpoint")
        await tailer.stop()
        return found

    assert dict(asyncio.run(story())).keys() == {"caught-up", "checkpoint"}


@pytest.mark.parametrize(
    ("reader", "chosen", "expected"),
    [
        (AUDITOR, EVERYTHING, "registered"),
        (Reader(role="coordinator", sites=frozenset({"SD-02"})), EVERYTHING, "leaf"),
        (Reader(role="participant", person=PARTICIPANT), EVERYTHING, "registered"),
        (Reader(role="participant", person="SA-01-002"), EVERYTHING, "leaf"),
        (AUDITOR, Filter(types=frozenset({"visit.started"}), participant=None), ""),
        (AUDITOR, Filter(types=frozenset({"participant.registered"}), participant=PARTICIPANT), "registered"),
        (AUDITOR, Filter(types=frozenset(), participant="SA-01-002"), ""),
        (Reader(role="participant", person="x"), Filter(types=frozenset(), participant=PARTICIPANT), ""),
    ],
)
def test_each_subscriber_gets_what_they_may_see(
    made: SmallLedger, reader: Reader, chosen: Filter, expected: str
) -> None:
    """Shown, as leaf without a subject where the count must stay whole, or left out under a filter."""
    entry = made.ledger.store.entry(made.at[f"registered {PARTICIPANT}"])
    assert entry is not None
    sent = renderer(reader, chosen, made.ledger.store)([frame(entry, SOURCE)])
    assert (expected in sent.decode().split("\n")[0]) if expected else sent == b""
    if expected == "leaf":
        assert PARTICIPANT.encode() not in sent
        event = orjson.loads(sent.split(b"data: ")[1].split(b"\n")[0])
        assert event["type"] == "org.trial-ledger.leaf.v1"
        assert "subject" not in event
        assert event["data"].keys() == {"leaf"}


def test_a_correction_of_what_is_hidden_is_hidden(made: SmallLedger) -> None:
    """A role that does not see outcome ratings does not see corrections of them either."""
    data = {
        "instrument": "MADRS",
        "version": "1.0",
        "visit": "screening",
        "language": "en",
        "items": [{"item": "item_1", "value": 3}],
        "total": "3",
        "source": {"kind": "esource"},
    }
    who = ("aruiz", "investigator", "authorship")
    outcome = made.say("outcome", *who, "outcome.recorded", STREAM, data)
    target = {"statement": outcome.event, "path": "/data/total", "old": "3", "new": "4"}
    made.say(
        "corrected",
        *who,
        "correction.made",
        STREAM,
        target,
        opened={"/reason/text": None},
        reason={"code": "transcription"},
    )
    show = renderer(Reader(role="unblinded_monitor"), EVERYTHING, made.ledger.store)
    for label in ("outcome", "corrected"):
        entry = made.ledger.store.entry(made.at[label])
        assert entry is not None
        assert b"event: leaf" in show([frame(entry, SOURCE)])
