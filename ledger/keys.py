"""Public keys, signatures over a statement, and the keys that make them.

A key is named by its DER SubjectPublicKeyInfo: `key.id = "sha256:" + hex(SHA-256(spki))`. Exactly one
encoding of a key is taken, so one key has one name. Four algorithms (record format, §3):

- `ed25519`: 64 bytes over PAE, by libsodium; S < L, A and R canonical and not of small order.
- `es256`: P-256 only; 64 bytes r‖s over PAE, s <= n/2: from one signature nobody can make a second.
- `webauthn-es256`: strict DER signature of an assertion over the event hash (`ledger.webauthn`).
- `ml-dsa-65`: FIPS 204, pure, empty context, over PAE.

Left out on purpose: who holds a key and whether it was live at an index, which is authority's (§6), and
where private keys are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NewType, Protocol

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ledger import webauthn
from ledger.envelope import EventHash
from ledger.errors import SignatureError

KeyId = NewType("KeyId", str)
""""sha256:" and 64 lower-case hex digits."""

ED25519: Final = "ed25519"
ES256: Final = "es256"
WEBAUTHN_ES256: Final = "webauthn-es256"
ML_DSA_65: Final = "ml-dsa-65"

CODE: Final = "SIGNATURE"
KEY_ENCODING: Final = "KEY_ENCODING"
WEAK_KEY: Final = "WEAK_KEY"

# Everything in a SubjectPublicKeyInfo but the key itself: the one DER encoding of each algorithm.
_P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_SPKI: Final = {
    ED25519: (bytes.fromhex("302a300506032b6570032100"), 32),  # RFC 8410 §4
    ES256: (_P256_DER, 65),  # RFC 5480 §2: named curve, uncompressed point
    WEBAUTHN_ES256: (_P256_DER, 65),
    ML_DSA_65: (bytes.fromhex("308207b2300b0609608648016503040312038207a100"), 1952),  # RFC 9881 §4
}
ALGORITHMS: Final = frozenset(_SPKI)

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ML_DSA_65_SIGNATURE_BYTES = 3309


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A checked public key.

    Attributes:
        id: its name, made from `spki`.
        spki: DER SubjectPublicKeyInfo.
        point: the public key itself. Two keys are the same for enrolment exactly when their points are equal,
            also where one is `es256` and the other `webauthn-es256`.
        origins: of a passkey, the origins it may sign at; else empty.
        rp_id: of a passkey, the id of the relying party; else None.
    """

    alg: str
    id: KeyId
    spki: bytes
    point: bytes
    origins: tuple[str, ...] = ()
    rp_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySignature:
    """One entry of a leaf's `sigs`; `ad` and `cd` are there exactly for `webauthn-es256`."""

    alg: str
    key: KeyId
    sig: bytes
    ad: bytes | None = None
    cd: bytes | None = None


def key_id(spki: bytes) -> KeyId:
    """Return the name of the key whose DER SubjectPublicKeyInfo is `spki`."""
    return KeyId("sha256:" + hashlib.sha256(spki).hexdigest())


def load_public_key(
    alg: str, spki: bytes, *, origins: Collection[str] = (), rp_id: str | None = None
) -> PublicKey:
    """Return a key that may be enrolled, as far as its bytes can tell.

    Raises:
        SignatureError: KEY_ENCODING, where the algorithm is unknown, `spki` isn't its one encoding, the point
            is not on the curve, or `origins` and `rp_id` are not both there exactly for a passkey; WEAK_KEY,
            where one signature could fit every statement.

    Record format, §3 and §11 (KEY).
    """
    if alg not in _SPKI:
        raise SignatureError(KEY_ENCODING, "expected a known signature algorithm", field="alg")
    header, size = _SPKI[alg]
    point = spki[len(header) :]
    if spki[: len(header)] != header or len(point) != size:
        raise SignatureError(KEY_ENCODING, f"expected the DER encoding of one {alg} key", field="spki")
    if alg == ED25519:
        _check_edwards_point(point)
    elif alg == ML_DSA_65:
        _ml_dsa_key(point)
    else:
        _p256_key(point)
    is_passkey = alg == WEBAUTHN_ES256
    if is_passkey != bool(origins) or is_passkey != bool(rp_id):
        raise SignatureError(
            KEY_ENCODING, "expected origins and rp id exactly for a passkey", field="origins"
        )
    return PublicKey(
        alg=alg, id=key_id(spki), spki=spki, point=point, origins=tuple(origins), rp_id=rp_id or None
    )


