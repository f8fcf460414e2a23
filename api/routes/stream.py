"""The stream: every entry in index order, at least once, without a gap (interfaces.md, "Stream")."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import sight
from api.answers import head_header
from api.call import Call
from api.frames import Frame, control
from api.operations import Operation, Parameter
from api.problems import ProblemError
from api.tailer import Tailer
from ledger.actions import all_specs
from ledger.errors import FormatError
from ledger.lines import parse_decimal
from ledger.roles import SIGHTS
from ledger.store.port import Reads
from projections.reader import Reader

HEAD: Final = "head"
BEFORE_FIRST: Final = "-1"
KEEPALIVE_S: Final = 15.0
MAX_STREAMS: Final = 1_000
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Authorization"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a subscriber asked for; empty `types` and no participant ask for everything."""

    types: frozenset[str]
    participant: str | None

    @property
    def asked(self) -> bool:
        """Tell whether anything is left out on the subscriber's own wish."""
        return bool(self.types) or self.participant is not None

    def passes(self, frame: Frame) -> bool:
        """Tell whether an entry is among what was asked for."""
        if self.types and frame.entry.type not in self.types:
            return False
        return self.participant is None or frame.entry.stream == f"participant/{self.participant}"


async def stream(call: Call) -> Response:
    """Open the stream after a cursor."""
    study = call.study
    tailer = study.tailer
    chosen = _filter(call)
    if tailer.draining:
        raise ProblemError("DRAINING", 503, headers={"Retry-After": "1"})
    if tailer.subscribers >= MAX_STREAMS:
        raise ProblemError("STREAMS_FULL", 503, headers={"Retry-After": "10"})
    await tailer.start()
    head = await run_in_threadpool(study.ledger.store.head)
    cursor = _cursor(call, head.size)
    show = renderer(call.reader, chosen, study.ledger.store)
    return EventSourceResponse(
        events(tailer, cursor, show, blocking=_asks_store(call.reader), promised=head.size),
        headers={**HEADERS, **head_header(head)},
    )


def renderer(reader: Reader, chosen: Filter, reads: Reads) -> Callable[[Sequence[Frame]], bytes]:
    """Return what writes frames as one reader sees them.

    Without a filter an entry that may not be seen stands as its leaf, so that the count stays whole; with one
    it is left out.
    """

    def show(frames: Sequence[Frame]) -> bytes:
        out = bytearray()
        for each in frames:
            if not chosen.asked or chosen.passes(each):
                if sight.sees(reader, each.entry, each.statement, reads):
                    out += each.whole
                elif not chosen.asked:
                    out += each.leaf
            out += each.told
        return bytes(out)

    return show


async def events(
    tailer: Tailer,
    cursor: int,
    show: Callable[[Sequence[Frame]], bytes],
    *,
    blocking: bool,
    promised: int,
) -> AsyncIterator[bytes]:
    """Yield entries from a cursor on, and what is to be told between them, until the service drains.

    `blocking` says that `show` asks the store, and runs it beside the event loop. `promised` is the size that
    the answer's head names: nobody is caught up before it, though another process recorded a moment ago.
    """
    told_checkpoint = -1
    caught_up = False
    quiet_since = time.monotonic()
    with tailer.subscribed():
        while not tailer.draining:
            if caught_up and not tailer.in_ring(cursor):
                caught_up = False
                yield control("fell-behind", after=cursor - 1, size=tailer.size)
            frames = await tailer.read(cursor)
            out = b""
            if frames:
                cursor = frames[-1].entry.index + 1
                out = await run_in_threadpool(show, frames) if blocking else show(frames)
            if tailer.checkpoint is not None and told_checkpoint < tailer.checkpoint[0] <= cursor:
                told_checkpoint = tailer.checkpoint[0]
                out += tailer.checkpoint[1]
            if not caught_up and cursor >= max(tailer.size, promised):
                caught_up = True
                out += control("caught-up", size=cursor)
            if out:
                quiet_since = time.monotonic()
                yield out
            elif frames:
                await asyncio.sleep(0)
            else:
                await tailer.wait(KEEPALIVE_S)
                if time.monotonic() - quiet_since >= KEEPALIVE_S:
                    quiet_since = time.monotonic()
                    yield KEEPALIVE_COMMENT
        yield control("server-draining", after=cursor - 1)


def _asks_store(reader: Reader) -> bool:
    return bool(SIGHTS[reader.role].hidden)


def _cursor(call: Call, size: int) -> int:
    """Return the first index to send: after `Last-Event-ID`, which wins, or `after`, which is exclusive."""
    header = call.request.headers.get("last-event-id")
    text, field = (header, "Last-Event-ID") if header else (call.query.get("after", BEFORE_FIRST), "after")
    if text == HEAD and not header:
        return size
    if text == BEFORE_FIRST and not header:
        return 0
    try:
        after = parse_decimal(text, what="an index", code="QUERY")
    except FormatError as error:
        raise ProblemError("LAST_EVENT_ID" if header else "QUERY", 400, field=field) from error
    if after >= size:
        # Whoever has seen more than is here has seen another log, or this one is an older copy.
        raise ProblemError("CURSOR_AHEAD", 409, field=field)
    return after + 1


def _filter(call: Call) -> Filter:
    types = frozenset(call.query["types"].split(",")) if "types" in call.query else frozenset()
    known = {spec.type for spec in all_specs()}
    if not types <= known:
        raise ProblemError("QUERY", 400, field="types")
    return Filter(types=types, participant=call.query.get("participant"))


OPERATIONS: Final = (
    Operation(
        name="stream",
        method="GET",
        path="/stream",
        summary="Server-Sent Events: every entry in index order, each verifiable from the stream alone",
        text=(
            "`id` is the index, `event` the action type, `data` a CloudEvents 1.0 event whose statement and "
            "leaf re-encode to the signed and the committed bytes. What the reader may not see arrives as "
            "`event: leaf`. Control events: caught-up, fell-behind, checkpoint, server-draining, and erased, "
            "which names a statement and the digests of what of its sealed values is to be destroyed."
        ),
        handler=stream,
        parameters=(
            Parameter(name="after", text="index after which to begin, -1 for all (default), head for new"),
            Parameter(name="types", text="action types, separated by commas"),
            Parameter(name="participant", text="only the stream of this participant"),
            Parameter(
                name="Last-Event-ID", text="index that was received last; wins over after", where="header"
            ),
        ),
        media="text/event-stream",
        answers={200: "the stream", 409: "the cursor is ahead of the log", 503: "draining"},
    ),
)
