"""Follow the log and hand its entries to every subscriber: one tailer for a process and study.

A thread waits for the log to grow, by this process or another, makes each new entry's frames once, and
judges them once for each audience. Their pieces go into one ring for each audience on the event loop; a
subscriber is a cursor, reads from the ring while the cursor is in there, and from the store otherwise. So a
slow subscriber costs nothing, loses nothing, and is told that it `fell-behind`. Entries are published after
their commit only: what the store shows is committed, and the index alone says what comes next.

The thread starts with the first subscriber. Whoever waits is woken by the next entry or checkpoint, and now
and then to look around; nobody has a timer of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.audience import Audience
from api.frames import Frame, checkpoint_event, frame
from api.ring import PIECES, Ring
from api.shelf import Shelf
from ledger.checkpoint import parse_body
from ledger.committer import Ledger
from ledger.errors import StoreError
from ledger.note import parse_note
from ledger.statement import class_of

PAGE: Final = 500
WAIT_S: Final = 0.25
RETRY_S: Final = 0.5
TICK_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """New entries on their way from the thread to the event loop.

    Attributes:
        pieces: of each audience that was there, as many as there are entries.
        control: whether one of them may have changed who may do what.
    """

    size: int
    pieces: Mapping[Audience, Sequence[bytes]]
    control: bool


class Tailer:
    """The tail of one log. Its methods are called on one event loop.

    Attributes:
        source: the study's address, as events name it.
        size: the log as far as it was followed.
        turn: counts how often something may have been new.
        ticks: counts `TICK_S` since the start.
        controls: counts pages with entries that may have changed who may do what.
        checkpoint: size and event of the newest one that was published.
    """

    def __init__(self, ledger: Ledger, source: str, *, ring: int = PIECES) -> None:
        self._ledger = ledger
        self.source = source
        self._pieces = ring
        self._rings: dict[Audience, Ring] = {}
        self._seats: Counter[Audience] = Counter()
        self._audiences: tuple[Audience, ...] = ()
        self._shelf = Shelf(self._load)
        self._waiting: list[asyncio.Future[None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = asyncio.Lock()
        self._tick: asyncio.TimerHandle | None = None
        self.draining = False
        self.size = 0
        self.turn = 0
        self.ticks = 0
        self.controls = 0
        self.checkpoint: tuple[int, bytes] | None = None

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return self._seats.total()

    async def start(self) -> None:
        """Begin to follow the log from its present end, unless it is followed already."""
        async with self._starting:
            if self._thread is not None or self.draining:
                return
            self.size, self.checkpoint = await asyncio.to_thread(self._present)
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._follow, args=(loop,), name="tail", daemon=True)
            self._thread.start()
            self._tick = loop.call_later(TICK_S, self._look_around, loop)

    def drain(self) -> None:
        """Let every subscriber come to an end."""
        self.draining = True
        self._wake()

    async def stop(self) -> None:
        """Drain, and end the thread."""
        self.drain()
        self._stopping.set()
        if self._tick is not None:
            self._tick.cancel()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @contextlib.contextmanager
    def seat(self, audience: Audience) -> Iterator[Ring]:
        """Have a place in an audience, and its ring, as long as the block runs."""
        if audience not in self._rings:
            self._rings[audience] = Ring(self.size, pieces=self._pieces)
            self._audiences = tuple(self._rings)
        self._seats[audience] += 1
        try:
            yield self._rings[audience]
        finally:
            self._seats[audience] -= 1
            if not self._seats[audience]:
                del self._seats[audience], self._rings[audience]
                self._audiences = tuple(self._rings)

    async def older(self, audience: Audience, cursor: int) -> tuple[int, bytes]:
        """Return the next cursor and what to write, of entries before those of the ring.

        The same cursor where the store can't be read for now: what is there comes later.
        """
        try:
            return await self._shelf.read(audience, cursor, self.size)
        except StoreError:
            return cursor, b""

    def wait(self) -> Awaitable[None]:
        """Wait until there may be something new, at most `TICK_S`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def _wake(self) -> None:
        self.turn += 1
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():  # who has left is cancelled
                waiter.set_result(None)

    def _look_around(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ticks += 1
        self._wake()
        self._tick = loop.call_later(TICK_S, self._look_around, loop)

    def _publish(self, grown: Grown) -> None:
        self.size = grown.size
        self.controls += grown.control
        for audience, ring in self._rings.items():
            pieces = grown.pieces.get(audience)
            if pieces is None:  # it came while the thread made these: the store has them
                ring.skip(grown.size)
            else:
                ring.extend(pieces)
        self._wake()

    def _tell(self, checkpoint: tuple[int, bytes]) -> None:
        self.checkpoint = checkpoint
        self._wake()

    def _present(self) -> tuple[int, tuple[int, bytes] | None]:
        return self._ledger.store.head().size, self._newest_checkpoint(None)

    def _page(self, start: int, stop: int) -> list[Frame]:
        return [frame(entry, self.source) for entry in self._ledger.store.entries(start, stop)]

    def _load(self, audience: Audience, start: int, stop: int) -> list[bytes]:
        store = self._ledger.store
        return [audience.piece(each, store) for each in self._page(start, stop)]

    def _grown(self, start: int, stop: int) -> Grown:
        store, frames = self._ledger.store, self._page(start, stop)
        return Grown(
            size=start + len(frames),
            pieces={who: [who.piece(each, store) for each in frames] for who in self._audiences},
            control=any(class_of(each.entry.type, each.entry.stream) == "control" for each in frames),
        )

    def _newest_checkpoint(self, told: tuple[int, bytes] | None) -> tuple[int, bytes] | None:
        latest = self._ledger.checkpoints.latest()
        if latest is None or (told is not None and told[0] == latest[0]):
            return told
        size, note = latest
        return size, checkpoint_event(size, parse_body(parse_note(note).text).root, note)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run in the thread: pages of new entries, and each new checkpoint, until told to stop."""
        size, told, looked = self.size, self.checkpoint, 0.0
        while not self._stopping.is_set():
            try:
                seen = self._ledger.store.wait_for(size + 1, WAIT_S)
                if seen > size:
                    grown = self._grown(size, min(seen, size + PAGE))
                    size = grown.size
                    _hand_over(loop, self._publish, grown)
                if time.monotonic() - looked >= WAIT_S:
                    looked, before = time.monotonic(), told
                    told = self._newest_checkpoint(told)
                    if told is not None and told is not before:
                        _hand_over(loop, self._tell, told)
            except StoreError:
                self._stopping.wait(RETRY_S)  # locked or unreadable for now: what is there comes later


def _hand_over(loop: asyncio.AbstractEventLoop, take: object, value: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
        loop.call_soon_threadsafe(take, value)  # type: ignore[arg-type]
