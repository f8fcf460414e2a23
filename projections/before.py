"""What older epochs recorded, as the views of a log that continues them read it (record-format.md §6).

    entries_before(reads, "participant/SA-01-007")     entries at indexes below 0, the oldest first
    states_before(PARTICIPANTS, reads)                 every key's state at the end of the older epochs

A participant's consent, allocation or withdrawal stays what it was when the log changes, so a view of the
newer log counts it. A record at an index below 0 names its own `log`; its index there is this one plus the
size that is continued. What is sealed in it stays a marker here: it is opened where its log is served. What
is asked for as known before the newer log began is asked of the older one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson

from ledger.earlier_store import EarlierStore
from ledger.store.port import Reads, StoredEntry
from projections.lazily import LazyStatement
from projections.projection import PAGE, Projection, State, encode_state
from projections.reader import ELSEWHERE, Reader

_ended: Final[WeakKeyDictionary[EarlierStore, dict[str, dict[str, bytes]]]] = WeakKeyDictionary()
"""States of what has ended, by projection and key: they are folded once."""


def older_log(reads: Reads) -> EarlierStore | None:
    """Return the older epoch that a log continues."""
    return reads.earlier if isinstance(reads.earlier, EarlierStore) else None


def entries_before(reads: Reads, stream: str) -> list[StoredEntry]:
    """Return the entries of a stream that older epochs hold, at indexes below 0, in order."""
    older = older_log(reads)
    if older is None:
        return []
    own = (entry for entry in older.store.stream_entries(stream) if entry.index < older.size)
    return [_shifted(entry, older.size) for entry in (*entries_before(older.store, stream), *own)]


def was_person(reads: Reads, person: str) -> bool:
    """Tell whether an older epoch had a person of this id, root persons included."""
    if entries_before(reads, f"person/{person}"):
        return True
    said = (orjson.loads(entry.statement)["data"] for entry in entries_before(reads, "study"))
    return any(root["key"]["person"] == person for data in said for root in data.get("root_keys", ()))


def states_before(projection: Projection, reads: Reads) -> dict[str, State]:
    """Return each key's state at the end of the older epochs, to be folded on; nothing in a first epoch."""
    older = older_log(reads)
    if older is None:
        return {}
    kept = _ended.setdefault(older, {})
    if projection.name not in kept:
        states: dict[str, State] = {}
        for entry in _all_before(reads, projection.types):
            key = projection.key(entry)
            if key is not None:
                state = states.get(key) or projection.initial(key)
                states[key] = projection.fold(state, entry, LazyStatement(entry.statement))
        kept[projection.name] = {key: encode_state(state) for key, state in states.items()}
    return {key: orjson.loads(state) for key, state in kept[projection.name].items()}


def own_log(index: int, statement: Mapping[str, Any]) -> dict[str, str]:
    """Return the member that names the log of a record of an older epoch; none for one of this log."""
    return {"log": statement["log"]} if index < 0 else {}


def closed_before(reader: Reader, book: State) -> Reader:
    """Return a reader for whom what older epochs sealed stays a marker: it is not opened here, nor erased."""
    older = {record["event"] for record in book["records"] if record["index"] < 0}
    opener = reader.opener
    if opener is None or not older:
        return reader
    return replace(reader, opener=lambda event, path: ELSEWHERE if event in older else opener(event, path))


def _all_before(reads: Reads, types: frozenset[str] | None) -> Iterator[StoredEntry]:
    older = older_log(reads)
    if older is None:
        return
    for entry in _all_before(older.store, types):
        yield _shifted(entry, older.size)
    for start in range(0, older.size, PAGE):
        for entry in older.store.entries(start, min(older.size, start + PAGE), types):
            yield _shifted(entry, older.size)


def _shifted(entry: StoredEntry, by: int) -> StoredEntry:
    return entry._replace(index=entry.index - by)
