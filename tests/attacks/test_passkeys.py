"""Assertions of passkeys that are not over this statement, at this origin, by a person who was there (§3)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ledger.envelope import event_hash
from ledger.keys import P256_ORDER
from tests.attacks.mutators_log import Check, vitals
from tests.attacks.mutators_people import RP_ID, SITE_ORIGIN, Passkey, control, described, enrolment
from tests.attacks.mutators_signatures import entry, p256, text
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import problems

PASSKEY = Passkey("passkey")


@pytest.fixture
def signed(forged: Forgery, made: SmallLedger) -> int:
    """Enrol a passkey for the coordinator, and a statement by it; return the statement's index."""
    at = control(
        forged, made, "key.enrolled", "person/bchan", enrolment(PASSKEY.described("bchan")),
        **{"with": [PASSKEY.ref]},
    )  # fmt: skip
    body = forged.payloads[at]
    forged.set_leaf(at, sigs=[entry(key_of("root"), body), PASSKEY.entry(body)])
    at = forged.append(vitals(forged, made, key=PASSKEY.ref), [])
    forged.set_leaf(at, sigs=[PASSKEY.entry(forged.payloads[at])])
    return at


def test_passkey_signs(forged: Forgery, signed: int, check: Check) -> None:
    """What an authenticator makes as it should is good; the rule that the fact breaks is left."""
    assert problems(check(forged)) == {"UNRECORDED_BREACH"}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "webauthn.create"},
        {"type": "payment.get"},
        {"challenge": ...},
        {"challenge": "AA"},
        {"origin": "https://ledger.example.evil"},
        {"origin": "http://ledger.example"},
        {"origin": "https://LEDGER.example"},
        {"origin": [SITE_ORIGIN]},
        {"crossOrigin": True},
        {"crossOrigin": None},
        {"topOrigin": SITE_ORIGIN},
        {"rp_id": "evil.example"},
        {"flags": 0x01},
        {"flags": 0x04},
        {"flags": 0x45},
        {"flags": 0x85},
        {"rest": b"\xa0"},
    ],
    ids=str,
)
def test_passkey_signs_something_else(
    forged: Forgery, signed: int, check: Check, changes: dict[str, Any]
) -> None:
    """Another ceremony, challenge, origin, relying party, or nobody there: signed well, and refused."""
    forged.set_leaf(signed, sigs=[PASSKEY.entry(forged.payloads[signed], **changes)])
    report = check(forged)
    assert problems(report) == {"SIGNATURE"}
    assert report.first_index == signed


def test_assertion_of_a_login(forged: Forgery, signed: int, check: Check) -> None:
    """An assertion over another challenge than the event hash, as a login asks for."""
    other = PASSKEY.entry(b'{"login":true}')
    forged.set_leaf(signed, sigs=[other])
    assert problems(check(forged)) == {"SIGNATURE"}


@pytest.mark.parametrize("alphabet", ["padded", "standard", "hex"])
def test_challenge_in_another_spelling(forged: Forgery, signed: int, check: Check, alphabet: str) -> None:
    """The challenge is base64url without padding."""
    raw = bytes.fromhex(event_hash(forged.payloads[signed]))
    challenge = {
        "padded": base64.urlsafe_b64encode(raw).decode(),
        "standard": base64.b64encode(raw).decode(),
        "hex": raw.hex(),
    }[alphabet]
    forged.set_leaf(signed, sigs=[PASSKEY.entry(forged.payloads[signed], challenge=challenge)])
    assert problems(check(forged)) == {"SIGNATURE"}


@pytest.mark.parametrize(
    "cd",
    [b"{}", b"[]", b"", b"\xff", b"null", b"[" * 100_000, b'{"type":1e999}'],
    ids=lambda cd: repr(cd[:9]),
)
def test_client_data_that_is_none(forged: Forgery, signed: int, check: Check, cd: bytes) -> None:
    """Whatever was signed in the place of clientDataJSON; too deep or too long never crashes."""
    own = PASSKEY.entry(forged.payloads[signed])
    forged.set_leaf(signed, sigs=[PASSKEY.asserted(base64.b64decode(own["ad"]), cd[:40_000])])
    report = check(forged)
    assert problems(report) <= {"SIGNATURE", "LEAF"}
    assert report.first_index == signed


