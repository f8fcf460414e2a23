"""Attest who looked at what: `record.viewed` and `trail.viewed`, in `access/YYYY-MM` (catalogue A).

    note_view(ledger, View(who="mchen", role="unblinded_monitor", scope=scope, size=812,
                           opened=("treatment",), purpose="accountability"))

Whoever answers a reader asks `must_be_noted` for the scopes of sealed values that the answer opens, and calls
`note_view` before it gives the answer: an opening of a value of treatment or identity is an event, always
(FDA 2024 Q12). An inspector's views are sealed: that an inspector looked is seen by who reads `access/`, what
at and why by those alone who may open `access` values, and by neither sponsor nor site.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from ledger.committer import Ledger
from ledger.errors import RefusedError
from ledger.recorded import Recorded
from ledger.verify.options import Scope

ALWAYS: Final = frozenset({"treatment", "identity"})
"""Scopes of which every opening is an event (catalogue, "Roles")."""
INSPECTOR: Final = "inspector"
_SEALED: Final = 2  # the schema of a view that is sealed

ViewType = Literal["record.viewed", "trail.viewed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One answer to one reader.

    Attributes:
        scope: the study, site or participant that was looked at.
        size: tree size as of which; `since`: the first index of the range, where it is one.
        opened: scopes of the sealed values that were shown in the clear.
        statements: event hashes of what was opened, where it is few.
        projection: which view of it.
    """

    who: str
    role: str
    scope: Scope
    size: int
    purpose: str
    opened: tuple[str, ...] = ()
    since: int | None = None
    statements: tuple[str, ...] = ()
    projection: str | None = None


def must_be_noted(opened: Iterable[str]) -> bool:
    """Tell whether an answer that opens values of these scopes has to be noted before it is given."""
    return not ALWAYS.isdisjoint(opened)


def note_view(ledger: Ledger, view: View, type_: ViewType = "record.viewed") -> Recorded | None:
    """Record that somebody looks at something; None where the ledger is frozen and records nothing.

    Raises:
        RefusedError: `INSPECTION_NOT_OPEN` for an inspector who is in none; `PERSON_UNKNOWN`, `INDEX`.
        FormatError, FrozenError, StoreError: as `Ledger.attest`.
    """
    if ledger.startup.frozen:
        return None
    members: dict[str, Any] = {"purpose": view.purpose, "view": _view(view), "who": view.who}
    if view.statements and type_ == "record.viewed":
        members["statements"] = sorted(view.statements)
    stream = ledger.access_stream()
    if view.role != INSPECTOR:
        return ledger.attest(type_, stream, {**members, "role": view.role})
    fold = ledger.refresh()
    inspection = fold.conduct.study.people.inspecting(view.who, fold.size)
    if inspection is None:
        raise RefusedError("INSPECTION_NOT_OPEN", "the inspector takes part in no inspection that is open")
    sealed = {f"/data/{name}": value for name, value in members.items()}
    if type_ == "record.viewed":
        sealed.setdefault("/data/statements", None)
    data = {"inspection": inspection.event}
    return ledger.attest(type_, stream, data, schema=_SEALED, sealed=sealed)


def _view(view: View) -> dict[str, Any]:
    value: dict[str, Any] = {"kind": view.scope.kind, "opened": sorted(view.opened), "size": view.size}
    optional = {"id": view.scope.id, "projection": view.projection, "since": view.since}
    return value | {name: each for name, each in optional.items() if each is not None}
