"""Problems: every error that a client sees, as RFC 9457 `application/problem+json`.

    {"type":"urn:trial-ledger:problem:stale","title":"…","status":409,"code":"STALE","field":"/seq", …}

`type` and `code` are stable and say the same. The title belongs to the code: nothing in a problem comes from
the input, from a sealed value or from an exception's text, so a problem tells its reader only what they can
read in the documentation. `field` names a member by its place, and is left out where it could be more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

from api.titles import BY_STATUS, TITLES
from ledger.errors import (
    ConflictError,
    FormatError,
    FrozenError,
    LedgerError,
    RefusedError,
    SignatureError,
    StoreError,
)
from ledger.rules.codes import codes
from ledger.unblinding_queue import QUEUED

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:trial-ledger:problem:"
RETRY_AFTER_S: Final = "1"
SEALED_RULE: Final = "SEALED_RULE"
FROZEN: Final = "FROZEN"

# A bearer token authenticates readers; a statement authenticates itself (RFC 9110 §11.6.1 asks for a scheme).
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="trial-ledger"'}
SIGNATURE_CHALLENGE: Final = {"WWW-Authenticate": 'Statement-Signature realm="trial-ledger"'}

_FIELD = re.compile(r"[A-Za-z0-9_./-]{1,120}")
_MALFORMED: Final = frozenset(
    {"JSON", "BODY", "QUERY", "KNOWN", "TRUE", "SINCE", "UNTIL", "FIELD", "FILTER", "SCOPE", "ACTION"}
)
_STORE_STATUS: Final = {"STORE_FULL": 507}


class ProblemError(LedgerError):
    """A problem of the request itself, with its HTTP status and what goes beside the fixed members."""

    def __init__(
        self,
        code: str,
        status: int,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, title_of(code, status), field=field)
        self.status = status
        self.headers = headers or {}
        self.members = members or {}


def problem(error: LedgerError) -> Response:
    """Write an error as a problem."""
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, ProblemError) else _headers(error, status)
    body = orjson.dumps(problem_members(error))
    return Response(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def problem_members(error: LedgerError) -> dict[str, Any]:
    """Return the members of an error's problem, for a line among others."""
    status, code = status_of(error), public_code(error.code)
    value: dict[str, Any] = {
        "type": TYPE_PREFIX + code.lower().replace("_", "-"),
        "title": title_of(code, status),
        "status": status,
        "code": code,
    }
    if error.field is not None and error.code != SEALED_RULE and _FIELD.fullmatch(error.field):
        value["field"] = error.field
    if isinstance(error, ProblemError):
        value |= error.members
    return value


def public_code(code: str | None) -> str:
    """Return the code that anybody may read: that somebody was unblinded is not told to whoever asks."""
    return FROZEN if code is None or code == QUEUED else code


def status_of(error: LedgerError) -> int:
    """Return the HTTP status of an error."""
    match error:
        case ProblemError():
            return error.status
        case FormatError(code="SIZE"):
            return 413
        case FormatError(code=code) if code in _MALFORMED:
            return 400
        case FormatError() | RefusedError():
            return 422
        case SignatureError():
            return 401
        case ConflictError():
            return 409
        case FrozenError():
            return 503
        case StoreError():
            return _STORE_STATUS.get(error.code, 503)
    return 422


def title_of(code: str, status: int) -> str:
    """Return the one sentence that belongs to a code."""
    rule = codes().get(code)
    return TITLES.get(code) or (rule.text if rule else BY_STATUS.get(status, BY_STATUS[422]))


def _headers(error: LedgerError, status: int) -> dict[str, str]:
    if status == 401:
        return dict(SIGNATURE_CHALLENGE)
    if isinstance(error, StoreError) and status == 503:
        return {"Retry-After": RETRY_AFTER_S}
    return {}
