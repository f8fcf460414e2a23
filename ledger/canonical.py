"""Restricted canonical JSON: the only bytes that are signed, hashed or exported.

RFC 8785 with restrictions that leave no room for two readings (record format, §1): no floats and no
exponents, integers of at most 53 bits, keys of one small grammar, arrays and objects nested at most 16 deep,
strings in NFC without characters that nobody sees. Both ways are strict: `encode` refuses what the format has
no bytes for, and `decode` takes exactly what `encode` would have written.

    >>> encode({"value": "90.50", "unit": "%"})
    b'{"unit":"%","value":"90.50"}'

Text is judged on the encoded document as a whole, in a few passes in C instead of one call per string. That
is exact: a document differs from its strings by quotation marks, digits and brackets, none of which composes
with anything in NFC, and by four escapes, which are blanked out first.

Left out on purpose: what the members mean. Closed sets of keys are the business of whoever reads them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson

from ledger import unicode14
from ledger.errors import FormatError

Json: TypeAlias = bool | int | str | list[Any] | dict[str, Any] | None

CODE: Final = "CANONICAL"
MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 16
MAX_STATEMENT_BYTES: Final = 32_768
MAX_LEAF_BYTES: Final = 65_535

NAME_PATTERN: Final = "[a-z][a-z0-9_]{0,63}"
POINTER_PATTERN: Final = f"/(?:data|reason)(?:/(?:{NAME_PATTERN}|0|[1-9][0-9]{{0,4}}))*/{NAME_PATTERN}"
STREAM_PATTERN: Final = (
    "(?:study|safety"
    "|(?:site|pharmacy|participant|person|randomization|access)/[A-Za-z0-9][A-Za-z0-9._-]{0,62})"
)


class Keys(Enum):
    """Which keys are allowed beside `[a-z][a-z0-9_]{0,63}`, by the kind of document."""

    STATEMENT = "sealed"
    """Statements, leaves and every document without a rule of its own: pointers in the top-level `sealed`."""
    DISCLOSURES = "open"
    """A line of disclosures.jsonl: pointers in the top-level `open` (record format, §9)."""
    STREAMS = "streams"
    """streams.json: stream ids at the top (record format, §9)."""


def encode(value: object, *, keys: Keys = Keys.STATEMENT) -> bytes:
    """Return the one encoding of `value`: dicts, lists or tuples, strings, integers, booleans, None.

    Raises:
        FormatError: CANONICAL, when the format has no bytes for the value; `field` is the JSON Pointer of the
            offending member, or of the object that has the offending key.

    Record format, §1; RFC 8785 §3.2.
    """
    _check_shape(value, keys)
    body = _dump(value)
    _check_text(body, value)
    return body


def decode(data: bytes, *, keys: Keys = Keys.STATEMENT, max_bytes: int | None = None) -> Json:
    """Return the value of `data`, or refuse: `encode(decode(data)) == data` holds for everything returned.

    About 10 µs for a statement of one kilobyte. Without `max_bytes` the caller has bounded the input.

    Raises:
        FormatError: CANONICAL, and no other exception for any bytes.

    Record format, §1.
    """
    if max_bytes is not None and len(data) > max_bytes:
        raise FormatError(CODE, f"expected at most {max_bytes} bytes, got {len(data)}")
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        # The parser's own message quotes the input, which may be a participant's data.
        raise FormatError(CODE, "expected UTF-8 JSON") from None
    _check_shape(value, keys)
    if _dump(value) != data:
        raise FormatError(CODE, "expected canonical bytes: sorted unique keys, no spaces, shortest escapes")
    _check_text(data, value)
    return value


def decode_part(data: bytes) -> Json:
    """Return the value of a member of a document; its shape, and the text of its strings, are judged apart.

    Raises:
        FormatError: CANONICAL.
    """
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise FormatError(CODE, "expected UTF-8 JSON") from None
    if _dump(value) != data:
        raise FormatError(CODE, "expected canonical bytes: sorted unique keys, no spaces, shortest escapes")
    return value


def check_shape(value: Json, level: int) -> None:
    """Refuse types, integers, keys and depth that the format does not have, in a member `level` deep.

    Raises:
        FormatError: CANONICAL.
    """
    try:
        _check_value(value, level)
    except _ShapeError as refused:
        raise FormatError(CODE, refused.message, field="".join(refused.steps)) from None


def check_text(body: bytes) -> None:
    """Refuse a document in which a string holds what the format has no bytes for; the rest is not judged.

    Raises:
        FormatError: CANONICAL.
    """
    _check_text(body, None)


def is_name(key: str) -> bool:
    """Tell whether `key` is an ordinary key."""
    return _NAME.fullmatch(key) is not None


def is_pointer(key: str) -> bool:
    """Tell whether `key` is the JSON Pointer of a sealed member. Record format, §7."""
    return _POINTER.fullmatch(key) is not None


def is_stream_id(key: str) -> bool:
    """Tell whether `key` is a stream id. Record format, §2."""
    return _STREAM.fullmatch(key) is not None


def check_string(text: str) -> None:
    """Refuse a string that the format has no bytes for.

    Raises:
        FormatError: CANONICAL.
    """
    _check_points(text)
    # After the check above only code points of Unicode 14.0 are left, whose normal form never changes.
    if not unicodedata.is_normalized("NFC", text):
        raise FormatError(CODE, "expected text in normal form C")


_NAME = re.compile(NAME_PATTERN)
_POINTER = re.compile(POINTER_PATTERN)
_STREAM = re.compile(STREAM_PATTERN)


def _dump(value: object) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise FormatError(CODE, "expected strings without surrogates") from None


class _ShapeError(Exception):
    """A value that has no encoding; gathers its pointer while it climbs to the top."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []

    def under(self, step: str | int) -> _ShapeError:
        self.steps.insert(0, f"/{step}")
        return self


