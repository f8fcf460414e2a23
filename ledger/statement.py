"""The statement: what a person signs (record-format.md §2).

A statement is restricted canonical JSON with a closed set of members. `parse_statement` takes exact bytes and
gives a frozen value that keeps them; `build_statement` is its inverse for software that prepares statements.
Both judge form only: whether the signer may sign is `authority`, whether the catalogue allows it is
`conduct`, and the shape of `data` per type is `actions`.

    {"actor":{"id","name","organisation","role"},"class":"open","data":{…},"id":"<UUIDv7>",
     "key":{"alg","id"},"log":"<origin>","meaning":"authorship","occurred_at":"…","prev":"<64 hex>",
     "schema":1,"seen":{"root":"<base64>","size":n},"seq":1,"signed_at":"…","stream":"study",
     "tag":"<64 hex>","type":"noun.verb_past","v":1}
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger import canonical
from ledger.envelope import EventHash, event_hash
from ledger.errors import FormatError
from ledger.times import check_clinical, parse_instant

MAX_STATEMENT_BYTES: Final = 32_768
MAX_WITH_KEYS: Final = 8
ZERO_HASH: Final = "0" * 64

ALGORITHMS: Final = frozenset({"ed25519", "es256", "webauthn-es256", "ml-dsa-65"})
MEANINGS: Final = frozenset(
    {"authorship", "review", "approval", "responsibility", "verification", "attestation"}
)
ORIGINATOR_KINDS: Final = frozenset({"person", "participant", "system", "device"})

_CONTROL_NOUNS: Final = frozenset(
    "ledger policy account identity esignature_policy training role key delegation investigator device "  # noqa: SIM905  one word after the other, as on the page
    "inspection protocol amendment site irb_approval irb_continuation command_approval consent_form study "
    "enrolment erasure personal_data system configuration".split()
)
_NOT_CONTROL: Final = frozenset({"randomization.requested", "randomization.error_recorded"})
_RESTRICTED_STREAMS: Final = ("pharmacy/", "access/")

_REQUIRED: Final = frozenset(
    "v log id type schema class stream tag seq prev occurred_at signed_at actor key meaning seen data".split()  # noqa: SIM905  the same
)
_OPTIONAL: Final = frozenset({"site", "protocol", "originator", "with", "reason", "sealed"})
_ALLOWED: Final = _REQUIRED | _OPTIONAL

_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.:/_-]{2,199}")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_STREAM = re.compile(
    r"study|safety|(?:site|pharmacy|participant|person|randomization|access)/[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
)
_HEX32 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"sha256:[0-9a-f]{64}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SEALED_POINTER = re.compile(
    r"/(?:data|reason)(?:/(?:[a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,4}))*/[a-z][a-z0-9_]{0,63}"
)
_SEALED_DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_MAX_TEXT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who signs: printed name, organisation and role as text frozen at signing (21 CFR 11.50)."""

    id: str
    name: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Originator:
    """Whom or what a datum comes from when that is not the actor (FDA 2024 Q20)."""

    id: str
    kind: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """A key that must sign the statement."""

    alg: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest checkpoint that the signer had verified: 32-byte root and tree size."""

    root: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One parsed statement with its exact bytes (`body`) and event hash (`event`)."""

    log: str
    id: str
    type: str
    schema: int
    cls: str
    stream: str
    tag: str
    seq: int
    prev: str
    site: str | None
    protocol: str | None
    occurred_at: str
    signed_at: str
    actor: Actor
    originator: Originator | None
    key: KeyRef
    with_: tuple[KeyRef, ...]
    meaning: str
    reason_code: str | None
    seen: Seen
    data: Mapping[str, Any]
    sealed: Mapping[str, str]
    body: bytes
    event: EventHash


def class_of(type_: str, stream: str) -> str:
    """Derive the class that a type has in a stream: `control`, `restricted` or `open`.

    record-format.md §2, row `class`.
    """
    noun, _, verb = type_.partition(".")
    if noun in _CONTROL_NOUNS or type_ == "record.reaffirmed":
        return "control"
    if noun == "randomization" and verb and type_ not in _NOT_CONTROL:
        return "control"
    return "restricted" if is_restricted(stream) else "open"


def is_restricted(stream: str) -> bool:
    """Tell whether what stands in a stream is `restricted`; `control` never stands there."""
    return stream == "safety" or stream.startswith(_RESTRICTED_STREAMS)


def is_origin(text: str) -> bool:
    """Tell whether a text is a log origin (record-format.md, head)."""
    return _ORIGIN.fullmatch(text) is not None


def parse_statement(body: bytes) -> Statement:
    """Parse exact statement bytes.

    Raises:
        FormatError: `SIZE`, `CANONICAL`, `STATEMENT` with the member, `CLASS`, `CLASS_STREAM` or `SITE`.

    record-format.md §1, §2.
    """
    if len(body) > MAX_STATEMENT_BYTES:
        raise FormatError("SIZE", f"a statement has at most {MAX_STATEMENT_BYTES} bytes, got {len(body)}")
    value = canonical.decode(body)
    if not isinstance(value, dict):
        raise FormatError("STATEMENT", "a statement is an object")
    return _statement(value, body)


