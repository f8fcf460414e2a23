"""What bearer tokens in the form of a JWT have in common: their form, and the claims that bound them in time.

PyJWT checks the signature; the clock is the ledger's own, so the claims of time are checked here. A token
that lacks one of them, or has one that is no number of seconds, is no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt

from ledger.identity.denial import UNAUTHENTICATED, DeniedError

MAX_CHARACTERS: Final = 16_384
MAX_SECONDS: Final = 1 << 40

UNTIMED: Final = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
"""Options by which PyJWT leaves the claims of time to `check_times`."""


class ExpiredTokenError(DeniedError):
    """A token whose signature holds and that is over."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        super().__init__(UNAUTHENTICATED)
        self.claims = claims


def looks_like_one(text: str) -> bool:
    """Tell whether a bearer token is in the form of a JWT."""
    return text.count(".") == 2


def read_header(text: str) -> Mapping[str, Any]:
    """Return the header of a token, which nothing vouches for yet.

    Raises:
        DeniedError: `UNAUTHENTICATED`.
    """
    if len(text) > MAX_CHARACTERS:
        raise DeniedError(UNAUTHENTICATED)
    try:
        return jwt.get_unverified_header(text)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise DeniedError(UNAUTHENTICATED) from None


def check_times(claims: Mapping[str, Any], now_us: int, leeway_s: int) -> None:
    """Check that a token holds now: `exp` ahead, `iat` and, where there is one, `nbf` not.

    Raises:
        ExpiredTokenError: it is over.
        DeniedError: `UNAUTHENTICATED`.
    """
    now_s = now_us / 1_000_000
    expires, issued = seconds_of(claims, "exp"), seconds_of(claims, "iat")
    begins = seconds_of(claims, "nbf") if "nbf" in claims else issued
    if max(issued, begins) > now_s + leeway_s:
        raise DeniedError(UNAUTHENTICATED)
    if expires + leeway_s <= now_s:
        raise ExpiredTokenError(claims)


def seconds_of(claims: Mapping[str, Any], name: str) -> int:
    """Return a claim that is a NumericDate, fractions cut off (RFC 7519 §2).

    Raises:
        DeniedError: `UNAUTHENTICATED`.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_SECONDS:
        raise DeniedError(UNAUTHENTICATED)
    return int(value)


def text_of(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a text with something in it.

    Raises:
        DeniedError: `UNAUTHENTICATED`.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > 512:
        raise DeniedError(UNAUTHENTICATED)
    return value
