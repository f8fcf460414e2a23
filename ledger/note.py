"""Signed notes: c2sp.org/signed-note, with the cosignatures of c2sp.org/tlog-cosignature.

    ledger.example/minimal                                  the text, ending in a line feed
    11
    4CndoWL3FQYff5w0B3rGrAziFv4QuGzgXa8xFJFJj0o=
                                                            an empty line
    — ledger.example/minimal 0bPAMDBTYKBqCU0TX7kR4GmU…      em dash, key name, base64(key id ‖ signature)

A verifier key is `<name>+<key id, 8 hex>+<base64(type byte ‖ public key)>`, with
key id = SHA-256(name ‖ 0x0A ‖ type byte ‖ public key)[:4]. Three types are known here:

| type | key | what it signs |
|---|---|---|
| 0x01 | Ed25519 | the text |
| 0x04 | Ed25519 | `cosignature/v1`, `time <seconds>` and the text; an 8-byte time precedes the signature |
| 0x06 | ML-DSA-44 | `cosigned_message` over origin, size and root; an 8-byte time precedes likewise |

A text is worth nothing until `check_note` has returned. Lines of unknown keys are ignored; a line whose name
and id are known and which does not verify rejects the note.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.signing
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger.errors import FormatError, SignatureError
from ledger.lines import decode_text, encode_base64, parse_base64, parse_head_lines

ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
COSIGNATURE_ML_DSA_44: Final = 0x06

MAX_NOTE_BYTES: Final = 1_000_000  # a checkpoint with 100 ML-DSA-44 lines is a third of that
MAX_SIGNATURES: Final = 100
MAX_NAME_BYTES: Final = 255  # one length byte in the cosigned message
MAX_TIME_S: Final = 2**63 - 1  # c2sp.org/tlog-cosignature, "Format"

_PUBLIC_BYTES: Final = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_ML_DSA_44: 1312}
_SIGNATURE_BYTES: Final = {ED25519: 64, COSIGNATURE_ED25519: 72, COSIGNATURE_ML_DSA_44: 2428}
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line, not yet checked: key name, 4-byte key id, and what follows the id."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text that ends in a line feed, and its signature lines in order."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under a name. `id` follows from the rest; `public` is 32 or 1,312 bytes."""

    name: str
    algorithm: int
    public: bytes
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        _check_name(self.name, code="VKEY")
        expected = _PUBLIC_BYTES.get(self.algorithm)
        if expected is None:
            raise FormatError("VKEY", f"expected key type 0x01, 0x04 or 0x06, got 0x{self.algorithm:02x}")
        if len(self.public) != expected:
            raise FormatError("VKEY", f"expected a public key of {expected} bytes, got {len(self.public)}")
        named = self.name.encode() + b"\n" + bytes((self.algorithm,)) + self.public
        object.__setattr__(self, "id", hashlib.sha256(named).digest()[:4])


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSignature:
    """A signature line that holds.

    Attributes:
        time_s: POSIX seconds that a cosignature states; None for type 0x01.
        signature: the bare signature, without key id and time.
    """

    key: VerifierKey
    time_s: int | None
    signature: bytes


def parse_vkey(text: str) -> VerifierKey:
    """Parse a verifier key. c2sp.org/signed-note, "Verifier keys".

    Raises:
        FormatError: `VKEY`, also when the key id is not that of name and key.
    """
    match = _VKEY.fullmatch(text)
    if match is None:
        raise FormatError("VKEY", "expected <name>+<8 hex>+<base64>")
    material = parse_base64(match[3], what="the key", code="VKEY")  # not empty: the pattern wants a digit
    key = VerifierKey(name=match[1], algorithm=material[0], public=material[1:])
    if key.id.hex() != match[2]:
        raise FormatError("VKEY", f"expected the key id {key.id.hex()}, got {match[2]}")
    return key


def format_vkey(key: VerifierKey) -> str:
    """Write a verifier key."""
    return f"{key.name}+{key.id.hex()}+{encode_base64(bytes((key.algorithm,)) + key.public)}"


