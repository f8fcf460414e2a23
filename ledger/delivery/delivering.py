"""Deliver: to each endpoint in force one entry after the other, to the log's end, and then wait for more.

Endpoints don't wait for each other; within one there is one attempt at a time. Its own place and its replays
are lanes: each in index order, the one that is due first goes first. The place is kept after the receiver's
2xx, so whoever is killed in between sends that one entry again, under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ledger.delivery import signing
from ledger.delivery.addresses import Reach
from ledger.delivery.book import Book, Lane, Lease
from ledger.delivery.endpoints import Endpoint
from ledger.delivery.schedule import SECOND_US, Schedule
from ledger.delivery.sending import GONE, Outcome, Sender
from ledger.delivery.standing import Standing
from ledger.errors import FormatError, LedgerError, StoreError

PAGE: Final = 100
OWN: Final = -1
"""`first` of the lane that is the endpoint's own place."""

LOOK_S: Final = 1.0
"""How often endpoints are looked for, and a lease that another process has."""

IN_FORCE: Final = "in force"
OFF: Final = "off"
SIGNED_OTHER: Final = "the configuration that was signed is not here"
NOT_SIGNED: Final = "not signed"
NO_KEY: Final = "a signing key is not here"
NOT_HELD: Final = "the reader does not hold the role there"
FORBIDDEN: Final = "the operator does not let webhooks go there"
IS_GONE: Final = "the receiver is gone"


class Log(Protocol):
    """What deliveries ask of a ledger; the methods block, and are called beside the event loop."""

    def standings(self) -> Mapping[str, Standing]:
        """Return the endpoints as the log has them now."""

    def holds(self, endpoint: Endpoint) -> bool:
        """Tell whether the reader's account is active and holds the role on these sites now."""

    def bodies(self, endpoint: Endpoint, start: int, stop: int) -> Sequence[tuple[int, bytes | None]]:
        """Return index and body of the entries from `start` on; None where the endpoint does not get one."""

    def wait(self, size: int, timeout_s: float) -> int:
        """Wait until the log has `size` entries, or the time is up; return its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An endpoint that can be sent to: its configuration and the seeds to sign with."""

    endpoint: Endpoint
    seeds: tuple[bytes, ...]


Tell = Callable[[str, str, str], None]
"""(what, endpoint, code): nothing of an entry, nothing of a receiver's answer."""


def state_of(
    book: Book, holds: Callable[[Endpoint], bool], reach: Reach, name: str, standing: Standing, now_us: int
) -> str | Ready:
    """Return what is needed to send to an endpoint, or why nothing is sent.

    Args:
        holds: tells whether an endpoint's reader holds the role now.

    Raises:
        StoreError: the book cannot be read.
    """
    if standing.digest is None:
        return NOT_SIGNED if standing.since < 0 else OFF
    try:
        endpoint = book.config(standing.digest, reach)
    except FormatError:
        return FORBIDDEN
    if endpoint is None or endpoint.endpoint != name:
        return SIGNED_OTHER
    if (standing.host, standing.reader) != (endpoint.host, endpoint.reader):
        return SIGNED_OTHER
    seeds = tuple(book.seed(name, public) for public in standing.signing(now_us))
    if not seeds or None in seeds:
        return NO_KEY
    if not holds(endpoint):
        return NOT_HELD
    if book.gone(name, standing.since):
        return IS_GONE
    return Ready(endpoint=endpoint, seeds=tuple(seed for seed in seeds if seed is not None))


