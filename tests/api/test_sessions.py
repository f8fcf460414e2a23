"""Logging in over HTTP: sessions in cookies and tokens, roles from the log, and whoever is not let in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.routes import sessions
from api.study import OpenStudy
from ledger.identity.database import FILE, AccountsDatabase
from ledger.identity.settings import IdentitySettings
from tests.api.client import BASE, PARTICIPANT, STREAM, bearer, config
from tests.ledger.small_ledger import SITE, SmallLedger, make
from tests.ledger.write_path import hire, types_from

CHEAP = IdentitySettings(argon2_memory_kib=8, argon2_iterations=1, argon2_lanes=1, idle_minutes=15)
PASSWORD = "a quiet river in june"
MINUTE_US = 60_000_000


class Service:
    """A service with accounts, and a browser on the same machine."""

    def __init__(self, directory: Path) -> None:
        self.made: SmallLedger = make(directory, participants=1)
        self.database = AccountsDatabase.create(directory / FILE)
        study = OpenStudy(
            config=replace(config(self.made), identity=CHEAP), ledger=self.made.ledger, accounts=self.database
        )
        self.app = create_app([study])
        self.http = TestClient(self.app, base_url="http://localhost")

    @property
    def accounts(self) -> Any:
        """The accounts of the study, as they are served."""
        return self.app.state.studies["small"].people.accounts

    def invite(self, person: str) -> str:
        """Make a one-time secret, as the command does."""
        sources = self.made.sources
        secret: str = self.accounts.invitations.make(person, sources.now_us(), sources.random_bytes)
        return secret

    def redeem(self, person: str = "bchan", **members: Any) -> Any:
        """Set a first password by a one-time secret."""
        body = {"person": person, "secret": self.invite(person), "password": PASSWORD, **members}
        return self.http.post(f"{BASE}/passwords:redeem", json=body)

    def log_in(self, person: str = "bchan", password: str = PASSWORD, **members: Any) -> Any:
        """Log in with a password."""
        body = {"person": person, "password": password, **members}
        return self.http.post(f"{BASE}/sessions", json=body)

    def token(self, person: str = "bchan", **members: Any) -> dict[str, str]:
        """Return the header of a new session for programs; the browser keeps none."""
        text = self.redeem(person, bearer=True, **members).json()["token"]
        return {"Authorization": f"Bearer {text}"}

    def get(self, path: str, **headers: str) -> Any:
        """Ask for an address of the study."""
        return self.http.get(BASE + path, headers=headers)

    def grant(self, person: str, role: str) -> None:
        """Grant a role on the small ledger's site."""
        data = {"blinded": True, "person": person, "role": role, "sites": [SITE]}
        stream = f"person/{person}"
        self.made.say("granted", "root", "root", "approval", "role.granted", stream, data)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service of the test's own, which answers denials without waiting."""
    monkeypatch.setattr(sessions, "STEP_S", 0.0)
    made = Service(tmp_path / "ledger")
    with made.http:
        yield made
    made.database.close()
    made.made.ledger.close()