def make_statement(value: Mapping[str, Any]) -> Statement:
    """Make a statement of a mapping: encode it, and read its bytes as everybody else will.

    Raises:
        FormatError: as `parse_statement`.
    """
    return parse_statement(canonical.encode(dict(value)))


def build_statement(value: Mapping[str, Any]) -> bytes:
    """Encode a statement given as a mapping, refusing what `parse_statement` would refuse.

    Raises:
        FormatError: as `parse_statement`.
    """
    return make_statement(value).body


def _statement(value: dict[str, Any], body: bytes) -> Statement:
    members = value.keys()
    if not members >= _REQUIRED:
        missing = min(_REQUIRED - members)
        raise FormatError("STATEMENT", "a required member is missing", field=f"/{missing}")
    if not members <= _ALLOWED:
        raise FormatError(
            "STATEMENT", "a member that statements do not have", field=_safe(members - _ALLOWED)
        )
    if value["v"] != 1 or isinstance(value["v"], bool):
        raise FormatError("STATEMENT", "expected format version 1", field="/v")
    type_ = _match(value, "type", _TYPE, "a type noun.verb_past")
    stream = _match(value, "stream", _STREAM, "a stream name")
    cls = class_of(type_, stream)
    if value["class"] != cls:
        raise FormatError("CLASS", f"expected class {cls} for this type and stream", field="/class")
    if cls == "control" and stream.startswith(("participant/", "pharmacy/", "access/", "safety")):
        raise FormatError("CLASS_STREAM", "a control statement stands in an unsalted stream", field="/stream")
    schema, seq = _positive(value, "schema"), _positive(value, "seq")
    prev = _match(value, "prev", _HEX32, "64 lower-case hex digits")
    if (seq == 1) != (prev == ZERO_HASH):
        raise FormatError("STATEMENT", "prev is 64 zeros at seq 1 and nowhere else", field="/prev")
    data = value["data"]
    if not isinstance(data, dict):
        raise FormatError("STATEMENT", "expected an object", field="/data")
    reason_code = _reason(value)
    sealed = _sealed(value)
    if ("/reason/text" in sealed) != (reason_code is not None):
        raise FormatError(
            "STATEMENT", "/reason/text is sealed exactly when there is a reason", field="/sealed"
        )
    _check_time(value, "occurred_at", check_clinical)
    _check_time(value, "signed_at", parse_instant)
    return Statement(
        log=_match(value, "log", _ORIGIN, "an origin"),
        id=_match(value, "id", _UUID7, "a lower-case UUIDv7"),
        type=type_,
        schema=schema,
        cls=cls,
        stream=stream,
        tag=_match(value, "tag", _HEX32, "64 lower-case hex digits"),
        seq=seq,
        prev=prev,
        site=_site(value, stream),
        protocol=_text(value, "protocol") if "protocol" in value else None,
        occurred_at=value["occurred_at"],
        signed_at=value["signed_at"],
        actor=_actor(value["actor"]),
        originator=_originator(value["originator"]) if "originator" in value else None,
        key=_key(value["key"], "/key"),
        with_=_with(value),
        meaning=_meaning(value),
        reason_code=reason_code,
        seen=_seen(value["seen"]),
        data=data,
        sealed=sealed,
        body=body,
        event=event_hash(body),
    )


def _safe(unknown: set[str]) -> str:
    """Name an unknown member; member names are not values, and their grammar is closed by §1."""
    return f"/{min(unknown)}"


def _text(value: Mapping[str, Any], name: str, at: str = "") -> str:
    text = value[name]
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
        raise FormatError(
            "STATEMENT", f"expected a text of 1 to {_MAX_TEXT} characters", field=f"{at}/{name}"
        )
    return text


def _match(value: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str, at: str = "") -> str:
    text = value[name]
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise FormatError("STATEMENT", f"expected {what}", field=f"{at}/{name}")
    return text


def _check_time(value: Mapping[str, Any], name: str, check: Callable[[str], object]) -> None:
    text = _text(value, name)
    try:
        check(text)
    except FormatError as error:
        raise FormatError("STATEMENT", error.message, field=f"/{name}") from error


def _positive(value: Mapping[str, Any], name: str) -> int:
    number = value[name]
    if type(number) is not int or number < 1:
        raise FormatError("STATEMENT", "expected an integer >= 1", field=f"/{name}")
    return number


