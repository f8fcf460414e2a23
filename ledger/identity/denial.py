"""Why somebody is not let in: one code for the caller, never which part of what they gave was wrong."""

from __future__ import annotations

from typing import Final

from ledger.errors import RefusedError

UNAUTHENTICATED: Final = "UNAUTHENTICATED"
SESSION_EXPIRED: Final = "SESSION_EXPIRED"
LOCKED: Final = "LOCKED"
TOO_MANY: Final = "TOO_MANY_ATTEMPTS"
ROLE_NOT_HELD: Final = "ROLE_NOT_HELD"
ROLE_NEEDED: Final = "ROLE_NEEDED"

_MESSAGES: Final = {
    UNAUTHENTICATED: "expected a person of the log and what proves to be them",
    SESSION_EXPIRED: "the session is over: log in again",
    LOCKED: "the login is locked for a while after too many failures",
    TOO_MANY: "too many attempts from there: wait",
    ROLE_NOT_HELD: "expected a role that the person holds now",
    ROLE_NEEDED: "the person holds several roles: name the one in use",
}


class DeniedError(RefusedError):
    """Somebody is not let in. `retry_s`: when another attempt may succeed, None where waiting is no help."""

    def __init__(self, code: str, *, retry_s: int | None = None) -> None:
        super().__init__(code, _MESSAGES[code])
        self.retry_s = retry_s
