"""One entry as a message of JetStream: CloudEvents 1.0, structured mode, the JSON of the stream's `data:`.

    subject   <prefix>.<study>.<type>          trial.small.visit.completed; trial.small.leaf where withheld
    headers   Content-Type: application/cloudevents+json
              Nats-Msg-Id: <event hash>        Nats-Expected-Last-Sequence: <index>
    body      {"specversion":"1.0","id":"<event hash>", …, "sequence":"<index>","data":{…}}

A `.` of a study's id is a `_` in the subject, where it would begin another token (NATS protocol, "Subjects";
CloudEvents NATS binding §3.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import orjson

from ledger.errors import FormatError, ProofError
from ledger.lines import parse_decimal
from ledger.subscriber.events import LEAF, LEAF_TYPE, TYPE_PREFIX, received
from ledger.subscriber.sse import SseEvent

CONTENT_TYPE: Final = "application/cloudevents+json"
MESSAGE_ID: Final = "Nats-Msg-Id"
EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EXPECTED_STREAM: Final = "Nats-Expected-Stream"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,63}")
_TYPE = re.compile(r"org\.trial-ledger\.([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\.v[1-9][0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry, ready to be published."""

    index: int
    event: str
    subject: str
    body: bytes

    def headers(self, stream: str) -> dict[str, str]:
        """Return the headers, with the guard: it goes directly after the message of the index before."""
        return {
            "Content-Type": CONTENT_TYPE,
            MESSAGE_ID: self.event,
            EXPECTED_STREAM: stream,
            EXPECTED_SEQUENCE: str(self.index),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last entry that JetStream holds; `event` is None where its message was taken away since."""

    index: int
    event: str | None


def subjects(prefix: str, study: str) -> str:
    """Return the subjects of one study's entries.

    Raises:
        FormatError: `SUBJECT`.
    """
    for token in prefix.split("."):
        if _TOKEN.fullmatch(token) is None:
            raise FormatError("SUBJECT", "expected words of letters, digits, _ and -, with dots between them")
    return f"{prefix}.{study.replace('.', '_')}"


def message(event: SseEvent, at: int, base: str) -> Message:
    """Make the message of an event of the stream.

    Args:
        at: the index that is expected.
        base: what `subjects` returns.

    Raises:
        FindingError: `EVENT_FORM`, `CANONICAL`, or `INDEX` for another index than the next.
    """
    got = received(event, at)
    if got.index != at:
        raise ProofError("INDEX", f"expected index {at}, got {got.index}")
    name = str(got.outside["id"])
    return Message(index=at, event=name, subject=f"{base}.{got.name}", body=event.data.encode())


def event(body: bytes, sequence: int) -> SseEvent:
    """Return the event of the stream that a message carries, to be judged as any other.

    Raises:
        ProofError: `STREAM_OTHER` for a message that no relay of a log has published at this sequence.
    """
    try:
        value = orjson.loads(body)
        index = parse_decimal(value["sequence"], what="an index", code="STREAM_OTHER")
        kind, named = value["type"], value["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, FormatError):
        raise foreign(sequence) from None
    found = _TYPE.fullmatch(kind) if isinstance(kind, str) and kind.startswith(TYPE_PREFIX) else None
    if index + 1 != sequence or not isinstance(named, str) or (found is None and kind != LEAF_TYPE):
        raise foreign(sequence)
    return SseEvent(
        event=LEAF if found is None else found[1], data=body.decode("utf-8", "replace"), id=str(index)
    )


def last(body: bytes, sequence: int) -> Last:
    """Return which entry the last message of a stream is.

    Raises:
        ProofError: `STREAM_OTHER`.
    """
    found = event(body, sequence)
    return Last(index=sequence - 1, event=orjson.loads(found.data)["id"])


def foreign(sequence: int) -> ProofError:
    """Return what is to be said of a message that does not belong into the stream."""
    return ProofError(
        "STREAM_OTHER", f"the message of sequence {sequence} is not the log's entry of index {sequence - 1}"
    )
