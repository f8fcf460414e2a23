"""A participant's records as they read now: corrections applied, voidings struck through (catalogue H, R10).

A book is a state (`projection`): `records` in log order and `at`, the position of each event hash in it. A
record keeps the statement as signed and, beside it, what reads now:

    index, at, event, type, schema, statement
    data, occurred_at      after the corrections in effect
    changes                corrections of it: index, event, path, schema (2 = sealed), new
    voided                 index of the voiding that counts
    cosigned               indexes of the co-signatures that name it

The last three are there only where there is something to say: most records are never touched again.

What counts is what conduct counts (`ledger.rules.stream`): a correction at once; a voiding at once, unless it
needs a physician's co-signature and until it has one; a voided correction or voiding no more. A sealed value
stays where it was sealed: a corrected one is found at the correction's own `/data/new`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from ledger.actions.registry import find_spec
from ledger.errors import FormatError
from ledger.roles import PHYSICIANS
from ledger.rules.record import put
from ledger.rules.stream import CHANGING
from ledger.rules.stream import QUALITY as QUALITY
from ledger.store.port import StoredEntry
from projections.lazily import LazyRecord
from projections.projection import State

Record = dict[str, Any]

CORRECTION: Final = "correction.made"
VOIDING: Final = "record.voided"
COSIGNATURE: Final = "record.cosigned"
BREACH: Final = "breach.detected"
# Types about other records are administrative: they have no clinical time of their own.


def new_book(key: str) -> State:
    """Return the empty book of a participant."""
    return {"id": key, "records": [], "at": {}}


def fold(book: State, entry: StoredEntry, statement: Mapping[str, Any]) -> State:
    """Add an entry and let it change what it names."""
    add(book, entry, statement)
    if entry.type in CHANGING:
        settle(book, entry, statement)
    return book


def add(book: State, entry: StoredEntry, statement: Mapping[str, Any]) -> None:
    """Add an entry as a record of its own."""
    records, event = book["records"], entry.event
    book["at"][event] = len(records)
    records.append(
        LazyRecord(
            index=entry.index,
            at=entry.at,
            event=event,
            type=entry.type,
            schema=entry.schema,
            statement=statement,
        )
    )


def settle(book: State, entry: StoredEntry, statement: Mapping[str, Any]) -> None:
    """Let a correction, voiding or co-signature, already added, change the record that it names."""
    target = find(book, statement["data"]["statement"])
    if target is None:
        return
    if entry.type == CORRECTION:
        change = {
            "index": entry.index,
            "event": entry.event,
            "path": statement["data"]["path"],
            "schema": entry.schema,
            "new": statement["data"].get("new"),
        }
        target.setdefault("changes", []).append(change)
        _apply(target, change)
    elif entry.type == VOIDING:
        _settle_voidings(book)
    elif entry.type == COSIGNATURE:
        target.setdefault("cosigned", []).append(entry.index)
        if target["type"] == VOIDING:
            _settle_voidings(book)


def find(book: State, event: str) -> Record | None:
    """Return the record of an event hash."""
    position = book["at"].get(event)
    return None if position is None else book["records"][position]


def named(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the event hashes of the statements that data are about: one, several, or items that name one."""
    statement = data.get("statement")
    if isinstance(statement, str):
        yield statement
    yield from data.get("statements") or ()
    for item in data.get("items") or ():
        if isinstance(item, Mapping) and isinstance(item.get("statement"), str):
            yield item["statement"]


def in_effect(record: Record, book: State) -> list[Record]:
    """Return the corrections of a record that count, oldest first."""
    return [change for change in record.get("changes", ()) if not _is_voided(book, change["event"])]


def _is_voided(book: State, event: str) -> bool:
    named = find(book, event)
    return named is not None and "voided" in named


def _apply(record: Record, change: Record) -> None:
    path = change["path"]
    if path == "/occurred_at":
        record["occurred_at"] = change["new"]
    elif change["schema"] == 1 and path.startswith("/data/"):
        # A path that an earlier correction made, voided since, leads nowhere: nothing is left to change.
        with suppress(FormatError):
            record["data"] = put(record["data"], path.split("/")[2:], change["new"])


def _settle_voidings(book: State) -> None:
    """Decide anew what is voided, newest first, because a record names earlier ones only."""
    records = book["records"]
    before = {record["event"] for record in records if record.pop("voided", None) is not None}
    for record in reversed(records):
        if record["type"] != VOIDING or "voided" in record:
            continue
        target = find(book, record["data"]["statement"])
        if target is not None and (not needs_cosignature(target) or _is_cosigned(book, record)):
            target["voided"] = record["index"]
    after = {record["event"] for record in records if "voided" in record}
    for event in before ^ after:
        corrected = find(book, event)
        if corrected is not None and corrected["type"] == CORRECTION:
            _read_again(book, corrected)


def _read_again(book: State, correction: Record) -> None:
    target = find(book, correction["data"]["statement"])
    if target is None:
        return
    statement = target["statement"]
    target["data"], target["occurred_at"] = statement["data"], statement["occurred_at"]
    for change in in_effect(target, book):
        _apply(target, change)


@lru_cache(maxsize=1024)
def _voiding_cosigned(type_: str, schema: int) -> bool:
    spec = find_spec(type_, schema)
    return spec is not None and spec.voiding_cosigned


def needs_cosignature(target: Record) -> bool:
    """Tell whether voiding a record waits for a physician: consent, eligibility, dosing, disposition."""
    return _voiding_cosigned(target["type"], target["schema"])


def is_pending(voiding: Record, book: State) -> bool:
    """Tell whether a voiding still waits for the co-signature that it needs (catalogue R9)."""
    target = find(book, voiding["data"]["statement"])
    return target is not None and needs_cosignature(target) and not _is_cosigned(book, voiding)


def _is_cosigned(book: State, voiding: Record) -> bool:
    author = voiding["statement"]["actor"]["id"]
    for record in book["records"]:
        if record["type"] == COSIGNATURE and record["data"]["statement"] == voiding["event"]:
            actor = record["statement"]["actor"]
            if actor["role"] in PHYSICIANS and actor["id"] != author:
                return True
    return False


def sealed_value(book: State, record: Record, path: str) -> list[tuple[str, str, str]]:
    """Say where a sealed value is found: (event, path there, pointer below `path` that it replaces).

    The first is the original; each later one is a correction in effect.
    """
    places = [(record["event"], path, "")]
    for change in in_effect(record, book):
        if change["schema"] == 2 and (change["path"] == path or change["path"].startswith(f"{path}/")):
            places.append((change["event"], "/data/new", change["path"][len(path) :]))
    return places


def replace_below(value: Any, pointer: str, new: Any) -> Any:
    """Return a sealed value with what a correction replaces in it; itself where the pointer leads nowhere."""
    if not pointer:
        return new
    try:
        return put(value, pointer.split("/")[1:], new)
    except FormatError:
        return value
