"""The history of one field: every value that it ever had, who set it, when, why, and which one reads now.

A field is named by a type or by the index of one record, and a pointer:

    adverse_event.reported/data/grade      this field of every record of the type
    412/data/volume/value                  this field of the record at index 412
    412/occurred_at
    -7/occurred_at                         of the record that an older log has there

A pointer may name an inner object; then each change inside it is a change of the whole. What is sealed shows
as it does everywhere (`reader`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.actions import all_specs
from ledger.errors import FormatError
from ledger.rules.record import put
from ledger.store.port import Reads
from ledger.times import parse_instant
from projections import book as books
from projections.before import closed_before
from projections.book import Record, replace_below
from projections.describe import scope_at
from projections.moments import UTC_ZONE, Known, recorded
from projections.participant import is_shown, load_book, site_of
from projections.projection import State
from projections.reader import Reader, is_marker
from projections.show import is_hidden, name, show_reason

_MISSING = object()
_TYPES = frozenset(spec.type for spec in all_specs())


def history(
    reads: Reads, participant_id: str, field: str, *, reader: Reader, known: Known = None
) -> list[dict[str, Any]] | None:
    """Return the values of a field by record and, within a record, by index; None for an unknown participant.

    There are none where no record that this reader sees has the field; `fields_of` says which there could be.

    Raises:
        FormatError: `FIELD` for what names no field, or `KNOWN`.
    """
    which, slash, rest = field.partition("/")
    pointer = f"/{rest}"
    if not slash or not _is_pointer(pointer) or not (which.removeprefix("-").isdecimal() or which in _TYPES):
        raise FormatError("FIELD", "expected TYPE/data/… or INDEX/data/… or INDEX/occurred_at", field="field")
    book, study = load_book(reads, participant_id, known)
    if not is_shown(book, reader):
        return None
    zone = study.zone(site_of(book)) or UTC_ZONE
    reader = closed_before(reader, book)
    hidden = reader.hidden
    values: list[dict[str, Any]] = []
    for record in book["records"]:
        if which in (record["type"], str(record["index"])) and not is_hidden(record, book, hidden):
            values += _of_record(record, pointer, book, reader, zone)
    return values


def fields_of(which: str) -> list[str]:
    """Return what a type's records can hold by the catalogue, any schema of it; nothing for an index."""
    found: set[str] = set()
    for spec in all_specs():
        if spec.type == which:
            found |= {f"/data/{name}" for name in spec.data.schema.get("properties", ())}
            found |= spec.sealed_fields.keys()
    return sorted(found)


def _is_pointer(pointer: str) -> bool:
    return pointer.startswith("/data/") or pointer in ("/occurred_at", "/originator", "/protocol")


def _of_record(
    record: Record, pointer: str, book: State, reader: Reader, zone: str
) -> Iterator[dict[str, Any]]:
    """Yield the first value of a field and the one after each correction of it."""
    scope = scope_at(record["type"], record["schema"], pointer)
    steps = _sealed_steps(record, pointer, scope, book, reader) if scope else _plain_steps(record, pointer)
    shown = [
        {
            "value": value,
            **name(setter),
            "of": name(record),
            "by": {k: setter["statement"]["actor"][k] for k in ("id", "name", "role", "organisation")},
            "meaning": setter["statement"]["meaning"],
            "recorded": recorded(setter["at"], parse_instant(setter["at"]), zone),
            "occurred_at": setter["occurred_at"],
            "reason": show_reason(setter, reader) if "reason" in setter["statement"] else None,
            "voided_by": setter.get("voided"),
        }
        for value, setter in _with_setters(record, steps, book)
    ]
    standing = [step for step in shown if step["voided_by"] is None]
    for step in shown:
        step["current"] = "voided" not in record and bool(standing) and step is standing[-1]
    yield from shown


def _with_setters(
    record: Record, steps: Iterator[tuple[Any, str]], book: State
) -> Iterator[tuple[Any, Record]]:
    for value, event in steps:
        setter = record if event == record["event"] else books.find(book, event)
        if setter is not None and value is not _MISSING:
            yield value, setter


def _plain_steps(record: Record, pointer: str) -> Iterator[tuple[Any, str]]:
    """Yield the value after each change, whether or not that change was voided later."""
    statement = record["statement"]
    if not pointer.startswith("/data/"):
        yield statement.get(pointer[1:]), record["event"]
        for change in record.get("changes", ()):
            if change["path"] == pointer:
                yield change["new"], change["event"]
        return
    data = statement["data"]
    before = _at(data, pointer)
    yield before, record["event"]
    for change in record.get("changes", ()):
        if change["schema"] == 1 and change["path"].startswith("/data/"):
            try:
                data = put(data, change["path"].split("/")[2:], change["new"])
            except FormatError:
                continue
            after = _at(data, pointer)
            if after != before or change["path"] == pointer:
                yield after, change["event"]
            before = after


def _sealed_steps(
    record: Record, pointer: str, scope: str, book: State, reader: Reader
) -> Iterator[tuple[Any, str]]:
    """Yield a sealed value and its corrections, each opened at the place where it was sealed."""
    path = next(p for p in record["statement"]["sealed"] if pointer == p or pointer.startswith(f"{p}/"))
    below = pointer[len(path) :]
    value = reader.value(record["event"], path, scope)
    yield _below(value, below), record["event"]
    for change in record.get("changes", ()):
        place = change["path"]
        if change["schema"] == 2 and (place == path or place.startswith(f"{path}/")):
            new = reader.value(change["event"], "/data/new", scope)
            value = new if is_marker(new) else replace_below(value, place[len(path) :], new)
            yield _below(value, below), change["event"]


def _below(value: Any, pointer: str) -> Any:
    return value if is_marker(value) else _at(value, pointer)


def _at(value: Any, pointer: str) -> Any:
    """Return what stands at a pointer; `_MISSING` where nothing does."""
    for step in pointer.split("/")[2 if pointer.startswith("/data/") else 1 :]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value