def test_client_data_with_a_member_twice(forged: Forgery, signed: int, check: Check) -> None:
    """Parsers differ in which of two challenges they keep."""
    own = PASSKEY.entry(forged.payloads[signed])
    cd = base64.b64decode(own["cd"])
    twice = b'{"challenge":"AA",' + cd[1:]
    assert json.loads(twice)["challenge"] == json.loads(cd)["challenge"]
    forged.set_leaf(signed, sigs=[PASSKEY.asserted(base64.b64decode(own["ad"]), twice)])
    assert problems(check(forged)) == {"SIGNATURE"}


def test_authenticator_data_cut(forged: Forgery, signed: int, check: Check) -> None:
    """Hash of the relying party and flags alone are no authenticatorData."""
    own = PASSKEY.entry(forged.payloads[signed])
    ad = base64.b64decode(own["ad"])[:33]
    forged.set_leaf(signed, sigs=[PASSKEY.asserted(ad, base64.b64decode(own["cd"]))])
    assert problems(check(forged)) == {"SIGNATURE"}


@pytest.mark.parametrize("shape", ["raw", "long form", "trailing", "padded number", "negative", "empty"])
def test_assertion_in_lax_der(forged: Forgery, signed: int, check: Check, shape: str) -> None:
    """An assertion's signature is strict DER: one encoding only."""
    own = PASSKEY.entry(forged.payloads[signed])
    der = base64.b64decode(own["sig"])
    r_length = der[3]
    r, rest = der[4 : 4 + r_length], der[4 + r_length :]
    bent = {
        "raw": r[-32:] + rest[-32:],
        "long form": b"\x30\x81" + der[1:],
        "trailing": der + b"\0",
        "padded number": bytes([0x30, der[1] + 1, 2, r_length + 1, 0]) + r + rest,
        "negative": bytes([0x30, 6, 2, 1, 0x80, 2, 1, 0x80]),
        "empty": b"\x30\x00",
    }[shape]
    forged.set_leaf(signed, sigs=[{**own, "sig": text(bent)}])
    assert problems(check(forged)) == {"SIGNATURE"}


@pytest.mark.parametrize("number", [0, P256_ORDER, P256_ORDER + 1])
def test_assertion_out_of_range(forged: Forgery, signed: int, check: Check, number: int) -> None:
    """Numbers that fitted every message in broken verifiers."""
    own = PASSKEY.entry(forged.payloads[signed])
    forged.set_leaf(signed, sigs=[{**own, "sig": text(encode_dss_signature(number, number))}])
    assert problems(check(forged)) == {"SIGNATURE"}


@pytest.mark.parametrize("missing", ["ad", "cd"])
def test_assertion_without_its_documents(forged: Forgery, signed: int, check: Check, missing: str) -> None:
    """A passkey's entry has both documents, no other's has any."""
    own = PASSKEY.entry(forged.payloads[signed])
    del own[missing]
    forged.set_leaf(signed, sigs=[own])
    assert problems(check(forged)) == {"LEAF"}


def test_plain_signature_by_a_passkeys_key(forged: Forgery, signed: int, check: Check) -> None:
    """Whoever got the private key out of an authenticator still can't sign as `es256`."""
    own = {**entry(p256("passkey"), forged.payloads[signed])}
    assert own["key"] == PASSKEY.id
    forged.set_leaf(signed, sigs=[own])
    assert problems(check(forged)) == {"SIGNATURE_SET"}


def test_passkey_enrolled_again_as_a_plain_key(
    forged: Forgery, made: SmallLedger, signed: int, check: Check
) -> None:
    """The same point under another algorithm is the same key: enrolled once, for ever."""
    key = p256("passkey")
    data = enrolment(described(key, "bchan"))
    at = control(forged, made, "key.enrolled", "person/bchan", data, further=[key])
    assert "KEY_ALREADY_ENROLLED" in problems(check(forged))
    assert check(forged).exit_code == 1
    assert at > signed


def test_relying_party_of_the_enrolment(forged: Forgery, signed: int, check: Check) -> None:
    """A relying party's parent domain is another relying party."""
    forged.set_leaf(signed, sigs=[PASSKEY.entry(forged.payloads[signed], rp_id=RP_ID.partition(".")[2])])
    assert problems(check(forged)) == {"SIGNATURE"}
