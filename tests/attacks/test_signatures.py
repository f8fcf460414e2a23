"""Signatures that are moved, cut, added, bent or made in another way (record-format.md §3)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ledger import canonical
from ledger.envelope import pae
from tests.attacks.assertions import assert_only
from tests.attacks.mutators_log import Check, training, vitals
from tests.attacks.mutators_people import control, described, enrolment
from tests.attacks.mutators_signatures import (
    entry,
    higher_s,
    mirrored,
    ml_dsa,
    p256,
    ref,
    refs,
    set_signature,
    signature,
    sigs,
)
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, seed
from tests.ledger.verifying import found, problems

# Replayed


@pytest.mark.parametrize(
    "label", ["vitals SA-01-001", "vitals SA-01-002", "demographics SA-01-002", "registered SA-01-001"]
)
def test_signature_replayed_to_another_record(
    forged: Forgery, made: SmallLedger, check: Check, label: str
) -> None:
    """What the same key signed for another participant, visit or number does not fit (11.70)."""
    at = forged.append(vitals(forged, made), [key_of("bchan")])
    forged.set_leaf(at, sigs=sigs(forged, made.at[label]))
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("stream", "person/aruiz", "SIGNATURE"),
        ("seq", 12, "SIGNATURE"),
        ("protocol", "2.0", "SIGNATURE"),
        ("meaning", "approval", "SIGNATURE"),
        ("reason", {"code": "transcription"}, "STATEMENT"),
        ("schema", 2, "UNKNOWN_TYPE"),
    ],
)
def test_signature_replayed_with_one_member_changed(
    forged: Forgery, made: SmallLedger, check: Check, member: str, value: Any, code: str
) -> None:
    """A signature is over every member, so it fits no statement that differs by one."""
    like = training(forged, made)
    at = forged.append({**like, member: value}, [key_of("root")])
    set_signature(forged, at, key_of("root").sign(pae(canonical.encode(like))))
    assert found(check(forged), code)[0] == at


def test_signature_over_the_bare_bytes(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Without its type and length in front a body is not what was signed."""
    at = forged.append(training(forged, made), [key_of("root")])
    set_signature(forged, at, key_of("root").sign(forged.payloads[at]))
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.trial-ledger.statement.v2+json"])
def test_signature_for_another_payload_type(
    forged: Forgery, made: SmallLedger, check: Check, kind: str
) -> None:
    """The payload type is under the signature."""
    at = forged.append(training(forged, made), [key_of("root")])
    set_signature(forged, at, key_of("root").sign(pae(forged.payloads[at], kind)))
    assert_only(check(forged), "SIGNATURE", at)


# The set of signatures


