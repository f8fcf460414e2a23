"""Keys and signatures: each refusal with its code and the member that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.envelope import event_hash, pae
from ledger.errors import SignatureError
from ledger.keys import (
    P256_ORDER,
    Es256SigningKey,
    KeySignature,
    SigningKey,
    check_signature,
    load_public_key,
    signing_key,
)

BODY = b'{"v":1}'
PAE, EVENT = pae(BODY), event_hash(BODY)
SEED = hashlib.sha256(b"edges of keys").digest()
ED, ES, ML = (signing_key(alg, SEED) for alg in ("ed25519", "es256", "ml-dsa-65"))
ED_DER, P256_DER = ED.spki[:12], ES.spki[:26]
ALL_ONES = b"\xff" * 30 + b"\x7f"
PASSKEY = {"origins": ["https://a.example"], "rp_id": "a.example"}


def refusal(attempt: Callable[[], object]) -> tuple[str, str | None]:
    """Return code and field of what is refused."""
    with pytest.raises(SignatureError) as caught:
        attempt()
    return caught.value.code, caught.value.field


def check(signer: SigningKey, sig: bytes, /, **changes: object) -> None:
    """Check a signature of a key over the statement."""
    entry = replace(KeySignature(alg=signer.alg, key=signer.id, sig=sig), **changes)  # type: ignore[arg-type]
    check_signature(load_public_key(signer.alg, signer.spki), PAE, EVENT, entry)


def es256(r: int, s: int) -> bytes:
    """Write r and s as a signature has them."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize("key", [ED, ES, ML], ids=lambda key: key.alg)
def test_a_signature_names_its_key_and_is_of_its_length(key: SigningKey) -> None:
    """One byte less or more, another name or algorithm, and members of a passkey are refused."""
    sig = key.sign(PAE)
    check(key, sig)
    for wrong in (sig[:-1], sig + b"\0", b""):
        assert refusal(lambda wrong=wrong: check(key, wrong)) == ("SIGNATURE", "sig")  # type: ignore[misc]
    assert refusal(lambda: check(key, sig[:-1] + bytes([sig[-1] ^ 1]))) == ("SIGNATURE", "sig")
    assert refusal(lambda: check(key, sig, key="sha256:" + "0" * 64)) == ("SIGNATURE", "key")
    assert refusal(lambda: check(key, sig, alg="webauthn-es256")) == ("SIGNATURE", "key")
    assert refusal(lambda: check(key, sig, ad=b"")) == ("SIGNATURE", "ad")
    assert refusal(lambda: check(key, sig, cd=b"")) == ("SIGNATURE", "ad")


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (P256_ORDER, 1), (1, 0), (1, P256_ORDER // 2 + 1), (2**256 - 1, 1), (1, 2**256 - 1)],
)
def test_r_and_s_are_in_range(r: int, s: int) -> None:
    """Out of range they are refused before anything is computed, with what was expected."""
    with pytest.raises(SignatureError, match=r"^SIGNATURE at sig: expected 1 <= r"):
        check(ES, es256(r, s))


