"""The adapter of `Signer` for PKCS #11: the key is made in a token and never comes out.

    pkcs11:token=trial-ledger;object=log?module-path=/usr/lib/softhsm/libsofthsm2.so          RFC 7512

`token` is the label of the token, `object` that of a key pair, `module-path` the library of the token.
Ed25519 by CKM_EDDSA, or ECDSA over P-256 by CKM_ECDSA of a SHA-256 made here. The PIN comes from a file that
`TRIAL_LEDGER_PKCS11_PIN_FILE` names, never from the address.

A session of PKCS #11 is one thread's at a time, so signatures queue. A token that does not answer is opened
again once; then `SIGNER_GONE`. The library `python-pkcs11` comes with the extra `pkcs11` and is imported when
an address asks for it.
"""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ledger import keys
from ledger.errors import FormatError, StoreError

CODE: Final = "SIGNER_ADDRESS"
GONE: Final = "SIGNER_GONE"
MISSING: Final = "SIGNER_MISSING"

_ADDRESS = re.compile(r"pkcs11:([^?]+)\?module-path=(/[^?&]+)")
_ED25519_PARAMETERS = (bytes.fromhex("06032b6570"), bytes.fromhex("130c656477617264733235353139"))
"""The curve as an object identifier (RFC 8410), and as the printable string of PKCS #11 version 3.0."""
_P256_PARAMETERS = bytes.fromhex("06082a8648ce3d030107")
_OCTET_STRING = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a key pair is."""

    token: str
    object: str
    module: Path


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        FormatError: `SIGNER_ADDRESS`, also where a PIN stands in it.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise FormatError(CODE, "expected pkcs11:token=…;object=…?module-path=/…")
    members: dict[str, str] = {}
    for part in match[1].split(";"):
        name, equals, value = part.partition("=")
        if name not in ("token", "object") or not equals or not value or name in members:
            raise FormatError(CODE, "expected exactly token and object, each once")
        members[name] = unquote(value)
    if members.keys() != {"token", "object"}:
        raise FormatError(CODE, "expected exactly token and object, each once")
    return Address(token=members["token"], object=members["object"], module=Path(unquote(match[2])))


class Pkcs11Signer:
    """A key pair in a token. Thread-safe; `repr` shows where it is."""

    def __init__(self, address: Address, pin: str) -> None:
        """Open the token and find the key pair.

        Raises:
            StoreError: `SIGNER_MISSING` for the library, the token or the key; `SIGNER_GONE`.
        """
        self._address: Final = address
        self._pin: Final = pin
        self._lock: Final = threading.Lock()
        self._session: Any = None
        self._private: Any = None
        self.alg, self.public = self._open()

    def __repr__(self) -> str:
        return f"<Pkcs11Signer {self._address.token}/{self._address.object} {self.alg}>"

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message, by a token opened again where it had gone."""
        import pkcs11

        with self._lock:
            try:
                return self._sign(message)
            except pkcs11.PKCS11Error:
                self._release()
            found = self._open()
            if found != (self.alg, self.public):
                raise StoreError(GONE, "the token came back with another key")
            try:
                return self._sign(message)
            except pkcs11.PKCS11Error as error:
                raise _gone(error) from None

    def close(self) -> None:
        """Log out of the token; closing twice is allowed."""
        with self._lock:
            self._release()

    def _sign(self, message: bytes) -> bytes:
        import pkcs11

        if self.alg == keys.ED25519:
            return bytes(self._private.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
        digest = hashlib.sha256(message).digest()
        signature = bytes(self._private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        s = int.from_bytes(signature[32:], "big")
        return signature[:32] + min(s, keys.P256_ORDER - s).to_bytes(32, "big")

    def _open(self) -> tuple[str, bytes]:
        session = open_session(self._address, self._pin)
        import pkcs11

        try:
            self._private = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=self._address.object)
            public = session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=self._address.object)
            self._session = session
            return read_public(public)
        except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned):
            session.close()
            raise StoreError(MISSING, "expected one key pair of that label in the token") from None
        except pkcs11.PKCS11Error as error:
            session.close()
            raise _gone(error) from None

    def _release(self) -> None:
        import pkcs11

        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return  # it has gone already


