"""Tokens of an OpenID Connect provider on loopback, and assertions by keys of the log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ledger.errors import StoreError
from ledger.identity.assertions import Asserted, check_assertion, make_assertion
from ledger.identity.attempts import Attempts
from ledger.identity.database import FILE, AccountsDatabase
from ledger.identity.denial import DeniedError
from ledger.identity.jwks import AGAIN_US, FRESH_US, STALE_US
from ledger.identity.oidc import Provider
from ledger.identity.reach import Heads
from ledger.identity.settings import OidcSettings
from ledger.identity.tokens import ExpiredTokenError
from ledger.keys import Ed25519SigningKey, Es256SigningKey
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make, seed
from tests.ledger.write_path import enrol, hire

NOW_S = 1_750_000_000
ISSUER = "https://login.example"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class Login:
    """A provider on loopback: its keys, its answers, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [
            {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
            {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec", "alg": "ES256"},
            {"kty": "oct", "kid": "secret", "k": base64.urlsafe_b64encode(b"s" * 32).decode()},
        ]
        self.asked = 0
        self.status = 200
        self.now_us = NOW_S * 1_000_000
        login = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                login.asked += 1
                body = orjson.dumps({"keys": login.keys})
                self.send_response(login.status)
                if login.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def settings(self, **changes: Any) -> OidcSettings:
        """Return what ledger.toml would say."""
        url = f"http://127.0.0.1:{self.server.server_port}/keys"
        people = MappingProxyType({"6601": "bchan"})
        plain = OidcSettings(issuer=ISSUER, audience="trial-ledger", jwks_url=url, people=people)
        return replace(plain, **changes)

    def provider(self, **changes: Any) -> Provider:
        """Return the provider as a service would hold it."""
        return Provider(self.settings(**changes), lambda: self.now_us)

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def login() -> Iterator[Login]:
    """A provider of the test's own."""
    made = Login()
    yield made
    made.close()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token; a change to ... leaves one out."""
    value = {"iss": ISSUER, "aud": "trial-ledger", "sub": "6601", "iat": NOW_S, "exp": NOW_S + 300, **changes}
    return {name: each for name, each in value.items() if each is not ...}


def signed(key: Any = RSA_KEY, alg: str = "RS256", kid: str = "rsa", **changes: Any) -> str:
    """Return a signed token."""
    return jwt.encode(claims(**changes), key, algorithm=alg, headers={"kid": kid})


def raw(header: dict[str, Any], body: dict[str, Any], secret: bytes = b"") -> str:
    """Return a token that no library would make; an HMAC of it where there is a secret."""
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (header, body)]
    text = b".".join(parts)
    mac = hmac.new(secret, text, hashlib.sha256).digest() if secret else b""
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_a_good_token_is_for_whom_the_settings_say(login: Login) -> None:
    """RSA or P-256, a table of sub or a claim that has the person's id."""
    for token in (signed(), signed(EC_KEY, "ES256", "ec")):
        vouched = login.provider().check(token)
        assert (vouched.person, vouched.until_us) == ("bchan", (NOW_S + 300) * 1_000_000)
    by_claim = login.provider(people=MappingProxyType({}), person_claim="employee_id")
    assert by_claim.check(signed(employee_id="aruiz")).person == "aruiz"


_PUBLIC = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
BAD = {
    "no algorithm": raw({"alg": "none", "kid": "rsa"}, claims()),
    "the public key as a secret": raw({"alg": "HS256", "kid": "rsa"}, claims(), _PUBLIC),
    "a symmetric key of the set": raw({"alg": "HS256", "kid": "secret"}, claims(), b"s" * 32),
    "another algorithm than the key's own": signed(EC_KEY, "ES256", "rsa"),
    "an algorithm that is not allowed": signed(alg="PS256"),
    "another key": signed(OTHER_KEY),
    "a key that nobody knows": signed(kid="made-up"),
    "no key id": jwt.encode(claims(), RSA_KEY, algorithm="RS256"),
    "another audience": signed(aud="another-service"),
    "no audience": signed(aud=...),
    "another issuer": signed(iss="https://login.example.evil"),
    "nobody of the table": signed(sub="6602"),
    "no expiry": signed(exp=...),
    "an expiry that is no number": raw({"alg": "RS256", "kid": "rsa"}, claims(exp="never")),
    "issued tomorrow": signed(iat=NOW_S + 86_400, exp=NOW_S + 90_000),
    "valid from tomorrow": signed(nbf=NOW_S + 86_400, exp=NOW_S + 90_000),
    "a changed claim": signed().replace(".", ".e", 1),
    "no JWT": "a.b.c",
    "far too long": "a." + "b" * 20_000 + ".c",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_nobodys(login: Login, name: str) -> None:
    """One code for all of them."""
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        login.provider(algorithms=("RS256", "ES256")).check(BAD[name])


def test_a_token_is_over_after_its_leeway(login: Login) -> None:
    """Its signature holds, so who it was for can be told to the log; for another's key it can't."""
    login.now_us = (NOW_S + 329) * 1_000_000
    provider = login.provider()
    assert provider.check(signed()).person == "bchan"
    login.now_us += 1_000_000
    with pytest.raises(ExpiredTokenError) as told:
        provider.check(signed())
    assert provider.person_of(told.value.claims).person == "bchan"
    with pytest.raises(DeniedError) as other:
        provider.check(signed(OTHER_KEY))
    assert not isinstance(other.value, ExpiredTokenError)


def test_keys_are_kept_and_made_up_ids_make_no_work(login: Login) -> None:
    """One fetch for many tokens; for unknown key ids at most one a minute; a new key is found then."""
    provider = login.provider()
    for _ in range(3):
        provider.check(signed())
    assert login.asked == 1
    for n in range(5):
        with pytest.raises(DeniedError):
            provider.check(signed(kid=f"made-up-{n}"))
    assert login.asked == 1
    login.keys.append({**RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True), "kid": "new"})
    login.now_us += AGAIN_US
    assert provider.check(signed(OTHER_KEY, kid="new")).person == "bchan"
    assert login.asked == 2


def test_a_provider_that_is_away_leaves_its_keys_for_a_day(login: Login) -> None:
    """They are asked for again after an hour; without any at hand nobody is let in, and the code says why."""
    provider = login.provider(leeway_s=300)
    provider.check(signed())
    login.status = 500
    login.now_us += FRESH_US
    assert provider.check(signed(iat=NOW_S, exp=NOW_S + 7_200)).person == "bchan"
    assert login.asked == 2
    login.now_us += STALE_US
    with pytest.raises(StoreError, match="OIDC_KEYS"):
        provider.check(signed(exp=NOW_S + 200_000))


def test_a_redirect_is_not_followed(login: Login) -> None:
    """The address in the settings is the one that is asked."""
    login.status = 302
    with pytest.raises(StoreError, match="OIDC_KEYS"):
        login.provider().check(signed())
    assert login.asked == 1


# Assertions.

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(seed("robot"))


class Robot:
    """A service with a key in the log, and how it shows that it holds it."""

    def __init__(self, directory: Path) -> None:
        self.small: SmallLedger = make(directory, participants=1)
        self.database = AccountsDatabase.create(directory / FILE)
        self.attempts = Attempts(self.database, b"secret")
        hire(self.small, "robot", "data_manager", sites=["*"])
        self.key = self.small.people["robot"].key
        self.heads = Heads(self.small.ledger)
        self.count = 0

    @property
    def now_s(self) -> int:
        """The ledger's time in whole seconds."""
        return self.small.sources.now_us() // 1_000_000

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good assertion, each time with another jti."""
        self.count += 1
        value = {"iss": "robot", "sub": "robot", "aud": ORIGIN, "iat": self.now_s, "exp": self.now_s + 60,
                 "jti": f"assertion-number-{self.count:04}", **changes}  # fmt: skip
        return {name: each for name, each in value.items() if each is not ...}

    def signed(self, key: Any = None, kid: str | None = None, **changes: Any) -> str:
        """Return an assertion."""
        headers = {"kid": kid or self.key.id, "typ": "ledger-assertion+jwt"}
        return jwt.encode(self.claims(**changes), key or KEY, algorithm="EdDSA", headers=headers)

    def check(self, text: str) -> Asserted:
        """Check an assertion at the log's head."""
        return check_assertion(
            text,
            self.heads.now(),
            audiences=[ORIGIN, "https://ledger.example/v1/studies/small"],
            attempts=self.attempts,
            now_us=self.small.sources.now_us(),
        )


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """A service whose key lives until the last test."""
    made = Robot(tmp_path_factory.mktemp("robot") / "d")
    yield made
    made.database.close()


def test_who_holds_an_enrolled_key_is_known(robot: Robot) -> None:
    """For the log's origin and for the study's URL."""
    assert robot.check(robot.signed()).person == "robot"
    assert robot.check(robot.signed(aud="https://ledger.example/v1/studies/small")).key_id == robot.key.id


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "bchan", "sub": "bchan"},
        {"sub": "bchan"},
        {"aud": "ledger.example/another"},
        {"aud": ...},
        {"exp": ...},
        {"iat": ...},
        {"jti": ...},
        {"jti": "short"},
        {"iat": 1_717_400_000, "exp": 4_000_000_000},
    ],
    ids=str,
)
def test_an_assertion_says_all_of_it_and_right(robot: Robot, changes: dict[str, Any]) -> None:
    """Whose, for whom, when, once, and for five minutes at most."""
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        robot.check(robot.signed(**changes))


