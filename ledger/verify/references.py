"""Which members of an action name an earlier statement."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from ledger.actions.fields import EventRef
from ledger.actions.registry import Action
from ledger.actions.shapes import hints_of, optional


def references(action: Action) -> Iterator[tuple[str, str]]:
    """Yield the name and value of every member of an action that names an event."""
    for name, many in reference_members(type(action)):
        value = getattr(action, name)
        if value is None:
            continue
        for event in value if many else (value,):
            yield name.rstrip("_"), event


@cache
def reference_members(cls: type[Action]) -> tuple[tuple[str, bool], ...]:
    """Return the members of a class that name events, and whether each names many."""
    members = []
    for name, hint in hints_of(cls).items():
        plain = optional(hint) or hint
        if plain == EventRef:
            members.append((name, False))
        elif _holds_references(plain):
            members.append((name, True))
    return tuple(members)


def _holds_references(hint: Any) -> bool:
    return any(arg == EventRef or _holds_references(arg) for arg in get_args(hint))
