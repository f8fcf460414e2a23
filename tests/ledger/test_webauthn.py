"""Passkey assertions over an event hash: the public ceremonies, and one defect after the other."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ledger.envelope import EventHash, event_hash, pae
from ledger.errors import SignatureError
from ledger.keys import P256_ORDER, Es256SigningKey, KeySignature, PublicKey, check_signature, load_public_key
from ledger.webauthn import challenge_of
from tests.shared import SHARED, needs_shared

P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
ORIGIN = "https://ledger.example"
RP_ID = "ledger.example"
BODY = b'{"v":1}'
PAE = pae(BODY)
EVENT = event_hash(BODY)
PRIVATE = ec.derive_private_key(
    int.from_bytes(hashlib.sha256(b"passkey under test").digest(), "big"), ec.SECP256R1()
)


def passkey(private: ec.EllipticCurvePrivateKey = PRIVATE) -> PublicKey:
    spki = Es256SigningKey(private).spki
    return load_public_key(
        "webauthn-es256", spki, origins=[ORIGIN, "https://www.ledger.example"], rp_id=RP_ID
    )


def client_data(**changes: Any) -> dict[str, Any]:
    members = {
        "type": "webauthn.get",
        "challenge": challenge_of(EVENT),
        "origin": ORIGIN,
        "crossOrigin": False,
        **changes,
    }
    return {name: member for name, member in members.items() if member is not ...}


def authenticator_data(flags: int = 0x05, rp_id: str = RP_ID, rest: bytes = b"") -> bytes:
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4) + rest


def asserted(ad: bytes, cd: bytes) -> KeySignature:
    """Sign two documents as an authenticator does, whatever they say."""
    sig = PRIVATE.sign(ad + hashlib.sha256(cd).digest(), ec.ECDSA(hashes.SHA256()))
    return KeySignature(alg="webauthn-es256", key=passkey().id, sig=sig, ad=ad, cd=cd)


def check(entry: KeySignature) -> None:
    check_signature(passkey(), PAE, EVENT, entry)


def assert_refused(entry: KeySignature, field: str) -> None:
    with pytest.raises(SignatureError) as refused:
        check(entry)
    assert (refused.value.code, refused.value.field) == ("ASSERTION", field)


def with_client_data(**changes: Any) -> KeySignature:
    return asserted(authenticator_data(), json.dumps(client_data(**changes)).encode())


# The ceremonies of WebAuthn L3

# What each P-256 ceremony's assertion meets here. The specification's vectors exercise options that a
# signature of record may not use; the two that use none hold.
EXPECTED = {
    "none-es256": "user verified",
    "packed-self-es256": "user verified",
    "none-es256-crossOrigin": "cross-origin",
    "none-es256-topOrigin": "cross-origin",
    "none-es256-long-credential-id": None,
    "packed-es256": None,
    "tpm-es256": None,
    "android-key-es256": "user verified",
    "apple-es256": "user verified",
    "fido-u2f-es256": "user verified",
}


def ceremonies() -> list[dict[str, Any]]:
    path = SHARED / "vectors/public/webauthn-l3/ceremonies.json"
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return [ceremony for ceremony in found if ceremony["alg"] == -7]


def name_of(ceremony: dict[str, Any]) -> str:
    return str(ceremony["name"]).partition("#sctn-test-vectors-")[2].rstrip("}")


def enrolled(ceremony: dict[str, Any]) -> PublicKey:
    cose = ceremony["cose_key_hex"]
    x, y = cose.partition("215820")[2][:64], cose.partition("225820")[2][:64]
    spki = P256_DER + bytes.fromhex("04" + x + y)
    return load_public_key("webauthn-es256", spki, origins=["https://example.org"], rp_id="example.org")


def assertion_of(ceremony: dict[str, Any], key: PublicKey) -> KeySignature:
    return KeySignature(
        alg="webauthn-es256",
        key=key.id,
        sig=bytes.fromhex(ceremony["signature"]),
        ad=bytes.fromhex(ceremony["authenticatorData"]),
        cd=bytes.fromhex(ceremony["authentication_clientDataJSON"]),
    )


@needs_shared
def test_ceremonies_are_the_ones_expected() -> None:
    """The file has the ten P-256 ceremonies that the table above speaks of."""
    assert {name_of(ceremony) for ceremony in ceremonies()} == set(EXPECTED)


@needs_shared
@pytest.mark.parametrize("ceremony", ceremonies(), ids=name_of)
def test_public_ceremony_holds_or_is_refused_for_its_option(ceremony: dict[str, Any]) -> None:
    """A ceremony over its challenge holds where the user was verified and no other origin took part."""
    key = enrolled(ceremony)
    event = EventHash(ceremony["challenge_authentication"])
    expected = EXPECTED[name_of(ceremony)]
    if expected is None:
        check_signature(key, b"", event, assertion_of(ceremony, key))
        return
    with pytest.raises(SignatureError, match=expected):
        check_signature(key, b"", event, assertion_of(ceremony, key))


@needs_shared
@pytest.mark.parametrize("ceremony", ceremonies(), ids=name_of)
def test_public_ceremony_over_another_statement_is_refused(ceremony: dict[str, Any]) -> None:
    """An assertion whose challenge is another event hash proves nothing for this one."""
    key = enrolled(ceremony)
    with pytest.raises(SignatureError) as refused:
        check_signature(key, b"", EVENT, assertion_of(ceremony, key))
    assert refused.value.field == "cd.challenge"


# Assertions that hold


def test_assertion_over_the_event_hash_holds() -> None:
    """An assertion with presence and verification, at an enrolled origin, is a signature."""
    check(with_client_data())
    check(with_client_data(origin="https://www.ledger.example"))


def test_cross_origin_may_be_absent_and_other_members_may_come() -> None:
    """Browsers leave `crossOrigin` out or add members of their own; neither changes what was signed."""
    check(with_client_data(crossOrigin=...))
    check(with_client_data(other_keys_can_be_added_here="do not compare clientDataJSON against a template"))


def test_byte_order_mark_before_client_data_is_skipped() -> None:
    """WebAuthn reads clientDataJSON with a decoder that skips a byte order mark; its hash includes it."""
    check(asserted(authenticator_data(), b"\xef\xbb\xbf" + json.dumps(client_data()).encode()))


def test_backup_flags_and_extensions_are_let_be() -> None:
    """A synced passkey, and one that reports extensions, sign like any other."""
    check(asserted(authenticator_data(0x1D), json.dumps(client_data()).encode()))
    check(asserted(authenticator_data(0x85, rest=b"\xa0"), json.dumps(client_data()).encode()))


def test_high_s_of_a_passkey_is_taken() -> None:
    """Authenticators don't normalise s, and the form asks it of software keys only."""
    entry = with_client_data()
    r, s = decode_dss_signature(entry.sig)
    both = [encode_dss_signature(r, half) for half in (s, P256_ORDER - s)]
    for sig in both:
        check(KeySignature(alg=entry.alg, key=entry.key, sig=sig, ad=entry.ad, cd=entry.cd))


