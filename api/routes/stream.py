"""The stream: every entry in index order, at least once, without a gap (interfaces.md, "Stream").

As Server-Sent Events it goes on for ever, from a cursor; as JSON lines it is a range that is there already,
as fast as it can be read, and ends with where to go on. Whose rights end gets no more of either: the table of
roles is asked again whenever an entry may have changed them, and every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, closing, suppress
from typing import Final, cast
from urllib.parse import quote, urlencode

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Send

from api import catching_up
from api.answers import VARY, head_header
from api.audience import Audience, audience
from api.audience import Filter as Filter
from api.audience import renderer as renderer
from api.call import Call, enter
from api.frames import control
from api.operations import INDEX, Operation, Parameter
from api.problems import ProblemError
from api.tailer import Tailer
from api.wanted import require_participant
from ledger.actions import all_specs
from ledger.errors import FormatError, LedgerError
from ledger.lines import parse_decimal
from ledger.store.port import Head

HEAD: Final = "head"
BEFORE_FIRST: Final = "-1"
LINES: Final = "jsonl"
LINES_MEDIA: Final = "application/jsonl"
_LINES_ASKED: Final = (LINES_MEDIA, "application/x-ndjson", "application/x-jsonlines")
KEEPALIVE_TICKS: Final = 15
ASK_AGAIN_TICKS: Final = 5
STALL_S: Final = 60.0
LOOKS: Final = 8
"""How often in that time it is looked at whether a write stalls; it may be told an eighth later."""
MAX_STREAMS: Final = 1_000
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": f"{VARY}, Accept"}


class _Writes:
    """Writes of one answer; looks now and then whether one waits too long, as a timer for each costs more."""

    def __init__(self, send: Send, stalled: asyncio.Timeout) -> None:
        self._send = send
        self._stalled = stalled
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._looking = self._loop.call_later(STALL_S / LOOKS, self._look)

    async def __call__(self, message: Message) -> None:
        self._since = self._loop.time()
        await self._send(message)
        self._since = None

    def close(self) -> None:
        """Look no more."""
        self._looking.cancel()

    def _look(self) -> None:
        if self._since is not None and self._loop.time() - self._since >= STALL_S:
            self._stalled.reschedule(self._loop.time())
        else:
            self._looking = self._loop.call_later(STALL_S / LOOKS, self._look)


class Streaming(EventSourceResponse):
    """An answer that ends when its reader takes nothing for `STALL_S`: a seat is not held for the absent."""

    async def stream_response(self, send: Send) -> None:
        # Closed at once and not some time later, so that nobody is counted who has gone.
        async with aclosing(cast("AsyncIterator[bytes]", self.body_iterator)):  # type: ignore[type-var]
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as stalled:
                    with closing(_Writes(send, stalled)) as writes:
                        await super().stream_response(writes)


class Rights:
    """Whether a reader may have the stream still: asked of the table of roles, but not for every entry."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._tailer = call.study.tailer
        self._asked = (self._tailer.controls, self._tailer.ticks)
        self._held = True

    async def hold(self) -> bool:
        """Ask again if an entry may have changed them since, or it was long ago; once gone they stay gone."""
        tailer, (controls, ticks) = self._tailer, self._asked
        if self._held and (tailer.controls != controls or tailer.ticks - ticks >= ASK_AGAIN_TICKS):
            self._asked = (tailer.controls, tailer.ticks)
            self._held = await run_in_threadpool(entitled, self._call)
        return self._held


def entitled(call: Call) -> bool:
    """Tell whether the same request would be let in now, as the same reader; asks the log."""
    try:
        again = enter(call.request, call.operation, call.twin)
    except LedgerError:
        return False
    return again.who == call.who and again.served is call.served


async def stream(call: Call) -> Response:
    """Open the stream after a cursor."""
    tailer = call.study.tailer
    chosen = _filter(call)
    if chosen.participant is not None:
        # Asked for by a wrong id, a stream would be silent for ever, which reads as "nothing was done".
        store = call.study.ledger.store
        await run_in_threadpool(require_participant, call.reader, store, chosen.participant)
    if tailer.draining:
        raise ProblemError("DRAINING", 503, headers={"Retry-After": "1"})
    lines = _wants_lines(call)
    if "until" in call.query and not lines:
        raise ProblemError("QUERY", 400, field="until")
    if not lines and tailer.subscribers >= MAX_STREAMS:
        raise ProblemError("STREAMS_FULL", 503, headers={"Retry-After": "10"})
    await tailer.start()
    head = await run_in_threadpool(call.study.ledger.store.head)
    who, cursor = audience(call.reader, chosen), _cursor(call, head.size)
    if lines:
        return _lines(call, who, cursor, head)
    return Streaming(
        events(tailer, who, cursor, hold=Rights(call).hold, promised=head.size),
        headers={**HEADERS, **head_header(head)},
    )


