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

import re
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from ledger import canonical, plain
from ledger.envelope import EventHash, event_hash
from ledger.errors import FormatError
from ledger.frozen import made
from ledger.members import ALGORITHMS as ALGORITHMS
from ledger.members import MAX_WITH_KEYS as MAX_WITH_KEYS
from ledger.members import MEANINGS as MEANINGS
from ledger.members import ORIGINATOR_KINDS as ORIGINATOR_KINDS
from ledger.members import Actor as Actor
from ledger.members import KeyRef as KeyRef
from ledger.members import Originator as Originator
from ledger.members import Seen as Seen
from ledger.members import (
    check_time,
    read_actor,
    read_key,
    read_match,
    read_meaning,
    read_originator,
    read_positive,
    read_reason,
    read_sealed,
    read_seen,
    read_site,
    read_text,
    read_with,
)
from ledger.times import check_clinical, parse_instant

MAX_STATEMENT_BYTES: Final = 32_768
ZERO_HASH: Final = "0" * 64

_CONTROL_NOUNS: Final = frozenset(
    "ledger policy account identity esignature_policy training role key delegation investigator device "  # noqa: SIM905  one word after the other, as on the page
    "inspection protocol amendment site irb_approval irb_continuation command_approval consent_form study "
    "enrolment erasure personal_data system configuration".split()
)
_NOT_CONTROL: Final = frozenset({"randomization.requested", "randomization.error_recorded"})
_RESTRICTED_STREAMS: Final = ("pharmacy/", "access/")
_NOT_OF_CONTROL: Final = ("participant", "pharmacy", "access", "safety")

_REQUIRED: Final = frozenset(
    "v log id type schema class stream tag seq prev occurred_at signed_at actor key meaning seen data".split()  # noqa: SIM905  the same
)
_OPTIONAL: Final = frozenset({"site", "protocol", "originator", "with", "reason", "sealed"})
_ALLOWED: Final = _REQUIRED | _OPTIONAL

_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.:/_-]{2,199}")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_STREAM = re.compile(
    r"study|safety|(?:site|pharmacy|participant|person|randomization|access)/[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
)
_HEX32 = re.compile(r"[0-9a-f]{64}")


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


@lru_cache(maxsize=1024)
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


def parse_statement(body: bytes, event: EventHash | None = None) -> Statement:
    """Parse exact statement bytes; `event` is their event hash where it is known already.

    Raises:
        FormatError: `SIZE`, `CANONICAL`, `STATEMENT` with the member, `CLASS`, `CLASS_STREAM` or `SITE`.

    record-format.md §1, §2.
    """
    if len(body) > MAX_STATEMENT_BYTES:
        raise FormatError("SIZE", f"a statement has at most {MAX_STATEMENT_BYTES} bytes, got {len(body)}")
    event = event_hash(body) if event is None else event
    return read_plain(body, event) or _parse(body, event)


def read_plain(body: bytes, event: EventHash, *, shaped: bool = False) -> Statement | None:
    """Read a statement of the plain form (`plain`), of at most 32,768 bytes; None where it is of another.

    `shaped` leaves the shape of `data` to the caller, who reads it as a type that has only one: what is not
    of that type must then be judged by `parse_statement`.
    """
    members = plain_members(body, shaped=shaped)
    return None if members is None else made(Statement, (*plain.whole(members), body, event))


def plain_members(body: bytes, *, shaped: bool = False) -> tuple[Any, ...] | None:
    """Read what `read_plain` reads, as what `plain.whole` makes a statement's members of."""
    members = plain.split(body, shaped=shaped)
    if members is None or not _has_class(members[2], members[5], members[4]):
        return None
    return members


def _parse(body: bytes, event: EventHash) -> Statement:
    """Parse any bytes, member by member."""
    value = canonical.decode(body)
    if not isinstance(value, dict):
        raise FormatError("STATEMENT", "a statement is an object")
    return _statement(value, body, event)


