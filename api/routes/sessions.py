"""Log in, look at one's session, log out; set a password by a one-time secret, change it.

    POST /sessions {"person":"bchan","password":"…"}              -> 201 with a cookie
    POST /sessions {"person":"bchan","password":"…","bearer":true} -> 201 with {"token":"session_…"} instead

Whoever is not let in is answered at full quarters of a second: the work behind an answer can't be told from
how long it took. What is asked of a new password is the only thing that is said of one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import PRIVATE, head_header
from api.body import JSON, check_content_type, read_body, require_members
from api.call import Call
from api.identity import PREFIX, came_from, cookie_name, denied, is_secure
from api.operations import Operation
from api.problems import ProblemError
from ledger.errors import FormatError
from ledger.identity.accounts import Accounts, Opened
from ledger.identity.denial import DeniedError
from ledger.identity.reach import roles_of
from ledger.identity.sessions import Session
from ledger.submission import parse_body
from ledger.times import format_instant

MAX_BYTES: Final = 16 * 1024
STEP_S: Final = 0.25


async def log_in(call: Call) -> Response:
    """Open a session for who gives a person's password."""
    given = await _body(call, {"person": str, "password": str}, {"role": str, "bearer": bool})
    accounts, came = _accounts(call), came_from(call.request, given.get("role"))
    opened = await _evenly(lambda: accounts.log_in(given["person"], given["password"], came))
    return await run_in_threadpool(_opened, call, opened, bool(given.get("bearer")))


async def redeem(call: Call) -> Response:
    """Set a password by a one-time secret, and open a session."""
    given = await _body(call, {"person": str, "secret": str, "password": str}, {"role": str, "bearer": bool})
    accounts, came = _accounts(call), came_from(call.request, given.get("role"))
    opened = await _evenly(lambda: accounts.redeem(given["person"], given["secret"], given["password"], came))
    return await run_in_threadpool(_opened, call, opened, bool(given.get("bearer")))


async def change(call: Call) -> Response:
    """Change the password of who is logged in; their other sessions end."""
    given = await _body(call, {"old": str, "new": str}, {})
    accounts, came = _accounts(call), came_from(call.request)
    session = await run_in_threadpool(call.asking.current)
    await _evenly(lambda: accounts.change(session, given["old"], given["new"], came))
    return await run_in_threadpool(_nothing, call)


def current(call: Call) -> Response:
    """Tell who is logged in, since when, until when, and in which roles they can ask."""
    return _answer(call, _described(call, call.asking.current()), 200)


def log_out(call: Call) -> Response:
    """End the session that the request comes in."""
    _accounts(call).end(call.asking.current(), "signed_out")
    response = _nothing(call)
    response.delete_cookie(
        cookie_name(call.request, call.study),
        path="/",
        secure=is_secure(call.request),
        httponly=True,
        samesite="strict",
    )
    return response


async def _body(call: Call, required: Mapping[str, type], optional: Mapping[str, type]) -> dict[str, Any]:
    """Read a body of exactly these members.

    Raises:
        ProblemError: `CONTENT_TYPE`, `SIZE`.
        FormatError: `JSON`, `BODY`.
    """
    check_content_type(call.request, JSON)
    given = parse_body(await read_body(call.request, MAX_BYTES))
    known = {**required, **optional}
    require_members(given, required, optional)
    for name, value in given.items():
        if type(value) is not known[name]:
            raise FormatError("BODY", "expected another kind of value", field=f"/{name}")
    return given


async def _evenly(work: Callable[[], Any]) -> Any:
    """Do work beside the event loop; a denial is answered after full steps of time.

    Raises:
        ProblemError: of a denial.
    """
    began = time.monotonic()
    try:
        return await run_in_threadpool(work)
    except DeniedError as error:
        steps = math.ceil((time.monotonic() - began) / STEP_S) if STEP_S else 0
        await asyncio.sleep(max(0.0, began + steps * STEP_S - time.monotonic()))
        raise denied(error) from error


def _accounts(call: Call) -> Accounts:
    """Return the accounts of the study.

    Raises:
        ProblemError: `NO_ACCOUNTS` where the ledger was made without any.
    """
    if call.study.people.accounts is None:
        raise ProblemError("NO_ACCOUNTS", 503)
    return call.study.people.accounts


