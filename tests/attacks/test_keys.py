"""Keys and names that are not the signer's: other algorithms, strangers, swapped names and roles (§3, §6)."""

from __future__ import annotations

import base64

import pytest

from ledger.envelope import pae
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, sign_again, training, vitals
from tests.attacks.mutators_people import actor
from tests.attacks.mutators_signatures import (
    ref,
    set_signature,
    sigs,
)
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import problems


@pytest.mark.parametrize("alg", ["es256", "ml-dsa-65", "webauthn-es256"])
def test_algorithm_confusion_in_the_statement(
    forged: Forgery, made: SmallLedger, check: Check, alg: str
) -> None:
    """An enrolled key named for another algorithm."""
    at = forged.append(training(forged, made, key={"alg": alg, "id": key_of("root").id}), [key_of("root")])
    own = {**sigs(forged, at)[0], "alg": alg}
    if alg == "webauthn-es256":
        own |= {"ad": "AA==", "cd": "AA=="}
    forged.set_leaf(at, sigs=[own])
    assert_only(check(forged), "KEY_ALG", at)


@pytest.mark.parametrize("alg", ["es256", "ml-dsa-65"])
def test_algorithm_confusion_in_the_leaf(forged: Forgery, made: SmallLedger, check: Check, alg: str) -> None:
    """The leaf names another algorithm than the statement."""
    at = forged.append(training(forged, made), [key_of("root")])
    forged.set_leaf(at, sigs=[{**sigs(forged, at)[0], "alg": alg}])
    assert_only(check(forged), "SIGNATURE_SET", at)


@pytest.mark.parametrize("alg", ["none", "ed25519ph", "EdDSA", "", "hs256", "rs256"])
def test_algorithm_that_there_is_not(forged: Forgery, made: SmallLedger, check: Check, alg: str) -> None:
    """`none` and its relatives have no place in a leaf."""
    at = forged.append(training(forged, made), [key_of("root")])
    forged.set_leaf(at, sigs=[{**sigs(forged, at)[0], "alg": alg}])
    assert_only(check(forged), "LEAF", at)


def test_substituted_key(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Statement and leaf name a key that nobody enrolled, which signs well."""
    thief = key_of("thief")
    at = forged.append(training(forged, made, key=ref(thief)), [thief])
    assert_only(check(forged), "KEY_UNKNOWN", at)


def test_substituted_key_in_the_leaf_alone(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The statement names the person's key, the leaf has another one's signature."""
    at = forged.append(training(forged, made), [key_of("root")])
    sign_again(forged, at, [key_of("thief")])
    assert_only(check(forged), "SIGNATURE_SET", at)


def test_signature_under_anothers_key_id(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A thief's signature under the id of the person's key."""
    at = forged.append(training(forged, made), [key_of("root")])
    set_signature(forged, at, key_of("thief").sign(pae(forged.payloads[at])))
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("member", ["name", "organisation", "id"])
def test_swapped_name(forged: Forgery, made: SmallLedger, check: Check, member: str) -> None:
    """Another printed name, organisation or id than that of the key's holder, signed by the holder."""
    changed = {"name": "Sponsor Administrator", "organisation": "CRO", "id": "root2"}[member]
    at = forged.append(training(forged, made, actor=actor("root", **{member: changed})), [key_of("root")])
    report = check(forged)
    assert problems(report) - {"ROLE_NOT_HELD"} == {"ACTOR"}
    assert report.first_index == at


def test_swapped_names_of_two_people(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The coordinator's key under the investigator's name and role."""
    statement = vitals(forged, made, actor=actor("aruiz"))
    at = forged.append(statement, [key_of("bchan")])
    assert_only(check(forged), "ACTOR", at)


def test_swapped_name_by_look_alike_letters(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A Cyrillic letter in a printed name is another name."""
    statement = vitals(forged, made, actor=actor("bchan", name="B. Ch\u0430n"))
    at = forged.append(statement, [key_of("bchan")])
    assert_only(check(forged), "ACTOR", at)


@pytest.mark.parametrize(
    ("role", "code"),
    [("investigator", "ROLE_NOT_HELD"), ("service", "ROLE_NOT_HELD"), ("king", "ROLE_UNKNOWN")],
)
def test_swapped_role(forged: Forgery, made: SmallLedger, check: Check, role: str, code: str) -> None:
    """A role that was never granted, the service's, and one that there is not."""
    at = forged.append(vitals(forged, made, actor=actor("bchan", role=role)), [key_of("bchan")])
    assert code in problems(check(forged))
    assert check(forged).first_index == at


@pytest.mark.parametrize("meaning", ["approval", "responsibility", "attestation", "review"])
def test_swapped_meaning(forged: Forgery, made: SmallLedger, check: Check, meaning: str) -> None:
    """Signed with a meaning that the role may not sign this type with."""
    at = forged.append(vitals(forged, made, meaning=meaning), [key_of("bchan")])
    report = check(forged)
    assert "MEANING_NOT_ALLOWED" in problems(report)
    assert problems(report) <= {"MEANING_NOT_ALLOWED", "ATTESTATION"}
    assert report.first_index == at


def test_base64_of_another_spelling_in_a_leaf(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Bits after the last byte give one signature two texts, and so one leaf two hashes."""
    at = forged.append(training(forged, made), [key_of("root")])
    plain = sigs(forged, at)[0]["sig"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    lax = plain[:-3] + alphabet[alphabet.index(plain[-3]) + 1] + "=="
    assert base64.b64decode(lax) == base64.b64decode(plain)
    forged.set_leaf(at, sigs=[{**sigs(forged, at)[0], "sig": lax}])
    assert_only(check(forged), "LEAF", at)
