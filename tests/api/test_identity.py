"""Assertions and a provider's tokens over HTTP: the sessions that they continue, and failures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from starlette.requests import Request
from starlette.testclient import TestClient

from api.app import create_app
from api.call import enter
from api.identity import Asking
from api.problems import ProblemError
from api.routes.stream import OPERATIONS as STREAM
from api.study import OpenStudy
from ledger.identity.accounts import UNRECORDED
from ledger.identity.database import FILE, AccountsDatabase
from ledger.identity.settings import IdentitySettings, OidcSettings
from ledger.store.startup import Startup
from tests.api.client import BASE, bearer, config
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make, seed
from tests.ledger.test_identity_tokens import ISSUER, RSA_KEY, Login
from tests.ledger.write_path import types_from

URL = "https://ledger.example/v1/studies/small"
CHEAP = IdentitySettings(argon2_memory_kib=8, argon2_iterations=1, argon2_lanes=1, url=URL)
MINUTE_US = 60_000_000
COUNT = iter(range(1_000_000))


class Service:
    """A service whose people come with keys and with a provider's tokens."""

    def __init__(self, directory: Path) -> None:
        self.made: SmallLedger = make(directory, participants=1)
        self.login = Login()
        oidc = OidcSettings(
            issuer=ISSUER,
            audience="trial-ledger",
            jwks_url=self.login.settings().jwks_url,
            people=MappingProxyType({"6601": "bchan", "6602": "nobody-of-the-log"}),
        )
        self.database = AccountsDatabase.create(directory / FILE)
        self.config = replace(config(self.made), identity=CHEAP, oidc=oidc)
        study = OpenStudy(config=self.config, ledger=self.made.ledger, accounts=self.database)
        self.http = TestClient(create_app([study]), base_url="http://localhost")

    @property
    def now_s(self) -> int:
        """The ledger's time in whole seconds."""
        return self.made.sources.now_us() // 1_000_000

    @property
    def size(self) -> int:
        """How much is recorded."""
        return self.made.ledger.store.head().size

    @property
    def accounts(self) -> Any:
        """The accounts, as they are served."""
        return self.http.app.state.studies["small"].people.accounts  # type: ignore[attr-defined]

    def assertion(self, **changes: Any) -> dict[str, str]:
        """Return the header of a coordinator's program that holds the coordinator's key."""
        claims = {"iss": "bchan", "sub": "bchan", "aud": ORIGIN, "iat": self.now_s, "exp": self.now_s + 60,
                  "jti": f"assertion-number-{next(COUNT):06}", **changes}  # fmt: skip
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed("bchan"))
        headers = {"typ": "ledger-assertion+jwt", "kid": self.made.people["bchan"].key.id}
        return {"Authorization": f"Bearer {jwt.encode(claims, key, algorithm='EdDSA', headers=headers)}"}

    def vouched(self, **changes: Any) -> dict[str, str]:
        """Return the header of who has a token of the provider."""
        claims = {"iss": ISSUER, "aud": "trial-ledger", "sub": "6601", "sid": "one", "iat": self.now_s,
                  "exp": self.now_s + 300, **changes}  # fmt: skip
        text = jwt.encode(claims, RSA_KEY, algorithm="RS256", headers={"kid": "rsa"})
        return {"Authorization": f"Bearer {text}"}

    def get(self, headers: dict[str, str], path: str = "/participants") -> Any:
        """Ask for an address of the study."""
        return self.http.get(BASE + path, headers=headers)

    def disable(self, person: str) -> None:
        """Disable an account."""
        stream, data = f"person/{person}", {"person": person}
        admin = ("admin", "sponsor_administrator", "approval")
        self.made.say(f"disabled {person}", *admin, "account.disabled", stream, data)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own."""
    made = Service(tmp_path / "ledger")
    with made.http:
        yield made
    made.login.close()
    made.database.close()
    made.made.ledger.close()


def told(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json()["code"]


def newest(service: Service) -> dict[str, Any]:
    """Return the data of the newest statement."""
    stored = service.made.ledger.store.entry(service.size - 1)
    assert stored is not None
    data: dict[str, Any] = orjson.loads(stored.statement)["data"]
    return data


# Assertions.


def test_a_program_with_an_enrolled_key_is_let_in(service: Service) -> None:
    """The first request is recorded as a login by a key; further ones continue that session."""
    size = service.size
    for audience in (ORIGIN, URL):
        assert service.get(service.assertion(aud=audience)).status_code == 200
    assert types_from(service.made, size) == ["login.succeeded"]
    assert newest(service)["components"] == ["client_key"]
    assert service.get(service.assertion(), "/sessions/current").json()["person"] == "bchan"


def test_an_assertion_passes_once(service: Service) -> None:
    """Whoever reads it on its way can't use it again."""
    headers = service.assertion()
    assert service.get(headers).status_code == 200
    assert told(service.get(headers)) == (401, "UNAUTHENTICATED")


