"""Time stamps of a third party on published checkpoints: RFC 3161 over SHA-256 of the note's text (§5).

    response = stamp(note, url, anchor, post)          # asks the authority, checks what it answers
    when = check_stamp(response, note, anchor)         # what an auditor does, with an anchor of their own

A stamp proves that the checkpoint existed by then, and so everything in it; it never stands for a quorum of
witnesses. The response is kept whole and exported as `checkpoint.tsr`. The anchor is the authority's own
certificate, pinned, followed by those above it up to a root, in PEM; it comes from the auditor, never from
the bundle. Reading and checking is `rfc3161-client`'s; `verify` imports this module only where an anchor is
given.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx2
from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ledger.errors import FormatError, SignatureError, StoreError
from ledger.note import parse_note
from ledger.times import format_instant

MAX_RESPONSE_BYTES: Final = 100_000
MAX_ANCHOR_BYTES: Final = 100_000
TIMEOUT_S: Final = 10.0
_SHA256: Final = "2.16.840.1.101.3.4.2.1"

Post = Callable[[str, bytes], bytes]
"""(address, request in DER) -> response in DER."""


def read_anchor(data: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of an authority: its own first, then those above it, a root at the end.

    Raises:
        FormatError: `TSA_ANCHOR`.
    """
    try:
        found = load_pem_x509_certificates(data[: MAX_ANCHOR_BYTES + 1])
    except ValueError as error:
        raise FormatError("TSA_ANCHOR", "expected certificates in PEM") from error
    if len(data) > MAX_ANCHOR_BYTES or len(found) < 2:
        raise FormatError("TSA_ANCHOR", "expected the authority's certificate, and those above it to a root")
    return tuple(found)


def stamp(note: bytes, url: str, anchor: tuple[Certificate, ...], post: Post) -> bytes:
    """Ask an authority for a stamp on a checkpoint; return its response, checked.

    Raises:
        StoreError: `TSA_UNREACHABLE`.
        SignatureError: `STAMP` when what it answers does not hold.
    """
    text = parse_note(note).text.encode()
    builder = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).build()
    response = post(url, request.as_bytes())
    _check(response, text, anchor, request.nonce)
    return response


def check_stamp(response: bytes, note: bytes, anchor: tuple[Certificate, ...]) -> str:
    """Return when a stamp on a checkpoint was made, as an instant.

    Raises:
        SignatureError: `STAMP`.
    """
    made = _check(response, parse_note(note).text.encode(), anchor, None)
    return format_instant(int(made.astimezone(UTC).timestamp() * 1_000_000))


def _check(response: bytes, text: bytes, anchor: tuple[Certificate, ...], nonce: int | None) -> datetime:
    if len(response) > MAX_RESPONSE_BYTES:
        raise SignatureError("STAMP", f"expected at most {MAX_RESPONSE_BYTES} bytes")
    builder = VerifierBuilder(
        tsa_certificate=anchor[0], intermediates=list(anchor[1:-1]), roots=[anchor[-1]], nonce=nonce
    )
    try:
        parsed: TimeStampResponse = decode_timestamp_response(response)
        if parsed.tst_info.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise SignatureError("STAMP", "expected a stamp over SHA-256")
        builder.build().verify_message(parsed, text)
    except VerificationError as error:
        raise SignatureError("STAMP", "the stamp does not hold over this checkpoint") from error
    except ValueError as error:  # what the library raises for bytes that are no response
        raise SignatureError("STAMP", "expected a response of RFC 3161") from error
    return parsed.tst_info.gen_time


def post_over_http(url: str, request: bytes) -> bytes:
    """Send a request to an authority; no redirects, no proxy of the environment, a bounded answer.

    Raises:
        StoreError: `TSA_UNREACHABLE`.
    """
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        with (
            httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, content=request, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise StoreError("TSA_UNREACHABLE", f"the authority answered {response.status_code}")
            read = b""
            for part in response.iter_bytes():
                read += part
                if len(read) > MAX_RESPONSE_BYTES:
                    raise StoreError("TSA_UNREACHABLE", "the authority's answer is too long")
            return read
    except httpx2.HTTPError as error:
        raise StoreError("TSA_UNREACHABLE", f"no answer: {type(error).__name__}") from error


def read_anchor_file(path: Path) -> tuple[Certificate, ...]:
    """Read an authority's certificates from a file.

    Raises:
        StoreError: `TSA_ANCHOR` when it can't be read.
        FormatError: `TSA_ANCHOR`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError("TSA_ANCHOR", f"{path.name} can't be read: {error.strerror}") from error
    return read_anchor(data)
