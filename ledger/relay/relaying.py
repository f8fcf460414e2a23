"""Relay a log for as long as it is wanted: ask JetStream where it stands, read on from there, publish, again.

Whatever breaks, on either side, ends one round; the next one begins by asking. Waits between rounds double
from a quarter of a second to half a minute and are drawn at random below that. What no other round can mend
ends the relay: a stream of another log, a ledger that has less than was relayed already, a token refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from ledger.errors import ProofError, StoreError
from ledger.relay.jetstream import Address, AwayError, OutOfStepError, Target, other_log
from ledger.relay.messages import Last, Message, message
from ledger.relay.sources import Batch, Entries, Reading
from ledger.subscriber.connection import LostError
from ledger.subscriber.sse import SseEvent

FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 30.0

BUSY: Final = frozenset({"STORE_BUSY", "STORE_IO", "STORE_CLOSED"})
"""What a store says that another try may mend."""

Tell = Callable[[str, int], None]
"""(what happened, the number of entries that JetStream holds as far as is known)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to relay where to; `create` makes the streams, `once` ends when all there is was relayed."""

    entries: Entries
    address: Address
    create: bool = False
    once: bool = False


class Relay:
    """One relay. `size` is how many entries JetStream holds, as far as it told."""

    def __init__(self, wish: Wish, tell: Tell) -> None:
        self._wish = wish
        self._tell = tell
        self._tries = 0
        self.size = 0

    async def run(self) -> None:
        """Relay until cancelled, or to the present end where that is wanted.

        Raises:
            ProofError: `STREAM_OTHER`, `CURSOR_AHEAD`: the log and the stream are not of one history.
            LedgerError: what no waiting mends.
        """
        while True:
            try:
                if await self._round():
                    return
            except (AwayError, LostError) as error:
                what = "jetstream-away" if isinstance(error, AwayError) else "ledger-away"
                await self._wait(what, getattr(error, "retry_after_s", 0.0))
            except OutOfStepError:
                await self._wait("out-of-step", 0.0)
            except StoreError as error:
                if error.code not in BUSY:
                    raise
                await self._wait("ledger-away", 0.0)

    async def _round(self) -> bool:
        """Relay from where JetStream stands; tell whether all that was wanted is done."""
        wish = self._wish
        async with await Target.open(wish.address, wish.entries.study, create=wish.create) as target:
            last = await target.last()
            self.size = 0 if last is None else last.index + 1
            # The last entry is read once more: its hash tells whether this is the log that was relayed.
            reading = Reading(wish.entries, self.size - 2 if self.size else -1)
            self._tell("relaying", self.size)
            try:
                return await self._pump(target, reading, last)
            finally:
                reading.stop()

    async def _pump(self, target: Target, reading: Reading, last: Last | None) -> bool:
        while True:
            batch = await reading.next()
            if last is not None and (entry := _first(batch)) is not None:
                _same(entry, last)
                batch, last = [event for event in batch if event is not entry], None
            if await self._relay(target, batch, settled=last is None):
                return True
            if batch:
                self._tries = 0

    async def _relay(self, target: Target, batch: Batch, *, settled: bool) -> bool:
        """Publish a batch; what is told of the whole so far goes out after the entries before it."""
        waiting: list[Message] = []
        for event in batch:
            if event.id is not None:
                waiting.append(message(event, self.size + len(waiting), target.base))
                continue
            if event.event == "caught-up" and orjson.loads(event.data)["size"] < self.size:
                raise ProofError("CURSOR_AHEAD", "the ledger has less than was relayed: an older copy of it")
            if event.event not in ("checkpoint", "caught-up") or not settled:
                continue
            await self._publish(target, waiting)
            waiting = []
            if event.event == "checkpoint":
                await target.checkpoint(event.data)
            elif self._wish.once:
                return True
        await self._publish(target, waiting)
        return False

    async def _publish(self, target: Target, messages: list[Message]) -> None:
        if messages:
            await target.publish(messages)
            self.size = messages[-1].index + 1

    async def _wait(self, what: str, at_least_s: float) -> None:
        """Tell why nothing goes on, and wait a while."""
        self._tell(what, self.size)
        wait_s = min(FIRST_WAIT_S * 2**self._tries, LONGEST_WAIT_S)
        self._tries = min(self._tries + 1, 16)
        # Not a secret: only that relays don't come back together.
        await asyncio.sleep(at_least_s + random.uniform(0, wait_s))  # noqa: S311


def _first(batch: Batch) -> SseEvent | None:
    return next((event for event in batch if event.id is not None), None)


def _same(event: SseEvent, last: Last) -> None:
    """Require that the log has the entry that was relayed last.

    Raises:
        ProofError: `STREAM_OTHER`.
    """
    named = orjson.loads(event.data).get("id")
    if event.id != str(last.index) or (last.event is not None and named != last.event):
        raise other_log(last.index)
