"""The name of one request: in its answer's `X-Request-Id`, and in every line of the log that it causes.

A name that a client or a proxy brings is kept only in the form that names are made in here, 16 to 64 hex
digits or a UUID: anything else could be a participant's id, and would stand in logs. It is in no body, so
that two answers with the same content stay the same bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

HEADER: Final = b"x-request-id"
BYTES: Final = 16
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The request that is being answered, also in the threads that answer it."""

_SAFE: Final = re.compile(rb"[0-9a-f]{16,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the name that a request brings if it is a safe one, else a new one; twice given is none."""
    given = [value for name, value in headers if name == HEADER]
    if len(given) == 1 and _SAFE.fullmatch(given[0]):
        return given[0].decode("ascii")
    return os.urandom(BYTES).hex()
