"""The keys of an OpenID Connect provider, fetched from its `jwks_url` and kept.

They are fetched when first asked for, again after an hour, and when a token names a key that is not among
them, but then at most once a minute: who sends made-up key ids makes no work for the provider. A provider
that can't be reached leaves the kept keys in use for a day. Symmetric keys are never taken (RFC 8725 §3.1).
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

from ledger.errors import StoreError

MAX_BYTES: Final = 256 * 1024
TIMEOUT_S: Final = 5.0
FRESH_US: Final = 3_600_000_000
STALE_US: Final = 24 * FRESH_US
AGAIN_US: Final = 60_000_000
UNREACHABLE: Final = "OIDC_KEYS"
ASYMMETRIC: Final = ("RSA", "EC", "OKP")

Jwk = dict[str, Any]
"""A JSON Web Key as the provider gives it (RFC 7517)."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is the one in the settings and no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class KeySet:
    """The kept keys of one provider. Thread-safe: one caller fetches, others wait for it."""

    def __init__(self, url: str, now_us: Callable[[], int]) -> None:
        self._url = url
        self._now_us = now_us
        self._lock = threading.Lock()
        self._keys: Mapping[str, Jwk] = {}
        self._fetched_us: int | None = None
        self._tried_us: int | None = None
        # No proxy of the environment, no redirect: nothing but the address in the settings is asked.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)

    def find(self, key_id: str) -> Jwk | None:
        """Return the key of an id; None where the provider has none such.

        Raises:
            StoreError: `OIDC_KEYS` when no keys are at hand and none can be fetched.
        """
        with self._lock:
            age_us = self._age_us(self._fetched_us)
            if age_us is None or age_us >= FRESH_US or key_id not in self._keys:
                self._fetch()
            age_us = self._age_us(self._fetched_us)
            if age_us is None or age_us >= STALE_US:
                raise StoreError(UNREACHABLE, "the provider's keys can't be fetched")
            return self._keys.get(key_id)

    def _age_us(self, then_us: int | None) -> int | None:
        return None if then_us is None else self._now_us() - then_us

    def _fetch(self) -> None:
        """Fetch the keys, unless that was tried within the last minute; keep the old ones where it fails."""
        since_us = self._age_us(self._tried_us)
        if since_us is not None and since_us < AGAIN_US:
            return
        self._tried_us = self._now_us()
        try:
            with self._opener.open(self._url, timeout=TIMEOUT_S) as answer:
                body = answer.read(MAX_BYTES + 1)
        except (OSError, ValueError):
            return
        keys = None if len(body) > MAX_BYTES else parse_keys(body)
        if keys is not None:
            self._keys, self._fetched_us = keys, self._now_us()


def parse_keys(body: bytes) -> dict[str, Jwk] | None:
    """Return the public signing keys of a JWK set by their ids; None where it is no such set."""
    try:
        members = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return {
        each["kid"]: each
        for each in (members if isinstance(members, list) else ())
        if isinstance(each, dict)
        and isinstance(each.get("kid"), str)
        and each.get("kty") in ASYMMETRIC
        and each.get("use", "sig") == "sig"
    }
