"""The signing pages: static files, served by a listener of their own that serves nothing else.

A browser keeps origins apart: what runs at the pages' origin sees neither the workspace nor its sessions, and
the workspace can't run anything at theirs. A passkey for signing belongs to that origin (`[signing]` of
`ledger.toml`). The files are those of the release, by their hashes: `pages.sha256` lists them in the form of
`sha256sum`, and the SHA-256 of that list is `pages_sha256` of `system.released`.

    hashes(FILES)          the list, which is itself served
    digest(FILES)          what is released
    pages(api_origin)      the ASGI application
    SigningOrigins         middleware of the interface: CORS for exactly the origins of the settings

The pages' policy lets them reach one origin, the interface's, and run no script but their own files.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.browser import ENCODING_FILE, encoding_module
from ledger.errors import FormatError

MEDIA: Final[Mapping[str, str]] = {
    "index.html": "text/html; charset=utf-8",
    "sign.css": "text/css; charset=utf-8",
    ENCODING_FILE: "text/javascript; charset=utf-8",
    "access.js": "text/javascript; charset=utf-8",
    "asking.js": "text/javascript; charset=utf-8",
    "attachment.js": "text/javascript; charset=utf-8",
    "attempt.js": "text/javascript; charset=utf-8",
    "correction.js": "text/javascript; charset=utf-8",
    "covered.js": "text/javascript; charset=utf-8",
    "custody.js": "text/javascript; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "due.js": "text/javascript; charset=utf-8",
    "entry.js": "text/javascript; charset=utf-8",
    "form.js": "text/javascript; charset=utf-8",
    "known.js": "text/javascript; charset=utf-8",
    "names.js": "text/javascript; charset=utf-8",
    "passkey.js": "text/javascript; charset=utf-8",
    "prompts.js": "text/javascript; charset=utf-8",
    "questions.js": "text/javascript; charset=utf-8",
    "questionnaire.js": "text/javascript; charset=utf-8",
    "recording.js": "text/javascript; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "scope.js": "text/javascript; charset=utf-8",
    "screen.js": "text/javascript; charset=utf-8",
    "service.js": "text/javascript; charset=utf-8",
    "session.js": "text/javascript; charset=utf-8",
    "sign.js": "text/javascript; charset=utf-8",
    "statement.js": "text/javascript; charset=utf-8",
    "tree.js": "text/javascript; charset=utf-8",
    "unblinding.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}
LIST: Final = "pages.sha256"
ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "authorization, content-type, ledger-role",
    "Access-Control-Max-Age": "600",
}


@lru_cache(maxsize=1)
def page_files() -> Mapping[str, bytes]:
    """Return the files of this release by name."""
    web = files("api") / "web" / "sign"
    own = {name: (web / name).read_bytes() for name in MEDIA if name != ENCODING_FILE}
    return dict(sorted({**own, ENCODING_FILE: encoding_module()}.items()))


def hashes() -> str:
    """Return the list of the files' hashes, as `sha256sum` writes and checks it."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in page_files().items())


def digest() -> str:
    """Return the SHA-256 of the list, hex: `pages_sha256` of `system.released`."""
    return hashlib.sha256(hashes().encode()).hexdigest()


def policy(api_origin: str) -> str:
    """Return the content security policy of the pages.

    Raises:
        FormatError: `SETTING` for what is no origin.
    """
    scheme, separator, rest = api_origin.partition("://")
    host = rest.partition(":")[0]
    plain = not rest or any(char in rest for char in "/?#@;, \t'\"")
    if not separator or plain or not rest.isascii() or not (scheme == "https" or (scheme == "http" and host)):
        raise FormatError("SETTING", "expected the origin of the interface", field="--signing-api")
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {api_origin}; "
        "img-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def pages(api_origin: str) -> ASGIApp:
    """Return the application that serves the pages and nothing else.

    Raises:
        FormatError: as `policy`.
    """
    headers = {
        "Content-Security-Policy": policy(api_origin),
        "Cache-Control": "no-cache",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    served = {name: (data, MEDIA[name]) for name, data in page_files().items()}
    served[LIST] = (hashes().encode(), "text/plain; charset=utf-8")

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        found = served.get(str(scope["path"]).removeprefix("/") or "index.html")
        if scope["method"] not in ("GET", "HEAD"):
            response = Response(status_code=405, headers={**headers, "Allow": "GET, HEAD"})
        elif found is None:
            response = Response("no such page\n", status_code=404, headers=headers, media_type="text/plain")
        else:
            response = Response(found[0], headers=headers, media_type=found[1])
        await response(scope, receive, send)

    return application


@contextmanager
def serving(
    application: ASGIApp, listening: socket.socket, certificate: Path | None = None, key: Path | None = None
) -> Iterator[None]:
    """Serve the pages from a thread of their own while the interface is served."""
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=1,
    )
    # Here and not in the thread: a signal that ends an import here could leave it waiting for that for ever.
    config.load()
    config.get_loop_factory()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="signing-pages")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class SigningOrigins:
    """ASGI middleware: lets pages of the signing origins read this interface, and no other page.

    The origins are those of the study in the address. Browsers send nothing along on their own: the pages
    bring a token, so credentials are not allowed.
    """

    def __init__(self, app: ASGIApp, origins_of: Callable[[str], tuple[str, ...]]) -> None:
        self._app = app
        self._origins_of = origins_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or origin not in self._origins_of(str(scope["path"])):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            headers = {**_shared(origin), **ALLOWED, "Vary": "Origin"}
            await Response(status_code=204, headers=headers)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _shared(origin).items():
                    headers[name] = value
                headers.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _shared(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "ledger-head",
    }