def load_statement(body: bytes, event: EventHash) -> Statement:
    """Read exact bytes that `parse_statement` has taken before, without checking them again."""
    return made(Statement, (*(plain.load(body) or _load(body)), body, event))


def _load(body: bytes) -> tuple[Any, ...]:
    """Read the members of any statement."""
    value = orjson.loads(body)
    reason, originator, seen = value.get("reason"), value.get("originator"), value["seen"]
    return (
        *(value[name] for name in _FIRST),
        value.get("site"),
        value.get("protocol"),
        value["occurred_at"],
        value["signed_at"],
        read_actor(value["actor"]),  # those that were read lately are kept
        None if originator is None else Originator(**{"source": None, **originator}),
        read_key(value["key"], "/key"),
        tuple(KeyRef(**each) for each in value.get("with", ())),
        value["meaning"],
        None if reason is None else reason["code"],
        Seen(root=a2b_base64(seen["root"]), size=seen["size"]),
        value["data"],
        value.get("sealed", {}),
    )


_FIRST: Final = ("log", "id", "type", "schema", "class", "stream", "tag", "seq", "prev")


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


def _has_class(type_: str, stream: str, cls: str) -> bool:
    """Tell whether a class is the one of a type in a stream, and may stand there."""
    kind, slash, _ = stream.partition("/")
    return cls == class_of(type_, kind + slash) and (cls != "control" or kind not in _NOT_OF_CONTROL)


def _statement(value: dict[str, Any], body: bytes, event: EventHash) -> Statement:
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
    type_ = read_match(value, "type", _TYPE, "a type noun.verb_past")
    stream = read_match(value, "stream", _STREAM, "a stream name")
    cls = class_of(type_, stream)
    if value["class"] != cls:
        raise FormatError("CLASS", f"expected class {cls} for this type and stream", field="/class")
    if cls == "control" and stream.partition("/")[0] in _NOT_OF_CONTROL:
        raise FormatError("CLASS_STREAM", "a control statement stands in an unsalted stream", field="/stream")
    schema, seq = read_positive(value, "schema"), read_positive(value, "seq")
    prev = read_match(value, "prev", _HEX32, "64 lower-case hex digits")
    if (seq == 1) != (prev == ZERO_HASH):
        raise FormatError("STATEMENT", "prev is 64 zeros at seq 1 and nowhere else", field="/prev")
    data = value["data"]
    if not isinstance(data, dict):
        raise FormatError("STATEMENT", "expected an object", field="/data")
    reason_code = read_reason(value)
    sealed = read_sealed(value)
    if ("/reason/text" in sealed) != (reason_code is not None):
        raise FormatError(
            "STATEMENT", "/reason/text is sealed exactly when there is a reason", field="/sealed"
        )
    check_time(value, "occurred_at", check_clinical)
    check_time(value, "signed_at", parse_instant)
    return Statement(
        log=read_match(value, "log", _ORIGIN, "an origin"),
        id=read_match(value, "id", _UUID7, "a lower-case UUIDv7"),
        type=type_,
        schema=schema,
        cls=cls,
        stream=stream,
        tag=read_match(value, "tag", _HEX32, "64 lower-case hex digits"),
        seq=seq,
        prev=prev,
        site=read_site(value, stream),
        protocol=read_text(value, "protocol") if "protocol" in value else None,
        occurred_at=value["occurred_at"],
        signed_at=value["signed_at"],
        actor=read_actor(value["actor"]),
        originator=read_originator(value["originator"]) if "originator" in value else None,
        key=read_key(value["key"], "/key"),
        with_=read_with(value),
        meaning=read_meaning(value),
        reason_code=reason_code,
        seen=read_seen(value["seen"]),
        data=data,
        sealed=sealed,
        body=body,
        event=event,
    )


def _safe(unknown: set[str]) -> str:
    """Name an unknown member; member names are not values, and their grammar is closed by §1."""
    return f"/{min(unknown)}"
