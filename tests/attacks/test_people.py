"""Authority that somebody takes: keys, roles, rotations and policy by who may not (record-format.md §6)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ledger.keys import key_id
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, vitals
from tests.attacks.mutators_people import actor, control, described, enrolment
from tests.attacks.mutators_signatures import ref, sigs, text
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems

THIEF = key_of("thief")
NEW = key_of("new key")
BCHAN = "person/bchan"
LATER = "2024-06-03T10:00:58.000000Z"
DER = bytes.fromhex("302a300506032b6570032100")
SMALL_ORDER = {
    "neutral": bytes([1]) + bytes(31),
    "order 2": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    "order 4": bytes(32),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
}


# Forged enrolment


def test_forged_enrolment_by_the_service(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The operator enrols a key of its own in the name of the investigator."""
    data = enrolment(described(THIEF, "aruiz"))
    at = control(forged, made, "key.enrolled", "person/aruiz", data, by="service", further=[THIEF])
    report = check(forged)
    assert problems(report) == {"ROLE_NOT_ALLOWED", "ATTESTATION"}
    assert report.first_index == at


def test_forged_enrolment_by_the_holder(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nobody but root and the sponsor's administrator enrols; a thief of one key can't add another."""
    data = enrolment(described(THIEF, "bchan"))
    at = control(forged, made, "key.enrolled", BCHAN, data, by="bchan", further=[THIEF])
    assert_only(check(forged), "ROLE_NOT_ALLOWED", at)


def test_statement_by_a_key_of_a_forged_enrolment(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A refused enrolment brings no key in: what it signs is by a key that the log does not know."""
    data = enrolment(described(THIEF, "aruiz"))
    control(forged, made, "key.enrolled", "person/aruiz", data, by="service", further=[THIEF])
    at = forged.append(vitals(forged, made, actor=actor("aruiz"), key=ref(THIEF)), [THIEF])
    assert set(found(check(forged), "KEY_UNKNOWN")) == {at}


def test_enrolment_for_nobody(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key of a person whom the log does not know."""
    data = enrolment(described(THIEF, "nobody"))
    at = control(forged, made, "key.enrolled", "person/nobody", data, further=[THIEF])
    assert_only(check(forged), "PERSON_UNKNOWN", at)


@pytest.mark.parametrize("further", [(), ("admin",), ("new key", "admin")])
def test_missing_proof_of_possession(
    forged: Forgery, made: SmallLedger, check: Check, further: tuple[str, ...]
) -> None:
    """The new key itself, and nothing else, signs its enrolment beside who enrols it."""
    keys = [key_of(label) for label in further]
    data = enrolment(described(NEW, "bchan"))
    at = control(forged, made, "key.enrolled", BCHAN, data, further=keys)
    assert_only(check(forged), "PROOF_OF_POSSESSION", at)


def test_proof_of_possession_that_does_not_hold(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Somebody else's public key can't be enrolled without its holder."""
    data = enrolment(described(NEW, "bchan"))
    at = control(forged, made, "key.enrolled", BCHAN, data, further=[NEW])
    own = sigs(forged, at)
    own[1]["sig"] = text(bytes(64))
    forged.set_leaf(at, sigs=own)
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("person", ["aruiz", "bchan"])
def test_same_key_for_two_people(forged: Forgery, made: SmallLedger, check: Check, person: str) -> None:
    """A key is enrolled once, for one person, for ever: again for another, or for the same."""
    key = key_of("bchan")
    at = control(
        forged, made, "key.enrolled", f"person/{person}", enrolment(described(key, person)), further=[key]
    )
    assert_only(check(forged), "KEY_ALREADY_ENROLLED", at)


def test_root_key_for_a_person(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A root's key is no coordinator's key besides."""
    key = key_of("root")
    at = control(
        forged, made, "key.enrolled", BCHAN, enrolment(described(key, "bchan")), by="admin", further=[key]
    )
    assert_only(check(forged), "KEY_ALREADY_ENROLLED", at)


@pytest.mark.parametrize("order", SMALL_ORDER)
def test_small_order_key(forged: Forgery, made: SmallLedger, check: Check, order: str) -> None:
    """A key under which one signature fits every statement is refused where it is enrolled."""
    spki = DER + SMALL_ORDER[order]
    data = enrolment({**described(NEW, "bchan"), "id": key_id(spki), "spki": text(spki)})
    weak = {"alg": "ed25519", "id": key_id(spki)}
    at = control(forged, made, "key.enrolled", BCHAN, data, **{"with": [weak]})
    own = [
        *sigs(forged, at),
        {"alg": "ed25519", "key": key_id(spki), "sig": base64.b64encode(bytes([1]) + bytes(63)).decode()},
    ]
    forged.set_leaf(at, sigs=own)
    assert_only(check(forged), "WEAK_KEY", at)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "sha256:" + "ab" * 32}, "KEY_ID"),
        ({"alg": "es256"}, "KEY_ENCODING"),
        ({"grade": "service"}, "GRADE"),
        ({"grade": "passkey"}, "GRADE"),
    ],
    ids=["id", "alg", "service", "passkey"],
)
def test_key_described_falsely(
    forged: Forgery, made: SmallLedger, check: Check, change: dict[str, str], code: str
) -> None:
    """Id, algorithm and grade of a new key are those that it has."""
    data = enrolment({**described(NEW, "bchan"), **change})
    at = control(forged, made, "key.enrolled", BCHAN, data, further=[NEW])
    report = check(forged)
    assert code in problems(report)
    assert problems(report) <= {code, "PROOF_OF_POSSESSION", "KEY_UNKNOWN", "KEY_ALG"}
    assert report.first_index == at


@pytest.mark.parametrize("shape", ["trailing", "cut", "compressed", "other header"])
def test_key_in_another_encoding(forged: Forgery, made: SmallLedger, check: Check, shape: str) -> None:
    """A key has one encoding, and so one id: no second name for the same key."""
    spki = {
        "trailing": NEW.spki + b"\0",
        "cut": NEW.spki[:-1],
        "compressed": b"\x30\x39" + NEW.spki[2:],
        "other header": bytes.fromhex("302c300706032b65700500032100") + NEW.spki[-32:],
    }[shape]
    changed = {"id": key_id(spki), "spki": text(spki)}
    data = enrolment({**described(NEW, "bchan"), **changed})
    at = control(forged, made, "key.enrolled", BCHAN, data, further=[NEW])
    report = check(forged)
    assert "KEY_ENCODING" in problems(report)
    assert report.first_index == at


# Roles


def test_role_granted_to_oneself(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The administrator makes an investigator of himself."""
    data = {"blinded": True, "person": "admin", "role": "investigator", "sites": ["*"]}
    at = control(forged, made, "role.granted", "person/admin", data, by="admin")
    assert "SELF_GRANT" in problems(check(forged))
    assert check(forged).first_index == at


def test_role_granted_by_the_service(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The operator grants nothing."""
    data = {"blinded": True, "person": "bchan", "role": "investigator", "sites": ["*"]}
    at = control(forged, made, "role.granted", BCHAN, data, by="service")
    report = check(forged)
    assert "ROLE_NOT_ALLOWED" in problems(report)
    assert report.first_index == at


def test_role_not_held_on_the_site(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A coordinator of one site signs for another."""
    statement = vitals(forged, made, site="SD-02", stream="participant/SD-02-001", tag="ab" * 32)
    at = forged.append(statement, [key_of("bchan")])
    report = check(forged)
    assert {"SITE_NOT_HELD"} <= problems(report) <= {"SITE_NOT_HELD", "SALT_MISSING"}
    assert report.first_index == at


def test_role_after_its_revocation(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """What was allowed before is not any more, from the next index on."""
    control(forged, made, "role.revoked", BCHAN, {"person": "bchan", "role": "coordinator"})
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    assert_only(check(forged), "ROLE_NOT_HELD", at)


def test_account_that_was_disabled(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A live key of a disabled account signs nothing."""
    control(forged, made, "account.disabled", BCHAN, {"person": "bchan"})
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    assert_only(check(forged), "ACCOUNT_INACTIVE", at)


def test_delegation_that_ended(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Done after the delegation ended: a breach, and the server recorded none."""
    delegation = forged.leaf(made.at["delegation"])["statement"]
    control(
        forged, made, "delegation.ended", "site/SA-01", {"delegation": delegation},
        by="aruiz", site="SA-01", protocol=None,
    )  # fmt: skip
    statement = vitals(forged, made, occurred_at=LATER, signed_at=LATER)
    at = forged.append(statement, [key_of("bchan")])
    report = check(forged)
    details = [each.detail for each in report.problems if each.index == at]
    assert any(detail.startswith("NOT_DELEGATED") for detail in details)
    assert problems(report) == {"UNRECORDED_BREACH"}


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("policy.changed", {"threshold": 1}),
        ("account.created", {"name": "N", "organisation": "O", "person": "newcomer"}),
        ("enrolment.opened", {"cap": 99, "sites": ["*"]}),
    ],
)
def test_type_that_the_role_may_not_sign(
    forged: Forgery, made: SmallLedger, check: Check, type_: str, data: dict[str, Any]
) -> None:
    """A coordinator does not change policy, make accounts or open enrolment."""
    stream = "person/newcomer" if type_ == "account.created" else "study"
    at = control(forged, made, type_, stream, data, by="bchan")
    report = check(forged)
    assert "ROLE_NOT_ALLOWED" in problems(report)
    assert report.first_index == at


def test_before_the_policy_is_acknowledged(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Without an acknowledgement of the signature policy nothing is signed (11.100(c))."""
    account = {"name": "N. New", "organisation": "Site SA-01", "person": "newcomer"}
    stream = "person/newcomer"
    control(forged, made, "account.created", stream, account)
    identity = {"by": "root1", "document": "passport", "method": "in person", "person": "newcomer"}
    control(forged, made, "identity.verified", stream, identity, meaning="verification")
    control(forged, made, "key.enrolled", stream, enrolment(described(NEW, "newcomer")), further=[NEW])
    granted = {"blinded": True, "person": "newcomer", "role": "coordinator", "sites": ["SA-01"]}
    control(forged, made, "role.granted", stream, granted)
    newcomer = actor("bchan", id="newcomer", name="N. New")
    at = forged.append(vitals(forged, made, actor=newcomer, key=ref(NEW)), [NEW])
    assert_only(check(forged), "POLICY_UNACKNOWLEDGED", at)


def test_key_before_the_identity_is_verified(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key for an account that nobody looked at (11.100(b))."""
    stream = "person/newcomer"
    control(forged, made, "account.created", stream, {"name": "N", "organisation": "O", "person": "newcomer"})
    at = control(forged, made, "key.enrolled", stream, enrolment(described(NEW, "newcomer")), further=[NEW])
    assert_only(check(forged), "IDENTITY_UNVERIFIED", at)


@pytest.mark.parametrize("person", ["bchan", "root1", "service"])
def test_id_of_a_person_used_again(forged: Forgery, made: SmallLedger, check: Check, person: str) -> None:
    """A second account under an id would let one sign as the other."""
    data = {"name": "Another", "organisation": "Site SA-01", "person": person}
    at = control(forged, made, "account.created", f"person/{person}", data)
    assert_only(check(forged), "PERSON_ID_REUSED", at)
