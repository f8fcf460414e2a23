"""A witness over HTTP: one address that takes checkpoints (c2sp.org/tlog-witness).

    POST /add-checkpoint      200 with cosignature lines; else as the protocol says, or 413, 503
    GET  /livez               answers while it runs

There is no authentication but the log's signature on the checkpoint. Nothing of a request is logged.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ledger.errors import LedgerError
from ledger.witness.witness import MAX_REQUEST_BYTES, Answer, Witness

GRACE_S: Final = 10

_log = structlog.get_logger("witness")


def create_witness(witness: Witness) -> Starlette:
    """Return the application of one witness; whoever opened its store closes it."""
    return Starlette(
        routes=[
            Route("/add-checkpoint", _endpoint(witness), methods=["POST"]),
            Route("/livez", _livez, methods=["GET"]),
        ]
    )


def _endpoint(witness: Witness) -> Callable[[Request], Awaitable[Response]]:
    async def add_checkpoint(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _answer(Answer(status=413, body=f"expected at most {MAX_REQUEST_BYTES} bytes\n"))
        try:
            answer = await run_in_threadpool(witness.add_checkpoint, body)
        except LedgerError as error:
            _log.error("not recorded", code=error.code)
            answer = Answer(status=503, body="the witness can't record anything now\n")
        return _answer(answer)

    return add_checkpoint


async def _read(request: Request) -> bytes | None:
    """Read the body; None where it is longer than a request can be."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_REQUEST_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


def _answer(answer: Answer) -> Response:
    return Response(
        answer.body,
        status_code=answer.status,
        headers={"Content-Type": answer.media_type, "Cache-Control": "no-store"},
    )


async def _livez(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


class _Server(uvicorn.Server):
    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super()._serve(sockets)
        # uvicorn would raise the signal again now, before the store is closed.
        self._captured_signals.clear()


def serve_witness(witness: Witness, listening: socket.socket) -> None:
    """Serve a witness until a signal."""
    config = uvicorn.Config(
        create_witness(witness),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config).run(sockets=[listening])