def _opened(call: Call, opened: Opened, bearer: bool) -> Response:
    value = _described(call, opened.session)
    if bearer:
        return _answer(call, {**value, "token": PREFIX + opened.secret}, 201)
    response = _answer(call, value, 201)
    response.set_cookie(
        cookie_name(call.request, call.study),
        opened.secret,
        path="/",
        secure=is_secure(call.request),
        httponly=True,
        samesite="strict",
    )
    return response


def _described(call: Call, session: Session) -> dict[str, Any]:
    accounts, head = _accounts(call), call.study.heads.now()
    person = head.person(session.person)
    ends_us = session.began_us + accounts.sessions.lifetime_us
    return {
        "person": session.person,
        "name": "" if person is None else person.name,
        "organisation": "" if person is None else person.organisation,
        "role": session.role,
        "roles": [
            {"role": role, "sites": ["*"] if sites is None else sorted(sites)}
            for role, sites in sorted(roles_of(head, session.person).items())
        ],
        "components": list(session.components),
        "began": format_instant(session.began_us),
        "ends": format_instant(ends_us),
        "idle_s": accounts.sessions.idle_us // 1_000_000,
    }


def _answer(call: Call, value: Mapping[str, Any], status: int) -> Response:
    headers = {**PRIVATE, "Cache-Control": "no-store", **head_header(call.study.ledger.store.head())}
    return Response(orjson.dumps(value), status_code=status, headers=headers, media_type=JSON)


def _nothing(call: Call) -> Response:
    headers = {"Cache-Control": "no-store", **head_header(call.study.ledger.store.head())}
    return Response(status_code=204, headers=headers)


_TEXT: Final = {"type": "string", "minLength": 1}
_CODE: Final = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$", "description": "the role in use"}
_BEARER: Final = {"type": "boolean", "description": "answer with a token for programs instead of a cookie"}
_DENIED: Final = {
    401: "not let in; which part was wrong is not said",
    403: "the role that was named is not held",
    429: "the id is locked, or this address has to wait; `Retry-After` says for how long",
}
_SESSION: Final = {401: "no session, or one that is over"}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


OPERATIONS: Final = (
    Operation(
        name="log-in",
        method="POST",
        path="/sessions",
        summary="Log in with a password",
        text=(
            "Opens a session, recorded as login.succeeded. Failures are recorded as login.failed; the last "
            "that the study allows locks the login for half an hour and alerts its administrators."
        ),
        handler=log_in,
        body=(JSON, _object({"person": _TEXT, "password": _TEXT}, {"role": _CODE, "bearer": _BEARER})),
        answers={201: "the session; a cookie, or a token where it was asked for", **_DENIED},
    ),
    Operation(
        name="session",
        method="GET",
        path="/sessions/current",
        summary="Who is logged in, until when, in which roles",
        handler=current,
        twins=("json",),
        answers={200: "the session", **_SESSION},
    ),
    Operation(
        name="log-out",
        method="DELETE",
        path="/sessions/current",
        summary="End the session that the request comes in",
        handler=log_out,
        answers={204: "it is over, recorded as session.ended", **_SESSION, 403: "a cookie from another site"},
    ),
    Operation(
        name="redeem",
        method="POST",
        path="/passwords:redeem",
        summary="Set a password by a one-time secret, and log in",
        text="The secret is void after, every earlier session ends. It tells the log by its component.",
        handler=redeem,
        body=(
            JSON,
            _object(
                {"person": _TEXT, "secret": _TEXT, "password": _TEXT}, {"role": _CODE, "bearer": _BEARER}
            ),
        ),
        answers={201: "the session", 422: "the password is too short or a name", **_DENIED},
    ),
    Operation(
        name="change-password",
        method="POST",
        path="/passwords:change",
        summary="Change the password of who is logged in",
        text="Every other session of the person ends.",
        handler=change,
        body=(JSON, _object({"old": _TEXT, "new": _TEXT}, {})),
        answers={204: "it is changed", 422: "the password is too short or a name", **_DENIED},
    ),
)
