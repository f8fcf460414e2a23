"""One connection to a stream: HTTP/1.1 of the standard library, a token, and what a refusal means.

A refusal that another try can't mend is an `UnreachableError` (`UNAUTHENTICATED`, `FORBIDDEN`, `NOT_FOUND`,
`REDIRECTED`, `NOT_A_STREAM`, `REFUSED`); a busy or absent server is a `LostError`, after which the subscriber
tries again. A server that has less than was verified already is a finding, `CURSOR_AHEAD`.

The token goes into one header of one host, never into a message, and never over plain HTTP but to this very
machine. Redirects are not followed, so it goes nowhere else.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from ledger.errors import FormatError, LedgerError
from ledger.subscriber.events import FindingError, Wanted

PIECE_BYTES: Final = 262_144
CONNECT_S: Final = 10.0
SILENCE_S: Final = 45.0
"""Three keep-alive comments of the server: who is silent for longer is gone."""

MAX_RETRY_AFTER_S: Final = 60.0
MAX_PROBLEM_BYTES: Final = 8_192
LONGEST: Final = 200
_FINAL: Final = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class UnreachableError(LedgerError):
    """A stream that this subscriber will not get, however often it asks."""


class LostError(Exception):
    """A connection that broke or was not had; `retry_after_s` is the server's own wish."""

    def __init__(self, retry_after_s: float = 0.0) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A study's address, what is wanted of its stream, and the bearer token to read with.

    Raises:
        FormatError: `URL` for what is no address of a study, or for a token over plain HTTP to elsewhere.
    """

    url: str
    wanted: Wanted
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise FormatError("URL", "expected an address with a host and a port") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise FormatError("URL", "expected http:// or https://, a host and the path of a study")
        if parts.query or parts.fragment or not self.url.isascii() or not self.url.isprintable():
            raise FormatError("URL", "expected an address without query and fragment")
        if self.token is not None and parts.scheme == "http" and not _is_here(parts.hostname):
            raise FormatError("URL", "expected https://: a token is not sent in plain to another machine")

    @property
    def path(self) -> str:
        """Path and query of the stream."""
        path = urlsplit(self.url).path.rstrip("/").removesuffix("/stream") + "/stream"
        query = self.wanted.query
        return f"{path}?{urlencode(query)}" if query else path


class Connection:
    """An open stream; `read` gives its bytes as they come."""

    def __init__(self, source: Source, after: int) -> None:
        """Open it after an index.

        Raises:
            LostError: no connection, or a busy server.
            UnreachableError: the stream is not given to this subscriber.
            FindingError: `CURSOR_AHEAD`.
        """
        self._http = _http(source.url)
        self._answer: http.client.HTTPResponse | None = None
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if after >= 0:
            headers["Last-Event-ID"] = str(after)
        if source.token is not None:
            headers["Authorization"] = f"Bearer {source.token}"
        try:
            self._http.request("GET", source.path, headers=headers)
            if isinstance(self._http.sock, socket.socket):
                self._http.sock.settimeout(SILENCE_S)
            self._answer = self._http.getresponse()
            _accept(self._answer, after)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise UnreachableError("CERTIFICATE", "the server's certificate does not hold") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LostError from error
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """Wait for the next bytes; none at the end.

        Raises:
            LostError: the connection broke, or was silent for too long.
        """
        if self._answer is None:
            return b""
        try:
            return self._answer.read1(PIECE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise LostError from error

    def close(self) -> None:
        """Close it."""
        # Whichever of the two holds the socket: an answer that ends with the connection has taken it over.
        if self._answer is not None:
            self._answer.close()
        self._http.close()


def _accept(answer: http.client.HTTPResponse, after: int) -> None:
    status = answer.status
    if status == 200:
        kind = answer.headers.get_content_type()
        if kind != "text/event-stream":
            raise UnreachableError("NOT_A_STREAM", f"expected text/event-stream, got {kind}")
        return
    if status == 409:
        detail = "the server's log is shorter than what was verified: another log, or an older copy of it"
        raise FindingError("CURSOR_AHEAD", detail, index=after + 1)
    if status in _BUSY:
        raise LostError(_seconds(answer.headers.get("Retry-After", "")))
    if 300 <= status < 400:
        raise UnreachableError("REDIRECTED", "expected the stream itself, got a redirect")
    raise UnreachableError(_FINAL.get(status, "REFUSED"), f"the server answered {status}{_said(answer)}")


def _said(answer: http.client.HTTPResponse) -> str:
    """Return what a problem says beside its status; nothing where the answer is none (RFC 9457)."""
    if answer.headers.get_content_type() != "application/problem+json":
        return ""
    try:
        problem = json.loads(answer.read(MAX_PROBLEM_BYTES))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return ""
    if not isinstance(problem, dict):
        return ""
    # What a server sends comes to a terminal: one line of printable characters, and not too many.
    said = {name: problem.get(name) for name in ("code", "field", "title")}
    texts = {name: text for name, text in said.items() if isinstance(text, str) and text.isprintable()}
    code, field, title = (texts.get(name, "")[:LONGEST] for name in said)
    where = f" ({field})" if field else ""
    return f"{' ' + code if code else ''}{where}{': ' + title if title else ''}"


def _http(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=CONNECT_S)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_S, context=context)


def _seconds(text: str) -> float:
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return min(float(text), MAX_RETRY_AFTER_S)
    return 0.0


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
