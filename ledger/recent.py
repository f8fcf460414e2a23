"""The streams that were read last, parsed: what is about an earlier statement reads its stream again.

A log only grows, so what was parsed of a stream stays right, and only what is newer is parsed. Kept are whole
streams, the one read longest ago goes first, and never more than `KEPT` entries in all (about 30 MB), so that
memory does not grow with the log; a stream with more than that is parsed each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from ledger.entry import Entry

T = TypeVar("T", Entry, Entry | None)

KEPT: Final = 8_192


class RecentStreams(Generic[T]):
    """Parsed entries by stream; None stands for one that can't be read. Not thread-safe: of one fold."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._streams: OrderedDict[str, list[T]] = OrderedDict()
        self._count = 0

    def entries(self, stream: str, after: Callable[[int], Iterable[T]]) -> list[T]:
        """Return a stream's entries; `after` reads and parses those that follow the first n."""
        known = self._streams.pop(stream, [])
        self._count -= len(known)
        known.extend(after(len(known)))
        if len(known) <= self._kept:
            self._streams[stream] = known
            self._count += len(known)
            while self._count > self._kept:
                _, dropped = self._streams.popitem(last=False)
                self._count -= len(dropped)
        return known.copy()
