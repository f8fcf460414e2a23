"""The leaf: what the log commits to for one statement (record format §4).

    {"at":"2026-01-05T14:00:00.000000Z","class":"open","index":7,
     "payload_type":"application/vnd.trial-ledger.statement.v1+json",
     "sigs":[{"alg":"ed25519","key":"sha256:…","sig":"…"}],
     "site":"SA-01","statement":"<event hash>","stream":"<tag>","v":1}

Canonical JSON, at most 65,535 bytes, without clinical value or participant id. `class`, `site` and `stream`
repeat the statement's labels, so that a reader who is not shown the statement still sees where it stands. A
stream shows as its tag, a salted hash of its id.

Left out on purpose: whether the signatures hold (`ledger.keys`) and the labels are right (authority).
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from ledger import canonical
from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.frozen import made
from ledger.keys import KeyId, KeySignature
from ledger.lines import encode_base64, parse_base64
from ledger.times import check_day, parse_instant

MAX_LEAF_BYTES: Final = 65_535
MAX_SIGNATURES: Final = 9  # `key` and up to 8 of `with`
CLASSES: Final = ("control", "open", "restricted")
ALGORITHMS: Final = ("ed25519", "es256", "ml-dsa-65", "webauthn-es256")
SALT_BYTES: Final = 32
ZERO_SALT: Final = bytes(SALT_BYTES)
"""Salt of every stream whose id is no secret."""

_TAG_PREFIX: Final = b"trial-ledger/stream/v1\x00"
_UNSALTED: Final = ("site/", "person/", "randomization/")
_KEYS: Final = {"at", "class", "index", "payload_type", "sigs", "site", "statement", "stream", "v"}
_HEX = re.compile("[0-9a-f]{64}")
_KEY_ID = re.compile("sha256:[0-9a-f]{64}")
_SITE = re.compile("([A-Za-z0-9][A-Za-z0-9._-]{0,62})?")
_STREAM = re.compile(canonical.STREAM_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One leaf.

    Attributes:
        at: when the log took it in, `YYYY-MM-DDThh:mm:ss.ffffffZ`; such texts sort by time.
        cls: `control`, `open` or `restricted`.
        index: its place in the log, from 0.
        sigs: for the statement's `key`, then for each of `with`.
        site: site id, or empty.
        statement: event hash of the statement.
        stream: the stream's tag, 64 hex digits.
        v: format version, 1.
    """

    at: str
    cls: str
    index: int
    payload_type: str
    sigs: tuple[KeySignature, ...]
    site: str
    statement: EventHash
    stream: str
    v: int


def encode_leaf(leaf: Leaf) -> bytes:
    """Write the leaf's bytes; its members are taken as checked.

    The members stand in their sorted order here, and none of their alphabets needs an escape, so the plain
    encoder gives canonical bytes.
    """
    return orjson.dumps(
        {
            "at": leaf.at,
            "class": leaf.cls,
            "index": leaf.index,
            "payload_type": leaf.payload_type,
            "sigs": [_signature_members(sig) for sig in leaf.sigs],
            "site": leaf.site,
            "statement": leaf.statement,
            "stream": leaf.stream,
            "v": leaf.v,
        }
    )


def parse_leaf(data: bytes) -> Leaf:
    """Parse the bytes of a leaf: canonical, with exactly the members of §4.

    Raises:
        FormatError: `CANONICAL` or `LEAF`.
    """
    plain = _parse_plain(data)
    if plain is not None:
        return plain
    value = canonical.decode(data, max_bytes=MAX_LEAF_BYTES)
    if not isinstance(value, dict) or value.keys() != _KEYS:
        raise FormatError("LEAF", f"expected an object with the members {' '.join(sorted(_KEYS))}")
    members: dict[str, Any] = value
    if type(members["v"]) is not int or members["v"] != 1:
        raise FormatError("LEAF", "expected the integer 1", field="v")
    if type(members["index"]) is not int or members["index"] < 0:
        raise FormatError("LEAF", "expected an integer from 0", field="index")
    if members["class"] not in CLASSES:
        raise FormatError("LEAF", f"expected one of {' '.join(CLASSES)}", field="class")
    parse_instant(_text(members, "at"))
    if not isinstance(members["sigs"], list) or not 1 <= len(members["sigs"]) <= MAX_SIGNATURES:
        raise FormatError("LEAF", f"expected 1 to {MAX_SIGNATURES} signatures", field="sigs")
    return Leaf(
        at=members["at"],
        cls=members["class"],
        index=members["index"],
        payload_type=_text(members, "payload_type"),
        sigs=tuple(_parse_signature(each) for each in members["sigs"]),
        site=_matching(members, "site", _SITE),
        statement=EventHash(_matching(members, "statement", _HEX)),
        stream=_matching(members, "stream", _HEX),
        v=1,
    )


