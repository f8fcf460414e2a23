"""Show one record of a book to a reader: labels, effective values, and markers where something is sealed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from ledger.actions.registry import REASON_TEXT, find_spec
from projections import book as books
from projections.before import own_log
from projections.book import Record
from projections.projection import State
from projections.reader import Reader, is_marker

_DATA: Final = len("/data/")


def show(record: Record, book: State, reader: Reader) -> dict[str, Any]:
    """Show a record as it reads now."""
    statement = record["statement"]
    shown = {
        "index": record["index"],
        "event": record["event"],
        **own_log(record["index"], statement),
        "type": record["type"],
        "occurred_at": record["occurred_at"],
        "recorded_at": record["at"],
        **signer(record),
        "data": record["data"],
    }
    if "sealed" in statement:
        shown["data"] = with_sealed(record, book, reader)
    if "reason" in statement:
        shown["reason"] = show_reason(record, reader)
    if "changes" in record:
        shown["corrected_by"] = [change["index"] for change in books.in_effect(record, book)]
    if "cosigned" in record:
        shown["cosigned_by"] = list(record["cosigned"])
    return shown


def signer(record: Record) -> dict[str, Any]:
    """Show who signed a record, as printed, and what that means (21 CFR 11.50)."""
    statement = record["statement"]
    actor = statement["actor"]
    printed = {part: actor[part] for part in ("name", "organisation", "role")}
    return {"by": actor["id"], **printed, "meaning": statement["meaning"]}


def with_sealed(record: Record, book: State, reader: Reader) -> dict[str, Any]:
    """Return a record's data with each sealed member in its place: its value or a marker."""
    data = dict(record["data"])
    for path in record["statement"]["sealed"]:
        if path != REASON_TEXT:
            data[path[_DATA:]] = sealed_value(record, path, book, reader)
    return data


def sealed_value(record: Record, path: str, book: State, reader: Reader) -> Any:
    """Return what reads now at a sealed path of a record: its value, corrected, or a marker."""
    scope = scope_of(record, path, book)
    value: Any = None
    # All are asked for before one is looked at: who counts openings learns of each.
    places = [
        (reader.value(event, place, scope), below)
        for event, place, below in books.sealed_value(book, record, path)
    ]
    for found, below in places:
        if is_marker(found):
            return found
        value = books.replace_below(value, below, found)
    return value


def scope_of(record: Record, path: str, book: State) -> str:
    """Return the scope of a sealed path; that of a sealed correction is the corrected value's own."""
    scope = _scope(record["type"], record["schema"], path)
    if scope != "target":
        return scope
    target = books.find(book, record["data"]["statement"])
    if target is None:
        return "treatment"  # what it corrects is not here: shown to the fewest
    return _scope(target["type"], target["schema"], record["data"]["path"])


@lru_cache(maxsize=1024)
def _scope(type_: str, schema: int, path: str) -> str:
    spec = find_spec(type_, schema)
    found = spec.scope_at(path) if spec is not None else None
    return found if found is not None else "treatment"


def show_reason(record: Record, reader: Reader) -> dict[str, Any]:
    """Show a reason: its code, and the text where the reader sees free text."""
    code = record["statement"]["reason"]["code"]
    return {"code": code, "text": reader.value(record["event"], REASON_TEXT, "freetext")}


def name(record: Record) -> dict[str, Any]:
    """Name a record by index, event hash and type."""
    log = own_log(record["index"], record["statement"])
    return {"index": record["index"], "event": record["event"], **log, "type": record["type"]}


def show_correction(record: Record, book: State, reader: Reader) -> dict[str, Any]:
    """Show a correction: what of which record, old and new, why, and whether it is in effect."""
    target = books.find(book, record["data"]["statement"])
    shown = show(record, book, reader)
    data = shown.pop("data")
    return {
        **shown,
        "of": None if target is None else name(target),
        "path": data["path"],
        "old": data.get("old"),
        "new": data.get("new"),
        "in_effect": "voided" not in record,
    }


def is_hidden(record: Record, book: State, hidden: frozenset[str]) -> bool:
    """Tell whether a record is of a hidden type, or about one that is."""
    if record["type"] in hidden:
        return True
    if not hidden:
        return False
    targets = (books.find(book, event) for event in books.named(record["data"]))
    return any(target is not None and is_hidden(target, book, hidden) for target in targets)
