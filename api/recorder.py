"""Record what comes in, as many at once as are waiting: group commit.

Requests wait on the event loop, one worker thread commits, and what arrived meanwhile goes into the next
commit. Statements are judged in the order in which they were handed in, each after the earlier ones; their
signatures are checked in a process beside meanwhile.

A failure ends a whole commit and nothing of it was recorded. Where others were in it, each is then tried
alone, so that one request's misfortune is not another's; not where the store as a whole takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Final

from ledger.checker import Checker
from ledger.committer import Ledger, Outcome
from ledger.errors import FrozenError, LedgerError, StoreError
from ledger.recorded import Recorded
from ledger.submission import Submission

MAX_COMMIT: Final = 256
OF_THE_STORE: Final = frozenset({"STORE_BUSY", "STORE_CLOSED"})
"""What befalls every statement alike: none is tried again alone."""

Waiting = tuple[Submission, "asyncio.Future[Recorded]"]
Settled = Outcome | Exception
Work = tuple[Sequence[Submission], bool, asyncio.AbstractEventLoop, Callable[[list[Settled]], object]]
"""Statements of one commit, whether they are a page, and whom to tell on which loop what became of them."""


class Recorder:
    """The queue before one ledger's write path. Lives on one event loop."""

    def __init__(self, ledger: Ledger, first: Callable[[], None] | None = None) -> None:
        """Take statements for a ledger; `first` is called before each commit, in its thread."""
        self._ledger = ledger
        self._first = first
        self._checker = ledger.checker = Checker()
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._worker = Thread(target=self._serve, name="record", daemon=True)
        self._worker.start()
        self._waiting: list[Waiting] = []
        self._busy = False
        self._closed = False

    async def record(self, submission: Submission) -> Recorded:
        """Record one statement.

        Raises:
            LedgerError: as `Ledger.record`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Recorded] = loop.create_future()
        self._waiting.append((submission, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin, loop)  # once everybody who is ready has handed in
        return await future

    async def record_page(self, submissions: Sequence[Submission]) -> list[Settled]:
        """Record statements that were handed in together in one commit; one outcome each, in order.

        What they break is recorded behind all of them, so that a stream's statements which were signed one
        behind the other fit their places.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Settled]] = loop.create_future()
        if self._closed:
            raise _stopped()
        self._work.put((submissions, True, loop, partial(_give, future)))
        return await future

    def close(self) -> None:
        """Finish what is being committed and end the worker; whoever waits behind it is told so."""
        self._closed = True
        self._work.put(None)
        self._worker.join()
        self._ledger.checker = None
        self._checker.close()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what waits to the worker; what it answers is told here, and the next commit begun."""
        batch, self._waiting = self._waiting[:MAX_COMMIT], self._waiting[MAX_COMMIT:]
        submissions = [submission for submission, _ in batch]

        def end(outcomes: list[Settled]) -> None:
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)
            if self._waiting:
                loop.call_soon(self._begin, loop)  # once those who were told have handed in again
            else:
                self._busy = False

        if self._closed:
            end([_stopped()] * len(batch))
        else:
            self._work.put((submissions, False, loop, end))

    def _serve(self) -> None:
        """Commit what is handed over until the end, in a thread: nobody else waits for the disk."""
        while (work := self._work.get()) is not None:
            submissions, page, loop, tell = work
            outcomes = self._record(submissions, page)
            with suppress(RuntimeError):  # the loop is closed: whoever waited has gone
                loop.call_soon_threadsafe(tell, outcomes)

    def _record(self, submissions: Sequence[Submission], page: bool) -> list[Settled]:
        try:
            if self._first is not None:
                self._first()
            return [*self._ledger.record_all(submissions, breaches_last=page)]
        except Exception as error:  # the edge of the worker: the error goes to whoever waits for it
            everybody = isinstance(error, FrozenError) or (
                isinstance(error, LedgerError) and error.code in OF_THE_STORE
            )
            if everybody or len(submissions) == 1:
                return [error] * len(submissions)
        return [self._record([submission], page)[0] for submission in submissions]


def _stopped() -> StoreError:
    return StoreError("STORE_CLOSED", "the service records nothing any more")


def _settle(future: asyncio.Future[Recorded], outcome: Settled) -> None:
    if future.done():  # whoever waited has gone; the statement is recorded all the same
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _give(future: asyncio.Future[list[Settled]], outcomes: list[Settled]) -> None:
    if not future.done():
        future.set_result(outcomes)
