"""Bearer tokens of an OpenID Connect provider: who they say somebody is, if the settings let them.

    provider = Provider(settings, now_us)
    vouched = provider.check(token)       # Vouched(person, login)

A token counts with the issuer, audience and algorithms of `[oidc]`, a signature by a key of the provider, and
a time that holds by the ledger's own clock. An algorithm is allowed by the settings and is that of the key:
neither `none` nor a public key taken for a secret passes (RFC 8725 §2.1). Which person of the log a token is
for stands in the settings: a claim that holds the id, or a table of `sub`.

Left out on purpose: the login itself, which is between browser and provider, and everything that a token says
of roles: those are in the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import jwt
from jwt.api_jwk import PyJWK

from ledger.identity.denial import UNAUTHENTICATED, DeniedError
from ledger.identity.jwks import Jwk, KeySet
from ledger.identity.settings import OidcSettings
from ledger.identity.tokens import UNTIMED, check_times, read_header, seconds_of, text_of

OPTIONS: Final = {
    **UNTIMED,
    "require": ["iss", "sub", "aud", "iat", "exp"],
    "enforce_minimum_key_length": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Who a token is for. `login` tells the provider's logins apart; `until_us` is when the token is over."""

    person: str
    login: str
    until_us: int


class Provider:
    """One provider. Thread-safe."""

    def __init__(self, settings: OidcSettings, now_us: Callable[[], int]) -> None:
        self.settings = settings
        self._now_us = now_us
        self._keys = KeySet(settings.jwks_url, now_us)

    def check(self, text: str) -> Vouched:
        """Check a token.

        Raises:
            ExpiredTokenError: its signature holds, and it is over.
            DeniedError: `UNAUTHENTICATED`.
            StoreError: `OIDC_KEYS`.
        """
        header = read_header(text)
        algorithm, key_id = text_of(header, "alg"), text_of(header, "kid")
        if algorithm not in self.settings.algorithms:
            raise DeniedError(UNAUTHENTICATED)
        key = self._keys.find(key_id)
        if key is None or key.get("alg", algorithm) != algorithm:
            raise DeniedError(UNAUTHENTICATED)
        claims = self._claims(text, key, algorithm)
        check_times(claims, self._now_us(), self.settings.leeway_s)
        return self.person_of(claims)

    def person_of(self, claims: Mapping[str, Any]) -> Vouched:
        """Return whom the claims of a token are for, as the settings say.

        Raises:
            DeniedError: `UNAUTHENTICATED` for a `sub` that is in no table or a claim that is not there.
        """
        subject = text_of(claims, "sub")
        claim = self.settings.person_claim
        person = self.settings.people.get(subject) if claim is None else text_of(claims, claim)
        if person is None:
            raise DeniedError(UNAUTHENTICATED)
        began = claims.get("sid") or claims.get("auth_time") or ""
        return Vouched(
            person=person,
            login=f"{self.settings.issuer}\0{subject}\0{began}",
            until_us=seconds_of(claims, "exp") * 1_000_000,
        )

    def _claims(self, text: str, key: Jwk, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                text,
                PyJWK.from_dict(
                    key, algorithm
                ),  # an algorithm of another kind than the key's is refused here
                algorithms=[algorithm],
                issuer=self.settings.issuer,
                audience=self.settings.audience,
                options=cast(Any, OPTIONS),
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise DeniedError(UNAUTHENTICATED) from None
