"""The matrix of authorization as published: operations by role, what each role sees, who signs what.

Every cell is an answer of `authorization.allowed`, asked for a reader of the role, and every signing right
one of the authority table, so what is published can't differ from what is decided.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from ledger.actions import all_specs
from ledger.roles import SCOPES, SIGHTS, Role
from projections.authorization import (
    ANYBODY,
    REACHES,
    STAFF,
    TABLE,
    Participant,
    Record,
    Sealed,
    allowed,
    sight_of,
)
from projections.reader import Reader

ROLE_NAMES: Final[tuple[str, ...]] = get_args(Role)
_HERE, _ELSEWHERE, _SELF = "HERE", "ELSEWHERE", "SELF"
_OTHERS: Final = {"all": "sites", "own": "own", "list": "list", "needed": ""}

Cells = dict[str, str]
"""What a role gets by its name; a role without a cell gets nothing."""


def operations() -> Iterator[tuple[str, str, Cells]]:
    """Yield each operation with its reach and cells: `sites`, `own`, `list`, or `open` for everybody."""
    for name, row in TABLE.items():
        if row.roles is ANYBODY:
            yield name, row.reach, dict.fromkeys(ROLE_NAMES, "open")
            continue
        readers = (Reader(role=role) for role in ROLE_NAMES)
        cells = {r.role: _OTHERS[sight_of(r).others] for r in readers if allowed(r, name)}
        yield name, row.reach, cells


def sights() -> Iterator[tuple[str, Cells]]:
    """Yield what is blinded or personal, and what is not, with the roles that see it and how much of it."""
    for stream in ("pharmacy", "safety", "access"):
        yield f"{stream}/", _cells(lambda reader, stream=stream: _of_stream(reader, stream))
    for scope in sorted(SCOPES):
        yield f"sealed {scope}", _cells(lambda reader, scope=scope: _of_scope(reader, scope))
    yield "participants at their sites", _cells(lambda reader: _of_participant(reader, _HERE))
    yield "participants elsewhere", _cells(lambda reader: _of_participant(reader, _ELSEWHERE))
    yield "never shown", {role: " ".join(sorted(s.hidden)) for role, s in SIGHTS.items() if s.hidden}


def records() -> Iterator[tuple[str, int, Cells]]:
    """Yield each action type and schema with the roles that sign it and the meanings they may give it."""
    for spec in all_specs():
        cells = {role: " ".join(sorted(spec.roles[role])) for role in ROLE_NAMES if role in spec.roles}
        yield spec.type, spec.schema, cells


def as_value(addresses: Mapping[str, str]) -> dict[str, Any]:
    """Return the matrix for JSON; `addresses` are method and path by operation."""
    return {
        "roles": list(ROLE_NAMES),
        "reaches": dict(REACHES),
        "operations": [
            {"operation": name, "address": addresses.get(name), "reach": reach, "cells": cells}
            for name, reach, cells in operations()
        ],
        "sees": [{"what": what, "cells": cells} for what, cells in sights()],
        "records": [{"type": type_, "schema": schema, "cells": cells} for type_, schema, cells in records()],
    }


def as_csv(addresses: Mapping[str, str]) -> str:
    """Write the matrix: one row a cell's row, one column a role."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("part", "name", "detail", *ROLE_NAMES))
    for name, reach, cells in operations():
        writer.writerow(("operation", name, f"{addresses.get(name, '')} ({reach})", *_row(cells)))
    for what, cells in sights():
        writer.writerow(("sees", what, "", *_row(cells)))
    for type_, schema, cells in records():
        writer.writerow(("records", type_, f"v{schema}", *_row(cells)))
    return out.getvalue()


def as_markdown(addresses: Mapping[str, str]) -> str:
    """Write the matrix as a page."""
    return "\n".join((*_head(), *_operations(addresses), *_sights(), *_records(), ""))