@pytest.mark.parametrize(("r", "s"), [(1, 1), (P256_ORDER - 1, 1), (1, P256_ORDER // 2)])
def test_the_ends_of_the_range_are_computed(r: int, s: int) -> None:
    """The smallest and the largest are numbers like others; they just don't hold."""
    with pytest.raises(SignatureError, match=r"^SIGNATURE at sig: expected a p-256 signature"):
        check(ES, es256(r, s))


def test_r_of_ed25519_is_canonical() -> None:
    """A y of p or more is refused for its form; the largest below p is a number like others."""
    p = 2**255 - 19
    for y, told in ((p, "canonical R"), (2**255 - 1, "canonical R"), (p - 1, "ed25519 signature over this")):
        for sign in (0, 2**255):
            sig = (y + sign).to_bytes(32, "little") + bytes(32)
            with pytest.raises(SignatureError, match=rf"^SIGNATURE at sig: expected an? {told}"):
                check(ED, sig)


KEYS: dict[str, tuple[Callable[[], object], str, str]] = {
    "another algorithm": (lambda: load_public_key("rsa", ED.spki), "KEY_ENCODING", "alg"),
    "another header": (lambda: load_public_key("es256", ED.spki), "KEY_ENCODING", "spki"),
    "a byte less": (lambda: load_public_key("ed25519", ED.spki[:-1]), "KEY_ENCODING", "spki"),
    "a byte more": (lambda: load_public_key("ml-dsa-65", ML.spki + b"\0"), "KEY_ENCODING", "spki"),
    "off the curve": (lambda: load_public_key("ed25519", ED_DER + b"\2" + bytes(31)), "KEY_ENCODING", "spki"),
    "p": (
        lambda: load_public_key("ed25519", ED_DER + b"\xed" + ALL_ONES),
        "KEY_ENCODING",
        "spki",
    ),
    "neutral": (lambda: load_public_key("ed25519", ED_DER + b"\1" + bytes(31)), "WEAK_KEY", "spki"),
    "order 2": (
        lambda: load_public_key("ed25519", ED_DER + b"\xec" + ALL_ONES),
        "WEAK_KEY",
        "spki",
    ),
    "order 4": (lambda: load_public_key("ed25519", ED_DER + bytes(32)), "WEAK_KEY", "spki"),
    "off p-256": (lambda: load_public_key("es256", P256_DER + b"\4" + bytes(64)), "KEY_ENCODING", "spki"),
    "key with origins": (lambda: load_public_key("es256", ES.spki, origins=["x"]), "KEY_ENCODING", "origins"),
    "key with rp id": (lambda: load_public_key("ed25519", ED.spki, rp_id="x"), "KEY_ENCODING", "origins"),
    "passkey bare": (lambda: load_public_key("webauthn-es256", ES.spki), "KEY_ENCODING", "origins"),
    "passkey without rp id": (
        lambda: load_public_key("webauthn-es256", ES.spki, origins=["x"]),
        "KEY_ENCODING",
        "origins",
    ),
    "passkey without origins": (
        lambda: load_public_key("webauthn-es256", ES.spki, rp_id="x"),
        "KEY_ENCODING",
        "origins",
    ),
    "short seed": (lambda: signing_key("ed25519", bytes(31)), "KEY_ENCODING", "seed"),
    "scalar of zero": (lambda: signing_key("es256", bytes(32)), "KEY_ENCODING", "seed"),
    "scalar of n": (lambda: signing_key("es256", P256_ORDER.to_bytes(32, "big")), "KEY_ENCODING", "seed"),
    "software of a passkey": (lambda: signing_key("webauthn-es256", SEED), "KEY_ENCODING", "alg"),
    "another curve": (
        lambda: Es256SigningKey(ec.derive_private_key(5, ec.SECP256K1())),
        "KEY_ENCODING",
        "alg",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_each_refusal_of_a_key_names_what_is_wrong(name: str) -> None:
    """The code tells a key that is weak from one that is none, the field which member it is."""
    attempt, code, field = KEYS[name]
    assert refusal(attempt) == (code, field)


def test_a_passkey_keeps_where_it_may_sign() -> None:
    """Origins in order, and the relying party; another key has neither."""
    key = load_public_key("webauthn-es256", ES.spki, **PASSKEY)  # type: ignore[arg-type]
    assert (key.alg, key.origins, key.rp_id) == ("webauthn-es256", ("https://a.example",), "a.example")
    assert (key.id, key.spki, key.point) == (ES.id, ES.spki, ES.spki[26:])
    plain = load_public_key("es256", ES.spki)
    assert (plain.origins, plain.rp_id, plain.point) == ((), None, key.point)


def test_a_passkey_signs_with_its_documents() -> None:
    """Without `ad`, `cd`, or both there is nothing that an assertion could be checked against."""
    key = load_public_key("webauthn-es256", ES.spki, **PASSKEY)  # type: ignore[arg-type]
    for ad, cd in ((None, b""), (b"", None), (None, None)):
        entry = KeySignature(alg=key.alg, key=key.id, sig=b"s", ad=ad, cd=cd)
        assert refusal(lambda entry=entry: check_signature(key, PAE, EVENT, entry)) == ("SIGNATURE", "ad")  # type: ignore[misc]
    bare = replace(key, rp_id=None)
    entry = KeySignature(alg=key.alg, key=key.id, sig=b"s", ad=b"", cd=b"")
    assert refusal(lambda: check_signature(bare, PAE, EVENT, entry)) == ("SIGNATURE", "ad")


def test_a_key_shows_its_name_and_nothing_else() -> None:
    """What is printed of a signing key is its kind and its public name."""
    assert repr(ED) == f"<Ed25519SigningKey {ED.id}>"
    assert repr(ES) == f"<Es256SigningKey {ES.id}>"
