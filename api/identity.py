"""Who asks: what a request brings, and the reader that it stands for.

    Authorization: Bearer <token>           a service of `ledger.toml`, by the token's SHA-256
    Authorization: Bearer session_<secret>  a session, for programs
    Authorization: Bearer <assertion>       a JWT signed by a key that the log knows
    Authorization: Bearer <JWT>             a token of the OpenID Connect provider in the settings
    Cookie: __Host-ledger-<study>=<secret>  a session, for browsers; `ledger-<study>` on this machine alone

A header wins over a cookie. Of people, role and sites are the log's at its head; who holds several roles
names one in `Ledger-Role` or at login. What brings in a session stays with it: idle time, limits, and that a
disabled account is out with its next request. A cookie is sent by a browser on its own, so an unsafe method
needs a sign that a page of ours sent it (`Sec-Fetch-Site`, `Origin` or the header `Ledger-Request`).

A failed authentication is answered by one code, recorded where its person is known, counted otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from api.problems import CHALLENGE, ProblemError
from ledger.directory import Token
from ledger.errors import StoreError
from ledger.identity.accounts import Accounts
from ledger.identity.assertions import check_assertion, is_assertion
from ledger.identity.denial import ROLE_NOT_HELD, SESSION_EXPIRED, UNAUTHENTICATED, DeniedError
from ledger.identity.gate import Came
from ledger.identity.reach import Heads, reach_of
from ledger.identity.sessions import Session
from ledger.identity.settings import LOOPBACK
from ledger.identity.tokens import ExpiredTokenError, looks_like_one
from projections.reader import Reader

if TYPE_CHECKING:
    from api.study import ServedStudy

PREFIX: Final = "session_"
ROLE: Final = "ledger-role"
DEVICE: Final = "ledger-device"
REQUEST: Final = "ledger-request"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CROSS_SITE: Final = "CROSS_SITE"
STATUSES: Final = {
    UNAUTHENTICATED: 401,
    SESSION_EXPIRED: 401,
    "LOCKED": 429,
    "TOO_MANY_ATTEMPTS": 429,
    "ROLE_NOT_HELD": 403,
    "ROLE_NEEDED": 403,
}


class Asking:
    """What one request brings. Nothing is looked at before `reader` or `current` is asked for."""

    def __init__(self, request: Request, served: ServedStudy | None) -> None:
        self._request = request
        self._served = served
        self._authorization = request.headers.get("authorization")
        self._cookie = request.cookies.get(cookie_name(request, served)) if served is not None else None
        self.session: Session | None = None

    @property
    def given(self) -> bool:
        """Whether the request brings anything at all."""
        return self._authorization is not None or self._cookie is not None

    def reader(self) -> Reader:
        """Return the reader that the request stands for.

        Raises:
            ProblemError: `UNAUTHENTICATED`, `SESSION_EXPIRED`, `LOCKED`, `ROLE_NEEDED`, `ROLE_NOT_HELD`,
                `CROSS_SITE`.
            StoreError: the accounts or the provider's keys can't be read.
        """
        served, token = self._served, self._bearer()
        if served is None:
            raise unauthenticated()
        role = self._request.headers.get(ROLE)
        if token is not None and not token.startswith(PREFIX) and not looks_like_one(token):
            return _service(token, served.config.tokens, served.heads, role)
        session = self.current()
        try:
            reach = reach_of(served.heads.now(), session.person, role or session.role, served.ledger)
        except DeniedError as error:
            raise denied(error) from error
        return Reader(role=reach.role, person=reach.person, sites=reach.sites)

    def current(self) -> Session:
        """Return the session that the request comes in.

        Raises:
            ProblemError: `UNAUTHENTICATED`, `SESSION_EXPIRED`, `LOCKED`, `CROSS_SITE`.
        """
        if self.session is None:
            try:
                self.session = self._find()
            except DeniedError as error:
                raise denied(error) from error
        return self.session

    def _find(self) -> Session:
        served, token = self._served, self._bearer()
        accounts = served.people.accounts if served is not None else None
        if served is None or accounts is None:
            raise DeniedError(UNAUTHENTICATED)
        # Asked a second time for the same request, such as by an open stream: nobody is using it.
        again = bool(getattr(self._request.state, "entered", False))
        self._request.state.entered = True
        if token is None:
            self._check_same_site()
            return accounts.session(self._cookie or "", use=not again)
        if token.startswith(PREFIX):
            return accounts.session(token.removeprefix(PREFIX), use=not again)
        if not looks_like_one(token):
            raise DeniedError(UNAUTHENTICATED)
        try:
            return _vouched(token, served, accounts, came_from(self._request), self._request)
        except ExpiredTokenError as error:
            _note_expired(error, token, served, accounts, came_from(self._request))
            raise

    def _bearer(self) -> str | None:
        """Return the bearer token; None where the request brings a cookie instead.

        Raises:
            ProblemError: `UNAUTHENTICATED` for neither, and for another scheme.
        """
        if self._authorization is None:
            if self._cookie is None:
                raise unauthenticated()
            return None
        scheme, _, given = self._authorization.partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise unauthenticated()
        return given.strip()

    def _check_same_site(self) -> None:
        """Require of an unsafe method with a cookie that a page of this origin sent it.

        Raises:
            ProblemError: `CROSS_SITE`.
        """
        headers = self._request.headers
        if self._request.method in SAFE or REQUEST in headers:
            return  # a header of our own needs a preflight from elsewhere, and that is never answered
        if headers.get("sec-fetch-site") == "same-origin":
            return
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc == headers.get("host"):
            return
        raise ProblemError(CROSS_SITE, 403)


def authenticate(authorization: str | None, tokens: Sequence[Token]) -> Reader:
    """Return the reader of a service's token.

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
        raise unauthenticated()
    sites = None if "*" in found.sites else frozenset(found.sites)
    return Reader(role=found.role, person=found.person, sites=sites)


