"""Frames of the stream: CloudEvents 1.0 in Server-Sent Events, made once for all subscribers.

    id: 12
    event: visit.completed
    data: {"specversion":"1.0","id":"<E>","source":"<study>","type":"org.trial-ledger.visit.completed.v1",
           "subject":"participant/SA-01-007","time":"…","sequence":"12",
           "data":{"statement":{…},"leaf":{…}}}

Statement and leaf stand in `data` as the very bytes that were signed and committed, so re-encoding either
gives them back and each event can be verified from the stream alone (interfaces.md, "Stream").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi.sse import format_sse_event

from ledger.lines import encode_base64
from ledger.store.port import StoredEntry

TYPE_PREFIX: Final = "org.trial-ledger."
LEAF: Final = "leaf"
ERASURE: Final = "personal_data.erased"
LEAF_TYPE: Final = f"{TYPE_PREFIX}leaf.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One entry as it goes out: whole, and as its leaf alone; `statement` is for deciding who sees it.

    `told` is a control event that goes to every subscriber after the entry, whatever they filter or see.
    """

    entry: StoredEntry
    statement: Mapping[str, Any]
    whole: bytes
    leaf: bytes
    told: bytes = b""


def frame(entry: StoredEntry, source: str) -> Frame:
    """Make the frames of an entry."""
    leaf = orjson.Fragment(entry.leaf)
    index = str(entry.index)
    common = {"specversion": "1.0", "id": entry.event, "source": source}
    rest = {"time": entry.at, "sequence": index, "datacontenttype": "application/json"}
    whole = {
        **common,
        "type": f"{TYPE_PREFIX}{entry.type}.v{entry.schema}",
        "subject": entry.stream,
        **rest,
        "data": {"statement": orjson.Fragment(entry.statement), "leaf": leaf},
    }
    bare = {**common, "type": LEAF_TYPE, **rest, "data": {"leaf": leaf}}
    statement = orjson.loads(entry.statement)
    return Frame(
        entry=entry,
        statement=statement,
        whole=_event(entry.type, whole, index),
        leaf=_event(LEAF, bare, index),
        told=_erased(entry.index, statement["data"]) if entry.type == ERASURE else b"",
    )


def _erased(index: int, data: Mapping[str, Any]) -> bytes:
    """Tell who holds sealed values of a statement which of them to destroy: those with these digests."""
    return control("erased", index=index, statement=data["statement"], digests=data["digests"])


def control(kind: str, **data: Any) -> bytes:
    """Make a control event. It has no id: a subscriber's place stays that of the last entry."""
    return _event(kind, data, None)


def checkpoint_event(size: int, root: bytes, note: bytes) -> bytes:
    """Tell of a published checkpoint."""
    return control("checkpoint", size=size, root=encode_base64(root), note=note.decode())


def _event(kind: str, data: Any, index: str | None) -> bytes:
    # JSON has no raw line breaks, so the data is one line.
    return format_sse_event(data_str=orjson.dumps(data).decode(), event=kind, id=index)