def check_signature(key: PublicKey, pae: bytes, event: EventHash, signature: KeySignature) -> None:
    """Check one signature over a statement.

    `pae` is `envelope.pae(body)` and `event` is `envelope.event_hash(body)` of the same body: both are given
    because a statement can have many signatures.

    Raises:
        SignatureError: SIGNATURE, or ASSERTION for the documents of a passkey's assertion.

    Record format, §3.
    """
    if signature.alg != key.alg or signature.key != key.id:
        raise SignatureError(CODE, "expected a signature by the named key, in its algorithm", field="key")
    if key.alg == WEBAUTHN_ES256:
        _check_assertion(key, event, signature)
        return
    if signature.ad is not None or signature.cd is not None:
        raise SignatureError(CODE, "expected ad and cd for a passkey only", field="ad")
    if key.alg == ED25519:
        check_ed25519(key.point, pae, signature.sig)
    elif key.alg == ES256:
        _check_es256(key.point, pae, signature.sig)
    else:
        _check_ml_dsa(key.point, pae, signature.sig)


def check_ed25519(point: bytes, pae: bytes, sig: bytes) -> None:
    """Check one Ed25519 signature by a key that `load_public_key` let in.

    Raises:
        SignatureError: SIGNATURE.

    Record format, §3.
    """
    if len(sig) != 64:
        raise SignatureError(CODE, f"expected a signature of 64 bytes, got {len(sig)}", field="sig")
    # A libsodium that compares R refuses a y of p or more, one that decodes R would not: the page decides.
    if sig[31] & 0x7F == 0x7F and _y_coordinate(sig[:32]) >= _EDWARDS_P:
        raise SignatureError(CODE, "expected a canonical R", field="sig")
    try:
        nacl.bindings.crypto_sign_open(sig + pae, point)
    except nacl.exceptions.BadSignatureError:
        raise SignatureError(CODE, "expected an ed25519 signature over this statement", field="sig") from None


