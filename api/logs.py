"""Logs: JSON on standard error, one event a line, with declared fields alone.

    {"at":"2026-11-22T18:20:58.123456Z","duration_ms":3.1,"event":"request","level":"info",
     "operation":"participant","request":"6f…","role":"coordinator","status":200,"study":"nct06414356"}

A line holds what stands in `FIELDS` and nothing else. So no path, query value, header, body or text of an
exception gets in, whoever writes a line: a path names a participant, and an exception may quote what it was
given. What a library logs becomes the name of its logger, the line of code and the kind of error, without its
text.

Lines go through a bounded queue to one thread: whoever does not read standard error stalls nobody, and what
was left out then is counted.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, MutableMapping
from io import RawIOBase
from types import TracebackType
from typing import IO, Any, Final

import orjson
import structlog

from api.request_id import REQUEST_ID
from ledger.times import format_instant

FIELDS: Final[Mapping[str, str]] = {
    "at": "when, UTC; a place in the code where the line is about a failure",
    "event": "what happened, one of the words below",
    "level": "debug, info, warning or error",
    "request": "the request's name, as in X-Request-Id",
    "operation": "the operation's name, as in the OpenAPI document; none for an address that has none",
    "status": "status of the answer",
    "duration_ms": "until the answer began",
    "role": "the reader's role; never the person",
    "study": "the study's id",
    "code": "code of a problem",
    "kind": "class of an exception, without its text; of an alert, its kind",
    "place": "module and line of our code or a library's",
    "logger": "a library's logger",
    "undeclared": "names of fields that are not in this table, without their values",
    "failures": "how many attempts failed",
}
"""Every field that a line may have, and what it holds."""

QUEUE: Final = 10_000
FLUSH_S: Final = 2.0
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Lines:
    """A bounded queue of lines with one thread that writes them."""

    def __init__(self, stream: IO[bytes] | RawIOBase, *, most: int = QUEUE) -> None:
        self.dropped = 0
        self._stream = stream
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._busy = False
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Take a line; with a full queue it is counted and left out."""
        with self._changed:
            if len(self._waiting) >= self._most:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._changed.notify_all()

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait until what was put is written, or the time is up; tell which."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                lines = list(self._waiting)
                self._waiting.clear()
                self._busy = True
            try:
                self._write_all(memoryview(b"".join(lines)))
            except (OSError, ValueError):  # nobody reads it any more
                self.dropped += len(lines)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._stream.write(rest) or 0 :]


class _Out:
    """What structlog writes to: each level takes a finished line."""

    def __init__(self, lines: Lines) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = lines.put


class _Library(logging.Handler):
    """Lines of libraries: who, where, what kind of error; never their text."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        level = "error" if record.levelno >= logging.ERROR else "warning"
        members = {"logger": record.name, "place": f"{record.module}:{record.lineno}", "kind": kind}
        write = getattr(structlog.get_logger(), level)
        write("library", **{name: value for name, value in members.items() if value is not None})


def configure(level: str, stream: IO[bytes] | None = None) -> Lines:
    """Send every line of this process, our own and those of libraries, through `FIELDS` to a stream.

    Args:
        level: the least that is written, one of debug, info, warning, error.
        stream: standard error where none is given.
    """
    # Not Python's own object for standard error: its lock, held by a thread that waits for a reader, would
    # keep the process from ending.
    lines = Lines(open(2, "wb", buffering=0, closefd=False) if stream is None else stream)  # noqa: SIM115
    structlog.configure(
        processors=[_complete, _render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Out(lines),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    atexit.register(lines.flush)
    return lines


def place_of(trace: TracebackType | None) -> str:
    """Name the line that failed: a place in code, so nothing of a participant."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"


def _uncaught(kind: type[BaseException], _: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger().error("uncaught", kind=kind.__name__, place=place_of(trace))


def _complete(_: Any, level: str, members: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Add time, level and request, and leave out what is not declared."""
    undeclared = sorted(members.keys() - FIELDS.keys())
    for name in undeclared:
        del members[name]
    if undeclared:
        members["undeclared"] = undeclared
    members["at"] = format_instant(time.time_ns() // 1_000)
    members["level"] = level
    request = REQUEST_ID.get()
    if request is not None:
        members["request"] = request
    return members


def _render(_: Any, __: str, members: Mapping[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS) + b"\n"
