"""Public keys, signatures in software algorithms, and signing keys."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pickle
from typing import Any

import nacl.bindings
import nacl.exceptions
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, utils
from hypothesis import given
from hypothesis import strategies as st

from ledger.envelope import EventHash, event_hash, pae
from ledger.errors import SignatureError
from ledger.keys import (
    P256_ORDER,
    Ed25519SigningKey,
    Es256SigningKey,
    KeySignature,
    MlDsa65SigningKey,
    SigningKey,
    check_signature,
    key_id,
    load_public_key,
    signing_key,
)
from tests.shared import VECTORS

FORMAT: dict[str, Any] = json.loads((VECTORS / "record-format.json").read_text())
ALGORITHMS = ["ed25519", "es256", "ml-dsa-65"]
BODY = b'{"v":1}'
PAE = pae(BODY)
EVENT = event_hash(BODY)

ED25519_DER = bytes.fromhex("302a300506032b6570032100")
P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
EDWARDS_P = 2**255 - 19
EDWARDS_L = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER_POINTS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]


def seed(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()


def key_of(alg: str, label: str = "keys under test") -> SigningKey:
    return signing_key(alg, seed(label))


def signature_of(key: SigningKey, sig: bytes) -> KeySignature:
    return KeySignature(alg=key.alg, key=key.id, sig=sig)


def refusal(key: SigningKey, sig: bytes, signed: bytes = PAE, event: EventHash = EVENT) -> str | None:
    """Return the code with which a signature is refused, or None where it holds."""
    try:
        check_signature(load_public_key(key.alg, key.spki), signed, event, signature_of(key, sig))
    except SignatureError as error:
        return error.code
    return None


# Vectors


def test_vector_key_has_its_name() -> None:
    """The conformance person's key has the spki and the id that the vectors name."""
    key = Ed25519SigningKey.from_seed(seed(FORMAT["person_key_label"]))
    assert key.spki.hex() == FORMAT["person_spki_hex"]
    assert key.id == key_id(key.spki) == FORMAT["person_key_id"]


@pytest.mark.parametrize("position", range(len(FORMAT["events"])))
def test_vector_signatures_hold_and_are_made_again(position: int) -> None:
    """Each vector's signature holds over its statement, and the same seed signs the same bytes."""
    event = FORMAT["events"][position]
    body = event["statement"].encode()
    key = Ed25519SigningKey.from_seed(seed(FORMAT["person_key_label"]))
    sig = base64.b64decode(event["signature"])
    assert key.sign(pae(body)) == sig
    assert refusal(key, sig, pae(body), EventHash(event["event"])) is None


# Every algorithm


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_holds_over_its_statement_alone(alg: str) -> None:
    """What a key signs is checked by its public half, and over another statement it doesn't hold."""
    key = key_of(alg)
    sig = key.sign(PAE)
    assert refusal(key, sig) is None
    assert refusal(key, sig, pae(b'{"v":2}')) == "SIGNATURE"
    assert refusal(key, sig, BODY) == "SIGNATURE"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_by_another_key_is_refused(alg: str) -> None:
    """A signature is refused under another key of the same algorithm, also when it claims the right id."""
    key, other = key_of(alg), key_of(alg, "another")
    assert refusal(key, other.sign(PAE)) == "SIGNATURE"
    with pytest.raises(SignatureError, match="named key"):
        check_signature(load_public_key(alg, key.spki), PAE, EVENT, signature_of(other, other.sign(PAE)))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_under_another_algorithm_name_is_refused(alg: str) -> None:
    """The algorithm that a signature names is the one that the key was enrolled with."""
    key = key_of(alg)
    for claimed in {*ALGORITHMS, "webauthn-es256", "", "EdDSA"} - {alg}:
        entry = dataclasses.replace(signature_of(key, key.sign(PAE)), alg=claimed)
        with pytest.raises(SignatureError, match="algorithm"):
            check_signature(load_public_key(alg, key.spki), PAE, EVENT, entry)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_passkey_members_are_refused_for_other_algorithms(alg: str) -> None:
    """`ad` and `cd` would be unsigned bytes in a leaf, so only a passkey has them."""
    key = key_of(alg)
    plain = signature_of(key, key.sign(PAE))
    for entry in (dataclasses.replace(plain, ad=b""), dataclasses.replace(plain, cd=b"")):
        with pytest.raises(SignatureError, match="passkey only"):
            check_signature(load_public_key(alg, key.spki), PAE, EVENT, entry)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_of_another_length_is_refused(alg: str) -> None:
    """A signature has exactly its algorithm's number of bytes."""
    key = key_of(alg)
    sig = key.sign(PAE)
    for wrong in (b"", sig[:-1], sig + b"\0", b"\0" + sig, sig + PAE):
        assert refusal(key, wrong) == "SIGNATURE"


