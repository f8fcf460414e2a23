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

import base64
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, cast

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger import keys
from ledger.errors import SignatureError
from ledger.identity.attempts import Attempts
from ledger.identity.denial import UNAUTHENTICATED, DeniedError
from ledger.identity.reach import Head
from ledger.identity.tokens import UNTIMED, check_times, read_header, seconds_of, text_of
from ledger.keys import SigningKey

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


def make_assertion(
    key: SigningKey, person: str, audience: str, *, now_us: int, random_bytes: Callable[[int], bytes]
) -> str:
    """Make an assertion with a key of one's own, for one request within the next minute.

    Raises:
        SignatureError: `KEY_ALG` for a key of another algorithm.
    """
    algorithm = ALGORITHMS.get(key.alg)
    if algorithm is None:
        raise SignatureError("KEY_ALG", "expected a key of ed25519 or es256")
    issued_s = now_us // 1_000_000
    claims = {
        "iss": person,
        "sub": person,
        "aud": audience,
        "iat": issued_s,
        "exp": issued_s + 60,
        "jti": random_bytes(16).hex(),
    }
    header = {"alg": algorithm, "typ": TYPE, "kid": key.id}
    parts = [_base64url(orjson.dumps(each)) for each in (header, claims)]
    signed = ".".join(parts)
    return f"{signed}.{_base64url(key.sign(signed.encode()))}"


def is_assertion(text: str) -> bool:
    """Tell whether a token says that it is an assertion.

    Raises:
        DeniedError: `UNAUTHENTICATED` for what is no JWT.
    """
    return read_header(text).get("typ") == TYPE


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


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
