"""Signatures that are not what they should be: moved, cut, added, bent, or made in another way."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from ledger.envelope import pae
from ledger.keys import P256_ORDER, Es256SigningKey, MlDsa65SigningKey, SigningKey
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import seed

ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493


def entry(key: SigningKey, body: bytes) -> dict[str, Any]:
    """Return the entry of a leaf's `sigs` that a key makes for a statement's bytes."""
    return {"alg": key.alg, "key": key.id, "sig": text(key.sign(pae(body)))}


def text(data: bytes) -> str:
    """Write base64."""
    return base64.b64encode(data).decode()


def sigs(forged: Forgery, at: int) -> list[dict[str, Any]]:
    """Return the signatures of an index."""
    found: list[dict[str, Any]] = forged.leaf(at)["sigs"]
    return found


def set_signature(forged: Forgery, at: int, sig: bytes, which: int = 0) -> None:
    """Put other bytes in the place of a signature."""
    found = sigs(forged, at)
    found[which] = {**found[which], "sig": text(sig)}
    forged.set_leaf(at, sigs=found)


def signature(forged: Forgery, at: int, which: int = 0) -> bytes:
    """Return the bytes of a signature."""
    return base64.b64decode(sigs(forged, at)[which]["sig"])


def ref(key: SigningKey) -> dict[str, str]:
    """Return what a statement says of a key."""
    return {"alg": key.alg, "id": key.id}


def refs(keys: Sequence[SigningKey]) -> list[dict[str, str]]:
    """Return `with` for these keys."""
    return [ref(key) for key in keys]


def higher_s(sig: bytes) -> bytes:
    """Return the second Ed25519 signature with S + L, which a lax verifier takes (RFC 8032 §5.1.7)."""
    s = int.from_bytes(sig[32:], "little") + ED25519_ORDER
    return sig[:32] + s.to_bytes(32, "little")


def mirrored(sig: bytes) -> bytes:
    """Return the second ECDSA signature with n - s, taken by every verifier that does not ask for low s."""
    s = P256_ORDER - int.from_bytes(sig[32:], "big")
    return sig[:32] + s.to_bytes(32, "big")


def p256(label: str) -> Es256SigningKey:
    """Return a P-256 key that follows from a label."""
    return Es256SigningKey.from_seed(hashlib.sha256(seed(label)).digest())


def ml_dsa(label: str) -> MlDsa65SigningKey:
    """Return an ML-DSA-65 key that follows from a label."""
    return MlDsa65SigningKey.from_seed(seed(label))