def _check_es256(point: bytes, pae: bytes, sig: bytes) -> None:
    if len(sig) != 64:
        raise SignatureError(CODE, f"expected a signature of 64 bytes, got {len(sig)}", field="sig")
    r, s = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")
    if not (1 <= r < P256_ORDER and 1 <= s <= P256_ORDER // 2):
        raise SignatureError(CODE, "expected 1 <= r < n and 1 <= s <= n/2", field="sig")
    _check_ecdsa(point, pae, encode_dss_signature(r, s))


def _check_assertion(key: PublicKey, event: EventHash, signature: KeySignature) -> None:
    if signature.ad is None or signature.cd is None or key.rp_id is None:
        raise SignatureError(CODE, "expected ad and cd for a passkey", field="ad")
    signed = webauthn.signed_bytes(event, signature.ad, signature.cd, origins=key.origins, rp_id=key.rp_id)
    try:
        strict = encode_dss_signature(*decode_dss_signature(signature.sig))
    except ValueError:
        strict = b""
    if strict != signature.sig:
        raise SignatureError(CODE, "expected a strict der signature", field="sig")
    _check_ecdsa(key.point, signed, signature.sig)


def _check_ecdsa(point: bytes, signed: bytes, der: bytes) -> None:
    try:
        _p256_key(point).verify(der, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise SignatureError(CODE, "expected a p-256 signature over this statement", field="sig") from None


def _check_ml_dsa(point: bytes, pae: bytes, sig: bytes) -> None:
    if len(sig) != _ML_DSA_65_SIGNATURE_BYTES:
        raise SignatureError(CODE, f"expected a signature of 3309 bytes, got {len(sig)}", field="sig")
    try:
        _ml_dsa_key(point).verify(sig, pae)
    except InvalidSignature:
        raise SignatureError(
            CODE, "expected an ml-dsa-65 signature over this statement", field="sig"
        ) from None


# Decoding costs as much as verifying; keys are few and sign often.
@lru_cache(maxsize=1024)
def _p256_key(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise SignatureError(KEY_ENCODING, "expected an uncompressed point of p-256", field="spki") from None


@lru_cache(maxsize=256)
def _ml_dsa_key(point: bytes) -> mldsa.MLDSA65PublicKey:
    return mldsa.MLDSA65PublicKey.from_public_bytes(point)


_EDWARDS_P = 2**255 - 19
_EDWARDS_D = -121665 * pow(121666, -1, _EDWARDS_P) % _EDWARDS_P


def _y_coordinate(encoded: bytes) -> int:
    """Return y of an encoded point; the highest bit is the sign of x. RFC 8032 §5.1.2."""
    return int.from_bytes(encoded, "little") & (2**255 - 1)


def _check_edwards_point(encoded: bytes) -> None:
    """Refuse what libsodium would refuse at the first signature, when the key is enrolled.

    -x² + y² = 1 + d·x²·y², hence x² = (y² - 1) / (d·y² + 1). The points of orders 1, 2 and 4 have y of 1, -1
    and 0; those of order 8 double to y = 0, which gives x² = -y² and 2y² = 1 - d·y⁴. RFC 8032 §5.1.3.
    """
    p, d, y = _EDWARDS_P, _EDWARDS_D, _y_coordinate(encoded)
    if y >= p:
        raise SignatureError(KEY_ENCODING, "expected a canonical point", field="spki")
    square = y * y % p
    if y in (0, 1, p - 1) or (2 * square - 1 + d * square * square) % p == 0:
        raise SignatureError(WEAK_KEY, "expected a point that is not of small order", field="spki")
    if pow((square - 1) * (d * square + 1), (p - 1) // 2, p) != 1:
        raise SignatureError(KEY_ENCODING, "expected a point of the curve", field="spki")


class SigningKey(Protocol):
    """A key that signs statements: in memory, in a file, or behind someone else's door."""

    @property
    def alg(self) -> str: ...
    @property
    def id(self) -> KeyId: ...
    @property
    def spki(self) -> bytes: ...
    def sign(self, pae: bytes) -> bytes:
        """Return the bytes of `sig` over `pae`."""
        ...


class _KeyPair:
    """What signing keys share. Its text shows the public name and nothing else."""

    __slots__ = ("public",)

    def __init__(self, alg: str, point: bytes) -> None:
        self.public: Final = load_public_key(alg, _SPKI[alg][0] + point)

    @property
    def alg(self) -> str:
        return self.public.alg

    @property
    def id(self) -> KeyId:
        return self.public.id

    @property
    def spki(self) -> bytes:
        return self.public.spki

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class Ed25519SigningKey(_KeyPair):
    """An Ed25519 private key. RFC 8032."""

    __slots__ = ("_secret",)

    def __init__(self, seed: bytes) -> None:
        _expect_seed(seed)
        point, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        super().__init__(ED25519, point)

    @classmethod
    def from_seed(cls, seed: bytes) -> Ed25519SigningKey:
        """Return the key of a 32-byte seed."""
        return cls(seed)

    def sign(self, pae: bytes) -> bytes:
        """Return 64 bytes, the same for the same input."""
        return nacl.bindings.crypto_sign(pae, self._secret)[:64]


class Es256SigningKey(_KeyPair):
    """A P-256 private key that signs with low s."""

    __slots__ = ("_private",)

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(private.curve, ec.SECP256R1):
            raise SignatureError(KEY_ENCODING, "expected a key of p-256", field="alg")
        self._private = private
        point = private.public_key().public_numbers()
        super().__init__(ES256, b"\x04" + point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big"))

    @classmethod
    def from_seed(cls, seed: bytes) -> Es256SigningKey:
        """Return the key whose private scalar is the 32 bytes, big-endian, from 1 to n-1."""
        _expect_seed(seed)
        try:
            return cls(ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1()))
        except ValueError:
            raise SignatureError(KEY_ENCODING, "expected a scalar from 1 to n-1", field="seed") from None

    def sign(self, pae: bytes) -> bytes:
        """Return r‖s with s <= n/2, the same for the same input (RFC 6979)."""
        der = self._private.sign(pae, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


class MlDsa65SigningKey(_KeyPair):
    """An ML-DSA-65 private key. FIPS 204."""

    __slots__ = ("_private",)

    def __init__(self, private: mldsa.MLDSA65PrivateKey) -> None:
        self._private = private
        super().__init__(ML_DSA_65, private.public_key().public_bytes_raw())

    @classmethod
    def from_seed(cls, seed: bytes) -> MlDsa65SigningKey:
        """Return the key of a 32-byte seed (ξ in FIPS 204)."""
        _expect_seed(seed)
        return cls(mldsa.MLDSA65PrivateKey.from_seed_bytes(seed))

    def sign(self, pae: bytes) -> bytes:
        """Return 3,309 bytes; hedged, so another signature each time."""
        return self._private.sign(pae)


def signing_key(alg: str, seed: bytes) -> SigningKey:
    """Return the key of 32 secret bytes in one of the algorithms that software signs with.

    Raises:
        SignatureError: KEY_ENCODING.
    """
    if alg == ED25519:
        return Ed25519SigningKey.from_seed(seed)
    if alg == ES256:
        return Es256SigningKey.from_seed(seed)
    if alg == ML_DSA_65:
        return MlDsa65SigningKey.from_seed(seed)
    raise SignatureError(KEY_ENCODING, "expected ed25519, es256 or ml-dsa-65", field="alg")


def _expect_seed(seed: bytes) -> None:
    if len(seed) != 32:
        raise SignatureError(KEY_ENCODING, f"expected 32 secret bytes, got {len(seed)}", field="seed")