def test_signature_excised(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Two signed, and one of them is left out of the leaf."""
    at = forged.append(
        training(forged, made, **{"with": refs([key_of("admin")])}), [key_of("root"), key_of("admin")]
    )
    forged.set_leaf(at, sigs=sigs(forged, at)[:1])
    assert_only(check(forged), "SIGNATURE_SET", at)


@pytest.mark.parametrize("place", [0, 1])
def test_signature_added(forged: Forgery, made: SmallLedger, check: Check, place: int) -> None:
    """A further signature, good as it is, that the statement does not ask for."""
    at = forged.append(training(forged, made), [key_of("root")])
    own = sigs(forged, at)
    own.insert(place, entry(key_of("admin"), forged.payloads[at]))
    forged.set_leaf(at, sigs=own)
    assert_only(check(forged), "SIGNATURE_SET", at)


def test_signature_given_twice(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The one signature, counted as two."""
    at = forged.append(training(forged, made), [key_of("root")] * 2)
    assert_only(check(forged), "SIGNATURE_SET", at)


def test_signature_set_reordered(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """`key` first, then `with` in its order: who is the author does not change places."""
    statement = training(forged, made, **{"with": refs([key_of("admin"), key_of("aruiz")])})
    at = forged.append(statement, [key_of("root"), key_of("aruiz"), key_of("admin")])
    assert_only(check(forged), "SIGNATURE_SET", at)


def test_key_named_twice_in_a_statement(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """One key under `key` and under `with` is no second signer."""
    statement = training(forged, made, **{"with": refs([key_of("root")])})
    at = forged.append(statement, [key_of("root"), key_of("root")])
    assert_only(check(forged), "SIGNATURE_SET", at)


def test_further_signature_that_does_not_hold(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each of a set is checked, not the first alone."""
    statement = training(forged, made, **{"with": refs([key_of("admin")])})
    at = forged.append(statement, [key_of("root"), key_of("admin")])
    set_signature(forged, at, bytes(64), which=1)
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("count", [0, 10])
def test_signatures_beyond_count(forged: Forgery, made: SmallLedger, check: Check, count: int) -> None:
    """A leaf has one to nine signatures."""
    at = forged.append(training(forged, made), [key_of("root")] * count)
    assert_only(check(forged), "LEAF", at)


# Short, long, bent


@pytest.mark.parametrize("length", [1, 32, 63, 65, 128])
def test_signature_of_another_length(forged: Forgery, made: SmallLedger, check: Check, length: int) -> None:
    """A signature has its exact length; nothing is cut or filled up."""
    at = forged.append(training(forged, made), [key_of("root")])
    set_signature(forged, at, (signature(forged, at) * 2)[:length])
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("byte", [0, 31, 32, 63])
def test_signature_with_one_bit_changed(forged: Forgery, made: SmallLedger, check: Check, byte: int) -> None:
    """R and S, first and last byte."""
    at = forged.append(training(forged, made), [key_of("root")])
    bent = bytearray(signature(forged, at))
    bent[byte] ^= 1
    set_signature(forged, at, bytes(bent))
    assert_only(check(forged), "SIGNATURE", at)


def test_malleable_ed25519(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """S + L is the same number to a lax verifier; here a statement has one signature by a key."""
    at = forged.append(training(forged, made), [key_of("root")])
    set_signature(forged, at, higher_s(signature(forged, at)))
    assert_only(check(forged), "SIGNATURE", at)


def _with_p256(forged: Forgery, made: SmallLedger) -> int:
    """Enrol a P-256 key for the coordinator and sign with it; return the index."""
    key = p256("second")
    control(forged, made, "key.enrolled", "person/bchan", enrolment(described(key, "bchan")), further=[key])
    return forged.append(vitals(forged, made, key=ref(key)), [key])


def test_malleable_ecdsa(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """n - s is the second signature that everybody can make of a first; only the lower one is taken."""
    at = _with_p256(forged, made)
    assert "SIGNATURE" not in problems(check(forged))
    set_signature(forged, at, mirrored(signature(forged, at)))
    assert_only(check(forged), "SIGNATURE", at)


@pytest.mark.parametrize("sig", [bytes(64), bytes(32) + b"\1" + bytes(31), b"\xff" * 64])
def test_ecdsa_out_of_range(forged: Forgery, made: SmallLedger, check: Check, sig: bytes) -> None:
    """Zero, and numbers past the order, which fitted every message in broken verifiers."""
    at = _with_p256(forged, made)
    set_signature(forged, at, sig)
    assert_only(check(forged), "SIGNATURE", at)


def test_ecdsa_in_der(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The same numbers in another encoding are another signature: one spelling only."""
    at = _with_p256(forged, made)
    raw = signature(forged, at)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    set_signature(forged, at, der)
    assert_only(check(forged), "SIGNATURE", at)


def test_ml_dsa_for_another_context(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A post-quantum signature made with a context of its own does not fit the empty one."""
    key = ml_dsa("second")
    control(forged, made, "key.enrolled", "person/bchan", enrolment(described(key, "bchan")), further=[key])
    at = forged.append(vitals(forged, made, key=ref(key)), [key])
    assert "SIGNATURE" not in problems(check(forged))
    private = MLDSA65PrivateKey.from_seed_bytes(seed("second"))
    set_signature(forged, at, private.sign(pae(forged.payloads[at]), b"another"))
    assert_only(check(forged), "SIGNATURE", at)
