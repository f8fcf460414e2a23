"""ASGI middleware around every request: its name, its size, its time, its line in the log and its counts.

Addresses and headers are bounded before anything reads them, and a body has to arrive at a least rate, so
that a client who sends a byte a minute holds nothing for long. What comes before the headers are complete is
the server's to bound (`api.serve`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import Admission
from api.metrics import Metrics
from api.problems import ProblemError, problem
from api.request_id import REQUEST_ID, request_id

MAX_ADDRESS_BYTES: Final = 8_192
MAX_HEADERS_BYTES: Final = 16_384
MAX_HEADERS: Final = 100
BODY_GRACE_S: Final = 30.0
BODY_BYTES_PER_S: Final = 4_096
STREAM: Final = b"text/event-stream"
HSTS: Final = "max-age=31536000; includeSubDomains"

Headers = Sequence[tuple[bytes, bytes]]


class Watch:
    """The outermost of our own layers but one: security headers stand on its problems too."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, admission: Admission, body_grace_s: float = BODY_GRACE_S
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._admission = admission
        self._body_grace_s = body_grace_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers: Headers = scope["headers"]
        state: dict[str, Any] = scope.setdefault("state", {})
        name = request_id(headers)
        named = REQUEST_ID.set(name)
        status = 0
        answered_s = 0.0

        async def send_watched(message: Message) -> None:
            nonlocal status, answered_s
            if message["type"] == "http.response.start":
                status, answered_s = message["status"], time.perf_counter() - began
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = name
                if scope["scheme"] == "https":
                    answer.setdefault("Strict-Transport-Security", HSTS)
                if answer.get("content-type", "").encode().startswith(STREAM):
                    self._admission.leave(state)  # it stays for hours; streams have a bound of their own
            await send(message)

        try:
            refused = _too_large(scope, headers)
            if refused is not None:
                await problem(refused)(scope, receive, send_watched)
            else:
                timed = self._in_time(receive) if _has_body(headers) else receive
                await self._app(scope, timed, send_watched)
        finally:
            self._admission.leave(state)
            self._tell(state, status, answered_s or time.perf_counter() - began)
            REQUEST_ID.reset(named)

    def _tell(self, state: dict[str, Any], status: int, seconds: float) -> None:
        """Count the request, and write its line. Status 0: the client had gone before an answer."""
        operation = state.get("operation", "none")
        self._metrics.answered(operation, status, seconds)
        if not structlog.is_configured():
            return  # an application inside another program: its log is not ours
        members = {"operation": operation, "status": status, "duration_ms": round(seconds * 1_000, 3)}
        for member in ("role", "code"):
            if member in state:
                members[member] = state[member]
        study = state.get("study")
        if study is not None:
            members["study"] = study.config.study
        structlog.get_logger().info("request", **members)

    def _in_time(self, receive: Receive) -> Receive:
        """Return what receives a body, and gives up when it comes slower than it may."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + self._body_grace_s
        whole = False

        async def receive_timed() -> Message:
            nonlocal latest, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(latest):
                    message = await receive()
            except TimeoutError:
                raise ProblemError("SLOW", 408, headers={"Connection": "close"}) from None
            latest += len(message.get("body", b"")) / BODY_BYTES_PER_S
            whole = not message.get("more_body", False)
            return message

        return receive_timed


def _has_body(headers: Headers) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _too_large(scope: Scope, headers: Headers) -> ProblemError | None:
    """Return the problem of a request whose address or headers are larger than allowed."""
    address = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if address > MAX_ADDRESS_BYTES:
        return ProblemError("ADDRESS_SIZE", 414, headers={"Connection": "close"})
    size = sum(len(name) + len(value) for name, value in headers)
    if size > MAX_HEADERS_BYTES or len(headers) > MAX_HEADERS:
        return ProblemError("HEADERS_SIZE", 431, headers={"Connection": "close"})
    return None
