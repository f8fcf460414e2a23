"""Heads and published checkpoints: c2sp.org/tlog-checkpoint under the rules of record format §5.

The text is three lines, without extension lines:

    ledger.example/minimal                          origin
    11                                              number of leaves
    4CndoWL3FQYff5w0B3rGrAziFv4QuGzgXa8xFJFJj0o=    root, base64

A *head* has the log's Ed25519 line and is made with every commit. A *published checkpoint* has the log's
ML-DSA-44 line too, so that it can still be believed when Ed25519 no longer can, and then those of witnesses.

Left out on purpose: where checkpoints are kept (the checkpoint store), and which witnesses are enough
(`ledger.policy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.errors import FormatError, SignatureError
from ledger.lines import encode_base64, parse_head_lines
from ledger.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from ledger.note import (
    COSIGNATURE_ML_DSA_44,
    ED25519,
    CheckedSignature,
    CosignatureSigner,
    Note,
    NoteSigner,
    VerifierKey,
    check_note,
    format_note,
    parse_note,
    repeats,
)

ORIGIN_PATTERN: Final = "[a-z0-9][a-z0-9.:/_-]{2,199}"

_ORIGIN = re.compile(ORIGIN_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: the log's origin, its number of leaves, and the 32-byte root over them."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if _ORIGIN.fullmatch(self.origin) is None:
            raise FormatError("CHECKPOINT", f"expected an origin that matches {ORIGIN_PATTERN}")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise FormatError(
                "CHECKPOINT", f"expected a size up to {MAX_SIZE} and a root of {HASH_BYTES} bytes"
            )
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("CHECKPOINT", f"the root of an empty tree is not {self.root.hex()}")


def format_body(checkpoint: Checkpoint) -> str:
    """Write the text that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"


def parse_body(text: str) -> Checkpoint:
    """Parse the text of a note; extension lines are refused (record format §5).

    Raises:
        FormatError: `CHECKPOINT`.
    """
    origin, size, root = parse_head_lines(text, code="CHECKPOINT")
    return Checkpoint(origin=origin, size=size, root=root)


def sign_head(checkpoint: Checkpoint, signer: NoteSigner) -> bytes:
    """Sign a head with the log's Ed25519 key, whose name is the origin."""
    if signer.key.name != checkpoint.origin:
        raise FormatError(
            "CHECKPOINT", f"expected a key of {checkpoint.origin}, got one of {signer.key.name}"
        )
    text = format_body(checkpoint)
    return format_note(Note(text=text, signatures=(signer.sign(text),)))


def publish(note: bytes, signers: Iterable[CosignatureSigner], time_s: int) -> bytes:
    """Add cosignature lines as of `time_s` (POSIX seconds, not zero): the log's on a head, or a witness's.

    Raises:
        FormatError: `NOTE` or `CHECKPOINT`.
    """
    head = parse_note(note)
    parse_body(head.text)
    if time_s <= 0:
        raise FormatError("CHECKPOINT", f"expected a time after 1970, got {time_s}")
    added = tuple(signer.sign(head.text, time_s) for signer in signers)
    return format_note(Note(text=head.text, signatures=head.signatures + added))


def check_head(note: bytes, log_keys: Sequence[VerifierKey]) -> Checkpoint:
    """Check a head: an Ed25519 line of a key listed for its origin, and no listed key's line that fails.

    Raises:
        FormatError: `NOTE` or `CHECKPOINT`.
        SignatureError: `LOG_UNKNOWN`, `NOTE_SIGNATURE`, `NOTE_UNSIGNED` or `LOG_SIGNATURE`.
    """
    checkpoint, signatures = check_lines(note, log_keys)
    if not any(signature.key.algorithm == ED25519 for signature in signatures):
        raise SignatureError("LOG_SIGNATURE", "expected an Ed25519 line of the log")
    return checkpoint


def check_published(note: bytes, log_keys: Sequence[VerifierKey], *, classical: bool = False) -> Checkpoint:
    """Check a published checkpoint: every key listed for its origin signed, one of each type at least.

    Args:
        note: the exact bytes.
        log_keys: the policy's, of any origin; those of this origin count.
        classical: do without an ML-DSA-44 key (one that is listed has to sign all the same).

    Raises:
        FormatError: `NOTE` or `CHECKPOINT`.
        SignatureError: `LOG_UNKNOWN`, `NOTE_SIGNATURE`, `NOTE_UNSIGNED` or `LOG_SIGNATURE`.
    """
    checkpoint, signatures = check_lines(note, log_keys)
    signed = {signature.key for signature in signatures}
    missing = [key for key in log_keys if key.name == checkpoint.origin and key not in signed]
    if missing:
        raise SignatureError("LOG_SIGNATURE", f"expected a line of the log's key {missing[0].id.hex()}")
    types = {key.algorithm for key in signed}
    if ED25519 not in types:
        raise SignatureError("LOG_SIGNATURE", "expected an Ed25519 line of the log")
    if COSIGNATURE_ML_DSA_44 not in types and not classical:
        raise SignatureError("LOG_SIGNATURE", "expected an ML-DSA-44 line of the log")
    return checkpoint


def check_lines(
    note: bytes, log_keys: Sequence[VerifierKey]
) -> tuple[Checkpoint, tuple[CheckedSignature, ...]]:
    """Check whatever lines the log's listed keys have on a note, and return them with its tree head.

    Raises:
        FormatError: `NOTE` or `CHECKPOINT`.
        SignatureError: `LOG_UNKNOWN` when no key is listed for the origin; `NOTE_SIGNATURE` when a line of
            one fails, is there twice, or states no time; `NOTE_UNSIGNED` when there is none.
    """
    parsed = parse_note(note)
    checkpoint = parse_body(parsed.text)
    keys = [key for key in log_keys if key.name == checkpoint.origin]
    if not keys:
        raise SignatureError("LOG_UNKNOWN", f"expected an origin of the policy, got {checkpoint.origin}")
    return checkpoint, check_timed(parsed, keys)


def check_timed(note: Note, keys: Sequence[VerifierKey]) -> tuple[CheckedSignature, ...]:
    """Check the lines of known keys on a checkpoint: each at most once, and none as of time zero.

    A cosignature as of time zero says nothing about the newest tree (c2sp.org/tlog-cosignature), and a log
    signs a checkpoint once.

    Raises:
        SignatureError: `NOTE_SIGNATURE` or `NOTE_UNSIGNED`.
    """
    if repeats(note, keys):
        raise SignatureError("NOTE_SIGNATURE", "expected one line of each known key, got more")
    signatures = check_note(note, keys)
    if any(signature.time_s == 0 for signature in signatures):
        raise SignatureError("NOTE_SIGNATURE", "expected a cosignature with its time, got one as of zero")
    return signatures