async def events(
    tailer: Tailer, who: Audience, cursor: int, *, hold: Callable[[], Awaitable[bool]], promised: int
) -> AsyncIterator[bytes]:
    """Yield what an audience gets from a cursor on, and what is to be told between entries, until it ends.

    It ends when the service drains, or `hold` says that the reader's rights are gone. `promised` is the size
    that the answer's head names: nobody is caught up before it, though another process recorded a moment ago.
    """
    told_checkpoint = -1
    caught_up = False
    spoken = tailer.ticks
    with tailer.seat(who) as ring:
        while not tailer.draining:
            turn = tailer.turn
            if not await hold():
                yield control("access-ended", after=cursor - 1)
                return
            out = b""
            if caught_up and ring.dropped(cursor):
                caught_up = False
                out = control("fell-behind", after=cursor - 1, size=tailer.size)
            before = cursor
            if cursor >= ring.start:
                cursor, pieces = ring.read(cursor)
            else:
                cursor, pieces = await tailer.older(who, cursor)
            out += pieces
            if tailer.checkpoint is not None and told_checkpoint < tailer.checkpoint[0] <= cursor:
                told_checkpoint = tailer.checkpoint[0]
                out += tailer.checkpoint[1]
            if not caught_up and cursor >= max(tailer.size, promised):
                caught_up = True
                out += control("caught-up", size=cursor)
            if not out and tailer.ticks - spoken >= KEEPALIVE_TICKS:
                out = KEEPALIVE_COMMENT
            if out:
                spoken = tailer.ticks
                yield out
            elif cursor != before:
                await asyncio.sleep(0)  # all was filtered out: let the others have a turn
            if tailer.turn == turn and (cursor >= tailer.size or cursor == before):
                await tailer.wait()  # nothing can be new: whatever changes begins another turn
        yield control("server-draining", after=cursor - 1)


def _lines(call: Call, who: Audience, start: int, head: Head) -> Response:
    """Answer with a range that is there already."""
    stop = min(head.size, call.number("until", head.size) + 1)
    stop = max(start, stop)
    body = catching_up.lines(
        call.study.tailer, call.study.ledger, who, range(start, stop), head.size, Rights(call).hold
    )
    asked = {name: value for name, value in call.query.items() if name != "until"} | {"after": stop - 1}
    link = {"Link": f'<{quote(call.request.url.path)}?{urlencode(asked)}>; rel="next"'}
    return StreamingResponse(body, headers={**HEADERS, **head_header(head), **link}, media_type=LINES_MEDIA)


def _wants_lines(call: Call) -> bool:
    """Tell whether JSON lines were asked for: by the address, or by a header that names them first."""
    if call.twin == LINES:
        return True
    accepted = [each.partition(";")[0].strip() for each in call.request.headers.get("accept", "").split(",")]
    named = [each for each in accepted if each in _LINES_ASKED or each == EventSourceResponse.media_type]
    return bool(named) and named[0] in _LINES_ASKED


def _cursor(call: Call, size: int) -> int:
    """Return the first index to send: after `Last-Event-ID`, which wins, or `after`, which is exclusive."""
    cursor = _after(call.query.get("after", BEFORE_FIRST), size)
    header = call.request.headers.get("last-event-id")
    if header is None:
        field = "after"
    else:
        cursor, field = _index(header, "LAST_EVENT_ID", "Last-Event-ID") + 1, "Last-Event-ID"
    if cursor > size:
        # Whoever has seen more than is here has seen another log, or this one is an older copy.
        raise ProblemError("CURSOR_AHEAD", 409, field=field)
    return cursor


def _after(text: str, size: int) -> int:
    if text in (HEAD, BEFORE_FIRST):
        return size if text == HEAD else 0
    return _index(text, "QUERY", "after") + 1


def _index(text: str, code: str, field: str) -> int:
    try:
        return parse_decimal(text, what="an index", code=code)
    except FormatError as error:
        raise ProblemError(code, 400, field=field) from error


def _filter(call: Call) -> Filter:
    types = frozenset(call.query["types"].split(",")) if "types" in call.query else frozenset()
    known = {spec.type for spec in all_specs()}
    if not types <= known:
        raise ProblemError("QUERY", 400, field="types")
    return Filter(types=types, participant=call.query.get("participant"))


_AFTER: Final = {"type": "string", "pattern": "^(?:-1|head|0|[1-9][0-9]{0,15})$", "default": BEFORE_FIRST}
_TYPE: Final = f"(?:{'|'.join(sorted({spec.type.replace('.', '[.]') for spec in all_specs()}))})"
_TYPES: Final = {"type": "string", "pattern": f"^{_TYPE}(?:,{_TYPE})*$"}

OPERATIONS: Final = (
    Operation(
        name="stream",
        method="GET",
        path="/stream",
        summary="Server-Sent Events: every entry in index order, each verifiable from the stream alone",
        text=(
            "`id` is the index, `event` the action type, `data` a CloudEvents 1.0 event whose statement and "
            "leaf re-encode to the signed and the committed bytes. What the reader may not see arrives as "
            "`event: leaf`. Control events: caught-up, fell-behind, checkpoint, server-draining, "
            "access-ended, and erased, which names a statement and the digests of what of its sealed values "
            "is to be destroyed. "
            "With the suffix `.jsonl`, or `Accept: application/jsonl` or `application/x-ndjson`, the entries "
            "that are there already come as JSON lines, the CloudEvents alone, and then the answer ends: the "
            'last line is `{"control":"end","after":N,"size":S}`, and `Link` names where to go on. A range '
            "without that line was cut off."
        ),
        handler=stream,
        parameters=(
            Parameter(
                name="after",
                text="index after which to begin, -1 for all (default), head for new",
                schema=_AFTER,
            ),
            Parameter(
                name="until",
                text="last index to send, of JSON lines alone; default: all there are",
                schema=INDEX,
            ),
            Parameter(name="types", text="action types, separated by commas", schema=_TYPES),
            Parameter(
                name="participant", text="only the stream of this participant, who is registered already"
            ),
            Parameter(
                name="Last-Event-ID",
                text="index that was received last; wins over after",
                where="header",
                schema=INDEX,
            ),
        ),
        media="text/event-stream",
        twins=(LINES,),
        answers={
            200: "the stream",
            404: "no such participant",
            409: "the cursor is ahead of the log",
            503: "draining",
        },
    ),
)
