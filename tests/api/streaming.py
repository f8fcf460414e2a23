"""Servers for subscribers: the real one at an address that it comes back to, and one that lies."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from api.frames import checkpoint_event, frame
from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.errors import LedgerError
from ledger.leaf import parse_leaf
from ledger.merkle import leaf_hash, tree_root
from ledger.service import LogSigners
from ledger.statement import parse_statement
from ledger.store.port import StoredEntry
from ledger.subscriber import FindingError, Notice, Position, Source, Subscriber, Verified, Wanted
from ledger.subscriber.sse import SseEvent, SseReader
from tests.api.client import BASE
from tests.api.test_serve import COMMAND, TIMEOUT_S
from tests.ledger.small_ledger import ORIGIN, SmallLedger

EVERYTHING = Wanted()
Lie = Callable[[list[SseEvent]], list[SseEvent]]


class Served:
    """A served directory that can be ended and started again at the same address."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}{BASE}"

    def start(self) -> None:
        """Serve, and return when it listens."""
        process = self._process = subprocess.Popen(
            [COMMAND, "serve", self._directory, "--port", str(self._port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        assert re.search(r"on http://127\.0\.0\.1:\d+$", first.strip()), first + process.stderr.read()

    def stop(self, how: signal.Signals) -> None:
        """End it, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.wait(TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def served(directory: Path) -> Iterator[Served]:
    """Serve a directory for a while."""
    server = Served(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


def truth(url: str, who: str = "auditor") -> list[SseEvent]:
    """Read what a server has, up to `caught-up`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    connection.request("GET", f"{parts.path}/stream", headers={"Authorization": f"Bearer {who}"})
    answer = connection.getresponse()
    reader = SseReader()
    events: list[SseEvent] = []
    while "caught-up" not in {event.event for event in events}:
        events += reader.feed(answer.read1(65_536))
    connection.close()
    return events


class _Quiet(ThreadingHTTPServer):
    """Says nothing of subscribers who leave in the middle."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def telling(
    events: Sequence[SseEvent],
    status: int = 200,
    context: ssl.SSLContext | None = None,
    problem: bytes | None = None,
) -> Iterator[str]:
    """Serve these events, or this problem, whatever is asked for, and end; yield the study's URL."""
    body = b"".join(text_of(event) for event in events) if problem is None else problem
    kind = "text/event-stream; charset=utf-8" if problem is None else "application/problem+json"

    class Teller(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the name of the library's
            pass

    server = _Quiet(("127.0.0.1", 0), Teller)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}{BASE}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def text_of(event: SseEvent) -> bytes:
    """Write an event."""
    head = f"event: {event.event}\n" + (f"id: {event.id}\n" if event.id is not None else "")
    return f"{head}data: {event.data}\n\n".encode()


def changed(event: SseEvent, **members: Any) -> SseEvent:
    """Change members of an event's data."""
    return replace(event, data=orjson.dumps({**orjson.loads(event.data), **members}).decode())


def event_of(leaf: bytes, statement: bytes) -> list[SseEvent]:
    """Frame an entry as the server does."""
    parsed, read = parse_statement(statement), parse_leaf(leaf)
    entry = StoredEntry(
        index=read.index,
        at=read.at,
        stream=parsed.stream,
        seq=parsed.seq,
        type=parsed.type,
        schema=parsed.schema,
        id=parsed.id,
        event=parsed.event,
        statement=statement,
        leaf=leaf,
    )
    return SseReader().feed(frame(entry, BASE).whole)


def published(signers: LogSigners, leaves: Sequence[bytes]) -> list[SseEvent]:
    """Publish a checkpoint over leaves with the keys of the log."""
    root = tree_root(leaf_hash(leaf) for leaf in leaves)
    head = sign_head(Checkpoint(origin=ORIGIN, size=len(leaves), root=root), signers.head)
    note = publish(head, signers.published, 1_717_400_000)
    return SseReader().feed(checkpoint_event(len(leaves), root, note))


def follow(
    url: str, made: SmallLedger, position: Position | None = None, wanted: Wanted = EVERYTHING
) -> tuple[list[Verified], list[Notice]]:
    """Follow until all there is was read; return entries and notices."""
    entries: list[Verified] = []
    notices: list[Notice] = []
    source = Source(url=url, wanted=wanted, token="auditor")
    with Subscriber(source, position, made.policy) as subscriber:
        for batch in subscriber.batches():
            entries += [item for item in batch if isinstance(item, Verified)]
            notices += [item for item in batch if isinstance(item, Notice)]
            subscriber.keep()
            if notices[-1].kind in ("caught-up", "lost"):
                break
    return entries, notices


def finding(url: str, made: SmallLedger, wanted: Wanted = EVERYTHING) -> tuple[str, int]:
    """Follow a server that lies; return code and index of what is found."""
    try:
        follow(url, made, wanted=wanted)
    except FindingError as error:
        return error.code, error.index
    except LedgerError as error:
        raise AssertionError(str(error)) from error
    raise AssertionError("nothing was found")
