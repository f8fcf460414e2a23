"""Pages of older entries for subscribers that catch up: read from the store once for all at the same place.

After a restart everybody comes back a little behind, and somebody new begins at 0 now and then. Pages are
aligned, so that those who catch up together read the same ones; a page that is being read is waited for, and
the last ones are kept within a bound of bytes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from api.audience import Audience

PAGE: Final = 256
SHELF_BYTES: Final = 33_554_432

Load = Callable[[Audience, int, int], list[bytes]]
"""(audience, start, stop) -> a piece for each entry; asks the store."""


class Page(NamedTuple):
    """Joined pieces, and where each entry's begins."""

    begins: list[int]
    joined: bytes


class Shelf:
    """The pages read last. Lives on one event loop."""

    def __init__(self, load: Load, *, limit_bytes: int = SHELF_BYTES) -> None:
        self._load = load
        self._limit_bytes = limit_bytes
        self._pages: OrderedDict[tuple[Audience, int], Page] = OrderedDict()
        self._reading: dict[tuple[Audience, int], asyncio.Task[Page]] = {}
        self._bytes = 0

    async def read(self, audience: Audience, cursor: int, size: int) -> tuple[int, bytes]:
        """Return the next cursor, and what to write to get there, from a log of a size above the cursor.

        Raises:
            StoreError: the store can't be read.
        """
        start = cursor - cursor % PAGE
        if start + PAGE > size:  # it will have more entries: not to be kept
            return size, b"".join(await asyncio.to_thread(self._load, audience, cursor, size))
        page = await self._page(audience, start)
        return start + PAGE, page.joined[page.begins[cursor - start] :]

    async def _page(self, audience: Audience, start: int) -> Page:
        key = (audience, start)
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
            return page
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(key))
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)  # one who leaves does not end it for the others

    async def _read(self, key: tuple[Audience, int]) -> Page:
        audience, start = key
        pieces = await asyncio.to_thread(self._load, audience, start, start + PAGE)
        begins, at = [], 0
        for piece in pieces:
            begins.append(at)
            at += len(piece)
        page = self._pages[key] = Page(begins, b"".join(pieces))
        self._bytes += at
        while self._bytes > self._limit_bytes and len(self._pages) > 1:
            self._bytes -= len(self._pages.popitem(last=False)[1].joined)
        return page
