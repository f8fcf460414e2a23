"""Keys after their end, rotations, thresholds and genesis as an attacker wants them (record-format.md §6)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import canonical
from ledger.envelope import event_hash
from ledger.keys import SigningKey
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, sign_again, training, vitals
from tests.attacks.mutators_people import actor, control, described, enrolment, root_key
from tests.attacks.mutators_signatures import ref, refs
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems

THIEF = key_of("thief")
NEW = key_of("new key")
BCHAN = "person/bchan"


# Revoked keys


def _revoke(forged: Forgery, made: SmallLedger, label: str, since: int | None = None) -> int:
    data: dict[str, Any] = {"key": key_of(label).id, "person": label}
    if since is not None:
        data["compromised_from"] = since
    return control(forged, made, "key.revoked", f"person/{label}", data)


def test_revoked_key(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key does not count from the index after its revocation."""
    _revoke(forged, made, "bchan")
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    assert_only(check(forged), "KEY_REVOKED", at)


def test_revoked_key_as_a_further_signer(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nor under `with`."""
    _revoke(forged, made, "bchan")
    statement = training(forged, made, **{"with": refs([key_of("bchan")])})
    at = forged.append(statement, [key_of("root"), key_of("bchan")])
    assert_only(check(forged), "KEY_REVOKED", at)


def test_revoked_key_and_a_statement_dated_back(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Dated before the revocation, by clock and by what its signer says to have seen: the index decides."""
    seen = {"root": forged.root(forged.size), "size": forged.size}
    _revoke(forged, made, "bchan")
    statement = vitals(forged, made, signed_at="2024-06-03T10:00:37.500000Z", seen=seen)
    at = forged.append(statement, [key_of("bchan")])
    assert_only(check(forged), "KEY_REVOKED", at)


def test_revoked_key_enrolled_again(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A revoked key does not come back."""
    _revoke(forged, made, "bchan")
    key = key_of("bchan")
    at = control(forged, made, "key.enrolled", BCHAN, enrolment(described(key, "bchan")), further=[key])
    report = check(forged)
    assert {"KEY_ALREADY_ENROLLED"} <= problems(report) <= {"KEY_ALREADY_ENROLLED", "KEY_REVOKED"}
    assert report.first_index == at


# Rotation


def _rotate(
    forged: Forgery, made: SmallLedger, label: str, new: SigningKey, further: list[SigningKey], **members: Any
) -> int:
    data = {"key": described(new, label), "replaces": key_of(label).id}
    return control(
        forged, made, "key.rotated", f"person/{label}", data, by=label, further=further,
        **members,
    )  # fmt: skip


def test_rotation_as_it_should_be(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """With the new key and root's, it holds: what fails below fails by its change."""
    _rotate(forged, made, "bchan", NEW, [NEW, key_of("root")])
    forged.append(vitals(forged, made, key=ref(NEW)), [NEW])
    assert problems(check(forged)) == {"UNRECORDED_BREACH"}


@pytest.mark.parametrize(
    "further", [["new key"], ["new key", "aruiz"], ["root", "new key"], ["new key", "root", "admin"]], ids=str
)
def test_rotation_without_a_further_signer(
    forged: Forgery, made: SmallLedger, check: Check, further: list[str]
) -> None:
    """Old and new key are not enough, nor is somebody without a say, nor another order or number."""
    at = _rotate(forged, made, "bchan", NEW, [key_of(label) for label in further])
    assert_only(check(forged), "ROTATION_SIGNERS", at)


def test_rotation_by_the_operator(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The service's key confirms no rotation."""
    at = _rotate(forged, made, "bchan", NEW, [NEW, SERVICE_KEY])
    report = check(forged)
    assert {"ROTATION_SIGNERS"} <= problems(report) <= {"ROTATION_SIGNERS", "GRADE"}
    assert report.first_index == at


def test_rotation_by_a_thief_does_not_survive_revocation(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """A thief rotates to a key of his own, twice; revoking the stolen one takes both along."""
    since = forged.size
    second = key_of("second of the thief")
    _rotate(forged, made, "bchan", THIEF, [THIEF, key_of("root")])
    data = {"key": described(second, "bchan"), "replaces": THIEF.id}
    control(
        forged, made, "key.rotated", BCHAN, data, by="bchan", key=THIEF, further=[second, key_of("root")],
    )  # fmt: skip
    _revoke(forged, made, "bchan", since)
    at = forged.append(vitals(forged, made, key=ref(second)), [second])
    assert_only(check(forged), "KEY_REVOKED", at)


def test_enrolment_by_a_thief_does_not_survive_revocation(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """The administrator's stolen key enrols one in the investigator's name; it goes with its thief."""
    since = forged.size
    data = enrolment(described(THIEF, "aruiz"))
    control(forged, made, "key.enrolled", "person/aruiz", data, by="admin", further=[THIEF])
    _revoke(forged, made, "admin", since)
    at = forged.append(
        vitals(forged, made, actor=actor("aruiz"), key=ref(THIEF), meaning="authorship"), [THIEF]
    )
    assert found(check(forged), "KEY_REVOKED") == [at]


def test_what_a_thief_signed_before_the_revocation_is_suspect(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """It stands, and is named until who answers for it says what it is worth."""
    since = made.at["vitals SA-01-002"]
    _revoke(forged, made, "bchan", since)
    report = check(forged)
    assert problems(report) == set()
    assert found(report, "SUSPECT") == [since]


# Root and policy


def test_threshold_not_met(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Once two roots have to sign, one alone changes no policy."""
    second = root_key("root two", "root2")
    data = {"root_keys": [root_key("root", "root1", "Root Holder"), second], "threshold": 2}
    control(forged, made, "policy.changed", "study", data, further=[key_of("root two")])
    at = control(forged, made, "policy.changed", "study", {"threshold": 1})
    assert_only(check(forged), "THRESHOLD", at)


@pytest.mark.parametrize("further", ["admin", "root"])
def test_threshold_met_by_one_person_twice(
    forged: Forgery, made: SmallLedger, check: Check, further: str
) -> None:
    """A threshold counts root persons: neither an administrator nor one root's key twice."""
    second = root_key("root two", "root2")
    data = {"root_keys": [root_key("root", "root1", "Root Holder"), second], "threshold": 2}
    control(forged, made, "policy.changed", "study", data, further=[key_of("root two")])
    at = control(forged, made, "policy.changed", "study", {"threshold": 1}, further=[key_of(further)])
    report = check(forged)
    assert {"THRESHOLD"} <= problems(report) <= {"THRESHOLD", "SIGNATURE_SET"}
    assert report.first_index == at


@pytest.mark.parametrize("threshold", [0, 2, 99])
def test_threshold_that_nobody_can_meet(
    forged: Forgery, made: SmallLedger, check: Check, threshold: int
) -> None:
    """Not below one, not above the number of root persons."""
    at = control(forged, made, "policy.changed", "study", {"threshold": threshold})
    report = check(forged)
    assert problems(report) & {"THRESHOLD", "DATA"}
    assert report.first_index == at


def test_root_key_without_its_own_signature(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A new root's key signs the policy that brings it in."""
    data = {"root_keys": [root_key("root", "root1", "Root Holder"), root_key("root two", "root2")]}
    at = control(forged, made, "policy.changed", "study", data)
    assert_only(check(forged), "PROOF_OF_POSSESSION", at)


def test_two_root_keys_of_one_person(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Two keys of one person do not make two of a threshold."""
    both = [root_key("root", "root1", "Root Holder"), root_key("root two", "root1", "Root Holder")]
    at = control(
        forged, made, "policy.changed", "study", {"root_keys": both, "threshold": 2},
        further=[key_of("root two")],
    )  # fmt: skip
    report = check(forged)
    assert "ROOT_KEYS" in problems(report)
    assert report.first_index == at


def test_root_signs_at_the_bedside(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Root persons sign what the page lists and no clinical fact."""
    statement = vitals(forged, made, actor=actor("root"), key=ref(key_of("root")))
    at = forged.append(statement, [key_of("root")])
    assert_only(check(forged), "ROLE_NOT_ALLOWED", at)


def test_genesis_signed_by_a_stranger(forged: Forgery, check: Check) -> None:
    """Index 0 is signed by its own root keys; and it is another leaf than the auditor's."""
    statement = {**forged.statement(0), "key": ref(THIEF)}
    forged.payloads[0] = canonical.encode(statement)
    forged.set_leaf(0, statement=event_hash(forged.payloads[0]))
    sign_again(forged, 0, [THIEF])
    report = check(forged)
    assert {"LEDGER_ID", "KEY_UNKNOWN"} <= problems(report)
    assert report.first_index == 0


def test_opened_a_second_time(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """`ledger.opened` stands at index 0 and nowhere else: it can't put other roots in place."""
    data = {**forged.statement(0)["data"], "root_keys": [root_key("thief", "root9")]}
    at = control(forged, made, "ledger.opened", "study", data, by="root")
    report = check(forged)
    assert "GENESIS" in problems(report)
    assert report.first_index == at


def test_identity_verified_by_oneself(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nobody looks at their own passport."""
    data = {"by": "bchan", "document": "passport", "method": "in person", "person": "bchan"}
    at = control(forged, made, "identity.verified", BCHAN, data, meaning="verification")
    assert_only(check(forged), "SAME_PERSON", at)


@pytest.mark.parametrize("grade", ["custodial"])
def test_custodial_key_for_keys_and_roles(
    forged: Forgery, made: SmallLedger, check: Check, grade: str
) -> None:
    """A key that the operator holds never signs for keys, roles or policy."""
    data = enrolment({**described(NEW, "admin"), "grade": grade})
    control(forged, made, "key.enrolled", "person/admin", data, further=[NEW])
    granted = {"blinded": True, "person": "bchan", "role": "investigator", "sites": ["*"]}
    at = control(forged, made, "role.granted", BCHAN, granted, by="admin", key=NEW)
    assert_only(check(forged), "GRADE", at)
