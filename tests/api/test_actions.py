"""Keys in custody: made under a secret, enrolled, unlocked for one signature, out of others' reach."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from api.routes import sessions
from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.errors import RefusedError
from ledger.exports import export_ledger
from ledger.keyfile import Cost
from ledger.signing import custody
from ledger.signing.desk import Desk
from ledger.verify.options import Scope
from tests.api.client import BASE, STREAM, VITALS
from tests.api.test_sessions import MINUTE_US, PASSWORD, Service, told
from tests.ledger.small_ledger import seed
from tests.ledger.verifying import judge
from tests.ledger.write_path import types_from

SECRET: Final = "seven grey herons asleep"
CHEAP: Final = Cost(iterations=1, lanes=1, memory_kib=8)


class Custody:
    """The service, with the coordinator in a session."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.headers = service.token()

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """Send JSON as the coordinator."""
        return self.service.http.post(BASE + path, json=body, headers=headers or self.headers)

    def make(self, secret: str = SECRET) -> dict[str, Any]:
        """Make a key in custody; return KEY."""
        answer = self.post("/custodial-keys", {"secret": secret})
        assert answer.status_code == 201, answer.text
        key: dict[str, Any] = answer.json()["key"]
        return key

    def allow(self, *types: str) -> None:
        """Let the policy take keys in custody for some types."""
        grades = {"grades": [[type_, ["client", "custodial"]] for type_ in types]}
        self.service.made.say("grades", "root", "root", "approval", "policy.changed", "study", grades)

    def endorse(self, key: dict[str, Any]) -> str:
        """Have the administrator sign an enrolment as far as they can; return its event."""
        made = self.service.made
        made.sources.advance(1_000_000)
        admin = made.people["admin"]
        value: dict[str, Any] = {
            "type": "key.enrolled",
            "stream": f"person/{key['person']}",
            "role": "sponsor_administrator",
            "meaning": "approval",
            "data": {"evidence": {"kind": "signed-form", "sha256": seed("form").hex()}, "key": key},
            "with": [{"alg": key["alg"], "id": key["id"]}],
        }
        headers = self.service.token("admin")
        action = admin.complete(made.ledger, value)
        prepared = self.post("/statements:prepare", {"action": action}, headers).json()
        signature = admin.key.sign(pae(base64.b64decode(prepared["statement"])))
        half = {
            "payload": prepared["statement"],
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": admin.key.id, "sig": base64.b64encode(signature).decode()}],
        }
        answer = self.post("/signatures", half, headers)
        assert answer.status_code == 202, answer.text
        event: str = answer.json()["event"]
        return event

    def enrol(self) -> dict[str, Any]:
        """Make a key, have it enrolled by both, and allowed for vital signs."""
        key = self.make()
        event = self.endorse(key)
        answer = self.post(f"/signatures/{event}", {"id": "bchan", "secret": SECRET})
        assert answer.status_code == 201, answer.text
        self.allow("vital_signs.recorded")
        return key

    def vitals(self, **components: str) -> Any:
        """Sign vital signs with some components."""
        self.service.made.sources.advance(1_000_000)
        action = {
            "type": "vital_signs.recorded",
            "stream": STREAM,
            "site": "SA-01",
            "protocol": "1.0",
            "role": "coordinator",
            "data": VITALS,
        }
        return self.post("/actions", {"action": action, **components})


@pytest.fixture
def custodian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Custody]:
    """A service of the test's own, with the coordinator in a session."""
    monkeypatch.setattr(sessions, "STEP_S", 0.0)
    service = Service(tmp_path / "ledger")
    with service.http:
        yield Custody(service)
    service.database.close()
    service.made.ledger.close()


