"""A webhook's receiver on loopback: it checks signatures as the specification says, and can misbehave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from ledger.delivery import signing

OK, FAIL, HANG, RESET, REDIRECT = "ok", "fail", "hang", "reset", "redirect"
GONE, DRIP, ENDLESS = "gone", "drip", "endless"
STATUS = {OK: 204, FAIL: 503, REDIRECT: 307, GONE: 410}


@dataclass(slots=True)
class Receiver:
    """What came, and how the next request is answered; `taken` are those that were answered with 2xx."""

    url: str = ""
    key: str = ""
    tried: list[str] = field(default_factory=list)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    written: int = 0
    behave: Callable[[int], str] = lambda _: OK
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, until: Callable[[Receiver], bool], timeout_s: float = 30.0) -> None:
        """Wait until something is so of what came."""
        with self.changed:
            assert self.changed.wait_for(lambda: until(self), timeout_s), (len(self.tried), len(self.taken))

    @property
    def indexes(self) -> list[int]:
        """Indexes as they were taken."""
        return [int(event["sequence"]) for _, event in self.taken]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            given = {name.lower(): value for name, value in self.headers.items()}
            try:
                if receiver.key:
                    signing.check(given, body, receiver.key, int(time.time()))
            except Exception as error:  # the receiver's own edge: told to the test
                receiver.wrong.append(str(error))
            with receiver.changed:
                how = receiver.behave(len(receiver.tried))
                receiver.tried.append(given[signing.ID])
                receiver.paths.append(self.path)
                receiver.headers.append(given)
                if how in (OK, ENDLESS):
                    receiver.taken.append((given[signing.ID], orjson.loads(body)))
                receiver.changed.notify_all()
            self._answer(how)

        def _answer(self, how: str) -> None:
            if how == RESET:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            if how in (HANG, DRIP):
                self._stall(how)
                return
            if how == ENDLESS:
                self._talk()
                return
            self.send_response(STATUS[how])
            if how == REDIRECT:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _stall(self, how: str) -> None:
            """Say nothing, or one byte at a time, for longer than anybody waits."""
            self.close_connection = True
            for _ in range(30):
                time.sleep(0.1)
                if how == DRIP:
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return

        def _talk(self) -> None:
            """Answer 200 with more than anybody wants to read."""
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", str(10**9))
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    receiver.written += self.wfile.write(b"x" * 65_536)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the name of the library's
            pass

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver for a while."""
    receiver = Receiver()
    server = _Quiet(("127.0.0.1", 0), _handler(receiver))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