def parse_note(data: bytes) -> Note:
    """Parse a signed note, without judging any signature. c2sp.org/signed-note, "Format".

    Raises:
        FormatError: `NOTE`.
    """
    whole = decode_text(data, maximum=MAX_NOTE_BYTES, code="NOTE")
    if any(char < " " and char != "\n" for char in set(whole)):
        raise FormatError("NOTE", "expected no control character but the line feed")
    text, blank, block = whole.rpartition("\n\n")  # the last empty line separates
    if not blank or not block.endswith("\n"):
        raise FormatError("NOTE", "expected a text, an empty line, and signature lines")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise FormatError("NOTE", f"expected at most {MAX_SIGNATURES} signatures, got {len(lines)}")
    return Note(text=text + "\n", signatures=tuple(_parse_line(line) for line in lines))


def format_note(note: Note) -> bytes:
    """Write a signed note."""
    return (note.text + "\n" + "".join(format_signature(each) for each in note.signatures)).encode()


def format_signature(signature: NoteSignature) -> str:
    """Write one signature line, with its line feed."""
    return f"— {signature.name} {encode_base64(signature.id + signature.signature)}\n"


def check_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[CheckedSignature, ...]:
    """Check every line of a known key, and return them in the note's order, a repeated line once.

    Raises:
        SignatureError: `NOTE_SIGNATURE` when such a line does not verify, when a key signed twice
            differently, or when two listed keys share name and id; `NOTE_UNSIGNED` when no listed key signed.
    """
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in keys:
        known.setdefault((key.name, key.id), []).append(key)
    checked: dict[tuple[str, bytes], tuple[bytes, CheckedSignature]] = {}
    for line in note.signatures:
        found = known.get((line.name, line.id), [])
        if not found:
            continue
        if len(found) > 1:
            raise SignatureError("NOTE_SIGNATURE", f"two known keys are {_label(line.name, line.id)}")
        before = checked.get((line.name, line.id))
        if before is None:
            checked[line.name, line.id] = line.signature, check_signature(found[0], note.text, line.signature)
        elif before[0] != line.signature:
            raise SignatureError("NOTE_SIGNATURE", f"two signatures by {_label(line.name, line.id)}")
    if not checked:
        raise SignatureError("NOTE_UNSIGNED", "expected a signature by a known key, got none")
    return tuple(signature for _, signature in checked.values())


def check_signature(key: VerifierKey, text: str, signature: bytes) -> CheckedSignature:
    """Check what one signature line carries after its key id.

    Raises:
        SignatureError: `NOTE_SIGNATURE`.
    """
    if len(signature) != _SIGNATURE_BYTES[key.algorithm]:
        raise SignatureError("NOTE_SIGNATURE", f"wrong length of the signature by {_label(key.name, key.id)}")
    time_s = None
    if key.algorithm != ED25519:
        time_s, signature = int.from_bytes(signature[:8], "big"), signature[8:]
    try:
        if key.algorithm == COSIGNATURE_ML_DSA_44:
            public = MLDSA44PublicKey.from_public_bytes(key.public)
            public.verify(signature, signed_message(key, text, time_s))
        else:
            nacl.signing.VerifyKey(key.public).verify(signed_message(key, text, time_s), signature)
    except (InvalidSignature, nacl.exceptions.BadSignatureError, FormatError, ValueError):
        # FormatError: a cosigner never signs a text that is no tree head
        raise SignatureError(
            "NOTE_SIGNATURE", f"the signature by {_label(key.name, key.id)} does not hold"
        ) from None
    return CheckedSignature(key=key, time_s=time_s, signature=signature)