class Deliverer:
    """The deliveries of one ledger; lives on one event loop."""

    def __init__(
        self,
        *,
        book: Book,
        lease: Lease,
        log: Log,
        sender: Sender,
        reach: Reach,
        schedule: Schedule,
        now_us: Callable[[], int],
        tell: Tell,
    ) -> None:
        self._book, self._lease, self._log = book, lease, log
        self._sender, self._reach, self._schedule = sender, reach, schedule
        self._now_us, self._tell = now_us, tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, str] = {}
        self._size = 0
        self._grown = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled, as long as this process holds the lease."""
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                try:
                    if await asyncio.to_thread(self._lease.take):
                        await self._look()
                except LedgerError as error:
                    self._stopped("", error.code)
                await asyncio.sleep(LOOK_S)
        finally:
            for task in (watching, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(watching, *self._tasks.values(), return_exceptions=True)
            await self._sender.close()
            self._lease.release()

    async def _watch(self) -> None:
        """Wake whoever waits when the log has grown."""
        while True:
            try:
                size = await asyncio.to_thread(self._log.wait, self._size + 1, LOOK_S)
            except LedgerError:
                await asyncio.sleep(LOOK_S)
                continue
            if size > self._size:
                self._size = size
                self._grown.set()
                self._grown = asyncio.Event()

    async def _look(self) -> None:
        """Begin with each endpoint that has none running; each of them ends by itself."""
        for name in await asyncio.to_thread(self._log.standings):
            task = self._tasks.get(name)
            if task is None or task.done():
                self._tasks[name] = asyncio.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        """Deliver to one endpoint until it is out of force."""
        try:
            while await self._step(name):
                pass
        except LedgerError as error:
            self._stopped(name, error.code)

    def _stopped(self, name: str, code: str) -> None:
        """Tell once what stops an endpoint's deliveries, or all of them; each second they are tried again."""
        if self._told.get(name) != code:
            self._told[name] = code
            self._tell("deliveries-stopped", name, code)

    async def _step(self, name: str) -> bool:
        """Deal with a page of the lane that is due, or wait; tell whether to go on."""
        ready, lane, size = await asyncio.to_thread(self._due, name)
        if ready is None:
            return False
        if lane is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._grown.wait(), LOOK_S)
            return True
        wait_s = (lane.due_us - self._now_us()) / SECOND_US
        if wait_s > 0:
            await asyncio.sleep(min(wait_s, LOOK_S))
            return True
        await self._page(ready, lane, size)
        return True

    def _due(self, name: str) -> tuple[Ready | None, Lane | None, int]:
        """Return the endpoint, its lane that is due first of those with something to send, and the size."""
        size = self._log.wait(0, 0)
        standing = self._log.standings()[name]
        ready = state_of(self._book, self._log.holds, self._reach, name, standing, self._now_us())
        if not isinstance(ready, Ready):
            return None, None, size
        begun, start = standing.begun, ready.endpoint.after + 1
        self._book.begin(Lane(endpoint=name, ordered=begun, first=OWN, next=start, stop=None))
        for each in standing.replays:
            order, first, stop = each.ordered, each.first, min(each.last + 1, each.ordered)
            self._book.begin(Lane(endpoint=name, ordered=order, first=first, next=first, stop=stop))
        lanes = [lane for lane in self._book.lanes(name) if not lane.done and lane.next < size]
        return ready, min(lanes, key=lambda lane: (lane.due_us, lane.ordered), default=None), size

    async def _page(self, ready: Ready, lane: Lane, size: int) -> None:
        """Send entries of a lane until one fails, or the log grows: what is new may be about this one."""
        stop = min(size, lane.next + PAGE, size if lane.stop is None else lane.stop)
        for index, body in await asyncio.to_thread(self._log.bodies, ready.endpoint, lane.next, stop):
            if body is None:
                continue
            if lane.next < index:
                lane = await self._advance(lane, index)
            if not await self._send(ready, lane, body):
                return
            lane = await self._taken(lane, index)
            self._told.pop(lane.endpoint, None)
            if self._size > size:
                return
        if lane.next < stop:
            await self._advance(lane, stop)

    async def _taken(self, lane: Lane, index: int) -> Lane:
        """Keep that the receiver has an entry, also where this is ended meanwhile."""
        keeping = asyncio.ensure_future(self._advance(lane, index + 1, index))
        try:
            return await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await keeping
            raise

    async def _advance(self, lane: Lane, following: int, delivered: int | None = None) -> Lane:
        await asyncio.to_thread(self._book.advance, lane, following, delivered)
        return replace(lane, next=following, tries=0, since_us=0, due_us=0, trouble="")

    async def _send(self, ready: Ready, lane: Lane, body: bytes) -> bool:
        """Try the lane's next entry once; tell whether it was taken, and keep what is to follow where not."""
        now_us = self._now_us()
        name = signing.delivery_id(lane.endpoint, lane.next)
        headers = signing.headers(name, now_us // SECOND_US, body, ready.seeds)
        outcome = await self._sender.send(ready.endpoint.url, headers, body)
        if not outcome.taken:
            self._tell("delivery-failed", lane.endpoint, outcome.trouble)
            await asyncio.to_thread(self._failed, lane, outcome)
        return outcome.taken

    def _failed(self, lane: Lane, outcome: Outcome) -> None:
        now_us, trouble = self._now_us(), outcome.trouble
        since_us = lane.since_us or now_us
        if trouble == GONE:
            self._book.set_gone(lane.endpoint, self._log.standings()[lane.endpoint].since)
            self._tell("endpoint-gone", lane.endpoint, trouble)
        elif self._schedule.spent(since_us, now_us):
            self._book.park(lane, now_us=now_us, trouble=trouble)
            self._tell("delivery-parked", lane.endpoint, trouble)
        else:
            due_us = self._schedule.due_us(lane.tries + 1, now_us, outcome.retry_after_s)
            self._book.failed(lane, since_us=since_us, due_us=due_us, trouble=trouble)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a running deliverer, and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError, StoreError):
        await task
