"""Emergency unblindings of a served study that wait to be recorded: what the bedside gets from a frozen log.

    outcome = await record(study, submission)    # Recorded, or Waits where it is queued, durably
    study.unblindings.shows(person, role, participant)

`unblinding.performed` alone is queued, by whichever door it comes in signed; everything else is told that
nothing is recorded now. What waits enters the log before any other statement of this process, as soon as the
store takes it; a frozen log is looked at again by the next process that opens it.

Nothing here is counted, and nobody but who signed is answered otherwise: that somebody was unblinded is
blinded matter itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from api.recorder import Settled
from ledger.committer import Ledger
from ledger.errors import FrozenError, LedgerError, StoreError
from ledger.prepare import Prepared, prepare
from ledger.recorded import Recorded, receipt_of
from ledger.statement import Seen
from ledger.store.unblindings import UnblindingQueue
from ledger.submission import Submission
from ledger.unblinding_door import TYPE, prepare_waiting, take, waits_for
from ledger.unblinding_queue import settle_again

if TYPE_CHECKING:
    from api.study import ServedStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """A statement that is durable in the queue, and enters the log later."""

    event: str


class Unblindings:
    """The queue of one served study; without a file nothing is queued. Thread-safe."""

    def __init__(self, ledger: Ledger, path: Path | None) -> None:
        self._ledger = ledger
        self._queue = UnblindingQueue(path) if path is not None and path.exists() else None
        self._settling = threading.Lock()
        self._wait = False

    @property
    def queue(self) -> UnblindingQueue | None:
        """The queue; None where the study has no directory, or one of before there was a queue."""
        return self._queue

    def prepare(
        self, action: Mapping[str, Any], opened: Mapping[str, Any], have: Seen | None = None
    ) -> Prepared:
        """Prepare a statement; an unblinding behind what waits.

        Raises:
            LedgerError: as `prepare`.
        """
        ledger, queue = self._ledger, self._queue
        asked = queue is not None and action.get("type") == TYPE
        if asked and queue is not None and (ledger.startup.frozen or queue.waiting()):
            return prepare_waiting(ledger, queue, action, opened, have)
        return prepare(ledger, action, opened, have)

    def take(self, submission: Submission, why: LedgerError) -> Recorded | Waits:
        """Answer for a statement that was not recorded, for `why`: known, or queued.

        Raises:
            LedgerError: `why`, or what the log would have against it.
        """
        known = _known(self._ledger, submission) if isinstance(why, FrozenError) else None
        if known is not None:
            return known
        if self._queue is None or submission.statement.type != TYPE:
            raise why
        event = take(self._ledger, self._queue, submission)
        self._wait = True
        return Waits(event=event)

    def shows(self, person: str, role: str, participant: str) -> bool:
        """Tell whether an unblinding waits that shows a participant's regimen to a person.

        Raises:
            StoreError: the queue cannot be read.
        """
        return self._queue is not None and waits_for(self._ledger, self._queue, person, role, participant)

    def first(self) -> None:
        """Record what waits, if this process knows of anything; called before each commit of statements."""
        if self._wait:
            self.settle()

    def settle(self) -> None:
        """Record what waits, other processes' rows included; what cannot be recorded waits on."""
        if self._queue is None:
            return
        with self._settling, suppress(LedgerError):
            self._wait = bool(self._queue.waiting())
            settle_again(self._ledger, self._queue)
            self._wait = self._wait and bool(self._queue.waiting())

    def close(self) -> None:
        """Release the file."""
        if self._queue is not None:
            self._queue.close()


async def record(study: ServedStudy, submission: Submission) -> Recorded | Waits:
    """Record one statement; an emergency unblinding that can't be recorded now is queued.

    Raises:
        LedgerError: as `Ledger.record`.
    """
    try:
        return await study.recorder.record(submission)
    except (FrozenError, StoreError) as error:
        return await run_in_threadpool(study.unblindings.take, submission, error)


async def record_page(study: ServedStudy, submissions: Sequence[Submission]) -> list[Settled | Waits]:
    """Record a page of statements; what `record` would have queued is queued. One outcome each, in order."""
    try:
        settled = await study.recorder.record_page(submissions)
    except StoreError as error:
        settled = [error] * len(submissions)
    if not any(isinstance(each, FrozenError | StoreError) for each in settled):
        return [*settled]
    return await run_in_threadpool(_take_each, study.unblindings, submissions, settled)


def _take_each(
    unblindings: Unblindings, submissions: Sequence[Submission], settled: Sequence[Settled]
) -> list[Settled | Waits]:
    outcomes: list[Settled | Waits] = []
    for submission, outcome in zip(submissions, settled, strict=True):
        if not isinstance(outcome, FrozenError | StoreError):
            outcomes.append(outcome)
            continue
        try:
            outcomes.append(unblindings.take(submission, outcome))
        except LedgerError as error:
            outcomes.append(error)
    return outcomes


def _known(ledger: Ledger, submission: Submission) -> Recorded | None:
    """Return what a statement got that the log has already: who asks again is told so, frozen or not (R5)."""
    event = submission.statement.event
    index = ledger.store.index_of_event(event)
    entry = ledger.store.entry(index) if index is not None else None
    if index is None or entry is None:
        return None
    receipt = receipt_of(ledger.store, index)
    return Recorded(index=index, event=event, leaf=entry.leaf, receipt=receipt, again=True)
