"""How answers leave: their head, their ETag, their twins, and headers that keep browsers from guessing.

Every answer of a study says which head it was read from (`Ledger-Head`). `ETag` is the last index that
changed the answer for this view, so it tells a reader nothing of what they do not see; it is weak because the
twins differ in bytes and not in meaning. Answers depend on the reader and are kept by nobody else: the tag
names the reader too, by a digest. A browser asks for its next user with the tags that it has of the last one
(RFC 9111 §4.1, whatever `Vary` says), and 304 would have it show them the last one's answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import pages
from api.call import Call
from api.openings import NOTHING, Noted
from api.study import ServedStudy
from ledger.lines import encode_base64
from ledger.store.port import Head
from projections.signed import INDEXES

JSON: Final = "application/json"
CSV: Final = "text/csv; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
VARY: Final = "Authorization, Cookie, Ledger-Role"  # who asks, and as what: another reader has another answer
PRIVATE: Final = {"Cache-Control": "private, no-cache", "Vary": VARY}
IMMUTABLE_S: Final = 31_536_000

SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
}
"""Set on every answer that does not say otherwise."""

LEDGER_HEAD: Final = "Ledger-Head"
_RELEASE: Final = metadata.version("trial-ledger")
"""In each reader's tags: another release may write the same view in another way."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def head_header(head: Head) -> dict[str, str]:
    """Say which head an answer was read from."""
    return {LEDGER_HEAD: f"{head.size} {encode_base64(head.root)}"}


def continues(served: ServedStudy) -> dict[str, Any] | None:
    """Return what the log goes on from, as leaf 0 says it: also where its directory is not at hand."""
    older = served.continues
    if older is None:
        return None
    return {"ledger_id": older.ledger_id, "origin": older.origin, "size": older.size}


def continues_header(served: ServedStudy) -> dict[str, str]:
    """Say what the log goes on from, on every answer; nothing for a study's first log."""
    older = served.continues
    return {} if older is None else {"Ledger-Continues": f"{older.ledger_id} {older.size}"}


def answer(
    call: Call,
    value: Any,
    head: Head,
    *,
    status: int = 200,
    last: int | None = None,
    csv: str | None = None,
    links: Mapping[str, str] | None = None,
    noted: Noted = NOTHING,
    page: Callable[[], pages.Page] | None = None,
) -> Response:
    """Answer with JSON, or with CSV or a page where the address asks for that.

    Args:
        value: what JSON holds.
        head: the head that it was read from.
        last: the last index that changed this answer for this view; None for an answer without ETag.
        csv: the CSV twin's text.
        links: RFC 8288 relations to addresses.
        page: lays the page out; without it every member of `value` is shown in its order.
        noted: what became of values of which every opening is an event. An answer that holds one has no ETag.
    """
    headers = {**PRIVATE, **head_header(head), **noted.headers}
    if call.twin == "html":
        # On 304 too: a browser goes on with the page that it has, under the policy of the newest answer.
        headers["Content-Security-Policy"] = pages.CONTENT_SECURITY_POLICY
    if links:
        headers["Link"] = ", ".join(f'<{address}>; rel="{rel}"' for rel, address in links.items())
    if last is not None and noted.viewed is None:
        headers["ETag"] = _tag(call, last)
        if is_unchanged(call, last):
            return Response(status_code=304, headers=headers)
    if call.twin == "csv" and csv is not None:
        hidden = value.get("withheld") if isinstance(value, Mapping) else None
        hidden = hidden if isinstance(hidden, list) else []
        marks = [*(["part"] if links else []), *(["withheld"] if hidden else [])]
        headers["Content-Disposition"] = f'attachment; filename="{_file_name(call, head, marks)}"'
        if hidden:
            headers["Ledger-Withheld"] = ", ".join(hidden)
        return Response(csv, status_code=status, headers=headers, media_type=CSV)
    if call.twin == "html":
        text = pages.write(call, value, head, links or {}, page)
        return Response(text, status_code=status, headers=headers, media_type=pages.HTML)
    if isinstance(value, Mapping) and call.served is not None and (older := continues(call.served)):
        value = {**value, "continues": older}
    return Response(orjson.dumps(value), status_code=status, headers=headers, media_type=JSON)


def text_answer(
    call: Call, body: bytes, head: Head, last: int, cache: Mapping[str, str] = PRIVATE
) -> Response:
    """Answer with text as it is, which the index `last` stands for: a receipt, a checkpoint."""
    headers = {**cache, **head_header(head), "ETag": _tag(call, last)}
    if is_unchanged(call, last):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=TEXT)


def _file_name(call: Call, head: Head, marks: Sequence[str]) -> str:
    """Name a CSV by what it holds and the head it was read from, and by what it does not hold.

    `marks` are `part` for one that goes on elsewhere, `withheld` for one that lacks what the reader's role
    does not see. The log of a later epoch is named too: it does not hold what came before.
    """
    parts = [each for each in call.request.path_params.values() if each != call.study.config.study]
    epoch = call.study.config.origin.rpartition("/")[2:] if continues(call.study) else ()
    named = [call.study.config.study, *epoch, call.operation.name, *parts, str(head.size), *marks]
    return "-".join(_NOT_IN_NAMES.sub("_", part) for part in named) + ".csv"


def last_index(shown: Any) -> int:
    """Return the greatest index that an answer names; -1 where it names none.

    What changed an answer is named in it, so its ETag can't tell of more than the answer does.
    """
    if isinstance(shown, Mapping):
        named = (_index(value) if key in INDEXES else last_index(value) for key, value in shown.items())
        return max(named, default=-1)
    if isinstance(shown, list):
        return max(map(last_index, shown), default=-1)
    return -1


def _index(value: Any) -> int:
    match value:
        case bool():
            return -1
        case int():
            return value
        case list():
            return max(map(_index, value), default=-1)
        case Mapping():
            return max(map(_index, value.values()), default=-1)
    return -1


def is_unchanged(call: Call, last: int) -> bool:
    """Tell whether the client has this answer already, by its tag or by `*` (RFC 9110 §13.1.2)."""
    given = call.request.headers.get("if-none-match")
    if given is None:
        return False
    tags = [tag.strip() for tag in given.split(",")]
    own = _tag(call, last)
    return tags == ["*"] or own in tags or own.removeprefix("W/") in tags


def _tag(call: Call, last: int) -> str:
    """Return the tag of an answer: the last index that changed it, and for whom which release made it."""
    who = call.who
    if who is None:
        return f'W/"{last}"'
    sites = None if who.sites is None else sorted(who.sites)
    reader = orjson.dumps([_RELEASE, who.role, who.person, sites, who.blinded])
    return f'W/"{last}-{hashlib.sha256(reader).hexdigest()[:16]}"'


def next_page(call: Call, after: str, **others: str) -> dict[str, str]:
    """Return the link to the page after a cursor, all other parameters kept unless given here."""
    query = urlencode({**call.query, **others, "after": after})
    return {"next": f"{quote(call.request.url.path)}?{query}"}


class SecurityHeaders:
    """ASGI middleware: the headers of `SECURITY` wherever the answer has not set its own.

    A demonstration's answers say that they are one: its keys are public and protect nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                study: ServedStudy | None = scope.get("state", {}).get("study")
                if study is not None and study.config.demonstration:
                    headers["Ledger-Demonstration"] = "all keys are public"
            await send(message)

        await self._app(scope, receive, send_with_headers)
