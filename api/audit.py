"""The storage read again all day, beside requests: what `fsck` does at once, in small steps
(docs/operating.md).

    a few entries → a wait as long as keeps to the share of one core → … → the tables beside → what was found

A pass goes on where it stopped, each step in a snapshot of its own, and ends with whatever was recorded
meanwhile. The next one begins when its time comes. What was found is told by `readyz`, by the metrics and in
the log of the service, with codes and nobody's data; it stays until a whole pass finds nothing.

Left out on purpose: an event of its own. The catalogue has none that says it, and damaged storage is not to
be written to; `fsck` tells the operator everything, `restore.tested` and `verify` tell others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog

from ledger.committer import Ledger
from ledger.errors import LedgerError
from ledger.reread.damage import Checker, Damage
from ledger.reread.walk import Walk
from ledger.store.port import Reads, StoredEntry

SHARE: Final = 0.05
"""Of one core, lasting."""
STEP: Final = 32
"""Entries of one step: few, so that no request waits for long."""
LONGEST_WAIT_S: Final = 60.0

_log = structlog.get_logger("audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The newest whole pass: when it ended (POSIX seconds), how many entries, and what it found."""

    at_s: float
    entries: int
    damage: tuple[Damage, ...]


class Audit:
    """Passes over one ledger's storage, one behind the other, in a thread of low demands."""

    def __init__(
        self,
        study: str,
        ledger: Ledger,
        every_s: float,
        checkers: Sequence[Checker] = (),
        *,
        share: float = SHARE,
    ) -> None:
        """A pass begins `every_s` after the one before began, or at once where that took longer."""
        self._study = study
        self._ledger = ledger
        self._every_s = every_s
        self._checkers = tuple(checkers)
        self._share = share
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._used_s = 0.0
        self.entries = 0
        self.passed: Passed | None = None

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What the newest whole pass found."""
        return () if self.passed is None else self.passed.damage

    def start(self, after: threading.Event) -> None:
        """Begin, once something else has ended."""
        self._thread = threading.Thread(target=self._run, args=(after,), name="audit", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End at the next step."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self) -> Passed | None:
        """Do one whole pass and tell what it found; None where it was ended before."""
        self._used_s = time.thread_time()
        try:
            damage = self._pass()
        except LedgerError as error:
            # What cannot be read at all is damage as well, unless the store is only busy or closed.
            if error.code != "STORE_CORRUPT":
                raise
            damage = [Damage(code=error.code, index=None, where="store", detail=error.message)]
        if damage is None:
            return None
        self.passed = Passed(at_s=time.time(), entries=self.entries, damage=tuple(damage))
        self._tell(self.passed)
        return self.passed

    def _run(self, after: threading.Event) -> None:
        after.wait()
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self.run_once()
            except LedgerError as error:
                _log.warning("unaudited", study=self._study, code=error.code)
            self._ended.wait(max(1.0, self._every_s - (time.monotonic() - began)))

    def _pass(self) -> list[Damage] | None:
        """Read everything; None where this was ended before it was through."""
        ledger = self._ledger
        walk = Walk(ledger.data_keys, ledger.signers.verifier_keys, ledger.checkpoints)
        self.entries = 0
        while walk.size < ledger.store.head().size:
            with ledger.store.snapshot() as reads:
                walk.step(reads, min(walk.size + STEP, reads.size))
            self.entries = walk.size
            if self._rest():
                return None
        published = ledger.checkpoints.latest()
        lines = () if ledger.gathering is None else ledger.gathering.kept.all_lines()
        with ledger.store.snapshot() as reads:
            damage = walk.finish(reads, published, lines, [self._slowly(each) for each in self._checkers])
        self.entries = walk.size
        return None if self._ended.is_set() else damage

    def _slowly(self, checker: Checker) -> Checker:
        """Let a checker rest whenever it asks for a page of entries."""
        return lambda reads: checker(cast(Reads, _Paced(reads, self._rest)))

    def _rest(self) -> bool:
        """Wait until what was used is the share of what passed; tell whether everything is to end."""
        used_s = time.thread_time()
        wait_s = (used_s - self._used_s) * (1 / self._share - 1)
        self._used_s = used_s
        return self._ended.wait(min(wait_s, LONGEST_WAIT_S))

    def _tell(self, passed: Passed) -> None:
        _log.info("audited", study=self._study)
        for code in sorted({each.code for each in passed.damage}):
            _log.error("damaged", study=self._study, code=code)


class _Paced:
    """Reads that rest before each page of entries."""

    def __init__(self, reads: Reads, rest: Callable[[], bool]) -> None:
        self._reads = reads
        self._rest = rest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reads, name)

    def entries(self, start: int, stop: int, types: Collection[str] | None = None) -> list[StoredEntry]:
        """Rest, then answer."""
        self._rest()
        return self._reads.entries(start, stop, types)