SIGNED = {alg: (key_of(alg), key_of(alg).sign(PAE)) for alg in ALGORITHMS}


@given(st.sampled_from(ALGORITHMS), st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_a_signature_is_refused(alg: str, position: int, difference: int) -> None:
    """No single byte of a signature can change without the signature failing."""
    key, sig = SIGNED[alg]
    changed = bytearray(sig)
    changed[position % len(sig)] ^= difference
    assert refusal(key, bytes(changed)) == "SIGNATURE"


@given(st.sampled_from(ALGORITHMS), st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_of_the_statement_is_refused(alg: str, position: int, difference: int) -> None:
    """No single byte of what was signed can change without the signature failing."""
    key, sig = SIGNED[alg]
    changed = bytearray(PAE)
    changed[position % len(PAE)] ^= difference
    assert refusal(key, sig, bytes(changed)) == "SIGNATURE"


# Encodings of keys


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_spki_is_the_encoding_that_another_library_writes(alg: str) -> None:
    """A key's DER is the SubjectPublicKeyInfo that a general library reads and writes back byte for byte."""
    key = key_of(alg)
    loaded = serialization.load_der_public_key(key.spki)
    written = loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert written == key.spki
    assert load_public_key(alg, key.spki).point == loaded.public_bytes(
        *(
            (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            if alg == "es256"
            else (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        )
    )


@given(st.sampled_from(ALGORITHMS), st.integers(0, 10**6), st.integers(1, 255))
def test_changed_spki_is_another_key_or_none(alg: str, position: int, difference: int) -> None:
    """A changed encoding never reads as the same point: one key has one encoding and one name."""
    key = key_of(alg)
    changed = bytearray(key.spki)
    changed[position % len(changed)] ^= difference
    try:
        other = load_public_key(alg, bytes(changed))
    except SignatureError as error:
        assert error.code in {"KEY_ENCODING", "WEAK_KEY"}  # noqa: PT017  # most changes are refused, not all
        return
    assert other.point != load_public_key(alg, key.spki).point


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_spki_with_missing_or_further_bytes_is_refused(alg: str) -> None:
    """A cut or continued encoding, and no encoding, are refused."""
    spki = key_of(alg).spki
    for wrong in (b"", spki[:-1], spki + b"\0", spki[12:], b"\x30\x80" + spki[2:]):
        with pytest.raises(SignatureError) as refused:
            load_public_key(alg, wrong)
        assert refused.value.code == "KEY_ENCODING"


def test_spki_of_another_algorithm_is_refused() -> None:
    """A key is enrolled under its own algorithm only."""
    for alg in ALGORITHMS:
        for other in set(ALGORITHMS) - {alg}:
            with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
                load_public_key(alg, key_of(other).spki)
    with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
        load_public_key("rsa", key_of("ed25519").spki)


def test_other_encodings_of_a_p256_key_are_refused() -> None:
    """Compressed and hybrid points, other curves and the point at infinity are no encodings of a key."""
    key = key_of("es256")
    x, y = key.spki[27:59], key.spki[59:]
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + b"\x02" + x
    hybrid = P256_DER + bytes([6 + y[-1] % 2]) + x + y
    infinity = bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d03010703020000")
    other_curve = ec.derive_private_key(5, ec.SECP256K1()).public_key()
    secp256k1 = other_curve.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    passkey = {"origins": ["https://a.example"], "rp_id": "a.example"}
    cases: list[tuple[str, dict[str, Any]]] = [("es256", {}), ("webauthn-es256", passkey)]
    for wrong in (compressed, hybrid, infinity, secp256k1):
        for alg, members in cases:
            with pytest.raises(SignatureError) as refused:
                load_public_key(alg, wrong, **members)
            assert refused.value.code == "KEY_ENCODING"


def test_p256_point_off_the_curve_is_refused() -> None:
    """Coordinates that don't satisfy the curve's equation, or are not below p, are refused."""
    key = key_of("es256")
    off = key.spki[:-1] + bytes([key.spki[-1] ^ 1])
    # x = 5 is on the curve and so small that x + p still has 32 bytes
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    y = pow(5**3 - 3 * 5 + b, (P256_P + 1) // 4, P256_P)
    small = P256_DER + b"\x04" + (5).to_bytes(32, "big") + y.to_bytes(32, "big")
    beyond = P256_DER + b"\x04" + (5 + P256_P).to_bytes(32, "big") + y.to_bytes(32, "big")
    assert load_public_key("es256", small).point == small[26:]
    for wrong in (off, beyond):
        with pytest.raises(SignatureError) as refused:
            load_public_key("es256", wrong)
        assert refused.value.code == "KEY_ENCODING"


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_ed25519_key_of_small_order_is_weak(point: str) -> None:
    """A key under which one signature fits every statement is refused with WEAK_KEY when it is enrolled."""
    with pytest.raises(SignatureError) as refused:
        load_public_key("ed25519", ED25519_DER + bytes.fromhex(point))
    assert refused.value.code == "WEAK_KEY"


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_signature_under_a_weak_key_never_holds(point: str) -> None:
    """Also where a weak key was let in, the signature that fits every statement is refused."""
    strong = load_public_key("ed25519", key_of("ed25519").spki)
    weak = dataclasses.replace(strong, point=bytes.fromhex(point))
    for r in SMALL_ORDER_POINTS:
        entry = KeySignature(alg="ed25519", key=weak.id, sig=bytes.fromhex(r) + bytes(32))
        with pytest.raises(SignatureError):
            check_signature(weak, PAE, EVENT, entry)


@pytest.mark.parametrize("y", [*range(EDWARDS_P, 2**255)])
def test_ed25519_key_with_y_of_p_or_more_is_refused(y: int) -> None:
    """All nineteen second encodings of a coordinate are refused, under either sign of x."""
    for sign in (0, 1 << 255):
        with pytest.raises(SignatureError) as refused:
            load_public_key("ed25519", ED25519_DER + (y | sign).to_bytes(32, "little"))
        assert refused.value.code == "KEY_ENCODING"


@given(st.binary(min_size=32, max_size=32))
def test_ed25519_points_are_those_that_the_curve_has(point: bytes) -> None:
    """Among random encodings, those are taken that libsodium can add and that are canonical and not weak."""
    try:
        load_public_key("ed25519", ED25519_DER + point)
        taken = True
    except SignatureError:
        taken = False
    try:
        nacl.bindings.crypto_core_ed25519_add(point, bytes.fromhex(SMALL_ORDER_POINTS[0]))
        on_curve = True
    except nacl.exceptions.RuntimeError:
        on_curve = False
    is_canonical = int.from_bytes(point, "little") % 2**255 < EDWARDS_P
    assert taken == (on_curve and is_canonical and point.hex() not in SMALL_ORDER_POINTS)


def test_same_point_is_equal_under_either_p256_algorithm() -> None:
    """A P-256 key that comes back as a passkey has the same point and the same name."""
    spki = key_of("es256").spki
    software = load_public_key("es256", spki)
    passkey = load_public_key("webauthn-es256", spki, origins=["https://a.example"], rp_id="a.example")
    assert software.point == passkey.point
    assert software.id == passkey.id
    assert software != passkey


def test_origins_and_rp_id_belong_to_passkeys() -> None:
    """A passkey has both, every other key has neither."""
    spki = key_of("es256").spki
    for members in (
        {},
        {"origins": ["https://a.example"]},
        {"rp_id": "a.example"},
        {"origins": [], "rp_id": "a"},
    ):
        with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
            load_public_key("webauthn-es256", spki, **members)
    for extra in ({"origins": ["https://a.example"]}, {"rp_id": "a.example"}):
        with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
            load_public_key("es256", spki, **extra)


def test_public_keys_are_plain_values() -> None:
    """A public key can be compared, put into sets and sent to another process."""
    for alg in ALGORITHMS:
        key = load_public_key(alg, key_of(alg).spki)
        assert pickle.loads(pickle.dumps(key)) == key  # noqa: S301  # our own bytes
        assert {key, load_public_key(alg, key.spki)} == {key}


# Ed25519 (RFC 8032 §5.1.7, and strict)


def scalar(secret: bytes) -> int:
    number = int.from_bytes(hashlib.sha512(secret).digest()[:32], "little")
    return number & (2**254 - 8) | 2**254


def challenge(r: bytes, point: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + point + PAE).digest(), "little") % EDWARDS_L


def test_ed25519_second_s_is_refused() -> None:
    """S + L satisfies the same equation, so S must be below L."""
    key = key_of("ed25519")
    sig = key.sign(PAE)
    s = int.from_bytes(sig[32:], "little")
    assert refusal(key, sig[:32] + (s + EDWARDS_L).to_bytes(32, "little")) == "SIGNATURE"


@pytest.mark.parametrize(
    "r", [SMALL_ORDER_POINTS[0], (EDWARDS_P + 1).to_bytes(32, "little").hex(), "01" + "00" * 30 + "80"]
)
def test_ed25519_r_of_small_order_is_refused(r: str) -> None:
    """With R the identity, in each of its encodings, S = h·a satisfies the equation and is refused still."""
    secret = seed("keys under test")
    key = Ed25519SigningKey.from_seed(secret)
    encoded = bytes.fromhex(r)
    s = challenge(encoded, key.spki[12:]) * scalar(secret) % EDWARDS_L
    assert refusal(key, encoded + s.to_bytes(32, "little")) == "SIGNATURE"


def test_ed25519_equation_of_the_tests_is_the_right_one() -> None:
    """The arithmetic of the test above makes a signature that holds where R is an ordinary point."""
    secret = seed("keys under test")
    key = Ed25519SigningKey.from_seed(secret)
    nonce = 12345
    r = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little"))
    s = (nonce + challenge(r, key.spki[12:]) * scalar(secret)) % EDWARDS_L
    assert refusal(key, r + s.to_bytes(32, "little")) is None


@pytest.mark.parametrize("y", [EDWARDS_P, EDWARDS_P + 3, 2**255 - 1])
def test_ed25519_r_with_y_of_p_or_more_is_refused_as_such(y: int) -> None:
    """A second encoding of R is refused before the curve is asked."""
    key = load_public_key("ed25519", key_of("ed25519").spki)
    for sign in (0, 1 << 255):
        sig = (y | sign).to_bytes(32, "little") + bytes(32)
        with pytest.raises(SignatureError, match="canonical R"):
            check_signature(key, PAE, EVENT, KeySignature(alg="ed25519", key=key.id, sig=sig))


# ES256


def test_es256_high_s_is_refused() -> None:
    """n - s satisfies the same equation; only the lower of the two is a signature."""
    key = key_of("es256")
    sig = key.sign(PAE)
    s = int.from_bytes(sig[32:], "big")
    high = sig[:32] + (P256_ORDER - s).to_bytes(32, "big")
    assert s <= P256_ORDER // 2
    assert refusal(key, high) == "SIGNATURE"
    loaded = serialization.load_der_public_key(key.spki)
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    der = utils.encode_dss_signature(int.from_bytes(sig[:32], "big"), P256_ORDER - s)
    loaded.verify(der, PAE, ec.ECDSA(hashes.SHA256()))  # it is refused for its form alone


@pytest.mark.parametrize("r", [0, 1, P256_ORDER - 1, P256_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER // 2, P256_ORDER, 2**256 - 1])
def test_es256_numbers_at_the_limits_are_refused(r: int, s: int) -> None:
    """Zero, n and more are no halves of a signature, and the numbers next to them are nobody's."""
    assert refusal(key_of("es256"), r.to_bytes(32, "big") + s.to_bytes(32, "big")) == "SIGNATURE"


def test_es256_der_is_refused() -> None:
    """Software keys sign r‖s; the DER form is a passkey's."""
    key = key_of("es256")
    sig = key.sign(PAE)
    der = utils.encode_dss_signature(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big"))
    assert refusal(key, der) == "SIGNATURE"


def test_es256_signs_with_low_s_every_time() -> None:
    """About half of all statements would get a high s; none of fifty does."""
    key = key_of("es256")
    for number in range(50):
        assert int.from_bytes(key.sign(pae(b"%d" % number))[32:], "big") <= P256_ORDER // 2


# ML-DSA-65


def test_ml_dsa_with_a_context_is_refused() -> None:
    """A signature made under a context string is not one over the statement."""
    private = mldsa.MLDSA65PrivateKey.from_seed_bytes(seed("keys under test"))
    key = MlDsa65SigningKey(private)
    assert refusal(key, private.sign(PAE)) is None
    assert refusal(key, private.sign(PAE, b"trial-ledger")) == "SIGNATURE"


# Signing keys


@pytest.mark.parametrize("kind", [Ed25519SigningKey, Es256SigningKey, MlDsa65SigningKey])
def test_signing_key_never_shows_its_secret(kind: Any) -> None:
    """The text of a signing key is its public name."""
    secret = seed("keys under test")
    key = kind.from_seed(secret)
    for text in (repr(key), str(key), f"{key}", repr([key])):
        assert key.id in text
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


def test_private_key_of_another_kind_is_refused() -> None:
    """A passkey signs assertions and has no secret here."""
    with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
        signing_key("webauthn-es256", seed("a"))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_secret_of_another_length_is_refused(alg: str) -> None:
    """Signing keys are made from exactly 32 bytes."""
    for wrong in (b"", bytes(31), bytes(33)):
        with pytest.raises(SignatureError, match="32 secret bytes"):
            signing_key(alg, wrong)


@pytest.mark.parametrize("number", [0, P256_ORDER, 2**256 - 1])
def test_scalar_outside_the_curve_order_is_refused(number: int) -> None:
    """A P-256 scalar is from 1 to n - 1."""
    with pytest.raises(SignatureError, match=r"^KEY_ENCODING\b"):
        signing_key("es256", number.to_bytes(32, "big"))
