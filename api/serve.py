"""Run the service: uvicorn with a listening socket of ours, and an end that lets everybody finish.

On a signal the streams are told first and end by themselves; then uvicorn waits for what is still being
answered, at most `GRACE_S`; then checkpoints are published and ledgers closed.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from api.app import drain
from ledger.errors import StoreError

GRACE_S: Final = 10
BACKLOG: Final = 1_024
COLLECT_AFTER: Final = (50_000, 20, 50)


class Server(uvicorn.Server):
    """A uvicorn server that drains its streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._served = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super()._serve(sockets)
        # uvicorn would raise the signal again now, before the ledgers are closed.
        self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn waits for open streams before the lifespan ends, so they have to end now.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(drain, self._served)
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        StoreError: `ADDRESS` when it can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise StoreError("ADDRESS", f"can't listen there: {error.strerror}") from error
    return listening


def settle() -> None:
    """Set the collector of cycles for a process that holds a ledger.

    A replay decodes thousands of statements and drops them again, without a cycle among them. At Python's own
    thresholds the collector walks them, and at times the whole ledger, in as much time as the replay takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until a signal; return after everything was finished."""
    settle()
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # paths name participants
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config, app).run(sockets=[listening])