def _closed(value: Any, required: frozenset[str], optional: frozenset[str], at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError("STATEMENT", "expected an object", field=at)
    if not (value.keys() >= required and value.keys() <= required | optional):
        names = ", ".join(sorted(required)) + (f" (and {', '.join(sorted(optional))})" if optional else "")
        raise FormatError("STATEMENT", f"expected exactly the members {names}", field=at)
    return value


_NONE: Final[frozenset[str]] = frozenset()
_ACTOR: Final = frozenset({"id", "name", "organisation", "role"})
_KEY: Final = frozenset({"alg", "id"})
_SEEN: Final = frozenset({"root", "size"})
_ORIGINATOR: Final = frozenset({"id", "kind"})
_SOURCE: Final = frozenset({"source"})
_REASON: Final = frozenset({"code"})


def _actor(value: Any) -> Actor:
    actor = _closed(value, _ACTOR, _NONE, "/actor")
    return Actor(
        id=_text(actor, "id", "/actor"),
        name=_text(actor, "name", "/actor"),
        organisation=_text(actor, "organisation", "/actor"),
        role=_match(actor, "role", _CODE, "a role", "/actor"),
    )


def _originator(value: Any) -> Originator:
    members = _closed(value, _ORIGINATOR, _SOURCE, "/originator")
    if not isinstance(members["kind"], str) or members["kind"] not in ORIGINATOR_KINDS:
        raise FormatError(
            "STATEMENT", "expected person, participant, system or device", field="/originator/kind"
        )
    source = _text(members, "source", "/originator") if "source" in members else None
    return Originator(id=_text(members, "id", "/originator"), kind=members["kind"], source=source)


def _key(value: Any, at: str) -> KeyRef:
    key = _closed(value, _KEY, _NONE, at)
    if not isinstance(key["alg"], str) or key["alg"] not in ALGORITHMS:
        raise FormatError("STATEMENT", "expected a signature algorithm of this format", field=f"{at}/alg")
    return KeyRef(alg=key["alg"], id=_match(key, "id", _KEY_ID, "a key id", at))


def _with(value: Mapping[str, Any]) -> tuple[KeyRef, ...]:
    if "with" not in value:
        return ()
    keys = value["with"]
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_WITH_KEYS:
        raise FormatError("STATEMENT", f"expected 1 to {MAX_WITH_KEYS} keys", field="/with")
    return tuple(_key(key, f"/with/{n}") for n, key in enumerate(keys))


def _meaning(value: Mapping[str, Any]) -> str:
    meaning = value["meaning"]
    if not isinstance(meaning, str) or meaning not in MEANINGS:
        raise FormatError("STATEMENT", "expected a meaning of this format", field="/meaning")
    return meaning


def _reason(value: Mapping[str, Any]) -> str | None:
    if "reason" not in value:
        return None
    return _match(_closed(value["reason"], _REASON, _NONE, "/reason"), "code", _CODE, "a code", "/reason")


def _sealed(value: Mapping[str, Any]) -> Mapping[str, str]:
    if "sealed" not in value:
        return {}
    sealed = value["sealed"]
    if not isinstance(sealed, dict) or not sealed:
        raise FormatError("STATEMENT", "expected a filled object", field="/sealed")
    for pointer, digest in sealed.items():
        if _SEALED_POINTER.fullmatch(pointer) is None:
            raise FormatError("STATEMENT", "expected a pointer into data or reason", field="/sealed")
        if not isinstance(digest, str) or _SEALED_DIGEST.fullmatch(digest) is None:
            raise FormatError(
                "STATEMENT", "expected a SHA-256 digest in base64url", field=f"/sealed{pointer}"
            )
        _check_absent(value, pointer)
    return sealed


def _check_absent(value: Any, pointer: str) -> None:
    """Require the sealed member to be absent and its parent to be there (§7)."""
    *parents, last = pointer.split("/")[1:]
    for name in parents:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise FormatError(
                "STATEMENT", "the parent of a sealed member is missing", field=f"/sealed{pointer}"
            )
    if not isinstance(value, dict) or last in value:
        raise FormatError("STATEMENT", "a sealed member is absent from the plain object", field=pointer)


def _seen(value: Any) -> Seen:
    seen = _closed(value, _SEEN, _NONE, "/seen")
    root, size = seen["root"], seen["size"]
    if type(size) is not int or size < 0:
        raise FormatError("STATEMENT", "expected an integer >= 0", field="/seen/size")
    if not isinstance(root, str) or len(root) != 44:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root")
    try:
        raw = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root") from error
    if len(raw) != 32 or base64.b64encode(raw).decode() != root:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root")
    return Seen(root=raw, size=size)


def _site(value: Mapping[str, Any], stream: str) -> str | None:
    kind, _, name = stream.partition("/")
    site = _match(value, "site", _SITE, "a site id") if "site" in value else None
    if kind in ("site", "pharmacy") and site != name:
        raise FormatError("SITE", "expected the site of the stream", field="/site")
    if kind == "participant" and site is None:
        raise FormatError("SITE", "a participant's statement names the site", field="/site")
    if kind not in ("site", "pharmacy", "participant") and site is not None:
        raise FormatError(
            "SITE", "a site is named in site, pharmacy and participant streams only", field="/site"
        )
    return site