def test_a_record_is_signed_with_a_key_in_custody(custodian: Custody, tmp_path: Path) -> None:
    """From the key to the record, to the verdict that counts it by its grade."""
    key = custodian.enrol()
    answer = custodian.vitals(id="bchan", secret=SECRET)
    assert answer.status_code == 201, answer.text
    ledger = custodian.service.made.ledger
    entry = ledger.store.entry(answer.json()["index"])
    assert entry is not None
    assert json.loads(entry.statement)["key"] == {"alg": "ed25519", "id": key["id"]}
    assert ledger.refresh().authority.grade(key["id"]) == "custodial"
    export_ledger(ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    verdict = judge(tmp_path / "bundle", custodian.service.made.policy)
    assert verdict.exit_code == 0
    assert verdict.counts["statements resting on a custodial key"] == 1


def test_the_first_signature_needs_both_components_and_the_next_one(custodian: Custody) -> None:
    """21 CFR 11.200(a)(1)(i): in a continuous session the secret alone."""
    custodian.enrol()
    custodian.headers = custodian.service.token()  # a new session: nothing was signed in it yet
    assert told(custodian.vitals(secret=SECRET)) == (403, "SIGNING_COMPONENTS")
    assert custodian.vitals(secret=SECRET, id="bchan").status_code == 201
    assert custodian.vitals(secret=SECRET).status_code == 201


def test_after_a_break_both_components_are_needed_again(custodian: Custody) -> None:
    """11.200(a)(1)(ii): also where the session went on meanwhile without a signature."""
    custodian.enrol()
    assert custodian.vitals(secret=SECRET, id="bchan").status_code == 201
    for _ in range(2):
        custodian.service.made.sources.advance(10 * MINUTE_US)
        assert custodian.service.get("/sessions/current", **custodian.headers).status_code == 200
    assert told(custodian.vitals(secret=SECRET)) == (403, "SIGNING_COMPONENTS")
    assert custodian.vitals(secret=SECRET, id="bchan").status_code == 201


def test_an_idle_session_signs_nothing(custodian: Custody) -> None:
    """After the idle time the login itself is due again."""
    custodian.enrol()
    custodian.service.made.sources.advance(16 * MINUTE_US)
    assert told(custodian.vitals(secret=SECRET, id="bchan")) == (401, "SESSION_EXPIRED")


def test_a_wrong_component_is_a_recorded_failure(custodian: Custody) -> None:
    """Which one was wrong is not told (11.300(d))."""
    custodian.enrol()
    size = custodian.service.made.ledger.store.head().size
    for wrong in ({"secret": "nine grey herons asleep", "id": "bchan"}, {"secret": SECRET, "id": "aruiz"}):
        assert told(custodian.vitals(**wrong)) == (403, "SIGNING_SECRET")
    assert types_from(custodian.service.made, size) == ["login.failed", "login.failed"]


def test_wrong_secrets_lock_the_login_and_end_the_session(custodian: Custody) -> None:
    """The same count as of passwords; the right secret is no way around the lock."""
    custodian.enrol()
    size = custodian.service.made.ledger.store.head().size
    answers = [told(custodian.vitals(id="bchan", secret="x" * 20)) for _ in range(5)]
    assert answers == [(403, "SIGNING_SECRET")] * 4 + [(429, "LOCKED")]
    types = types_from(custodian.service.made, size)
    assert types[:6] == ["login.failed"] * 5 + ["login.locked"]
    assert set(types[6:]) == {"session.ended"}
    assert custodian.vitals(id="bchan", secret=SECRET).status_code == 401
    assert told(custodian.service.log_in()) == (429, "LOCKED")


def test_a_service_token_signs_nothing(custodian: Custody) -> None:
    """Without a session there are no components, and no key is made."""
    headers = {"Authorization": "Bearer coordinator"}
    for path, body in (
        ("/custodial-keys", {"secret": SECRET}),
        ("/actions", {"action": {"type": "x"}, "secret": SECRET}),
    ):
        assert told(custodian.post(path, body, headers)) == (403, "SESSION_NEEDED")


def test_an_administrator_signs_for_nobody(custodian: Custody) -> None:
    """With the person's own secret, even: the session decides whose key it is (11.200(a)(3))."""
    custodian.enrol()
    custodian.headers = custodian.service.token("admin")
    assert told(custodian.vitals(id="bchan", secret=SECRET)) == (422, "SIGNING_KEY_MISSING")


def test_a_reset_password_opens_no_key(custodian: Custody) -> None:
    """Who gets into the account gets no further: the key stays under the secret, another is not enrolled."""
    custodian.enrol()
    custodian.headers = custodian.service.token()  # an administrator's reset: a new one-time secret, redeemed
    assert told(custodian.vitals(id="bchan", secret=PASSWORD)) == (403, "SIGNING_SECRET")
    custodian.make("an intruder's own long secret")
    answer = custodian.vitals(id="bchan", secret="an intruder's own long secret")
    assert told(answer) == (403, "SIGNING_SECRET")
    key = custodian.service.http.get(f"{BASE}/signing", headers=custodian.headers).json()["keys"][-1]
    assert (key["enrolled"], key["live"]) == (False, False)


def test_a_new_key_and_the_revoked_one_are_both_in_the_log(custodian: Custody) -> None:
    """There is no reset: what replaces a lost secret is two events, endorsed by somebody else."""
    lost = custodian.enrol()
    new = custodian.make("eleven white herons flying")
    made = custodian.service.made
    size = made.ledger.store.head().size
    revoked = {"key": lost["id"], "person": "bchan"}
    made.say("lost", "admin", "sponsor_administrator", "approval", "key.revoked", "person/bchan", revoked)
    event = custodian.endorse(new)
    body = {"id": "bchan", "secret": "eleven white herons flying"}
    assert custodian.post(f"/signatures/{event}", body).status_code == 201
    wanted = ["key.revoked", "login.succeeded", "key.enrolled"]
    assert [type_ for type_ in types_from(made, size) if type_ in wanted] == wanted
    assert custodian.vitals(**body).status_code == 201
    authority = made.ledger.refresh().authority
    assert authority.keys[new["id"]].enrolled_by == made.people["admin"].key.id
    assert authority.keys[lost["id"]].until is not None


def test_a_key_that_is_not_enrolled_signs_nothing(custodian: Custody) -> None:
    """What is made counts only with its event."""
    custodian.make()
    assert told(custodian.vitals(id="bchan", secret=SECRET)) == (422, "SIGNING_KEY_MISSING")


def test_a_type_that_the_policy_does_not_name_is_refused(custodian: Custody) -> None:
    """By default nothing is signed in custody: the policy lists what may be."""
    key = custodian.make()
    event = custodian.endorse(key)
    assert custodian.post(f"/signatures/{event}", {"id": "bchan", "secret": SECRET}).status_code == 201
    assert told(custodian.vitals(secret=SECRET)) == (422, "GRADE")


def test_keys_roles_policy_and_erasure_are_never_signed_in_custody(custodian: Custody) -> None:
    """Whatever the policy says: judged by the rules, which the verifier judges by too."""
    from ledger.authorisation import _grade_allowed
    from ledger.statement import make_statement

    types = ("key.revoked", "role.granted", "policy.changed", "erasure.approved", "personal_data.erased")
    custodian.allow(*types)
    ledger = custodian.service.made.ledger
    authority = ledger.refresh().authority
    entry = ledger.store.entry(ledger.store.head().size - 1)
    assert entry is not None
    for type_ in types:
        assert "custodial" in authority.grades[type_]
        statement = make_statement(json.loads(entry.statement) | {"type": type_, "class": "control"})
        assert not _grade_allowed(authority, statement, "custodial")
        assert _grade_allowed(authority, statement, "client")


def test_a_statement_is_left_with_valid_signatures_alone(custodian: Custody) -> None:
    """What waits was signed by everybody else already."""
    key = custodian.make()
    event = custodian.endorse(key)
    made = custodian.service.made
    waiting = Desk(custodian.service.database).waiting_for("bchan", made.sources.now_us())
    assert [each.event for each in waiting] == [event]
    body = json.loads(waiting[0].body)
    body["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    assert told(custodian.post("/signatures", body)) == (401, "SIGNATURE")
    statement = json.loads(base64.b64decode(body["payload"]))
    del statement["data"]["key"]["person"]
    changed = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    malformed = {**body, "payload": base64.b64encode(changed).decode()}
    assert told(custodian.post("/signatures", malformed)) == (422, "DATA")
    body["signatures"] = []
    assert told(custodian.post("/signatures", body)) == (422, "WAITING")


def test_what_waits_for_somebody_is_signed_by_nobody_else(custodian: Custody) -> None:
    """An event of another's desk is not found."""
    event = custodian.endorse(custodian.make())
    admin = custodian.service.token("admin")
    answer = custodian.post(f"/signatures/{event}", {"id": "admin", "secret": SECRET}, admin)
    assert told(answer) == (404, "NOT_FOUND")


def test_a_signing_secret_is_long_and_not_the_password(custodian: Custody) -> None:
    """The second component is another than the first one of the login."""
    for secret, code in (
        ("short", "PASSWORD_LENGTH"),
        ("a" * 20, "PASSWORD_GUESSABLE"),
        (PASSWORD, "SIGNING_SECRET_REUSED"),
    ):
        assert told(custodian.post("/custodial-keys", {"secret": secret})) == (422, code)


def test_a_secret_is_changed_by_who_knows_the_old_one(custodian: Custody) -> None:
    """The key stays the same; the old secret opens it no more."""
    key = custodian.enrol()
    body = {"key": key["id"], "old": "wrong but long enough", "new": "twelve black swans gliding"}
    assert told(custodian.post("/custodial-keys:secret", body)) == (403, "SIGNING_SECRET")
    assert custodian.post("/custodial-keys:secret", {**body, "old": SECRET}).status_code == 200
    assert told(custodian.vitals(id="bchan", secret=SECRET)) == (403, "SIGNING_SECRET")
    assert custodian.vitals(id="bchan", secret="twelve black swans gliding").status_code == 201


def test_who_signs_is_not_asked_of_the_request(custodian: Custody) -> None:
    """Key and actor follow from the session."""
    for member in ("actor", "key", "with", "log", "v"):
        answer = custodian.post("/actions", {"action": {"type": "x", member: {}}, "secret": SECRET})
        assert told(answer) == (400, "ACTION")


def test_neither_file_nor_answer_holds_a_secret(custodian: Custody) -> None:
    """The file of accounts has the key wrapped; no answer has more than its public side."""
    custodian.enrol()
    answer = custodian.vitals(id="bchan", secret=SECRET)
    desk = custodian.service.http.get(f"{BASE}/signing", headers=custodian.headers)
    for text in (answer.text, desk.text):
        assert SECRET not in text
        assert "ciphertext" not in text
    content = custodian.service.database.path.read_bytes()
    assert SECRET.encode() not in content
    (kept,) = Desk(custodian.service.database).keys_of("bchan")
    assert kept.wrapped is not None
    assert SECRET not in repr(kept)
    assert "ciphertext" not in repr(kept)
    assert '"ciphertext"' in kept.wrapped
    assert '"secret"' not in kept.wrapped


def test_an_unlocked_key_is_wiped_after_its_signature() -> None:
    """Its secret bytes are overwritten where Python lets one."""
    made = custody.make_key("bchan", SECRET, lambda count: seed("custody")[:count], cost=CHEAP)
    material = custody.unlock(made.wrapped, SECRET)
    assert material is not None
    custody.sign(material, b"{}")
    assert material.secret == bytes(32)
    assert custody.unlock(made.wrapped, "another") is None


def test_a_key_without_policy_is_refused_by_the_log_itself(custodian: Custody) -> None:
    """Not the interface decides: the same statement handed in by another way is refused alike."""
    from ledger.keys import Ed25519SigningKey
    from ledger.prepare import Signer

    made = custodian.service.made
    key = Ed25519SigningKey.from_seed(seed("another custodial"))
    made.people["keyed"] = Signer(key, "bchan", "B. Chan", "Site SA-01")
    data = {
        "evidence": {"kind": "signed-form", "sha256": seed("form").hex()},
        "key": {
            "alg": "ed25519",
            "grade": "custodial",
            "id": key.id,
            "person": "bchan",
            "spki": base64.b64encode(key.spki).decode(),
        },
    }
    made.say("key", "root", "root", "approval", "key.enrolled", "person/bchan", data, further=[key])
    with pytest.raises(RefusedError) as caught:
        made.say("vitals", "keyed", "coordinator", "authorship", "vital_signs.recorded", STREAM, dict(VITALS))
    assert caught.value.code == "GRADE"
