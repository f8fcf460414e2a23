"""Sealed values: what a statement commits to and does not show.

A sealed member is absent from the plain statement; in its place `sealed` maps its JSON Pointer to a digest of
the disclosure `D`, which is kept outside the log (record format, §7; after RFC 9901 §4.2):

    D      = base64url(JCS([base64url(32 random bytes), "<statement id>", "/data/arm", value]))
    digest = base64url(SHA-256(ascii(D)))        both without padding

The salt makes a digest say nothing about a short value such as an arm. Statement id and pointer are inside,
so that a disclosure fits no other statement and no other member. Withholding D blinds, destroying D erases;
neither touches a signed byte.

Left out on purpose: encryption and padding of D at rest, which is `ledger.datakeys`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from binascii import a2b_base64
from functools import lru_cache
from typing import Final, NamedTuple

from ledger import canonical
from ledger.canonical import Json
from ledger.errors import FormatError

CODE: Final = "DISCLOSURE"
SALT_BYTES: Final = 32

_DIGEST = re.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes: the last digit has two zero bits
_BASE64URL = re.compile("[A-Za-z0-9_-]+")
_ALL: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LAST: Final = (_ALL, _ALL, frozenset("AQgw"), frozenset("AEIMQUYcgkosw048"))
"""The last digits whose trailing bits are zero, by the number of digits modulo 4."""
_PADDING: Final = (b"", b"", b"==", b"=")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_UUID7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Disclosure(NamedTuple):
    """What a disclosure says: that the member at `path` of statement `statement_id` is `value`."""

    salt: bytes
    statement_id: str
    path: str
    value: Json


def make_disclosure(salt: bytes, statement_id: str, path: str, value: object) -> str:
    """Return D. The salt is 32 fresh random bytes for every disclosure; an absent value is sealed as None.

    Raises:
        FormatError: DISCLOSURE; CANONICAL for a value that the format has no bytes for.

    Record format, §7.
    """
    if len(salt) != SALT_BYTES:
        raise FormatError(CODE, f"expected {SALT_BYTES} bytes of salt, got {len(salt)}")
    _check_place(statement_id, path)
    try:
        return _encode(canonical.encode([_encode(salt), statement_id, path, value]))
    except FormatError as error:
        inner = (error.field or "").removeprefix(_VALUE_AT)
        raise FormatError(error.code, error.message, field=path + inner) from None


def digest(disclosure: str) -> str:
    """Return the 43 characters that stand in `sealed` for a disclosure. Record format, §7.

    Raises:
        FormatError: DISCLOSURE, for a text that isn't base64url.
    """
    if _BASE64URL.fullmatch(disclosure) is None:
        raise FormatError(CODE, "expected base64url without padding")
    return _encode(hashlib.sha256(disclosure.encode("ascii")).digest())


def is_digest(text: str) -> bool:
    """Tell whether `text` can be a digest: base64url of 32 bytes, without padding, trailing bits zero."""
    return _DIGEST.fullmatch(text) is not None


def open_disclosure(disclosure: str) -> Disclosure:
    """Return what a disclosure says, unpacking as a tuple of salt, statement id, path and value.

    Raises:
        FormatError: DISCLOSURE, for everything that `make_disclosure` would not have written.

    Record format, §7.
    """
    try:
        members = canonical.decode(_decode(disclosure))
    except FormatError as error:
        raise FormatError(CODE, error.message) from None
    match members:
        case [str(salt), str(statement_id), str(path), value]:
            _check_place(statement_id, path)
        case _:
            raise FormatError(CODE, "expected an array of salt, statement id, path and value")
    salt_bytes = _decode(salt)
    if len(salt_bytes) != SALT_BYTES:
        raise FormatError(CODE, f"expected {SALT_BYTES} bytes of salt, got {len(salt_bytes)}")
    return Disclosure(salt=salt_bytes, statement_id=statement_id, path=path, value=value)


def check_disclosure(disclosure: str, *, statement_id: str, path: str, expected: str) -> Json:
    """Return the value that a statement seals at `path` under the digest `expected`.

    Raises:
        FormatError: DISCLOSURE, when the disclosure isn't the one that the statement commits to.
    """
    if digest(disclosure) != expected:
        raise FormatError(CODE, "expected the disclosure that the statement commits to", field=path)
    quick = _open_plain(disclosure, statement_id, path)
    if quick is not None:
        return quick[0]
    try:
        opened = open_disclosure(disclosure)
    except FormatError as error:
        raise FormatError(error.code, error.message, field=path) from None
    if (opened.statement_id, opened.path) != (statement_id, path):
        raise FormatError(CODE, "expected a disclosure for this statement and path", field=path)
    return opened.value


def _open_plain(disclosure: str, statement_id: str, path: str) -> tuple[Json] | None:
    """Open a disclosure that begins as one of this statement and path does; None where it does not.

    Salt, id and path are plain texts, so the array is canonical exactly when the value is; and id and path
    have their form where a statement has them. `open_disclosure` judges whatever else there is.
    """
    try:
        if not is_statement_id(statement_id) or not _is_pointer(path):
            return None
        members = _decode(disclosure)
        start = len(_SALT_START) + SALT_CHARACTERS
        rest = f'","{statement_id}","{path}",'.encode()
        if not members.startswith(_SALT_START) or not members.startswith(rest, start) or members[-1:] != b"]":
            return None
        if _SALT.fullmatch(members, len(_SALT_START), start) is None:
            return None
        value = canonical.decode_part(members[start + len(rest) : -1])
        canonical.check_shape(value, level=2)
        canonical.check_text(members)
    except (FormatError, UnicodeDecodeError):
        return None
    return (value,)


_SALT_START: Final = b'["'
_SALT: Final = re.compile(_DIGEST.pattern.encode())  # as wide as a digest
SALT_CHARACTERS: Final = 43
_VALUE_AT: Final = "/3"


def is_statement_id(text: str) -> bool:
    """Tell whether a text is the id of a statement: a UUID of version 7, lower case (record format, §3)."""
    return _UUID7.fullmatch(text) is not None


def _check_place(statement_id: str, path: str) -> None:
    if not is_statement_id(statement_id):
        raise FormatError(CODE, "expected a statement id: uuid version 7, lower case")
    if not canonical.is_pointer(path):
        raise FormatError(CODE, "expected a pointer below /data or /reason")


_is_pointer: Final = lru_cache(maxsize=256)(canonical.is_pointer)
"""The same for what stands in statements: few paths, each of many values."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Return the bytes of base64url without padding, with zero trailing bits. RFC 4648 §5, §3.5."""
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        raise FormatError(CODE, "expected base64url without padding")
    if text[-1] not in _LAST[len(text) % 4]:
        raise FormatError(CODE, "expected zero trailing bits in base64url")
    return a2b_base64(text.encode().translate(_STANDARD) + _PADDING[len(text) % 4])
