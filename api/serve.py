"""Run the service: uvicorn with a listening socket of ours, bounds on what comes in, and an orderly end.

On SIGTERM, SIGINT or SIGHUP the streams are told first and end by themselves; then uvicorn waits for what is
still being answered, at most `GRACE_S`; then checkpoints are published and ledgers closed.

Nobody is refused while a service is restarted if the socket outlives it: one handed over by systemd's
protocol (`LISTEN_FDS`, sd_listen_fds(3)) is used in place of an own, and who connects meanwhile waits in its
queue.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import ssl
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.app import drain
from ledger.errors import FormatError, StoreError

GRACE_S: Final = 10
BACKLOG: Final = 1_024
COLLECT_AFTER: Final = (50_000, 20, 50)
HEAD_S: Final = 10.0
"""How long a connection may take over the head of a request, the first one included."""
LAST_S: Final = 1.0
"""How long a connection that has asked nothing yet is waited for when the service ends."""
HEAD_BYTES: Final = 32_768
CONNECTIONS: Final = 8_192
FIRST_FD: Final = 3  # SD_LISTEN_FDS_START


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How requests come in: proxies that are believed, and a certificate with its key for TLS of our own."""

    proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """What an address of this service begins with."""
        return "http" if self.certificate is None else "https"

    def check(self) -> None:
        """Check that certificate and key are there and fit.

        Raises:
            FormatError: `SETTING`.
        """
        if self.certificate is None and self.key is None:
            return
        try:
            if self.certificate is None or self.key is None:
                raise FormatError("SETTING", "a certificate and its key go together", field="TLS")
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise FormatError(
                "SETTING", "certificate and key cannot be read, or do not fit", field="TLS"
            ) from error


class Protocol(H11Protocol):
    """uvicorn's connection with an end to patience: who sends a head byte by byte is cut off.

    And with a last moment: who was let in just before the end, and has not asked yet, is still answered.
    """

    _patience: asyncio.TimerHandle | None = None
    _ending = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        self._wait_for_head()
        super().data_received(data)
        if self._answering():
            self._be_content()
            self.cycle.keep_alive = self.cycle.keep_alive and not self._ending

    def shutdown(self) -> None:
        if self.cycle is not None:
            super().shutdown()
            return
        self._ending = True
        self.loop.call_later(LAST_S, self._end)

    def _end(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_content()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._patience is None and not self._answering():
            self._patience = self.loop.call_later(HEAD_S, self._cut_off)

    def _be_content(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut_off(self) -> None:
        self._patience = None
        if not self._answering():
            self.transport.abort()


class Server(uvicorn.Server):
    """A uvicorn server that drains its streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._served = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        notify("READY=1")

    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super()._serve(sockets)
        # uvicorn would raise the signal again now, before the ledgers are closed.
        self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn waits for open streams before the lifespan ends, so they have to end now.
        notify("STOPPING=1")
        if self._loop is not None:
            self._loop.call_soon_threadsafe(drain, self._served)
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        StoreError: `ADDRESS` when it can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where the protocol is named the event loop sets TCP_NODELAY: else a body waits 40 ms for its head to be
    # acknowledged.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise StoreError("ADDRESS", f"can't listen on {host} port {port}: {error.strerror}") from error
    return listening


def inherited(environment: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening socket that this process was given; None where it was given none.

    What named it is taken out of the environment, so that no child takes it for its own (sd_listen_fds(3)).

    Raises:
        StoreError: `ADDRESS` when it is no single listening socket of TCP.
    """
    process, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count:
        return None
    try:
        if count != "1":
            raise StoreError("ADDRESS", "expected one socket to be handed over")
        given = socket.socket(fileno=FIRST_FD)
        if given.type != socket.SOCK_STREAM or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            given.detach()
            raise StoreError("ADDRESS", "expected a listening socket to be handed over")
    except OSError as error:
        raise StoreError("ADDRESS", "expected a listening socket to be handed over") from error
    given.set_inheritable(False)
    return given


def notify(state: str) -> None:
    """Tell the service manager, where there is one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def settle() -> None:
    """Set the collector of cycles, and how many connections may be open, for a process that holds a ledger.

    A replay decodes thousands of statements and drops them again, without a cycle among them. At Python's own
    thresholds the collector walks them, and at times the whole ledger, in as much time as the replay takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def serve(app: FastAPI, listening: socket.socket, door: Door) -> None:
    """Serve until a signal; return after everything was finished."""
    settle()
    config = uvicorn.Config(
        app,
        http=Protocol,
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # paths name participants
        server_header=False,
        proxy_headers=bool(door.proxies),
        forwarded_allow_ips=list(door.proxies),
        limit_concurrency=CONNECTIONS,
        ssl_certfile=door.certificate,
        ssl_keyfile=door.key,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = Server(config, app)
    signal.signal(signal.SIGHUP, server.handle_exit)
    server.run(sockets=[listening])
