"""Record `clock.drifted` when the clock of the service steps while it serves (FDA 2024 Q14, catalogue A)."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ledger.committer import Ledger
from ledger.drift import ASK_EVERY_S, CLOCK, REFERENCE, ClockWatch, steady_us
from ledger.errors import LedgerError

TYPE: Final = "clock.drifted"

_log = structlog.get_logger("clock")


class Drift:
    """Asks every few seconds, and attests a step beyond the limit, once."""

    def __init__(self, study: str, ledger: Ledger, limit_ms: int, watch: ClockWatch | None = None) -> None:
        self._study = study
        self._ledger = ledger
        self._limit_ms = limit_ms
        self._watch = watch or ClockWatch(ledger.sources.now_us, steady_us)
        self._unrecorded_ms: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; called on the event loop."""
        self._task = asyncio.create_task(self._ask_often())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def ask(self) -> int | None:
        """Compare the clocks; record a step beyond the limit and return the index of what was recorded.

        A step that cannot be recorded now, as while the ledger is frozen, is recorded when it can.
        """
        step_ms = self._watch.step_ms()
        if abs(step_ms) > self._limit_ms:
            _log.warning("clock", study=self._study)
            self._unrecorded_ms.append(step_ms)
        index = None
        while self._unrecorded_ms:
            try:
                index = self._record(self._unrecorded_ms[0])
            except LedgerError as error:
                _log.error("clock", study=self._study, code=error.code)
                break
            del self._unrecorded_ms[0]
        return index

    def _record(self, step_ms: int) -> int:
        data = {"clock": CLOCK, "limit_ms": self._limit_ms, "offset_ms": step_ms, "reference": REFERENCE}
        return self._ledger.attest(TYPE, "study", data).index

    async def _ask_often(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            await asyncio.to_thread(self.ask)