def came_from(request: Request, role: str | None = None) -> Came:
    """Return where an attempt comes from. The address is the client's own behind a proxy that is trusted."""
    address = request.client.host if request.client is not None else ""
    device = request.headers.get(DEVICE)
    return Came(address=address, role=role, device=device if device and device.isascii() else None)


def is_secure(request: Request) -> bool:
    """Tell whether cookies have to be secure: everywhere but on plain HTTP to this machine."""
    return request.url.scheme == "https" or request.url.hostname not in LOOPBACK


def cookie_name(request: Request, served: ServedStudy) -> str:
    """Name the cookie of a study's sessions; `__Host-` keeps it to this host, over TLS (RFC 6265bis)."""
    name = f"ledger-{served.config.study}"
    return f"__Host-{name}" if is_secure(request) else name


def unauthenticated() -> ProblemError:
    """Return the one answer to whoever is not known."""
    return ProblemError(UNAUTHENTICATED, 401, headers=CHALLENGE)


def denied(error: DeniedError) -> ProblemError:
    """Return the problem of somebody who is not let in."""
    status = STATUSES[error.code]
    headers = dict(CHALLENGE) if status == 401 else {}
    if error.retry_s is not None:
        headers["Retry-After"] = str(error.retry_s)
    return ProblemError(error.code, status, headers=headers)


def _service(token: str, tokens: Sequence[Token], heads: Heads, role: str | None) -> Reader:
    """Return the reader of a service; its role is the token's, and a disabled person's token is none."""
    reader = authenticate(f"Bearer {token}", tokens)
    person = heads.now().authority.person(reader.person or "")
    if person is not None and not person.active:
        raise unauthenticated()
    if role is not None and role != reader.role:
        raise ProblemError(ROLE_NOT_HELD, 403)
    return reader


def _vouched(token: str, served: ServedStudy, accounts: Accounts, came: Came, request: Request) -> Session:
    """Return the session of a person whom an assertion or the provider vouches for."""
    now_us = served.ledger.sources.now_us()
    if is_assertion(token):
        key = getattr(request.state, "asserted", None)
        if key is None:
            asserted = check_assertion(
                token,
                served.heads.now(),
                audiences=served.people.audiences,
                attempts=accounts.attempts,
                now_us=now_us,
            )
            request.state.asserted = (asserted.key_id, asserted.person)
            return accounts.continued(f"key\0{asserted.key_id}", asserted.person, ["client_key"], came)
        # The same request once more: the assertion is used up, and the key still has to be live.
        key_id, person = key
        head = served.heads.now()
        if not head.authority.live(key_id, head.size):
            raise DeniedError(UNAUTHENTICATED)
        return accounts.continued(f"key\0{key_id}", person, ["client_key"], came)
    if served.people.provider is None:
        raise DeniedError(UNAUTHENTICATED)
    vouched = served.people.provider.check(token)
    return accounts.continued(f"oidc\0{vouched.login}", vouched.person, ["single_sign_on"], came)


def _note_expired(
    error: ExpiredTokenError, token: str, served: ServedStudy, accounts: Accounts, came: Came
) -> None:
    """Record that somebody came with a token that is over: once for each token, or it would fill the log."""
    try:
        if is_assertion(token):
            person = str(error.claims["sub"])
        elif served.people.provider is not None:
            person = served.people.provider.person_of(error.claims).person
        else:
            return
    except DeniedError:
        return
    try:
        accounts.failed_once(f"expired\0{token}", person, "expired", came)
    except StoreError:  # who is refused is refused, whether or not that can be written down
        accounts.gate.count("unrecorded")
