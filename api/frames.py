"""What goes out for one entry: CloudEvents 1.0, as Server-Sent Events or as JSON lines, made once for all.

    event: visit.completed
    id: 12
    data: {"specversion":"1.0","id":"<E>","source":"<study>","type":"org.trial-ledger.visit.completed.v1",
           "subject":"participant/SA-01-007","time":"…","sequence":"12","datacontenttype":"application/json",
           "data":{"statement":{…},"leaf":{…}}}

A line of a catch-up is the same JSON without the words before it, and a control event is a line
`{"control":"erased",…}`. Statement and leaf stand in `data` as the very bytes that were signed and committed,
so re-encoding either gives them back and each event can be verified from the stream alone (interfaces.md,
"Stream"). The rest is put together as text: hashes, types, times and the names of streams are in alphabets
that JSON never escapes (record-format.md §2), and an encoder would take ten times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from ledger.lines import encode_base64
from ledger.store.port import StoredEntry
from projections.lazily import LazyStatement

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
    """Make an entry's Server-Sent Events."""
    statement = LazyStatement(entry.statement)
    whole, leaf = _cloud_events(entry, source)
    index = str(entry.index).encode()
    return Frame(
        entry=entry,
        statement=statement,
        whole=b"event: %b\nid: %b\ndata: %b\n\n" % (entry.type.encode(), index, whole),
        leaf=b"event: leaf\nid: %b\ndata: %b\n\n" % (index, leaf),
        told=control("erased", **_order(entry.index, statement)) if entry.type == ERASURE else b"",
    )


def line(entry: StoredEntry, source: str) -> Frame:
    """Make an entry's JSON lines."""
    statement = LazyStatement(entry.statement)
    whole, leaf = _cloud_events(entry, source)
    told = control_line("erased", **_order(entry.index, statement)) if entry.type == ERASURE else b""
    return Frame(entry=entry, statement=statement, whole=whole + b"\n", leaf=leaf + b"\n", told=told)


def control(kind: str, **data: Any) -> bytes:
    """Make a control event. It has no id: a subscriber's place stays that of the last entry."""
    # JSON has no raw line breaks, so the data is one line.
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(data))


def control_line(kind: str, **data: Any) -> bytes:
    """Make a control event of a catch-up. Entries have `specversion` and no `control`."""
    return orjson.dumps({"control": kind, **data}) + b"\n"


def checkpoint_event(size: int, root: bytes, note: bytes) -> bytes:
    """Tell of a published checkpoint."""
    return control("checkpoint", **checkpoint_data(size, root, note))


def checkpoint_data(size: int, root: bytes, note: bytes) -> dict[str, Any]:
    """Return what a `checkpoint` says."""
    return {"size": size, "root": encode_base64(root), "note": note.decode()}


def _cloud_events(entry: StoredEntry, source: str) -> tuple[bytes, bytes]:
    """Return the event with its statement, and the one with the leaf alone, which names no stream."""
    begin = f'{{"specversion":"1.0","id":"{entry.event}","source":{_quoted(source)},"type":"{TYPE_PREFIX}'
    end = f'"time":"{entry.at}","sequence":"{entry.index}","datacontenttype":"application/json","data":{{'
    whole = f'{begin}{entry.type}.v{entry.schema}","subject":"{entry.stream}",{end}"statement":'
    return (
        b'%b%b,"leaf":%b}}' % (whole.encode(), entry.statement, entry.leaf),
        b'%b"leaf":%b}}' % (f'{begin}leaf.v1",{end}'.encode(), entry.leaf),
    )


@lru_cache(maxsize=64)
def _quoted(source: str) -> str:
    return orjson.dumps(source).decode()


def _order(index: int, statement: Mapping[str, Any]) -> dict[str, Any]:
    """Tell who holds sealed values of a statement which of them to destroy: those with these digests."""
    data = statement["data"]
    return {"index": index, "statement": data["statement"], "digests": data["digests"]}
