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
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ledger.checker import Checker
from ledger.committer import Ledger, Outcome
from ledger.errors import FrozenError, LedgerError
from ledger.recorded import Recorded
from ledger.submission import Submission

MAX_COMMIT: Final = 256
OF_THE_STORE: Final = frozenset({"STORE_BUSY", "STORE_CLOSED"})
"""What befalls every statement alike: none is tried again alone."""

Waiting = tuple[Submission, "asyncio.Future[Recorded]"]
Settled = Outcome | Exception


class Recorder:
    """The queue before one ledger's write path. Lives on one event loop."""

    def __init__(self, ledger: Ledger, first: Callable[[], None] | None = None) -> None:
        """Take statements for a ledger; `first` is called before each commit, in its thread."""
        self._ledger = ledger
        self._first = first
        self._checker = ledger.checker = Checker()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="record")
        self._waiting: list[Waiting] = []
        self._committing: asyncio.Task[None] | None = None

    async def record(self, submission: Submission) -> Recorded:
        """Record one statement.

        Raises:
            LedgerError: as `Ledger.record`.
        """
        future: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())
        return await future

    async def record_page(self, submissions: Sequence[Submission]) -> list[Settled]:
        """Record statements that were handed in together in one commit; one outcome each, in order.

        What they break is recorded behind all of them, so that a stream's statements which were signed one
        behind the other fit their places.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._record, submissions, True)

    def close(self) -> None:
        """Finish what is being committed and end the worker."""
        self._executor.shutdown(wait=True)
        self._ledger.checker = None
        self._checker.close()

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_COMMIT], self._waiting[MAX_COMMIT:]
            submissions = [submission for submission, _ in batch]
            outcomes = await loop.run_in_executor(self._executor, self._record, submissions, False)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)

    def _record(self, submissions: Sequence[Submission], page: bool) -> list[Settled]:
        if self._first is not None:
            self._first()
        try:
            return [*self._ledger.record_all(submissions, breaches_last=page)]
        except Exception as error:  # the edge of the worker: the error goes to whoever waits for it
            everybody = isinstance(error, FrozenError) or (
                isinstance(error, LedgerError) and error.code in OF_THE_STORE
            )
            if everybody or len(submissions) == 1:
                return [error] * len(submissions)
        return [self._record([submission], page)[0] for submission in submissions]


def _settle(future: asyncio.Future[Recorded], outcome: Settled) -> None:
    if future.done():  # whoever waited has gone; the statement is recorded all the same
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