def test_a_revoked_key_ends_access_at_once(service: Service) -> None:
    """The log says so, and the session that it continued is of no use to it."""
    assert service.get(service.assertion()).status_code == 200
    key = service.made.people["bchan"].key.id
    admin = ("admin", "sponsor_administrator", "approval")
    data = {"key": key, "person": "bchan"}
    service.made.say("revoked", *admin, "key.revoked", "person/bchan", data)
    assert told(service.get(service.assertion())) == (401, "UNAUTHENTICATED")


def test_a_session_by_key_begins_anew_after_the_idle_time(service: Service) -> None:
    """Its end is recorded with its reason, then the next login."""
    service.get(service.assertion())
    service.made.sources.advance(15 * MINUTE_US)
    size = service.size
    assert service.get(service.assertion()).status_code == 200
    assert types_from(service.made, size) == ["session.ended", "login.succeeded"]


def test_an_expired_assertion_is_recorded_once(service: Service) -> None:
    """Its signature tells whose it is; sending it again adds nothing."""
    headers = service.assertion()
    service.made.sources.advance(5 * MINUTE_US)
    size = service.size
    for _ in range(3):
        assert told(service.get(headers)) == (401, "UNAUTHENTICATED")
    assert types_from(service.made, size) == ["login.failed"]
    assert (newest(service)["code"], newest(service)["who"]) == ("expired", "bchan")


# A provider's tokens.


def test_a_providers_token_is_for_a_person_of_the_log(service: Service) -> None:
    """One login of the provider is one session here, however many tokens it gives out."""
    size = service.size
    for _ in range(2):
        assert service.get(service.vouched(exp=service.now_s + 100 + next(COUNT))).status_code == 200
    assert types_from(service.made, size) == ["login.succeeded"]
    assert newest(service)["components"] == ["single_sign_on"]
    assert service.get(service.vouched(sid="two")).status_code == 200
    assert types_from(service.made, size) == ["login.succeeded"] * 2
    assert service.get(service.vouched(), "/sessions/current").json()["roles"][0]["role"] == "coordinator"


def test_a_token_for_nobody_of_the_log_is_counted(service: Service) -> None:
    """The provider knows them, the study does not."""
    size = service.size
    assert told(service.get(service.vouched(sub="6602"))) == (401, "UNAUTHENTICATED")
    assert told(service.get(service.vouched(sub="6603"))) == (401, "UNAUTHENTICATED")
    assert service.size == size
    assert service.accounts.gate.counted["unknown_person"] == 1


def test_a_disabled_account_is_out_whatever_the_provider_says(service: Service) -> None:
    """The session ends, the attempt is recorded."""
    service.get(service.vouched())
    service.disable("bchan")
    size = service.size
    for _ in range(8):
        assert told(service.get(service.vouched())) == (401, "UNAUTHENTICATED")
    assert types_from(service.made, size) == ["session.ended", "login.failed"]
    assert newest(service)["code"] == "disabled"


