"""The port `Signer`: a private key that signs, wherever it is held; and the adapter for key files.

    signer.alg       ed25519, es256 (ECDSA over P-256 and SHA-256) or ml-dsa-44
    signer.public    the public point: 32, 65 (uncompressed) or 1,312 bytes
    signer.sign(m)   64 bytes of Ed25519, 64 bytes r‖s with s <= n/2, or 2,420 bytes of ML-DSA-44

Two adapters: `FileSigner` here holds the key in memory, out of an encrypted key file; `Pkcs11Signer`
(`ledger.signing.pkcs11`) leaves it in a token, out of which it never comes. What a signature means is decided
above: `HeldNoteSigner` signs heads of the log with it, `HeldKey` statements.

Left out on purpose: ML-DSA in a token. PKCS #11 has mechanisms for it since version 3.2, and neither SoftHSM
2.6 nor `python-pkcs11` speaks that version, so the log's ML-DSA-44 key stays a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import keys
from ledger.errors import SignatureError
from ledger.keyfile import ML_DSA_44, KeyMaterial
from ledger.note import ED25519, NoteSignature, NoteSigner, VerifierKey, signed_message

ALGORITHMS: Final = (keys.ED25519, keys.ES256)
"""What either adapter signs with."""


class Signer(Protocol):
    """A private key that signs, in memory or behind the door of a token. Thread-safe."""

    @property
    def alg(self) -> str: ...
    @property
    def public(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message.

        Raises:
            StoreError: `SIGNER_GONE` where a token does not answer any more.
        """
        ...


class FileSigner:
    """A key of a key file, held in memory. `repr` shows the algorithm alone."""

    __slots__ = ("_sign", "alg", "public")

    def __init__(self, key: KeyMaterial) -> None:
        """Take a key that signs.

        Raises:
            SignatureError: `KEY_ENCODING` for a key-encryption key.
        """
        public = key.public()
        if public is None:
            raise SignatureError("KEY_ENCODING", "expected a key that signs", field="alg")
        self.alg: Final = key.alg
        self.public: Final = public
        self._sign: Callable[[bytes], bytes]
        if key.alg == ML_DSA_44:
            self._sign = mldsa.MLDSA44PrivateKey.from_seed_bytes(key.secret).sign
        else:
            self._sign = key.signing_key().sign

    def __repr__(self) -> str:
        return f"<FileSigner {self.alg}>"

    def sign(self, message: bytes) -> bytes:
        return self._sign(message)


class HeldKey:
    """A signer as the key of a person or of the service: it signs statements (`ledger.keys.SigningKey`)."""

    __slots__ = ("_signer", "key")

    def __init__(self, signer: Signer) -> None:
        """Take a signer.

        Raises:
            SignatureError: `KEY_ENCODING` for an algorithm that statements are not signed with; `WEAK_KEY`.
        """
        self._signer: Final = signer
        self.key: Final = keys.load_public_key(signer.alg, spki_of(signer.alg, signer.public))

    @property
    def alg(self) -> str:
        return self.key.alg

    @property
    def id(self) -> keys.KeyId:
        return self.key.id

    @property
    def spki(self) -> bytes:
        return self.key.spki

    def __repr__(self) -> str:
        return f"<HeldKey {self.id}>"

    def sign(self, pae: bytes) -> bytes:
        """Return the bytes of `sig` over `pae`."""
        return self._signer.sign(pae)


class HeldNoteSigner(NoteSigner):
    """A signer as the log's Ed25519 key, type 0x01 (c2sp.org/signed-note)."""

    __slots__ = ("_signer",)

    def __init__(self, name: str, signer: Signer) -> None:
        """Make a signer of heads from its name and the key.

        Raises:
            SignatureError: `KEY_ENCODING` for a key of another algorithm.
        """
        if signer.alg != keys.ED25519:
            raise SignatureError("KEY_ENCODING", "expected an ed25519 key for heads of the log", field="alg")
        self._signer = signer
        self.key = VerifierKey(name=name, algorithm=ED25519, public=signer.public)

    def sign(self, text: str) -> NoteSignature:
        """Sign a text."""
        signature = self._signer.sign(signed_message(self.key, text, None))
        return NoteSignature(name=self.key.name, id=self.key.id, signature=signature)


def spki_of(alg: str, public: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a public point.

    Raises:
        SignatureError: `KEY_ENCODING`.
    """
    loaded: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
    try:
        if alg == keys.ED25519:
            loaded = ed25519.Ed25519PublicKey.from_public_bytes(public)
        elif alg == keys.ES256:
            loaded = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        else:
            raise SignatureError("KEY_ENCODING", "expected ed25519 or es256", field="alg")
    except ValueError:
        raise SignatureError("KEY_ENCODING", "expected a public point", field="public") from None
    return loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
