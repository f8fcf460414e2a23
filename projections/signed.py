"""Printed name, time and meaning of every signed record that an answer names (21 CFR 11.50).

An answer may show a record by its index alone: a row of a report, a correction, what closed a breach. Beside
it stands who signed that record, as text frozen at signing, in which role, what the signature means, and when
it was signed and recorded, with zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from ledger.store.port import Reads, StoredEntry
from ledger.times import parse_instant
from projections.before import own_log
from projections.joined import Joined
from projections.moments import recorded
from projections.study import Study

INDEXES: Final = frozenset(
    {
        "index",
        "last_index",
        "status_index",
        "milestones",
        "found",
        "recorded",
        "closed_by",
        "explained_by",
        "deviation",
        "corrected_by",
        "cosigned_by",
        "voided_by",
        "outdated_by",
    }
)
"""Members of answers that hold indexes of the log, alone, in lists or by name."""

COLUMNS: Final = (
    "signed_name",
    "signed_organisation",
    "signed_role",
    "signed_meaning",
    "signed_at",
    "recorded_utc",
)
"""What a row of a CSV has beside the record that it is of."""


def indexes_in(shown: Any) -> set[int]:
    """Return every index of a record that an answer names."""
    if isinstance(shown, Mapping):
        found: set[int] = set()
        for key, value in shown.items():
            found |= _indexes(value) if key in INDEXES else indexes_in(value)
        return found
    if isinstance(shown, list | tuple):
        return set().union(*map(indexes_in, shown)) if shown else set()
    return set()


def indexes_of_rows(rows: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return every index of a record that rows of a report name: in `index`, or a column that ends so."""
    named = (value for row in rows for name, value in row.items() if name.endswith("index"))
    return {value for value in named if type(value) is int}


def _indexes(value: Any) -> set[int]:
    match value:
        case bool():
            return set()
        case int():
            return {value} if value >= 0 else set()
        case list():
            return set().union(*map(_indexes, value)) if value else set()
        case Mapping():
            return set().union(*map(_indexes, value.values())) if value else set()
    return set()


def signed(
    reads: Reads,
    size: int,
    indexes: Iterable[int],
    sees: Callable[[StoredEntry, Mapping[str, Any]], bool],
) -> list[dict[str, Any]]:
    """Return who signed the records at these indexes, in their order; one that is not seen is left out."""
    study, joined = Study(reads, size), Joined(reads)
    shown = []
    for index in sorted(set(indexes)):
        entry = joined.entry(index) if index < size else None
        if entry is None:
            continue
        statement = orjson.loads(entry.statement)
        if not sees(entry, statement):
            continue
        actor = statement["actor"]
        shown.append(
            {
                "index": entry.index,
                **own_log(entry.index, statement),
                "type": entry.type,
                "name": actor["name"],
                "organisation": actor["organisation"],
                "role": actor["role"],
                "meaning": statement["meaning"],
                "signed_at": statement["signed_at"],
                "recorded": recorded(entry.at, parse_instant(entry.at), study.zone(statement.get("site"))),
            }
        )
    return shown


def beside(
    rows: Iterable[Mapping[str, Any]], signatures: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return rows with the columns of `COLUMNS` for the record at the `index` of each."""
    by_index = {each["index"]: each for each in signatures}
    return [{**row, **_cells(by_index.get(row["index"]))} for row in rows]


def _cells(signature: Mapping[str, Any] | None) -> dict[str, Any]:
    if signature is None:
        return dict.fromkeys(COLUMNS)
    names = ("name", "organisation", "role", "meaning", "signed_at")
    return {
        **{column: signature[name] for column, name in zip(COLUMNS, names, strict=False)},
        COLUMNS[-1]: signature["recorded"]["utc"],
    }
