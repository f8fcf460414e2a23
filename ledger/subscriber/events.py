"""What a stream carries, and what a subscriber makes of it: entries as CloudEvents, and control events.

    {"specversion":"1.0","id":"<E>","source":"/v1/studies/small","type":"org.trial-ledger.visit.started.v1",
     "subject":"participant/SA-01-001","time":"<at>","sequence":"12","datacontenttype":"application/json",
     "data":{"statement":{…},"leaf":{…}}}

Everything around `data` repeats what statement and leaf say. It is compared here, so that whoever routes by
it is not led astray: another word in it is `EVENT_FORM`. An entry that the reader may not see is its leaf
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger import canonical
from ledger.entry import Entry
from ledger.errors import FormatError, ProofError
from ledger.lines import parse_decimal
from ledger.subscriber.sse import SseEvent

TYPE_PREFIX: Final = "org.trial-ledger."
LEAF: Final = "leaf"
LEAF_TYPE: Final = f"{TYPE_PREFIX}leaf.v1"

WHOLE: Final = "yes"
LEAF_ONLY: Final = "leaf only"
APART: Final = "bytes only"
"""A filtered stream: statement and leaf fit each other, but nothing ties them to the log or to keys."""

_ATTRIBUTES: Final = {"specversion", "id", "source", "type", "time", "sequence", "datacontenttype", "data"}


class FindingError(ProofError):
    """The stream contradicts itself, the log's keys, or what was verified before; it is not read on.

    `index` is the entry's, or the size of the tree so far where it is about no single entry.
    """

    def __init__(self, code: str, message: str, *, index: int, field: str | None = None) -> None:
        super().__init__(code, message, field=field or f"index {index}")
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the server: everything, or action types, or one participant's stream."""

    types: tuple[str, ...] = ()
    participant: str | None = None

    @property
    def whole(self) -> bool:
        """Tell whether every entry comes, so that the tree can be built."""
        return not self.types and self.participant is None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the request."""
        asked = {"types": ",".join(sorted(self.types)), "participant": self.participant or ""}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One entry as it came, its bytes encoded again; `statement` is b"" where it is withheld."""

    index: int
    leaf: bytes
    statement: bytes
    outside: Mapping[str, Any]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One entry that was judged; `verified` is `yes`, `leaf only` or `bytes only`."""

    entry: Entry
    leaf: bytes
    verified: str

    @property
    def index(self) -> int:
        """Its place in the log."""
        return self.entry.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A control event, or `lost` and `connected` of the subscriber's own.

    A `checkpoint` was checked, and has `confirmed`: it fits the subscriber's own tree. An `erased` was
    compared with the statement that orders it where the stream is whole.
    """

    kind: str
    data: Mapping[str, Any]


def received(event: SseEvent, at: int) -> Received:
    """Read an event that has an id; its bytes are those that canonical encoding gives.

    Args:
        at: the index that is expected, for the finding.

    Raises:
        FindingError: `EVENT_FORM`, or `CANONICAL` where statement or leaf have no canonical bytes.
    """
    outside = members(event, at)
    data = outside.get("data")
    allowed = _ATTRIBUTES | ({"subject"} if event.event != LEAF else set())
    if outside.keys() != allowed or not isinstance(data, dict):
        raise FindingError("EVENT_FORM", "expected a CloudEvents event of the stream", index=at)
    if data.keys() != ({"leaf"} if event.event == LEAF else {"leaf", "statement"}):
        raise FindingError("EVENT_FORM", "expected a leaf, and a statement unless it is withheld", index=at)
    try:
        index = parse_decimal(event.id or "", what="an index", code="EVENT_FORM")
        leaf = canonical.encode(data["leaf"])
        statement = canonical.encode(data["statement"]) if "statement" in data else b""
    except FormatError as error:
        raise FindingError(error.code, error.message, index=at) from error
    return Received(index=index, leaf=leaf, statement=statement, outside=outside, name=event.event)


def members(event: SseEvent, at: int) -> dict[str, Any]:
    """Read the JSON object of an event.

    Raises:
        FindingError: `EVENT_FORM`.
    """
    try:
        value = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        # The parser's own message quotes the input.
        value = None
    if not isinstance(value, dict):
        raise FindingError("EVENT_FORM", "expected a JSON object as data", index=at)
    return value


def check_outside(got: Received, entry: Entry) -> None:
    """Require that the event repeats what its statement and leaf say.

    Raises:
        FindingError: `EVENT_FORM`.
    """
    statement, leaf = entry.statement, entry.leaf
    expected = {"id": leaf.statement, "time": leaf.at, "sequence": str(leaf.index), "specversion": "1.0"}
    if statement is None:
        expected["type"] = LEAF_TYPE
    else:
        expected["type"] = f"{TYPE_PREFIX}{statement.type}.v{statement.schema}"
        expected["subject"] = statement.stream
    wrong = [name for name, value in expected.items() if got.outside.get(name) != value]
    if got.name != (LEAF if statement is None else statement.type):
        wrong.append("event")
    if got.index != leaf.index:
        wrong.append("id")
    if wrong:
        raise FindingError(
            "EVENT_FORM", f"{min(wrong)} is not what statement and leaf say", index=entry.index
        )
