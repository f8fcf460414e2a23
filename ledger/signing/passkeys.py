"""Passkeys for signing: from a browser's registration to the key object that is enrolled.

    options = creation_options(settings, account, challenge)        # for navigator.credentials.create
    registered = read_registration(credential, settings, person, challenge)
    registered.key          # KEY of record-format.md §11: grade passkey, origins and rp_id pinned
    registered.credential   # the credential's id, which browsers ask for again when signing

A registration proves nothing to the log: what counts is that the new key signs its own `key.enrolled`. It is
read strictly all the same (WebAuthn L3 §7.1, by `webauthn`): type, challenge, origin, relying party, user
present and verified, ES256. The challenge is made without a store: random bytes and an end, under a MAC that
names the person. Attestation is not asked for; a key whose maker matters is enrolled by its signed form.

Left out on purpose: signing, which needs the browser alone (`ledger.webauthn` checks it), and login: a
credential of the signing pages' relying party is never asked for there.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from webauthn import verify_registration_response
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from ledger import keys
from ledger.actions.accounts import Key
from ledger.errors import FormatError
from ledger.lines import encode_base64
from ledger.signing.port import spki_of
from ledger.signing.settings import SigningSettings

CODE: Final = "REGISTRATION"
VALID_US: Final = 10 * 60_000_000
MAX_CREDENTIAL_BYTES: Final = 1_023
_LABEL: Final = b"trial-ledger/passkey-challenge/v1\0"
_NONCE_BYTES: Final = 16
_END_BYTES: Final = 8
_DEFECTS: Final = (
    WebAuthnException,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    struct.error,
    UnsupportedAlgorithm,
)
"""What the library and those below it raise for input that is no registration."""
_MEMBERS: Final = frozenset({"id", "rawId", "type", "response", "clientExtensionResults"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose passkey it is to be, as the browser shows it."""

    person: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A passkey that may be enrolled."""

    key: Key
    credential: str


def make_challenge(secret: bytes, person: str, now_us: int, random_bytes: Callable[[int], bytes]) -> bytes:
    """Make a challenge for a person's registration, good for `VALID_US`."""
    head = random_bytes(_NONCE_BYTES) + (now_us + VALID_US).to_bytes(_END_BYTES, "big")
    return head + _mac(secret, person, head)


def check_challenge(secret: bytes, person: str, now_us: int, challenge: bytes) -> None:
    """Check that a challenge was made here, for this person, and is not over.

    Raises:
        FormatError: `REGISTRATION`.
    """
    head, mac = challenge[: _NONCE_BYTES + _END_BYTES], challenge[_NONCE_BYTES + _END_BYTES :]
    if not hmac.compare_digest(_mac(secret, person, head), mac):
        raise FormatError(CODE, "expected the challenge that was given", field="/response")
    if now_us >= int.from_bytes(head[_NONCE_BYTES:], "big"):
        raise FormatError(CODE, "the challenge is over: begin again", field="/response")


def creation_options(
    settings: SigningSettings, account: Account, challenge: bytes, known: Collection[str] = ()
) -> dict[str, Any]:
    """Return what a browser is asked to make (WebAuthn L3 §5.1.9); not again where it has one of `known`."""
    handle = hashlib.sha256(f"{settings.rp_id}\0{account.person}".encode()).digest()
    return {
        "rp": {"id": settings.rp_id, "name": "trial-ledger signing"},
        "user": {
            "id": bytes_to_base64url(handle),
            "name": account.person,
            "displayName": account.name,
        },
        "challenge": bytes_to_base64url(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": COSEAlgorithmIdentifier.ECDSA_SHA_256.value}],
        "timeout": VALID_US // 1_000,
        "excludeCredentials": [{"type": "public-key", "id": each} for each in known],
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "required"},
        "attestation": "none",
    }


def challenge_of(credential: Mapping[str, Any]) -> bytes:
    """Return the challenge that a registration answers, not judged yet.

    Raises:
        FormatError: `REGISTRATION`.
    """
    try:
        data = base64url_to_bytes(credential["response"]["clientDataJSON"])
        return parse_client_data_json(data).challenge
    except _DEFECTS:
        raise _malformed() from None


def read_registration(
    credential: Mapping[str, Any], settings: SigningSettings, person: str, challenge: bytes
) -> Registered:
    """Read RegistrationResponseJSON (WebAuthn L3 §5.1.8) as the key that may be enrolled.

    Raises:
        FormatError: `REGISTRATION`; SignatureError: a point that is none.
    """
    value = {name: each for name, each in credential.items() if name in _MEMBERS}
    try:
        verified = verify_registration_response(
            credential=value,
            expected_challenge=challenge,
            expected_rp_id=settings.rp_id,
            expected_origin=list(settings.origins),
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
        )
        public: Any = decode_credential_public_key(verified.credential_public_key)
        point = b"\x04" + public.x + public.y
    except _DEFECTS:
        raise _malformed() from None
    if len(verified.credential_id) > MAX_CREDENTIAL_BYTES:
        raise _malformed()
    spki = spki_of(keys.ES256, point)
    loaded = keys.load_public_key(keys.WEBAUTHN_ES256, spki, origins=settings.origins, rp_id=settings.rp_id)
    key = Key(
        alg="webauthn-es256",
        grade="passkey",
        id=loaded.id,
        person=person,
        spki=encode_base64(spki),
        origins=settings.origins,
        rp_id=settings.rp_id,
    )
    return Registered(key=key, credential=bytes_to_base64url(verified.credential_id))


def _malformed() -> FormatError:
    # What was wrong is in the library's words, which quote the input.
    return FormatError(CODE, "expected a verified registration of an ES256 passkey at the signing pages")


def _mac(secret: bytes, person: str, head: bytes) -> bytes:
    key = hmac.digest(secret, _LABEL, "sha256")
    return hmac.digest(key, person.encode() + b"\0" + head, "sha256")