def _check_shape(value: object, keys: Keys) -> None:
    """Check types, integers, keys and depth; the text of strings is left to `_check_text`."""
    try:
        if type(value) is dict:
            _check_top(value, keys)
        else:
            _check_value(value, 1)
    except _ShapeError as refused:
        raise FormatError(CODE, refused.message, field="".join(refused.steps)) from None


def _check_top(members: dict[Any, Any], keys: Keys) -> None:
    if keys is Keys.STREAMS:
        _check_object(members, 1, _check_stream_id)
        return
    special = members.get(keys.value)
    if type(special) is not dict:
        _check_object(members, 1, _check_name)
        return
    _check_object({key: member for key, member in members.items() if key != keys.value}, 1, _check_name)
    try:
        _check_object(special, 2, _check_pointer)
    except _ShapeError as refused:
        raise refused.under(keys.value) from None


def _check_value(value: Any, depth: int) -> None:
    """Check one value; `depth` is its level if it is an array or object, so recursion ends at 16."""
    kind = type(value)
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _ShapeError("expected an integer of at most 53 bits")
    elif kind is dict or kind is list or kind is tuple:
        if depth > MAX_DEPTH:
            raise _ShapeError(f"expected at most {MAX_DEPTH} levels of arrays and objects")
        if kind is dict:
            _check_object(value, depth, _check_name)
        else:
            _check_array(value, depth)
    elif kind is not str and kind is not bool and value is not None:
        raise _ShapeError("expected an object, array, string, integer, boolean or null")


def _check_object(members: dict[Any, Any], depth: int, check_key: Callable[[object], None]) -> None:
    for key, member in members.items():
        check_key(key)
        if type(member) is not str:
            try:
                _check_value(member, depth + 1)
            except _ShapeError as refused:
                raise refused.under(key) from None


