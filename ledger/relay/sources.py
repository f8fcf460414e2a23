"""Where a relay reads: the stream of a served study, entry by entry after an index, with its checkpoints.

A source blocks while nothing is new, so the relay reads it in a thread of its own (`Reading`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Protocol

from ledger.subscriber.connection import Connection, LostError, Source
from ledger.subscriber.sse import SseEvent, SseReader

WAITING: Final = 4
"""So many batches wait between the thread that reads and the loop that publishes."""

Batch = list[SseEvent]


class Entries(Protocol):
    """A stream of one study as one reader sees it, without a filter: every index is there."""

    @property
    def study(self) -> str:
        """The study's id."""

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield events after an index (-1 for all), control events among them, until the other side ends.

        Raises:
            LostError: the connection broke; asking again helps.
            LedgerError: it will never be had.
        """


class Served:
    """The stream of a server, read over HTTP with a bearer token."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def study(self) -> str:
        """The last part of the study's address."""
        return self._source.path.partition("?")[0].removesuffix("/stream").rpartition("/")[2]

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield what arrives together."""
        connection = Connection(self._source, after)
        try:
            reader = SseReader()
            while piece := connection.read():
                yield reader.feed(piece)
        finally:
            connection.close()


class Reading:
    """A thread that reads a source, and a short queue of what it read, on the loop where it was made."""

    def __init__(self, entries: Entries, after: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Batch | BaseException] = asyncio.Queue(WAITING)
        self._stopped = threading.Event()
        # A daemon: it may sit in a read that only the other side can end.
        threading.Thread(target=self._read, args=(entries, after), name="relay", daemon=True).start()

    async def next(self) -> Batch:
        """Wait for the next batch.

        Raises:
            LostError: at the end, or where the connection broke.
            LedgerError: as the source.
        """
        got = await self._queue.get()
        if isinstance(got, BaseException):
            raise got
        return got

    def stop(self) -> None:
        """Let the thread end with what it reads next."""
        self._stopped.set()
        while not self._queue.empty():
            self._queue.get_nowait()

    def _read(self, entries: Entries, after: int) -> None:
        ending: BaseException = LostError()
        try:
            for batch in entries.batches(after):
                if self._stopped.is_set():
                    return
                self._put(batch)
        except Exception as error:  # the edge of the thread: it goes to whoever waits
            ending = error
        self._put(ending)

    def _put(self, item: Batch | BaseException) -> None:
        waiting = self._queue.put(item)
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
        except RuntimeError:  # the loop is closed: nobody waits any more
            waiting.close()
