"""Read a request's raw body, bounded, whatever its framing; nothing here parses it.

A length that a client states is believed only when it is too large; whatever comes is counted as it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

from api.problems import ProblemError
from ledger.errors import FormatError

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonl"
ZIP: Final = "application/zip"
MAX_JSON_BYTES: Final = 96 * 1024


def check_content_type(request: Request, *expected: str) -> None:
    """Require one of the media types; parameters such as a charset are passed over.

    Raises:
        ProblemError: `CONTENT_TYPE`.
    """
    if media_type(request) not in expected:
        raise ProblemError("CONTENT_TYPE", 415, headers={"Accept": ", ".join(expected)})


def media_type(request: Request) -> str:
    """Return the media type of the body, lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, maximum: int) -> bytes:
    """Return the whole body.

    Raises:
        ProblemError: `SIZE` as soon as it is longer than `maximum` bytes; `CONTENT_ENCODING`.
    """
    _check_stated(request, maximum)
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > maximum:
            raise _too_large()
    return bytes(parts)


async def save_body(request: Request, path: Path, maximum: int) -> None:
    """Write the body to a file as it comes, so that memory stays flat.

    Raises:
        ProblemError: `SIZE` as soon as it is longer than `maximum` bytes; `CONTENT_ENCODING`.
    """
    _check_stated(request, maximum)
    size = 0
    with path.open("wb") as file:
        async for part in request.stream():
            size += len(part)
            if size > maximum:
                raise _too_large()
            file.write(part)


def require_members(given: Mapping[str, Any], required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Require a body to have exactly the members of its form; the first one that it lacks is named.

    One that it has beside them is not named: it is input.

    Raises:
        FormatError: `BODY`.
    """
    wanted = sorted(required)
    missing = next((name for name in wanted if name not in given), None)
    if missing is not None:
        raise FormatError("BODY", f"expected {', '.join(wanted)}", field=f"/{missing}")
    if not given.keys() <= {*wanted, *optional}:
        raise FormatError("BODY", "expected no other members")


def _check_stated(request: Request, maximum: int) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        # What is signed is signed as it is; and what expands can't be bounded before (RFC 9110 §15.5.16).
        raise ProblemError("CONTENT_ENCODING", 415, headers={"Accept-Encoding": "identity"})
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and (len(stated) > 18 or int(stated) > maximum):
        raise _too_large()


def _too_large() -> ProblemError:
    # What is still on its way is not read: the connection can't be used again.
    return ProblemError("SIZE", 413, headers={"Connection": "close"})