# clientDataJSON


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("cd.type", {"type": "webauthn.create"}),
        ("cd.type", {"type": ...}),
        ("cd.type", {"type": ["webauthn.get"]}),
        ("cd.challenge", {"challenge": challenge_of(event_hash(b"{}"))}),
        ("cd.challenge", {"challenge": challenge_of(EVENT) + "="}),
        ("cd.challenge", {"challenge": EVENT}),
        ("cd.challenge", {"challenge": base64.b64encode(EVENT.encode()).decode()}),
        ("cd.challenge", {"challenge": ...}),
        ("cd.origin", {"origin": "https://ledger.example.evil.example"}),
        ("cd.origin", {"origin": "http://ledger.example"}),
        ("cd.origin", {"origin": "https://ledger.example:8443"}),
        ("cd.origin", {"origin": "https://ledger.example/"}),
        ("cd.origin", {"origin": [ORIGIN]}),
        ("cd.origin", {"origin": ...}),
        ("cd.crossOrigin", {"crossOrigin": True}),
        ("cd.crossOrigin", {"crossOrigin": None}),
        ("cd.crossOrigin", {"crossOrigin": 0}),
        ("cd.topOrigin", {"topOrigin": ORIGIN}),
        ("cd.topOrigin", {"topOrigin": None}),
    ],
)
def test_client_data_that_says_something_else_is_refused(field: str, changes: dict[str, Any]) -> None:
    """Type, challenge, origin and framing are compared exactly, under a signature that would hold."""
    assert_refused(with_client_data(**changes), field)


@pytest.mark.parametrize(
    "cd",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 200_000,
        b'{"a":' + b"9" * 10_000 + b"}",
        json.dumps(client_data()).encode("utf-16"),
        json.dumps(client_data()).encode() + b"x",
        json.dumps(client_data()).encode()[:-1] + b',"type":"webauthn.get"}',
        json.dumps(client_data()).encode()[:-1] + b',"\\u006frigin":"https://ledger.example"}',
    ],
)
def test_client_data_that_is_no_single_object_is_refused(cd: bytes) -> None:
    """Broken JSON, other encodings, endless nesting and duplicate members are one kind of refusal."""
    assert_refused(asserted(authenticator_data(), cd), "cd")