def make_key_pair(address: Address, pin: str, alg: str) -> None:
    """Make a key pair in the token, sensitive and not extractable.

    Raises:
        StoreError: `SIGNER_EXISTS` where the label is taken; `SIGNER_MISSING`, `SIGNER_GONE`.
        FormatError: `SIGNER_ADDRESS` for an algorithm that tokens are not asked for.
    """
    if alg not in (keys.ED25519, keys.ES256):
        raise FormatError(CODE, "expected ed25519 or es256 for a key in a token", field="alg")
    session = open_session(address, pin, writing=True)
    import pkcs11

    try:
        if next(iter(session.get_objects({pkcs11.Attribute.LABEL: address.object})), None) is not None:
            raise StoreError("SIGNER_EXISTS", "the token has an object of that label")
        _generate(session, alg, address.object)
    except pkcs11.PKCS11Error as error:
        raise _gone(error) from None
    finally:
        session.close()


def open_session(address: Address, pin: str, *, writing: bool = False) -> Any:
    """Open a session of a token.

    Raises:
        StoreError: `SIGNER_MISSING`, `SIGNER_GONE`, `SIGNER_PIN`.
    """
    try:
        import pkcs11
    except ImportError:
        raise StoreError(MISSING, "keys in a token need the extra pkcs11") from None
    try:
        library = pkcs11.lib(str(address.module))
    except (pkcs11.PKCS11Error, RuntimeError, OSError):
        raise StoreError(MISSING, "the library of the token cannot be loaded") from None
    try:
        token = library.get_token(token_label=address.token)
        try:
            return token.open(user_pin=pin, rw=writing)
        except pkcs11.UserAlreadyLoggedIn:  # a login is the whole process's (PKCS #11 §5.6)
            return token.open(rw=writing)
    except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise StoreError("SIGNER_PIN", "the token does not take this PIN") from None
    except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned):
        raise StoreError(MISSING, "expected one token of that label") from None
    except pkcs11.PKCS11Error as error:
        raise _gone(error) from None


def read_public(public: Any) -> tuple[str, bytes]:
    """Return algorithm and point of a public key in a token.

    Raises:
        StoreError: `SIGNER_MISSING` for a key of another kind.
    """
    import pkcs11

    parameters = bytes(public[pkcs11.Attribute.EC_PARAMS])
    wrapped = bytes(public[pkcs11.Attribute.EC_POINT])
    alg, size = (keys.ES256, 65) if parameters == _P256_PARAMETERS else (keys.ED25519, 32)
    known = parameters in (_P256_PARAMETERS, *_ED25519_PARAMETERS)
    # Tokens give the point in a DER OCTET STRING or as it is (PKCS #11 §2.3.3 and its errata).
    point = wrapped[2:] if wrapped[:2] == bytes((_OCTET_STRING, size)) else wrapped
    if not known or len(point) != size:
        raise StoreError(MISSING, "expected a key of Ed25519 or P-256 in the token")
    return alg, point


def _generate(session: Any, alg: str, label: str) -> None:
    import pkcs11

    if alg == keys.ES256:
        kind, parameters, mechanism = pkcs11.KeyType.EC, _P256_PARAMETERS, pkcs11.Mechanism.EC_KEY_PAIR_GEN
    else:
        kind, parameters = pkcs11.KeyType.EC_EDWARDS, _ED25519_PARAMETERS[0]
        mechanism = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN
    domain = session.create_domain_parameters(kind, {pkcs11.Attribute.EC_PARAMS: parameters}, local=True)
    domain.generate_keypair(
        mechanism=mechanism,
        store=True,
        label=label,
        private_template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
    )


def _gone(error: Exception) -> StoreError:
    return StoreError(GONE, f"the token does not answer: {type(error).__name__}")