def told(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json()["code"]


# Cookies.


def test_a_first_login_sets_a_password_and_opens_a_session(service: Service) -> None:
    """By the one-time secret alone; who is logged in, in which roles, until when, is told after."""
    answer = service.redeem()
    assert answer.status_code == 201, answer.text
    value = service.get("/sessions/current").json()
    assert (value["person"], value["name"]) == ("bchan", "B. Chan")
    assert value["roles"] == [{"role": "coordinator", "sites": [SITE]}]
    assert value["components"] == ["one_time_code"]
    assert service.get("/participants").json()["count"] == 1
    assert "token" not in answer.json()


def test_a_cookie_is_for_this_host_alone_and_no_script(service: Service) -> None:
    """Without TLS it is set for this machine alone; with it, it is secure and bound to the host."""
    service.redeem()
    plain = service.log_in().headers["Set-Cookie"]
    assert plain.startswith("ledger-small=")
    assert "Secure" not in plain
    secure = TestClient(service.app, base_url="https://ledger.example")
    answer = secure.post(f"{BASE}/sessions", json={"person": "bchan", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ledger-small=")
    for attribute in ("HttpOnly", "Path=/", "SameSite=strict", "Secure"):
        assert attribute in cookie
    for attribute in ("Domain", "Expires", "Max-Age"):
        assert attribute not in cookie
    assert secure.get(f"{BASE}/sessions/current").json()["person"] == "bchan"


def test_logging_out_ends_the_session_and_is_recorded(service: Service) -> None:
    """The cookie is taken back, and what it held opens nothing any more."""
    service.redeem()
    kept = dict(service.http.cookies)
    size = service.made.ledger.store.head().size
    answer = service.http.delete(f"{BASE}/sessions/current", headers={"Ledger-Request": "1"})
    assert answer.status_code == 204
    assert types_from(service.made, size) == ["session.ended"]
    assert told(service.get("/sessions/current")) == (401, "UNAUTHENTICATED")
    for name, value in kept.items():
        service.http.cookies.set(name, value)
    assert told(service.get("/participants")) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Origin": "http://localhost"}, 204),
        ({"Ledger-Request": "1"}, 204),
    ],
    ids=str,
)
def test_a_cookie_changes_nothing_from_another_site(
    service: Service, headers: dict[str, str], status: int
) -> None:
    """An unsafe method needs a sign that a page of this service sent it."""
    service.redeem()
    answer = service.http.delete(f"{BASE}/sessions/current", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "CROSS_SITE"
        assert service.get("/sessions/current").status_code == 200


# Tokens for programs.


def test_a_program_gets_a_token_and_no_cookie(service: Service) -> None:
    """It needs no sign of a page, because no browser sends it on its own."""
    headers = service.token()
    assert not service.http.cookies
    assert service.get("/participants", **headers).status_code == 200
    assert service.http.delete(f"{BASE}/sessions/current", headers=headers).status_code == 204
    assert told(service.get("/participants", **headers)) == (401, "UNAUTHENTICATED")


def test_a_token_wins_over_a_cookie(service: Service) -> None:
    """And a bad one is not made good by a cookie beside it."""
    service.redeem()
    assert told(service.get("/participants", **bearer("session_nothing"))) == (401, "UNAUTHENTICATED")
    assert service.get("/audit-trail", **bearer("auditor")).status_code == 200


# Whoever is not let in.


@pytest.mark.parametrize("person", ["bchan", "aruiz", "nobody-has-this-id"])
def test_nobody_learns_which_part_was_wrong(service: Service, person: str) -> None:
    """One answer for a wrong password, none set, and no such person; a lock after as many failures."""
    service.redeem()
    answers = [service.log_in(person, "wrong") for _ in range(6)]
    assert [told(each) for each in answers] == [(401, "UNAUTHENTICATED")] * 4 + [(429, "LOCKED")] * 2
    assert len({each.content for each in answers[:4]}) == 1
    assert [each.headers.get("Retry-After") for each in answers] == [None] * 4 + ["1800"] * 2


def test_denials_are_answered_at_full_steps(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little work it was, no answer comes before a full step."""
    monkeypatch.setattr(sessions, "STEP_S", 0.05)
    began = time.monotonic()
    service.log_in("nobody-has-this-id", "wrong")
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"person": "bchan"}, "BODY"),
        ({"person": "bchan", "password": "x", "extra": 1}, "BODY"),
        ({"person": "bchan", "password": 5}, "BODY"),
        ({"person": "bchan", "password": "x", "bearer": 1}, "BODY"),
    ],
    ids=str,
)
def test_a_login_has_exactly_its_members(service: Service, body: dict[str, Any], code: str) -> None:
    """Anything else is malformed, and no attempt."""
    size = service.made.ledger.store.head().size
    assert told(service.http.post(f"{BASE}/sessions", json=body)) == (400, code)
    assert service.made.ledger.store.head().size == size


def test_a_form_of_another_site_is_no_login(service: Service) -> None:
    """What a plain form can send is not taken."""
    answer = service.http.post(f"{BASE}/sessions", data={"person": "bchan", "password": PASSWORD})
    assert told(answer) == (415, "CONTENT_TYPE")


def test_a_disabled_account_is_out_with_its_next_request(service: Service) -> None:
    """Session and service's token both; the log decides."""
    headers = service.token()
    assert service.get("/participants", **bearer("coordinator")).status_code == 200
    data = {"person": "bchan"}
    service.made.say(
        "disabled", "admin", "sponsor_administrator", "approval", "account.disabled", "person/bchan", data
    )
    assert told(service.get("/participants", **headers)) == (401, "UNAUTHENTICATED")
    assert told(service.get("/participants", **bearer("coordinator"))) == (401, "UNAUTHENTICATED")
    assert told(service.log_in()) == (401, "UNAUTHENTICATED")


def test_an_idle_session_is_over_and_says_so(service: Service) -> None:
    """Fifteen minutes without a request: logged out, recorded with its reason."""
    service.redeem()
    service.made.sources.advance(14 * MINUTE_US)
    assert service.get("/participants").status_code == 200
    service.made.sources.advance(15 * MINUTE_US)
    size = service.made.ledger.store.head().size
    assert told(service.get("/participants")) == (401, "SESSION_EXPIRED")
    assert types_from(service.made, size) == ["session.ended"]


# Passwords.


def test_a_password_is_changed_by_who_knows_the_old_one(service: Service) -> None:
    """Every other session ends; a short one is refused with what is asked of it."""
    other = service.token()
    service.log_in()
    headers = {"Ledger-Request": "1"}
    change = {"old": PASSWORD, "new": "another quiet river"}
    address = f"{BASE}/passwords:change"
    short = service.http.post(address, json={**change, "new": "short"}, headers=headers)
    assert told(short) == (422, "PASSWORD_LENGTH")
    wrong = service.http.post(address, json={**change, "old": "wrong"}, headers=headers)
    assert told(wrong) == (401, "UNAUTHENTICATED")
    assert told(service.http.post(address, json=change)) == (403, "CROSS_SITE")
    assert service.http.post(address, json=change, headers=headers).status_code == 204
    assert service.get("/participants").status_code == 200
    assert told(service.get("/participants", **other)) == (401, "UNAUTHENTICATED")
    assert service.log_in(password="another quiet river").status_code == 201


# Roles.


def test_roles_and_sites_are_the_logs(service: Service) -> None:
    """A role that is taken away is gone with the next request, one that is granted is there."""
    headers = service.token()
    data = {"person": "bchan", "role": "coordinator"}
    service.made.say("taken", "root", "root", "approval", "role.revoked", "person/bchan", data)
    assert told(service.get("/participants", **headers)) == (403, "ROLE_NOT_HELD")
    service.grant("bchan", "sub_investigator")
    assert service.get("/participants", **headers).status_code == 200


def test_who_holds_several_roles_names_one(service: Service) -> None:
    """At login or in a header, and only one that they hold."""
    service.grant("bchan", "sub_investigator")
    headers = service.token()
    assert told(service.get("/participants", **headers)) == (403, "ROLE_NEEDED")
    named = {**headers, "Ledger-Role": "sub_investigator"}
    assert service.get("/participants", **named).status_code == 200
    assert told(service.get("/participants", **{**headers, "Ledger-Role": "auditor"})) == (
        403,
        "ROLE_NOT_HELD",
    )
    assert told(service.log_in(role="auditor")) == (403, "ROLE_NOT_HELD")
    chosen = service.log_in(role="coordinator", bearer=True).json()
    assert chosen["role"] == "coordinator"
    assert service.get("/participants", **bearer(chosen["token"])).status_code == 200


def test_a_services_role_is_its_tokens(service: Service) -> None:
    """It can't be changed by a header."""
    assert told(service.get("/participants", **bearer("auditor"), **{"Ledger-Role": "inspector"})) == (
        403,
        "ROLE_NOT_HELD",
    )


def test_an_inspector_is_one_while_an_inspection_names_them(service: Service) -> None:
    """Before and after it the role is not held."""
    hire(service.made, "insp", "inspector", sites=["*"])
    headers = service.token("insp")
    assert service.get("/participants", **headers).status_code == 403
    opening = {"authority": "Agency", "blinded": False, "inspection": "INSP-1", "inspectors": ["insp"],
               "sites": ["*"], "size": 1, "root": "A" * 43 + "="}  # fmt: skip
    admin = ("admin", "sponsor_administrator")
    opened = service.made.say("opened", *admin, "approval", "inspection.opened", "study", opening)
    assert service.get("/audit-trail", **headers).status_code == 200
    closing = {"statement": opened.event, "source": {"kind": "esource"}}
    service.made.say("closed", *admin, "responsibility", "inspection.closed", "study", closing,
                     opened={"/data/note": None})  # fmt: skip
    assert service.get("/audit-trail", **headers).status_code == 403


def test_a_participant_reads_their_own_by_an_access_that_was_issued(service: Service) -> None:
    """A sealed value that nobody is shown ties the person's random id to the stream; revoked, it ends."""
    hire(service.made, "p-7f3a", "participant", acknowledged=False)
    issued_to = {"access": "ACC-1", "use": "web"}
    bedside = ("bchan", "coordinator", "authorship")
    headers = service.token("p-7f3a")
    assert told(service.get(f"/participants/{PARTICIPANT}", **headers)) == (403, "ROLE_NOT_HELD")
    access = service.made.say(
        "issued", *bedside, "participant_access.issued", STREAM, issued_to, opened={"/data/person": "p-7f3a"}
    )
    assert service.get(f"/participants/{PARTICIPANT}", **headers).status_code == 200
    assert service.get("/participants", **headers).status_code == 403
    ended = {"code": "lost", "statement": access.event}
    service.made.say("ended", *bedside, "participant_access.revoked", STREAM, ended)
    assert told(service.get(f"/participants/{PARTICIPANT}", **headers)) == (403, "ROLE_NOT_HELD")
