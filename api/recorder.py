"""Record what comes in, as many at once as are waiting: group commit.

Requests wait on the event loop, one worker thread commits, and what arrived meanwhile goes into the next
commit. Statements are judged in the order in which they were handed in, each after the earlier ones.

A failure ends a whole commit and nothing of it was recorded. Where others were in it, each is then tried
alone, so that one request's misfortune is not another's.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ledger.committer import Ledger
from ledger.recorded import Recorded
from ledger.submission import Submission

MAX_COMMIT: Final = 256

Waiting = tuple[Submission, "asyncio.Future[Recorded]"]


class Recorder:
    """The queue before one ledger's write path. Lives on one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
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

    def close(self) -> None:
        """Finish what is being committed and end the worker."""
        self._executor.shutdown(wait=True)

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_COMMIT], self._waiting[MAX_COMMIT:]
            submissions = [submission for submission, _ in batch]
            outcomes = await loop.run_in_executor(self._executor, self._record, submissions)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _settle(future, outcome)

    def _record(self, submissions: list[Submission]) -> list[Recorded | Exception]:
        try:
            return list(self._ledger.record_all(submissions))
        except Exception as error:  # the edge of the worker: the error goes to whoever waits for it
            if len(submissions) == 1:
                return [error]
        return [self._record([submission])[0] for submission in submissions]


def _settle(future: asyncio.Future[Recorded], outcome: Recorded | Exception) -> None:
    if future.done():  # whoever waited has gone; the statement is recorded all the same
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
