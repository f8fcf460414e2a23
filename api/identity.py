"""Who asks: the reader that a request's credentials stand for.

A service brings a bearer token whose SHA-256 stands in `ledger.toml` with a role, a person and sites.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from api.problems import CHALLENGE, ProblemError
from ledger.directory import Token
from projections.reader import Reader


def authenticate(authorization: str | None, tokens: Sequence[Token]) -> Reader:
    """Return the reader of a bearer token.

    Every token is compared, each in constant time, so that nothing is learned from how long it takes.

    Raises:
        ProblemError: `UNAUTHENTICATED`.
    """
    scheme, _, given = (authorization or "").partition(" ")
    digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    for token in tokens:
        if hmac.compare_digest(token.sha256, digest):
            found = token
    if scheme.lower() != "bearer" or not given.strip() or found is None:
        raise ProblemError("UNAUTHENTICATED", 401, headers=CHALLENGE)
    sites = None if "*" in found.sites else frozenset(found.sites)
    return Reader(role=found.role, person=found.person, sites=sites)