# A refusal is raised, not returned, so that the cache keeps short names only and never what a stranger sent.
@lru_cache(maxsize=4096)
def _check_name(key: object) -> None:
    if type(key) is not str or not is_name(key):
        raise _ShapeError(f"expected keys that match {NAME_PATTERN}")


def _check_pointer(key: object) -> None:
    if type(key) is not str or not is_pointer(key):
        raise _ShapeError("expected json pointers below /data or /reason as keys")


def _check_stream_id(key: object) -> None:
    if type(key) is not str or not is_stream_id(key):
        raise _ShapeError("expected stream ids as keys")


def _check_array(members: Sequence[Any], depth: int) -> None:
    for position, member in enumerate(members):
        if type(member) is not str:
            try:
                _check_value(member, depth + 1)
            except _ShapeError as refused:
                raise refused.under(position) from None


def _check_text(body: bytes, value: object) -> None:
    """Check every string of a document whose canonical bytes are `body`."""
    if b"\\" in body:
        # Left to right, so that an escaped backslash never lends its second half to the next escape.
        body = body.replace(rb"\\", b"..").replace(rb"\"", b".").replace(rb"\n", b".").replace(rb"\t", b".")
        if b"\\" in body:  # \b \f \r or \u00xx
            raise FormatError(CODE, "expected no control character but \\n and \\t", field=_find(value, ""))
    if body.isascii() and b"\x7f" not in body:
        return
    try:
        # Most characters are ASCII and need no look; without them the rest is still well-formed UTF-8.
        _check_points(body.translate(None, _PLAIN_ASCII).decode())
        if not unicodedata.is_normalized("NFC", body.decode()):
            raise FormatError(CODE, "expected text in normal form C")
    except FormatError as error:
        raise FormatError(error.code, error.message, field=_find(value, "")) from None


def _check_points(text: str) -> None:
    if any(_is_forbidden(ord(suspect)) for suspect in _SUSPECT.findall(text)):
        raise FormatError(CODE, "expected no control, format, separator, surrogate or unassigned code point")


def _find(value: object, path: str) -> str | None:
    """Return the pointer of the first string that `check_string` refuses, for the error that says so."""
    if isinstance(value, str):
        try:
            check_string(value)
        except FormatError:
            return path
        return None
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list | tuple):
        members = enumerate(value)
    found = (_find(member, f"{path}/{key}") for key, member in members)
    return next((pointer for pointer in found if pointer is not None), None)


def forbidden_ranges() -> list[tuple[int, int]]:
    """List the code points that no string may hold, as ascending first and last. Record format, §1."""
    seen_by_nobody = [bounds for bounds in unicode14.FORMAT if bounds != (0x200B, 0x200F)]
    return sorted(
        [
            (0x00, 0x08),  # C0 but \t and \n
            (0x0B, 0x1F),
            (0x7F, 0x9F),  # DEL and C1
            (
                0x200B,
                0x200B,
            ),  # of the Cf range 200B-200F the two joiners, which some scripts need, are left out
            (0x200E, 0x200F),
            (0x2028, 0x2029),  # Zl, Zp
            (0xD800, 0xDFFF),
            *seen_by_nobody,
            *unicode14.UNASSIGNED,
        ]
    )


def _suspects(ranges: list[tuple[int, int]]) -> re.Pattern[str]:
    """Match a forbidden code point below U+10000, or any above: the few texts with one are looked at singly.

    The ranges above U+10000 would be tried one after the other for every character.
    """
    basic = "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges if last < 0x10000)
    return re.compile(f"[{basic}\U00010000-\U0010ffff]")


_PLAIN_ASCII = bytes([*b"\n\t", *range(0x20, 0x7F)])
_FORBIDDEN = forbidden_ranges()
_FIRSTS = [first for first, _ in _FORBIDDEN]
_SUSPECT = _suspects(_FORBIDDEN)


def _is_forbidden(point: int) -> bool:
    position = bisect_right(_FIRSTS, point) - 1
    return position >= 0 and point <= _FORBIDDEN[position][1]