def _head() -> Iterator[str]:
    yield "# Authorization"
    yield ""
    yield "Made from `projections/authorization.py`, the table that decides, and from the classes of"
    yield "`ledger/actions`, by `make generated`; the service answers the same at `/authorization`, as JSON"
    yield "and `.csv`. What is not in here is refused. A role holds at the sites that it was granted for."
    yield ""
    yield "An inspector is answered in an inspection that is open, as of the checkpoint that it froze, for"
    yield "its sites, and blinded where it says so. Each opening of a value sealed treatment or identity is a"
    yield "`record.viewed` before the answer. A participant of another site is answered as one whom nobody"
    yield "knows. Refused requests are logged without anybody's id, and counted by operation and status"
    yield "(`/authorization/attempts`). They are no events: the catalogue has no type for a read that was"
    yield "refused, `command.refused` being for signed statements and `login.failed` for logins."
    yield ""
    yield f"**Readers of the study** are {_names(STAFF)}."


def _operations(addresses: Mapping[str, str]) -> Iterator[str]:
    yield from ("", "## Who may ask for what", "")
    yield from (f"- **{reach}**: {text}" for reach, text in REACHES.items())
    yield from ("", "| operation | address | reach | roles |", "|---|---|---|---|")
    for name, reach, cells in operations():
        by = "anybody" if TABLE[name].roles is ANYBODY else _by_cell(cells)
        yield f"| `{name}` | `{addresses.get(name, '')}` | {reach} | {by} |"


def _sights() -> Iterator[str]:
    yield from ("", "## Who sees what of it", "", "| what | roles |", "|---|---|")
    yield from (f"| {what} | {_by_cell(cells) or 'nobody'} |" for what, cells in sights())


def _records() -> Iterator[str]:
    yield from ("", "## Who signs what, with which meaning", "", "| type | roles |", "|---|---|")
    for type_, schema, cells in records():
        yield f"| `{type_}`{'' if schema == 1 else f' v{schema}'} | {_by_cell(cells) or 'nobody'} |"


def _by_cell(cells: Cells) -> str:
    """Write roles after what they have in common."""
    grouped: dict[str, list[str]] = {}
    for role in ROLE_NAMES:
        if role in cells:
            grouped.setdefault(cells[role], []).append(role)
    return "; ".join(f"{cell}: {_group(roles)}" for cell, roles in grouped.items())


def _group(roles: Iterable[str]) -> str:
    found = frozenset(roles)
    if found >= STAFF:
        rest = found - STAFF
        return "readers of the study" + (f" {_names(rest)}" if rest else "")
    if len(STAFF - found) <= 3 and found <= STAFF:
        return f"readers of the study but {_names(STAFF - found)}"
    return _names(found)


def _names(roles: frozenset[str]) -> str:
    return " ".join(f"`{role}`" for role in ROLE_NAMES if role in roles)


def _row(cells: Cells) -> Iterable[str]:
    return (cells.get(role, "") for role in ROLE_NAMES)


def _cells(ask: Any) -> Cells:
    found = {role: ask(Reader(role=role, person=_SELF, sites=frozenset({_HERE}))) for role in ROLE_NAMES}
    return {role: cell for role, cell in found.items() if cell}


def _of_stream(reader: Reader, kind: str) -> str:
    stream = f"pharmacy/{_HERE}" if kind == "pharmacy" else "safety" if kind == "safety" else "access/2024-06"
    for cell, who in (("all", "OTHER"), ("own", _SELF)):
        statement = {"actor": {"id": "service"}, "data": {"who": who}}
        if allowed(reader, None, Record(stream=stream, type="", statement=statement)):
            return cell
    return ""


def _of_scope(reader: Reader, scope: str) -> str:
    if allowed(reader, None, Sealed(scope=scope)):
        return "all"
    return "one" if allowed(reader, None, Sealed(scope=scope, shown=True)) else ""


def _of_participant(reader: Reader, site: str) -> str:
    if allowed(reader, None, Participant(id="OTHER", sites=(site,))):
        return "all"
    return "own" if allowed(reader, None, Participant(id=_SELF, sites=(site,))) else ""