def signed_message(key: VerifierKey, text: str, time_s: int | None) -> bytes:
    """Build the bytes that a key of this type signs.

    Raises:
        FormatError: `NOTE` when the type needs a tree head or a time, and there is none.
    """
    if key.algorithm == ED25519:
        return text.encode()
    if time_s is None or not 0 <= time_s <= MAX_TIME_S:
        raise FormatError("NOTE", "expected a time from 0 to 2^63 - 1")
    if key.algorithm == COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {time_s}\n{text}".encode()
    origin, size, root = parse_head_lines(text, code="NOTE")
    start = 0  # the whole tree, not a subtree of it
    return b"".join(
        (
            b"subtree/v1\n\x00",
            _prefixed(key.name),
            time_s.to_bytes(8, "big"),
            _prefixed(origin),
            start.to_bytes(8, "big"),
            size.to_bytes(8, "big"),
            root,
        )
    )


class NoteSigner:
    """Signs notes with Ed25519, type 0x01."""

    __slots__ = ("_secret", "key")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make a signer from its name and 32-byte seed (RFC 8032)."""
        public, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        self.key = VerifierKey(name=name, algorithm=ED25519, public=public)

    def sign(self, text: str) -> NoteSignature:
        """Sign a text."""
        signature = nacl.bindings.crypto_sign(signed_message(self.key, text, None), self._secret)[:64]
        return NoteSignature(name=self.key.name, id=self.key.id, signature=signature)


class Ed25519Cosigner:
    """Cosigns tree heads with Ed25519, type 0x04: what a witness does."""

    __slots__ = ("_secret", "key")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make a cosigner from its name and 32-byte seed (RFC 8032)."""
        public, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        self.key = VerifierKey(name=name, algorithm=COSIGNATURE_ED25519, public=public)

    def sign(self, text: str, time_s: int) -> NoteSignature:
        """Cosign a tree head as of `time_s`, POSIX seconds."""
        message = signed_message(self.key, text, time_s)
        stamped = time_s.to_bytes(8, "big") + nacl.bindings.crypto_sign(message, self._secret)[:64]
        return NoteSignature(name=self.key.name, id=self.key.id, signature=stamped)


class CosignatureSigner:
    """Signs tree heads with ML-DSA-44, type 0x06.

    The library signs hedged (FIPS 204 §3.4), so two signatures over the same bytes differ.
    """

    __slots__ = ("_signing", "key")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make a signer from its name and 32-byte seed (FIPS 204 §5.1)."""
        self._signing = MLDSA44PrivateKey.from_seed_bytes(seed)
        public = self._signing.public_key().public_bytes_raw()
        self.key = VerifierKey(name=name, algorithm=COSIGNATURE_ML_DSA_44, public=public)

    def sign(self, text: str, time_s: int) -> NoteSignature:
        """Sign a tree head as of `time_s`, POSIX seconds."""
        signature = self._signing.sign(signed_message(self.key, text, time_s))
        stamped = time_s.to_bytes(8, "big") + signature
        return NoteSignature(name=self.key.name, id=self.key.id, signature=stamped)


def repeats(note: Note, keys: Sequence[VerifierKey]) -> bool:
    """Say whether a known key has more than one line."""
    known = {(key.name, key.id) for key in keys}
    seen = [(line.name, line.id) for line in note.signatures if (line.name, line.id) in known]
    return len(seen) != len(set(seen))


def _parse_line(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise FormatError("NOTE", "expected a signature line: em dash, key name, base64")
    _check_name(parts[1], code="NOTE")
    signature = parse_base64(parts[2], what="the signature", code="NOTE")
    if len(signature) < 5:
        raise FormatError("NOTE", f"expected a key id and a signature, got {len(signature)} bytes")
    return NoteSignature(name=parts[1], id=signature[:4], signature=signature[4:])


def _check_name(name: str, *, code: str) -> None:
    if any(char in "+\x7f" or char < " " or char.isspace() or "\ud800" <= char <= "\udfff" for char in name):
        raise FormatError(code, "expected a key name without plus, space, control character or surrogate")
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
        raise FormatError(code, f"expected a key name of 1 to {MAX_NAME_BYTES} bytes")


def _prefixed(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= 255:
        raise FormatError("NOTE", f"expected 1 to 255 bytes, got {len(data)}")
    return bytes((len(data),)) + data


def _label(name: str, key_id: bytes) -> str:
    return f"{name}+{key_id.hex()}"
