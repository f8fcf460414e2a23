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

from collections.abc import Callable, Mapping
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

Form = Callable[[str, int, bytes], bytes]
"""(kind, index, CloudEvents JSON) -> what goes out."""


class Frame:
    """One entry as it goes out: whole, or as its leaf alone, each made when it is first asked for.

    `told` is a control event that goes to every subscriber after the entry, whatever they filter or see.
    """

    __slots__ = ("_form", "_leaf", "_source", "_statement", "_whole", "entry", "told")

    def __init__(self, entry: StoredEntry, source: str, form: Form, told: bytes) -> None:
        self.entry = entry
        self.told = told
        self._source = source
        self._form = form
        self._statement: LazyStatement | None = None
        self._whole = self._leaf = b""

    @property
    def statement(self) -> Mapping[str, Any]:
        """The statement, for deciding who sees it; decoded when somebody looks into it."""
        if self._statement is None:
            self._statement = LazyStatement(self.entry.statement)
        return self._statement

    @property
    def looked_into(self) -> bool:
        """Tell whether anybody has looked into the statement."""
        return self._statement is not None and self._statement.decoded

    @property
    def whole(self) -> bytes:
        """The event with the statement."""
        if not self._whole:
            entry = self.entry
            self._whole = self._form(entry.type, entry.index, _whole_event(entry, self._source))
        return self._whole

    @property
    def leaf(self) -> bytes:
        """The event with the leaf alone, which names no stream."""
        if not self._leaf:
            self._leaf = self._form(LEAF, self.entry.index, _leaf_event(self.entry, self._source))
        return self._leaf


def frame(entry: StoredEntry, source: str) -> Frame:
    """Make an entry's Server-Sent Events."""
    told = control("erased", **_order(entry)) if entry.type == ERASURE else b""
    return Frame(entry, source, _event, told)


def line(entry: StoredEntry, source: str) -> Frame:
    """Make an entry's JSON lines."""
    told = control_line("erased", **_order(entry)) if entry.type == ERASURE else b""
    return Frame(entry, source, _line, told)


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


def _event(kind: str, index: int, data: bytes) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind.encode(), index, data)


def _line(kind: str, index: int, data: bytes) -> bytes:
    return data + b"\n"


def _whole_event(entry: StoredEntry, source: str) -> bytes:
    kind = f'{entry.type}.v{entry.schema}","subject":"{entry.stream}'
    return b'%b"statement":%b,"leaf":%b}}' % (_around(entry, source, kind), entry.statement, entry.leaf)


def _leaf_event(entry: StoredEntry, source: str) -> bytes:
    return b'%b"leaf":%b}}' % (_around(entry, source, "leaf.v1"), entry.leaf)


def _around(entry: StoredEntry, source: str, kind: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"{entry.event}","source":{_quoted(source)},'
        f'"type":"{TYPE_PREFIX}{kind}","time":"{entry.at}","sequence":"{entry.index}",'
        '"datacontenttype":"application/json","data":{'
    ).encode()


@lru_cache(maxsize=64)
def _quoted(source: str) -> str:
    return orjson.dumps(source).decode()


def _order(entry: StoredEntry) -> dict[str, Any]:
    """Tell who holds sealed values of a statement which of them to destroy: those with these digests."""
    data = orjson.loads(entry.statement)["data"]
    return {"index": entry.index, "statement": data["statement"], "digests": data["digests"]}
