"""Self-test of a key before it is relied on: sign something fresh, and check it by the public key (11.300).

A key file that was swapped, a token that answers for another object or that has lost its mind is found at
start-up, not by the first auditor. What is signed begins with a label that no statement, note or document
begins with, so the signature is good for nothing else.
"""

from __future__ import annotations

import os
from typing import Final

import nacl.exceptions
import nacl.signing
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ledger import keys
from ledger.errors import StoreError
from ledger.keyfile import ML_DSA_44
from ledger.signing.port import Signer

CODE: Final = "SIGNER_SELF_TEST"
LABEL: Final = b"trial-ledger/self-test/v1\0"


def check_signer(name: str, signer: Signer) -> None:
    """Have a key sign 32 random bytes under the label, and check the signature.

    Raises:
        StoreError: `SIGNER_SELF_TEST` with the key's name; `SIGNER_GONE`.
    """
    message = LABEL + os.urandom(32)  # outside of `Sources`: nothing of it is ever recorded
    try:
        check(signer.alg, signer.public, message, signer.sign(message))
    except (InvalidSignature, nacl.exceptions.BadSignatureError, ValueError):
        raise StoreError(
            CODE, f"the key {name} does not sign what its public key checks", field=name
        ) from None


def check(alg: str, public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature by its public point.

    Raises:
        InvalidSignature, BadSignatureError, ValueError: it does not hold.
    """
    if alg == keys.ED25519:
        nacl.signing.VerifyKey(public).verify(message, signature)
    elif alg == ML_DSA_44:
        mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    elif alg == keys.ES256 and len(signature) == 64:
        der = encode_dss_signature(
            *(int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        )
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        point.verify(der, message, ec.ECDSA(hashes.SHA256()))
    else:
        raise ValueError("expected a signature of a known algorithm")
