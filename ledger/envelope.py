"""The bytes that are signed, and the name that they give to an event.

DSSE 1.0.2 pre-authentication encoding: `"DSSEv1 " len(type) " " type " " len(body) " " body`, lengths in
decimal bytes, so that no signature can be read as one over another type or another split.

    DSSEv1 46 application/vnd.trial-ledger.statement.v1+json 871 {"actor":…}

The SHA-256 of that is the event hash `E`, the event's public name (record format, §3). Left out on purpose:
DSSE's JSON envelope; signatures stand in the leaf.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

PAYLOAD_TYPE: Final = "application/vnd.trial-ledger.statement.v1+json"

EventHash = NewType("EventHash", str)
"""64 lower-case hex digits."""


def pae(body: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the bytes that every key signs for a statement `body`. DSSE 1.0.2, protocol.md."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def event_hash(body: bytes) -> EventHash:
    """Return `E` of a statement `body`. Record format, §3."""
    return EventHash(hashlib.sha256(pae(body)).hexdigest())
