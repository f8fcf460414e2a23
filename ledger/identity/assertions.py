"""Assertions: a program shows that it holds a key which the log knows, without a secret on the server.

A JWT of at most five minutes (RFC 7523's profile, made small), `Authorization: Bearer <assertion>`:

    header  {"alg": "EdDSA", "typ": "ledger-assertion+jwt", "kid": "sha256:…"}     kid: the key in the log
    claims  {"iss": "<person>", "sub": "<person>", "aud": "<origin or URL of the study>",
             "iat": …, "exp": …, "jti": "<at least 16 characters, never twice>"}

The key is an `ed25519` (EdDSA) or `es256` (ES256) one of grade `client` or `device`, live at the log's head,
so that a revocation ends access with the next request. A passkey signs its own form and a custodial key stays
with the service: neither asserts. The audience is the log's origin, which no header of a request can change,
or the URL in `[identity] url`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, cast

import jwt
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger import keys
from ledger.identity.attempts import Attempts
from ledger.identity.denial import UNAUTHENTICATED, DeniedError
from ledger.identity.reach import Head
from ledger.identity.tokens import UNTIMED, check_times, read_header, seconds_of, text_of

TYPE: Final = "ledger-assertion+jwt"
LONGEST_S: Final = 300
LEEWAY_S: Final = 30
SHORTEST_JTI: Final = 16
ALGORITHMS: Final = {keys.ED25519: "EdDSA", keys.ES256: "ES256"}
GRADES: Final = frozenset({"client", "device"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """Whose key made an assertion, and which."""

    person: str
    key_id: str


def check_assertion(
    text: str, head: Head, *, audiences: Collection[str], attempts: Attempts, now_us: int
) -> Asserted:
    """Check an assertion and use it up.

    Raises:
        ExpiredTokenError: its signature holds, and it is over.
        DeniedError: `UNAUTHENTICATED`.
    """
    key_id = text_of(read_header(text), "kid")
    enrolled = head.authority.keys.get(key_id)
    if enrolled is None or enrolled.grade not in GRADES or not head.authority.live(key_id, head.size):
        raise DeniedError(UNAUTHENTICATED)
    algorithm = ALGORITHMS.get(enrolled.public.alg)
    if algorithm is None:
        raise DeniedError(UNAUTHENTICATED)
    claims = _claims(text, enrolled.public.spki, algorithm, audiences)
    if text_of(claims, "iss") != enrolled.person or text_of(claims, "sub") != enrolled.person:
        raise DeniedError(UNAUTHENTICATED)
    check_times(claims, now_us, LEEWAY_S)
    expires_s = seconds_of(claims, "exp")
    jti = text_of(claims, "jti")
    if expires_s - seconds_of(claims, "iat") > LONGEST_S or len(jti) < SHORTEST_JTI:
        raise DeniedError(UNAUTHENTICATED)
    kept_until_us = (expires_s + LEEWAY_S) * 1_000_000
    if not attempts.use_once(f"{key_id}\0{jti}", kept_until_us, now_us):
        raise DeniedError(UNAUTHENTICATED)
    return Asserted(person=enrolled.person, key_id=key_id)


def is_assertion(text: str) -> bool:
    """Tell whether a token says that it is an assertion.

    Raises:
        DeniedError: `UNAUTHENTICATED` for what is no JWT.
    """
    return read_header(text).get("typ") == TYPE


def _claims(text: str, spki: bytes, algorithm: str, audiences: Collection[str]) -> dict[str, Any]:
    try:
        return jwt.decode(
            text,
            cast(Any, load_der_public_key(spki)),  # of the two algorithms above
            algorithms=[algorithm],
            audience=list(audiences),
            options=cast(Any, {**UNTIMED, "require": ["iss", "sub", "aud", "iat", "exp", "jti"]}),
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise DeniedError(UNAUTHENTICATED) from None