def test_an_expired_token_is_recorded_once(service: Service) -> None:
    """A page that goes on asking with it neither fills the log nor locks its person out."""
    headers = service.vouched()
    service.made.sources.advance(10 * MINUTE_US)
    size = service.size
    for _ in range(8):
        assert told(service.get(headers)) == (401, "UNAUTHENTICATED")
    assert types_from(service.made, size) == ["login.failed"]
    assert newest(service)["code"] == "expired"
    assert service.get(service.vouched()).status_code == 200


def test_a_provider_that_cant_be_reached_is_said_to_be(service: Service) -> None:
    """That is the operator's matter, not the person's."""
    service.login.status = 500
    assert told(service.get(service.vouched())) == (503, "OIDC_KEYS")


# The same request, asked again.


def ask(service: Service, headers: dict[str, str]) -> Request:
    """Return a request as an open stream keeps it."""
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": f"{BASE}/stream",
            "path_params": {"study": "small"},
            "query_string": b"",
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "app": service.http.app,
            "state": {},
        }
    )


def test_an_open_stream_keeps_its_rights_by_an_assertion_until_the_key_ends(service: Service) -> None:
    """The assertion is used up; whether its key is live is asked each time."""
    request = ask(service, service.assertion())
    [operation] = STREAM
    first = enter(request, operation, None)
    assert enter(request, operation, None).who == first.who
    service.disable("bchan")
    with pytest.raises(ProblemError, match="UNAUTHENTICATED"):
        enter(request, operation, None)


def test_an_open_stream_is_no_use_of_a_session(service: Service) -> None:
    """Who only leaves a page open is logged out after the idle time like anybody."""
    sources = service.made.sources
    secret = service.accounts.invitations.make("bchan", sources.now_us(), sources.random_bytes)
    body = {"person": "bchan", "secret": secret, "password": "a quiet river in june", "bearer": True}
    token = service.http.post(f"{BASE}/passwords:redeem", json=body).json()["token"]
    request = ask(service, {"Authorization": f"Bearer {token}"})
    [operation] = STREAM
    enter(request, operation, None)
    for _ in range(14):
        sources.advance(MINUTE_US)
        enter(request, operation, None)
    sources.advance(MINUTE_US)
    with pytest.raises(ProblemError, match="SESSION_EXPIRED"):
        enter(request, operation, None)


# A ledger without accounts, and one that is frozen.


def test_a_ledger_without_accounts_still_takes_services_tokens(service: Service) -> None:
    """A login says what is missing; a token that would need accounts is nobody's."""
    study = OpenStudy(config=service.config, ledger=service.made.ledger)
    with TestClient(create_app([study])) as http:
        answer = http.post(f"{BASE}/sessions", json={"person": "bchan", "password": "x"})
        assert told(answer) == (503, "NO_ACCOUNTS")
        assert told(http.get(f"{BASE}/participants", headers=service.assertion())) == (401, "UNAUTHENTICATED")
        assert http.get(f"{BASE}/participants", headers=bearer("auditor")).status_code == 200


def test_a_frozen_log_still_lets_people_read(service: Service) -> None:
    """Nothing can be recorded, so the session says that its login was not."""
    service.made.ledger.startup = Startup(frozen=True, code="LOG_INCONSISTENT", message="for the test")
    assert service.get(service.assertion()).status_code == 200
    (session,) = service.accounts.sessions.of("bchan")
    assert session.login == UNRECORDED


def test_what_a_request_brings_is_looked_at_when_it_is_asked_for(service: Service) -> None:
    """A bad token on an address that needs none is nobody's failure."""
    size = service.size
    asking = Asking(ask(service, {"Authorization": "Bearer a.b.c"}), None)
    assert asking.given
    assert asking.session is None
    assert service.http.get("/livez", headers={"Authorization": "Bearer a.b.c"}).status_code == 200
    assert service.size == size