@pytest.mark.parametrize("kind", [Ed25519SigningKey, Es256SigningKey])
def test_the_projects_own_assertions_hold(robot: Robot, kind: Any) -> None:
    """As the command prints them, by a key of either algorithm."""
    key = kind.from_seed(seed("another key of robot"))
    if key.id not in robot.heads.now().authority.keys:
        enrol(robot.small, "robot", key)
    sources = robot.small.sources
    for audience, passes in ((ORIGIN, True), ("ledger.example/other", False)):
        text = make_assertion(
            key, "robot", audience, now_us=sources.now_us(), random_bytes=sources.random_bytes
        )
        if passes:
            assert robot.check(text).key_id == key.id
        else:
            with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
                robot.check(text)


def test_an_assertion_is_used_once(robot: Robot) -> None:
    """By this process and any other that shares the file."""
    text = robot.signed()
    robot.check(text)
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        robot.check(text)


def test_an_assertion_is_over_after_its_time(robot: Robot) -> None:
    """With half a minute for clocks that differ."""
    text = robot.signed()
    robot.small.sources.advance(91 * 1_000_000)
    with pytest.raises(ExpiredTokenError):
        robot.check(text)


def test_another_key_and_another_algorithm_are_refused(robot: Robot) -> None:
    """A key that the log does not know, another's name on it, and no signature at all."""
    other = ed25519.Ed25519PrivateKey.generate()
    header = {"alg": "none", "typ": "ledger-assertion+jwt", "kid": robot.key.id}
    secret = {**header, "alg": "HS256"}
    for text in (
        robot.signed(other),
        robot.signed(kid="sha256:" + "0" * 64),
        raw(header, robot.claims()),
        raw(secret, robot.claims(), robot.key.spki),
    ):
        with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
            robot.check(text)


def test_a_revocation_ends_access_at_once(robot: Robot) -> None:
    """The next assertion after `key.revoked` is refused."""
    robot.check(robot.signed())
    revoked = {"key": robot.key.id, "person": "robot"}
    robot.small.say(
        "revoked", "admin", "sponsor_administrator", "approval", "key.revoked", "person/robot", revoked
    )
    with pytest.raises(DeniedError, match="UNAUTHENTICATED"):
        robot.check(robot.signed())
