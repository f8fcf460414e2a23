"""HEAD: what GET would answer, without the body (RFC 9110 §9.3.2).

A HEAD is routed as its GET. It shows nothing, so it opens no sealed value and records no export; where the
answer is made by recording something, or never ends, there is no HEAD, and 405 says so.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

NEVER: Final = frozenset({"certified-copy", "export", "participant-copy", "regimen", "stream"})
"""Operations whose GET is recorded whenever it is answered, or has no end."""

_MARK: Final = "trial_ledger.head"


class HeadRequests:
    """ASGI middleware: hands a HEAD on as a GET that is marked; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", _MARK: True}
        await self._app(scope, receive, send)


def is_head(request: Request) -> bool:
    """Tell whether only the headers of an answer are wanted."""
    return bool(request.scope.get(_MARK, False))
