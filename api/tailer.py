"""Follow the log and hand its frames to every subscriber: one tailer for a process, one ring of frames.

A thread waits for the log to grow, by this process or another, and makes each entry's frames once. They go
into a bounded ring on the event loop; a subscriber has a cursor, and reads from the ring while its cursor is
in there and from the store otherwise. So a slow subscriber costs nothing, loses nothing, and is told that it
`fell-behind`. Entries are published after their commit only, and the index alone says what comes next.

The thread starts with the first subscriber.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from api.frames import Frame, checkpoint_event, frame
from ledger.checkpoint import parse_body
from ledger.committer import Ledger
from ledger.errors import StoreError
from ledger.note import parse_note

RING: Final = 4_096
PAGE: Final = 500
WAIT_S: Final = 0.25
RETRY_S: Final = 0.5


class Tailer:
    """The tail of one log. Its methods are called on one event loop."""

    def __init__(self, ledger: Ledger, source: str, *, ring: int = RING) -> None:
        self._ledger = ledger
        self._source = source
        self._ring: deque[Frame] = deque(maxlen=ring)
        self._changed = asyncio.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = asyncio.Lock()
        self.subscribers = 0
        self.draining = False
        self.size = 0
        self.checkpoint: tuple[int, bytes] | None = None

    async def start(self) -> None:
        """Begin to follow the log from its present end, unless it is followed already."""
        async with self._starting:
            if self._thread is not None or self.draining:
                return
            self.size, self.checkpoint = await asyncio.to_thread(self._present)
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._follow, args=(loop,), name="tail", daemon=True)
            self._thread.start()

    def drain(self) -> None:
        """Let every subscriber come to an end."""
        self.draining = True
        self._wake()

    async def stop(self) -> None:
        """Drain, and end the thread."""
        self.drain()
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[None]:
        """Count a subscriber as long as it is there."""
        self.subscribers += 1
        try:
            yield
        finally:
            self.subscribers -= 1

    def in_ring(self, cursor: int) -> bool:
        """Tell whether the entry at a cursor comes from the ring, or is the next to come."""
        return cursor >= self.size - len(self._ring)

    async def read(self, cursor: int) -> Sequence[Frame]:
        """Return frames from a cursor on, in index order without a gap; none at the end of the log."""
        behind = self.size - cursor
        if behind <= 0:
            return ()
        if behind <= len(self._ring):
            start = len(self._ring) - behind
            return [self._ring[n] for n in range(start, min(start + PAGE, len(self._ring)))]
        return await asyncio.to_thread(self._page, cursor, min(cursor + PAGE, self.size))

    async def wait(self, timeout_s: float) -> None:
        """Wait until there may be something new, or the time is up."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _publish(self, frames: Sequence[Frame], checkpoint: tuple[int, bytes] | None) -> None:
        self._ring.extend(frames)
        if frames:
            self.size = frames[-1].entry.index + 1
        self.checkpoint = checkpoint
        self._wake()

    def _present(self) -> tuple[int, tuple[int, bytes] | None]:
        return self._ledger.store.head().size, self._newest_checkpoint()

    def _page(self, start: int, stop: int) -> list[Frame]:
        return [frame(entry, self._source) for entry in self._ledger.store.entries(start, stop)]

    def _newest_checkpoint(self) -> tuple[int, bytes] | None:
        latest = self._ledger.checkpoints.latest()
        if latest is None:
            return None
        size, note = latest
        return size, checkpoint_event(size, parse_body(parse_note(note).text).root, note)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run in the thread: pages of new entries, and each new checkpoint, until told to stop."""
        size, told = self.size, self.checkpoint
        while not self._stopping.is_set():
            try:
                grown = self._ledger.store.wait_for(size + 1, WAIT_S)
                frames = self._page(size, min(grown, size + PAGE)) if grown > size else []
                checkpoint = self._newest_checkpoint()
            except StoreError:
                self._stopping.wait(RETRY_S)  # locked or unreadable for now: what is there comes later
                continue
            if frames or checkpoint != told:
                size, told = size + len(frames), checkpoint
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                    loop.call_soon_threadsafe(self._publish, frames, checkpoint)
