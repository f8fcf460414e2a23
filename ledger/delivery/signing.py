"""The headers of a delivery (Standard Webhooks 1.0): id, time of the attempt, Ed25519 signatures.

    webhook-id: 9f86d081884c7d65-12                  endpoint and index: the same at every attempt
    webhook-timestamp: 1674087231                    seconds, of this attempt
    webhook-signature: v1a,<base64> v1a,<base64>     over `id.timestamp.body`; two while a key is replaced

Keys are written as `whpk_` and `whsk_`, then the 32 bytes of an Ed25519 public key or seed in base64. Neither
id nor timestamp has a dot, so the signed text can be split in one way only.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from ledger.errors import FormatError, SignatureError

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
PUBLIC_PREFIX: Final = "whpk_"
VERSION: Final = "v1a"
TOLERANCE_S: Final = 300


def delivery_id(endpoint: str, index: int) -> str:
    """Return the id of one entry's delivery to one endpoint: a receiver knows a repeated one by it."""
    return f"{endpoint}-{index}"


def public_key(seed: bytes) -> str:
    """Return the public key of a seed as receivers get it."""
    return PUBLIC_PREFIX + base64.b64encode(SigningKey(seed).verify_key.encode()).decode()


def headers(name: str, timestamp_s: int, body: bytes, seeds: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers, with a signature of each key, the newest first."""
    text = _signed(name, timestamp_s, body)
    signatures = (base64.b64encode(SigningKey(seed).sign(text).signature).decode() for seed in seeds)
    return {
        ID: name,
        TIMESTAMP: str(timestamp_s),
        SIGNATURE: " ".join(f"{VERSION},{each}" for each in signatures),
    }


def check(given: Mapping[str, str], body: bytes, key: str, now_s: int) -> str:
    """Check a delivery as a receiver does; return its id.

    Args:
        given: the headers, their names in lower case.
        key: the endpoint's public key, `whpk_…`.

    Raises:
        FormatError: `WEBHOOK_HEADERS`, `KEY_ENCODING`.
        SignatureError: `TIMESTAMP` more than five minutes off, `SIGNATURE`.
    """
    name, timestamp = given.get(ID, ""), given.get(TIMESTAMP, "")
    if not name or "." in name or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise FormatError("WEBHOOK_HEADERS", f"expected {ID}, {TIMESTAMP} and {SIGNATURE}")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError("TIMESTAMP", f"expected an attempt of the last {TOLERANCE_S} s")
    verifier, text = VerifyKey(_raw(key)), _signed(name, int(timestamp), body)
    for each in given.get(SIGNATURE, "").split(" "):
        version, _, signature = each.partition(",")
        if version == VERSION and _holds(verifier, text, signature):
            return name
    raise SignatureError("SIGNATURE", "no signature holds under this key")


def _signed(name: str, timestamp_s: int, body: bytes) -> bytes:
    return f"{name}.{timestamp_s}.".encode() + body


def _holds(verifier: VerifyKey, text: bytes, signature: str) -> bool:
    try:
        verifier.verify(text, base64.b64decode(signature, validate=True))
    except (BadSignatureError, binascii.Error, ValueError):
        return False
    return True


def _raw(key: str) -> bytes:
    try:
        raw = base64.b64decode(key.removeprefix(PUBLIC_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not key.startswith(PUBLIC_PREFIX) or len(raw) != 32:
        raise FormatError("KEY_ENCODING", f"expected {PUBLIC_PREFIX} and 32 bytes in base64")
    return raw