# authenticatorData


@pytest.mark.parametrize(
    "ad",
    [
        authenticator_data(0x04),
        authenticator_data(0x01),
        authenticator_data(0x00),
        authenticator_data(0x45),
        authenticator_data(0x45, rest=bytes(18)),
        authenticator_data(0x05, rest=b"\xa0"),
        authenticator_data(0x85),
        authenticator_data(rp_id="evil.example"),
        authenticator_data()[:-1],
        b"",
    ],
    ids=[
        "no presence",
        "no verification",
        "neither",
        "attested flag",
        "attested data",
        "bytes without flag",
        "flag without bytes",
        "other relying party",
        "cut",
        "empty",
    ],
)
def test_authenticator_data_with_a_defect_is_refused(ad: bytes) -> None:
    """Presence, verification, relying party and length are checked under a signature that would hold."""
    assert_refused(asserted(ad, json.dumps(client_data()).encode()), "ad")


# The signature itself


def without_ad(entry: KeySignature) -> KeySignature:
    return KeySignature(alg=entry.alg, key=entry.key, sig=entry.sig, cd=entry.cd)


def without_cd(entry: KeySignature) -> KeySignature:
    return KeySignature(alg=entry.alg, key=entry.key, sig=entry.sig, ad=entry.ad)


@pytest.mark.parametrize("cut", [without_ad, without_cd])
def test_assertion_without_its_documents_is_refused(cut: Callable[[KeySignature], KeySignature]) -> None:
    """A passkey's entry has both documents, since the signature covers both."""
    with pytest.raises(SignatureError, match="ad and cd"):
        check(cut(with_client_data()))


def test_signature_over_pae_is_no_assertion() -> None:
    """What a software key signs doesn't pass as a passkey's signature, nor its form."""
    entry = with_client_data()
    for sig in (
        PRIVATE.sign(PAE, ec.ECDSA(hashes.SHA256())),
        Es256SigningKey(PRIVATE).sign(PAE),
        Es256SigningKey(PRIVATE).sign((entry.ad or b"") + hashlib.sha256(entry.cd or b"").digest()),
    ):
        with pytest.raises(SignatureError, match=r"^SIGNATURE\b"):
            check(KeySignature(alg=entry.alg, key=entry.key, sig=sig, ad=entry.ad, cd=entry.cd))


def test_lax_der_is_refused() -> None:
    """Trailing bytes, long lengths, padded, negative and missing integers are no strict DER."""
    entry = with_client_data()
    r, s = decode_dss_signature(entry.sig)
    length = entry.sig[1]
    big_r = entry.sig[2 : 4 + entry.sig[3]]
    rest = entry.sig[4 + entry.sig[3] :]
    padded = b"\x02" + bytes([big_r[1] + 1]) + b"\x00" + big_r[2:]
    bare_s = s.to_bytes(32, "big")
    for sig in (
        entry.sig + b"\0",
        b"\x30\x81" + entry.sig[1:],
        b"\x30" + bytes([length + 1]) + padded + rest,
        b"\x30" + bytes([length + 2]) + entry.sig[2:] + b"\x05\x00",
        b"\x30\x44\x02\x20" + (r % 2**255 | 2**255).to_bytes(32, "big") + b"\x02\x20" + bare_s,
        entry.sig[:-1],
        b"\x30\x00",
        b"",
    ):
        with pytest.raises(SignatureError, match=r"^SIGNATURE\b"):
            check(KeySignature(alg=entry.alg, key=entry.key, sig=sig, ad=entry.ad, cd=entry.cd))


SIGNED = with_client_data()


@given(st.sampled_from(["sig", "ad", "cd"]), st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_an_assertion_is_refused(part: str, position: int, difference: int) -> None:
    """No single byte of signature, authenticatorData or clientDataJSON can change."""
    parts = {"sig": SIGNED.sig, "ad": SIGNED.ad or b"", "cd": SIGNED.cd or b""}
    changed = bytearray(parts[part])
    changed[position % len(changed)] ^= difference
    parts[part] = bytes(changed)
    with pytest.raises(SignatureError):
        check(KeySignature(alg=SIGNED.alg, key=SIGNED.key, **parts))
