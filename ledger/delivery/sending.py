"""One attempt: a POST to the address that was checked, and what came of it.

Only a 2xx counts. Redirects are not followed, no proxy of the environment is used, no cookie is kept, and of
the answer no more than a few bytes are read; nothing of it is kept or logged but the status. The whole
attempt has one deadline, however slowly the other side talks.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from ledger.delivery.addresses import HTTPS, ForbiddenError, Reach, check_url, resolve
from ledger.errors import FormatError

ATTEMPT_S: Final = 20.0
MAX_ANSWER: Final = 4_096
CONTENT_TYPE: Final = "application/cloudevents+json"
GONE: Final = "GONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt: `trouble` is empty where it was taken, else a code without anything of theirs.

    `STATUS_<n>`, `REDIRECTED`, `GONE`, `TIMEOUT`, `UNREACHABLE`, `CERTIFICATE`, `FORBIDDEN_ADDRESS`,
    `WEBHOOK_URL`.
    """

    trouble: str = ""
    retry_after_s: float = 0.0

    @property
    def taken(self) -> bool:
        """Tell whether the receiver took it."""
        return not self.trouble


class Sender:
    """Sends to endpoints; connections are kept open for a while, each to one URL alone."""

    def __init__(
        self, reach: Reach, *, context: ssl.SSLContext | None = None, attempt_s: float = ATTEMPT_S
    ) -> None:
        self._reach = reach
        self._context = context or ssl.create_default_context()
        self._attempt_s = attempt_s
        self._transports: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Try once."""
        try:
            async with asyncio.timeout(self._attempt_s):
                return await self._attempt(url, headers, body)
        except FormatError as error:
            return Outcome(trouble=error.code)
        except ForbiddenError:
            return Outcome(trouble="FORBIDDEN_ADDRESS")
        except (TimeoutError, httpx2.TimeoutException):
            return Outcome(trouble="TIMEOUT")
        except (httpx2.HTTPError, OSError, UnicodeError) as error:
            certificate = isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError)
            refused = certificate or "CERTIFICATE_VERIFY_FAILED" in str(error)
            return Outcome(trouble="CERTIFICATE" if refused else "UNREACHABLE")

    async def close(self) -> None:
        """Close what is open."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    async def _attempt(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        parts = check_url(url, self._reach)
        host, port = parts.hostname or "", parts.port or (HTTPS if parts.scheme == "https" else 80)
        address = await resolve(host, port, self._reach)
        # The request goes to the address; the name stands in `Host` and in TLS alone.
        where = f"[{address}]" if ":" in address else address
        request = httpx2.Request(
            "POST",
            httpx2.URL(url).copy_with(host=where),
            headers={
                "host": parts.netloc,
                "content-type": CONTENT_TYPE,
                "user-agent": "trial-ledger",
                "accept-encoding": "identity",
                **headers,
            },
            content=body,
            extensions={"sni_hostname": host, "timeout": httpx2.Timeout(self._attempt_s).as_dict()},
        )
        answer = await self._transport(url).handle_async_request(request)
        try:
            outcome = _outcome(answer)
            await _drain(answer)
        finally:
            await answer.aclose()
        return outcome

    def _transport(self, url: str) -> httpx2.AsyncHTTPTransport:
        # One for each URL: connections are kept by address, and two names of one address are two receivers.
        if url not in self._transports:
            limits = httpx2.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=30)
            self._transports[url] = httpx2.AsyncHTTPTransport(
                verify=self._context, trust_env=False, limits=limits
            )
        return self._transports[url]


async def _drain(answer: httpx2.Response) -> None:
    """Read a short answer to its end, so that the connection can be used again; leave a long one."""
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > MAX_ANSWER:
            return


def _outcome(answer: httpx2.Response) -> Outcome:
    status = answer.status_code
    if 200 <= status < 300:
        return Outcome()
    if 300 <= status < 400:
        return Outcome(trouble="REDIRECTED")
    if status == 410:
        return Outcome(trouble=GONE)
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 7 else 0.0
    return Outcome(trouble=f"STATUS_{status}", retry_after_s=seconds)
