"""Server-Sent Events as they arrive: bytes in pieces of any length in, whole events out.

    id: 12
    event: visit.completed
    data: {…}
                                an empty line ends the event

WHATWG HTML, "Server-sent events", §9.2.6: a line ends in LF, CR or CRLF, a line that begins with a colon is
a comment, and what the connection leaves unfinished is dropped. An `id` belongs to its own event here: a
control event without one has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ledger.errors import FormatError

MAX_EVENT_BYTES: Final = 2_000_000
"""A checkpoint with a hundred post-quantum lines fits; a statement with its leaf is at most 100,000."""

_LINE_END = re.compile(rb"\r\n|\n|\r(?!$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SseEvent:
    """One event: its type, its data, and its own id if it has one."""

    event: str
    data: str
    id: str | None


class SseReader:
    """Splits what arrives into events."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}
        self._data: list[str] = []
        self._held = 0
        self.retry_ms: int | None = None

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Take the next piece, and return the events that it completes.

        Raises:
            FormatError: `EVENT_FORM` for an event longer than any can be, or one that is not UTF-8.
        """
        # A CR at the very end may be the first half of a CRLF, so it waits for what comes next.
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        events = []
        for line in lines:
            self._held += len(line) + 1
            if self._held > MAX_EVENT_BYTES:
                break
            if not line:
                events += self._dispatch()
            else:
                self._field(line)
        if self._held + len(self._rest) > MAX_EVENT_BYTES:
            raise FormatError("EVENT_FORM", f"expected an event of at most {MAX_EVENT_BYTES} bytes")
        return events

    def _field(self, line: bytes) -> None:
        try:
            name, _, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            raise FormatError("EVENT_FORM", "expected an event in UTF-8") from None
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= 9:
            self.retry_ms = int(value)
        elif name:
            self._fields[name] = value

    def _dispatch(self) -> list[SseEvent]:
        fields, data = self._fields, self._data
        self._fields, self._data, self._held = {}, [], 0
        if not data:
            return []
        return [SseEvent(event=fields.get("event", "message"), data="\n".join(data), id=fields.get("id"))]
