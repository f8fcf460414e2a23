"""Strict text: decimal numbers, base64 and lines, each with one spelling only (record format §1).

A parser here accepts what its formatter writes and nothing else: it writes the value again and compares.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from ledger.errors import FormatError
from ledger.merkle import HASH_BYTES, MAX_SIZE

MAX_DIGITS: Final = 19  # enough for 2^63 - 1; longer text is refused before it is converted


def parse_decimal(text: str, *, what: str, code: str, maximum: int = MAX_SIZE) -> int:
    """Parse ASCII digits without sign or leading zero.

    Raises:
        FormatError: `code`.
    """
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        number = int(text)
        if str(number) == text and number <= maximum:
            return number
    raise FormatError(code, f"expected {what} as a decimal number up to {maximum}")


def encode_base64(data: bytes) -> str:
    """Encode with the standard alphabet and padding. RFC 4648 §4."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def parse_base64(text: str, *, what: str, code: str) -> bytes:
    """Parse base64 with padding and zero trailing bits.

    Raises:
        FormatError: `code`.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        data = b""
    if encode_base64(data) != text:
        raise FormatError(code, f"expected {what} in base64 with padding and zero trailing bits")
    return data


def parse_hash(text: str, *, what: str, code: str) -> bytes:
    """Parse the base64 of a 32-byte hash.

    Raises:
        FormatError: `code`.
    """
    data = parse_base64(text, what=what, code=code)
    if len(data) != HASH_BYTES:
        raise FormatError(code, f"expected {what} of {HASH_BYTES} bytes, got {len(data)}")
    return data


def parse_proof(lines: list[str], *, maximum: int, code: str) -> tuple[bytes, ...]:
    """Parse the hashes of a proof, one a line.

    Raises:
        FormatError: `code`.
    """
    if len(lines) > maximum:
        raise FormatError(code, f"expected at most {maximum} hashes in a proof, got {len(lines)}")
    return tuple(parse_hash(line, what="a hash of the proof", code=code) for line in lines)


def decode_text(data: bytes, *, maximum: int, code: str) -> str:
    """Decode UTF-8 of at most `maximum` bytes.

    Raises:
        FormatError: `code`.
    """
    if len(data) > maximum:
        raise FormatError(code, f"expected at most {maximum} bytes, got {len(data)}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(code, "expected valid UTF-8") from None


def split_lines(text: str, *, code: str) -> list[str]:
    """Split text into its lines; each, the last too, ends in U+000A.

    Raises:
        FormatError: `code`.
    """
    if not text.endswith("\n"):
        raise FormatError(code, "expected a final line feed")
    return text[:-1].split("\n")


def parse_head_lines(text: str, *, code: str) -> tuple[str, int, bytes]:
    """Parse the three lines of a tree head: origin, size, root; no extension lines. c2sp.org/tlog-checkpoint.

    Raises:
        FormatError: `code`.
    """
    lines = split_lines(text, code=code)
    if len(lines) != 3 or not lines[0]:
        raise FormatError(code, f"expected origin, size and root on three lines, got {len(lines)} lines")
    size = parse_decimal(lines[1], what="the tree size", code=code)
    return lines[0], size, parse_hash(lines[2], what="the root", code=code)


def counted(number: int, one: str, many: str) -> str:
    """Write a number with what it counts, for people: `1 entry`, `12,399 entries`."""
    return f"{number:,} {one if number == 1 else many}"
