"""Rings and shelves: dense, bounded, joined once, and read once for all at the same place."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from api import shelf as shelves
from api.audience import Audience, Filter, audience
from api.ring import JOINED, WRITE_BYTES, Ring
from api.routes.stream import events
from api.shelf import Shelf
from api.tailer import Grown, Tailer
from ledger.errors import StoreError
from projections.reader import Reader
from tests.api.test_tailer import AUDITOR, EVERYTHING, SOURCE, always, grow, indexes, take
from tests.ledger.small_ledger import make

WHO = audience(AUDITOR, EVERYTHING)


def pieces(start: int, stop: int) -> list[bytes]:
    return [b"<%d>" % index for index in range(start, stop)]


def test_a_ring_gives_what_lies_between_a_cursor_and_its_end() -> None:
    """From each cursor in it, the rest; nothing at the end, and nothing for who is ahead of it."""
    ring = Ring(10)
    ring.extend(pieces(10, 14))
    ring.extend(pieces(14, 15))
    assert (ring.start, ring.stop) == (10, 15)
    for cursor in range(10, 15):
        assert ring.read(cursor) == (15, b"".join(pieces(cursor, 15)))
    assert [ring.read(cursor) for cursor in (15, 99)] == [(15, b""), (99, b"")]


def test_a_ring_is_bounded_in_entries_and_in_bytes() -> None:
    """The oldest go first; who stands where they were is told, who never was there is not."""
    ring = Ring(0, pieces=100)
    for start in range(0, 1_000, 10):
        ring.extend(pieces(start, start + 10))
        assert ring.stop - ring.start <= 125
    assert ring.read(ring.start)[1] == b"".join(pieces(ring.start, 1_000))
    assert ring.dropped(ring.start - 1)
    assert not ring.dropped(ring.start)
    heavy = Ring(0, limit_bytes=1_000)
    for _ in range(50):
        heavy.extend([b"x" * 90] * 3)
        assert sum(len(heavy.read(cursor)[1][:90]) for cursor in range(heavy.start, heavy.stop)) <= 1_000
    heavy.extend([b"y" * 5_000])
    assert heavy.read(heavy.stop - 1) == (heavy.stop, b"y" * 5_000)
    heavy.skip(400)
    assert (heavy.start, heavy.stop, heavy.dropped(heavy.stop - 1)) == (400, 400, False)


def test_a_write_is_joined_once_for_all_at_a_cursor_and_not_longer_than_allowed() -> None:
    """The same object for everybody until the next entry; many cursors do not fill memory."""
    ring = Ring(0)
    ring.extend([b"x" * 1_000] * 1_000)
    stop, first = ring.read(0)
    assert WRITE_BYTES <= len(first) < WRITE_BYTES + 1_000
    assert stop == len(first) // 1_000
    assert ring.read(0)[1] is first
    for cursor in range(500):
        ring.read(cursor)
    assert len(ring._joined) == JOINED
    ring.extend([b"y"])
    assert ring.read(stop)[1].startswith(b"x")
    assert ring.read(1_000) == (1_001, b"y")


def test_a_page_is_read_once_for_all_who_wait_for_it() -> None:
    """Two hundred come back at once to the same place: the store is asked once; a leaver ends nothing."""
    asked: list[tuple[int, int]] = []
    go = threading.Event()

    def load(who: Audience, start: int, stop: int) -> list[bytes]:
        asked.append((start, stop))
        go.wait(10)
        return pieces(start, stop)

    async def story() -> list[tuple[int, bytes]]:
        shelf = Shelf(load)
        tasks = [asyncio.create_task(shelf.read(WHO, cursor, 1_000)) for cursor in range(200)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[0].cancel()
        go.set()
        return [await task for task in tasks[1:]]

    found = asyncio.run(story())
    assert found == [(256, b"".join(pieces(cursor, 256))) for cursor in range(1, 200)]
    assert asked == [(0, 256)]


def test_a_shelf_keeps_whole_pages_within_a_bound() -> None:
    """The page that will have more entries is read each time; the oldest page goes first."""
    asked: list[tuple[int, int]] = []

    def load(who: Audience, start: int, stop: int) -> list[bytes]:
        asked.append((start, stop))
        return [b"x" * 10] * (stop - start)

    async def story() -> None:
        shelf = Shelf(load, limit_bytes=2 * 256 * 10)
        for cursor in (0, 256, 0, 512, 0, 256, 768, 768):
            await shelf.read(WHO, cursor, 800)

    asyncio.run(story())
    assert asked == [(0, 256), (256, 512), (512, 768), (256, 512), (768, 800), (768, 800)]


def test_a_failed_read_is_not_kept() -> None:
    """Who asks again gets the page."""
    failed: list[bool] = []

    def load(who: Audience, start: int, stop: int) -> list[bytes]:
        if not failed:
            failed.append(True)
            raise StoreError("STORE_BUSY", "another writer holds the store")
        return pieces(start, stop)

    async def story() -> tuple[int, bytes]:
        shelf = Shelf(load)
        with pytest.raises(StoreError, match="STORE_BUSY"):
            await shelf.read(WHO, 0, 1_000)
        return await shelf.read(WHO, 0, 1_000)

    assert asyncio.run(story())[0] == shelves.PAGE


def test_an_audience_that_comes_in_between_misses_nothing(tmp_path: Path) -> None:
    """Entries that were made ready before it was there are read from the store."""
    made = make(tmp_path / "ledger", participants=1)
    other = audience(Reader(role="data_manager"), Filter(types=frozenset(), participant=None))

    async def story() -> list[int]:
        tailer = Tailer(made.ledger, SOURCE)
        tailer.size = size = made.ledger.store.head().size
        stream = events(tailer, other, size, hold=always, promised=0)
        await take(stream, "caught-up")
        await asyncio.to_thread(grow, made, 1)
        tailer._publish(Grown(size=made.ledger.store.head().size, pieces={}, control=False))
        found = indexes(await take(stream, "vital_signs.recorded"))
        tailer.drain()
        assert [size + number for number in range(len(found))] == found
        return found

    assert asyncio.run(story())
    made.ledger.close()
