"""Follow a stream for as long as it is wanted: connect, judge, hand on, keep the place, connect again.

Entries come at least once and in index order; those that came already are left out by their index, so each
is handed on once. The place is kept after a batch was handed on, never before: a subscriber that is killed in
the middle of a batch is handed that batch again, and nothing is ever left out. Whoever writes entries
elsewhere does so by index, and is exact.

A connection that breaks is made again after a wait that doubles from a quarter of a second to half a minute
and is drawn at random below that, so that many subscribers of one server do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from ledger.errors import FormatError
from ledger.policy import TrustPolicy
from ledger.subscriber.connection import Connection, LostError, Source
from ledger.subscriber.events import FindingError, Notice, Verified, members, received
from ledger.subscriber.judging import FilteredJudge, Judge, WholeJudge
from ledger.subscriber.position import Position
from ledger.subscriber.sse import SseEvent, SseReader

FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 30.0

Item = Verified | Notice


class Subscriber:
    """A subscription to one stream, from its kept position or from the start."""

    def __init__(
        self,
        source: Source,
        position: Position | None,
        policy: TrustPolicy | None,
        *,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begin where the position is; nothing is connected yet.

        Args:
            position: where to keep the place; None forgets it with the process.
            policy: the subscriber's own; None believes the keys that index 0 names, and is unpinned.
            wait: how to pass the time before another try.

        Raises:
            StoreError: as `Position.restore`.
        """
        self._source = source
        self._position = position
        self._wait = wait
        self._connection: Connection | None = None
        self._handed_on: list[Verified] = []
        self._tries = 0
        if position is not None:
            self.judge: Judge = position.restore(policy)
        else:
            wanted = source.wanted
            self.judge = WholeJudge(policy) if wanted.whole else FilteredJudge(policy, wanted)

    @property
    def after(self) -> int:
        """The index of the last entry that was verified; -1 before the first."""
        return self.judge.after

    def batches(self) -> Iterator[list[Item]]:
        """Yield what arrived together, judged, without end; call `keep` when a batch was dealt with.

        Raises:
            FindingError: something does not hold. All before it was yielded; it is not read on.
            UnreachableError: the stream is not given to this subscriber.
        """
        while True:
            try:
                connection = self._connection = Connection(self._source, self.judge.after)
            except LostError as lost:
                yield from self._lost(lost.retry_after_s)
                continue
            yield [Notice(kind="connected", data={"after": self.judge.after})]
            reader = SseReader()
            retry_s = 0.0
            try:
                while piece := connection.read():
                    yield from self._take(reader, piece)
            except LostError:
                retry_s = (reader.retry_ms or 0) / 1000
            finally:
                connection.close()
            yield from self._lost(retry_s)

    def entries(self) -> Iterator[Verified]:
        """Yield verified entries, and keep the place after each batch of them."""
        for batch in self.batches():
            for item in batch:
                if isinstance(item, Verified):
                    yield item
            self.keep()

    def keep(self) -> None:
        """Make durable that everything yielded so far was dealt with.

        Raises:
            StoreError: `STORE_IO`.
        """
        if self._position is not None:
            self._position.keep(self.judge, self._handed_on)
        self._handed_on.clear()

    def close(self) -> None:
        """Close the connection; the position stays where it was kept last."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, reader: SseReader, piece: bytes) -> Iterator[list[Item]]:
        """Judge the events that a piece completes; what precedes a finding is handed on before it."""
        batch: list[Item] = []
        finding: FindingError | None = None
        try:
            for event in reader.feed(piece):
                item = self._item(event)
                if item is not None:
                    batch.append(item)
        except FindingError as error:
            finding = error
        except FormatError as error:
            finding = FindingError(error.code, error.message, index=self.judge.after + 1)
        if batch:
            self._tries = 0
            self._handed_on += [item for item in batch if isinstance(item, Verified)]
            yield batch
        if finding is not None:
            raise finding

    def _item(self, event: SseEvent) -> Item | None:
        if event.id is None:
            return self._notice(event)
        got = received(event, self.judge.after + 1)
        if isinstance(self.judge, WholeJudge) and got.index <= self.judge.after:
            return None  # it came before, and was judged then
        return self.judge.take(got)

    def _notice(self, event: SseEvent) -> Notice | None:
        """Check a control event. One of a kind that is not known yet says nothing that could be checked."""
        judge = self.judge
        data = members(event, judge.after + 1)
        match event.event:
            case "checkpoint":
                fits = judge.checkpoint(data)
                size = data["size"]
                return Notice(kind="checkpoint", data={"size": size, "root": data["root"], "confirmed": fits})
            case "caught-up" if isinstance(judge, WholeJudge):
                judge.caught_up(data)
            case "erased" if isinstance(judge, WholeJudge):
                judge.erased(data)
            case "caught-up" if isinstance(judge, FilteredJudge):
                size = data.get("size")
                judge.passed_over(size - 1 if isinstance(size, int) else None)
            case "server-draining" if isinstance(judge, FilteredJudge):
                judge.passed_over(data.get("after"))
            case "erased" | "fell-behind" | "server-draining":
                pass
            case _:
                return None
        return Notice(kind=event.event, data=data)

    def _lost(self, at_least_s: float) -> Iterator[list[Item]]:
        """Tell that there is no connection, and wait a while."""
        wait_s = min(FIRST_WAIT_S * 2**self._tries, LONGEST_WAIT_S)
        self._tries = min(self._tries + 1, 16)
        yield [Notice(kind="lost", data={"after": self.judge.after})]
        # Not a secret: only that subscribers don't come back together.
        self._wait(at_least_s + random.uniform(0, wait_s))  # noqa: S311