# Almost every leaf is of this one form: canonical bytes with one Ed25519 signature. What does not match takes
# the long way, and may be as good.
_PLAIN: Final = re.compile(
    '\\{"at":"(([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z)"'
    ',"class":"(control|open|restricted)","index":(0|[1-9][0-9]{0,14}),"payload_type":"([a-z0-9./+-]{1,100})"'
    ',"sigs":\\[\\{"alg":"ed25519","key":"(sha256:[0-9a-f]{64})","sig":"([A-Za-z0-9+/]{85}[AQgw]==)"\\}\\]'
    ',"site":"([A-Za-z0-9][A-Za-z0-9._-]{0,62})?","statement":"([0-9a-f]{64})","stream":"([0-9a-f]{64})","v":1\\}'
)


def split_plain(data: bytes) -> tuple[str, ...] | None:
    """Split a leaf of the one form; None where it is of another.

    That gives at, day, class, index, payload type, key id, signature, site, statement and stream, as written.
    """
    try:
        plain = _PLAIN.fullmatch(data.decode("ascii"))
        if plain is None:
            return None
        members = plain.groups("")
        check_day(members[1])
    except (UnicodeDecodeError, FormatError):
        return None
    return members


def plain_leaf(members: tuple[str, ...]) -> Leaf:
    """Make the leaf of what `split_plain` gave."""
    at, _, cls, index, payload_type, key, sig, site, statement, stream = members
    signature = made(KeySignature, ("ed25519", key, a2b_base64(sig), None, None))
    return made(Leaf, (at, cls, int(index), payload_type, (signature,), site, statement, stream, 1))


def _parse_plain(data: bytes) -> Leaf | None:
    """Read a leaf of the one form; None where it is of another."""
    members = split_plain(data)
    return None if members is None else plain_leaf(members)


def load_leaf(data: bytes) -> Leaf:
    """Read the bytes of a leaf that `parse_leaf` has taken before, without checking much of them again."""
    plain = _parse_plain(data)
    if plain is not None:
        return plain
    members = orjson.loads(data)
    return Leaf(
        at=members["at"],
        cls=members["class"],
        index=members["index"],
        payload_type=members["payload_type"],
        sigs=tuple(_load_signature(each) for each in members["sigs"]),
        site=members["site"],
        statement=members["statement"],
        stream=members["stream"],
        v=members["v"],
    )


@lru_cache(maxsize=4096)  # asked of every entry, and streams are few
def is_salted(stream_id: str) -> bool:
    """Say whether a stream's id is a secret, so that its tag needs a random salt.

    Raises:
        FormatError: `STREAM`.
    """
    if _STREAM.fullmatch(stream_id) is None:
        raise FormatError("STREAM", "expected a stream id of the record format")
    return stream_id != "study" and not stream_id.startswith(_UNSALTED)


def stream_tag(stream_id: str, salt: bytes) -> str:
    """Compute a stream's tag, 64 hex digits; the salt is `ZERO_SALT` exactly when the stream is not salted.

    Raises:
        FormatError: `STREAM` or `SALT`.
    """
    if len(salt) != SALT_BYTES or is_salted(stream_id) == (salt == ZERO_SALT):
        raise FormatError(
            "SALT", f"expected {SALT_BYTES} bytes, zero exactly for a stream that is not salted"
        )
    return hashlib.sha256(_TAG_PREFIX + salt + stream_id.encode()).hexdigest()


def _signature_members(sig: KeySignature) -> dict[str, str]:
    if sig.ad is None or sig.cd is None:
        return {"alg": sig.alg, "key": sig.key, "sig": encode_base64(sig.sig)}
    return {
        "ad": encode_base64(sig.ad),
        "alg": sig.alg,
        "cd": encode_base64(sig.cd),
        "key": sig.key,
        "sig": encode_base64(sig.sig),
    }


def _parse_signature(value: Any) -> KeySignature:
    if not isinstance(value, dict) or value.get("alg") not in ALGORITHMS:
        raise FormatError("LEAF", f"expected an object with alg one of {' '.join(ALGORITHMS)}", field="sigs")
    expected = {"alg", "key", "sig"} | ({"ad", "cd"} if value["alg"] == "webauthn-es256" else set())
    if value.keys() != expected:
        raise FormatError("LEAF", f"expected the members {' '.join(sorted(expected))}", field="sigs")
    return KeySignature(
        alg=value["alg"],
        key=KeyId(_matching(value, "key", _KEY_ID)),
        sig=_bytes(value, "sig"),
        ad=_bytes(value, "ad") if "ad" in expected else None,
        cd=_bytes(value, "cd") if "cd" in expected else None,
    )


def _load_signature(value: Any) -> KeySignature:
    sig, ad, cd = (a2b_base64(value[name]) if name in value else None for name in ("sig", "ad", "cd"))
    return KeySignature(alg=value["alg"], key=value["key"], sig=sig or b"", ad=ad, cd=cd)


def _text(members: dict[str, Any], name: str) -> str:
    if not isinstance(members[name], str):
        raise FormatError("LEAF", "expected a string", field=name)
    return str(members[name])


def _matching(members: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = _text(members, name)
    if pattern.fullmatch(text) is None:
        raise FormatError("LEAF", f"expected a string that matches {pattern.pattern}", field=name)
    return text


def _bytes(members: dict[str, Any], name: str) -> bytes:
    data = parse_base64(_text(members, name), what=name, code="LEAF")
    if not data:
        raise FormatError("LEAF", "expected bytes, got none", field=name)
    return data
