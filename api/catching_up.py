"""Catch-up as JSON lines: a range of entries that are there already, and then the end.

    {"specversion":"1.0","id":"<E>",…,"sequence":"0",…,"data":{"statement":{…},"leaf":{…}}}
    …
    {"control":"checkpoint","size":812,"root":"…","note":"…"}
    {"control":"end","after":811,"size":812}

Each line of an entry is what the stream has as `data`. The newest checkpoint follows where the range reaches
it, so that the leaves that came can be compared with what the log's keys signed. The last line says where to
go on, and that nothing was cut off; `server-draining` or `access-ended` stand there instead where it ends
early. Nothing is kept between pages, so the range may be as long as the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from api.audience import Audience
from api.frames import checkpoint_data, control_line, line
from api.tailer import Tailer
from ledger.checkpoint import parse_body
from ledger.committer import Ledger
from ledger.note import parse_note

PAGE: Final = 500


async def lines(
    tailer: Tailer, ledger: Ledger, who: Audience, span: range, size: int, hold: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Yield the lines of a range, a page at a time.

    Args:
        span: indexes, all of them below `size`.
        size: the log's, as the answer's head names it.
        hold: whether the reader's rights are still there.
    """
    # The next page is read while this one is on its way.
    ahead = _read(tailer, ledger, who, span)
    try:
        for start in range(span.start, span.stop, PAGE):
            if tailer.draining:
                yield control_line("server-draining", after=start - 1)
                return
            if not await hold():
                yield control_line("access-ended", after=start - 1)
                return
            ready, ahead = await ahead, _read(tailer, ledger, who, range(start + PAGE, span.stop))
            yield ready
    finally:
        ahead.cancel()
    yield await asyncio.to_thread(_end, ledger, span.stop, size)


def _read(tailer: Tailer, ledger: Ledger, who: Audience, span: range) -> asyncio.Task[bytes]:
    """Begin to read the first page of a range."""
    stop = min(span.start + PAGE, span.stop)
    return asyncio.create_task(asyncio.to_thread(page, ledger, who, tailer.source, span.start, stop))


def page(ledger: Ledger, who: Audience, source: str, start: int, stop: int) -> bytes:
    """Return the lines of start <= index < stop; asks the store."""
    store = ledger.store
    return b"".join(who.piece(line(entry, source), store) for entry in store.entries(start, stop))


def _end(ledger: Ledger, stop: int, size: int) -> bytes:
    end = control_line("end", after=stop - 1, size=size)
    latest = ledger.checkpoints.latest()
    if latest is None or latest[0] > stop:
        return end
    covered, note = latest
    data = checkpoint_data(covered, parse_body(parse_note(note).text).root, note)
    return control_line("checkpoint", **data) + end
