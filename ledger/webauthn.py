"""What a passkey signs when it signs a statement: a WebAuthn assertion over the event hash.

The challenge is the 32 bytes of E, so the assertion proves that the key's owner was present and verified for
this statement and no other. The leaf keeps both documents of the assertion, `ad` (authenticatorData) and `cd`
(clientDataJSON), byte for byte, because the signature covers `ad ‖ SHA-256(cd)` (record format, §3).

Left out on purpose: signature counter, backup flags and the content of extensions, which differ between
authenticators and say nothing about the statement; token binding, which L3 has dropped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection
from typing import Any, Final

from ledger.envelope import EventHash
from ledger.errors import SignatureError

CODE: Final = "ASSERTION"

_FLAGS_OFFSET = 32  # after the hash of the relying party's id
_HEADER_BYTES = 37  # and after flags and a counter of four bytes
_USER_PRESENT = 0x01
_USER_VERIFIED = 0x04
_ATTESTED_CREDENTIAL = 0x40
_EXTENSIONS = 0x80


def signed_bytes(event: EventHash, ad: bytes, cd: bytes, *, origins: Collection[str], rp_id: str) -> bytes:
    """Check both documents of an assertion over `event` and return the bytes that its signature covers.

    Raises:
        SignatureError: ASSERTION; `field` names the member of `cd`, or `ad`.

    Record format, §3; WebAuthn L3 §7.2, steps 7-17 and 20.
    """
    _check_client_data(cd, event, origins)
    _check_authenticator_data(ad, rp_id)
    return ad + hashlib.sha256(cd).digest()


def challenge_of(event: EventHash) -> str:
    """Return the challenge as clientDataJSON has it: base64url of the 32 bytes of E, without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(event)).rstrip(b"=").decode()


def _check_client_data(cd: bytes, event: EventHash, origins: Collection[str]) -> None:
    members = _parse_client_data(cd)
    if members.get("type") != "webauthn.get":
        raise SignatureError(CODE, "expected an assertion, of type webauthn.get", field="cd.type")
    if members.get("challenge") != challenge_of(event):
        raise SignatureError(CODE, "expected the event hash as challenge", field="cd.challenge")
    origin = members.get("origin")
    if not isinstance(origin, str) or origin not in origins:
        raise SignatureError(CODE, "expected an origin that the key was enrolled with", field="cd.origin")
    if members.get("crossOrigin", False) is not False:
        raise SignatureError(CODE, "expected no cross-origin assertion", field="cd.crossOrigin")
    if "topOrigin" in members:
        raise SignatureError(CODE, "expected no top origin", field="cd.topOrigin")


def _parse_client_data(cd: bytes) -> dict[str, Any]:
    try:
        # WebAuthn L3 §5.8.1 reads it with "UTF-8 decode", which skips a byte order mark.
        members = json.loads(cd.decode("utf-8-sig"), object_pairs_hook=_unique_members)
    except (ValueError, RecursionError):
        raise SignatureError(CODE, "expected UTF-8 JSON without duplicate members", field="cd") from None
    if not isinstance(members, dict):
        raise SignatureError(CODE, "expected a JSON object", field="cd")
    return members


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicates: parsers differ in which one they keep, and so would verdicts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _check_authenticator_data(ad: bytes, rp_id: str) -> None:
    if len(ad) < _HEADER_BYTES:
        raise SignatureError(CODE, f"expected {_HEADER_BYTES} bytes or more, got {len(ad)}", field="ad")
    if ad[:_FLAGS_OFFSET] != hashlib.sha256(rp_id.encode()).digest():
        raise SignatureError(
            CODE, "expected the hash of the rp id that the key was enrolled with", field="ad"
        )
    flags = ad[_FLAGS_OFFSET]
    if not flags & _USER_PRESENT:
        raise SignatureError(CODE, "expected the flag user present", field="ad")
    if not flags & _USER_VERIFIED:
        raise SignatureError(CODE, "expected the flag user verified", field="ad")
    if flags & _ATTESTED_CREDENTIAL:
        raise SignatureError(CODE, "expected no attested credential data in an assertion", field="ad")
    if bool(flags & _EXTENSIONS) != (len(ad) > _HEADER_BYTES):
        raise SignatureError(CODE, "expected extension data exactly where its flag says so", field="ad")
