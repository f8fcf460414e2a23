"""Who reads: one row of the table of roles, with the sites and the openings that this reader has.

A view is folded the same for everybody and shown through a reader. What the reader's role does not see of a
sealed value is the marker `{"sealed": scope}`; what it would see and was destroyed is `{"erased": true}`
(record-format.md §7). Statements that a role does not see are left out as if they were not there (catalogue,
"Roles"), so that no count, status or last index tells of them.

Left out on purpose: decryption. An opening comes in as a function that finds the value of a sealed path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from projections.authorization import Record, Sealed, allowed, sight_of

ERASED: Final = object()
"""What an `Opener` returns when the disclosure is gone. None is a value: sealed as holding nothing."""
ELSEWHERE: Final = object()
"""What an `Opener` returns for a value that another log than this one sealed."""

Opener = Callable[[str, str], Any]
"""(event hash, path) -> the sealed value, its marker where it stays sealed, `ERASED` or `ELSEWHERE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One who reads.

    Attributes:
        role: a role of the catalogue.
        person: the reader's own id, for what a role sees of its own; None for nobody.
        sites: the sites that are open to the reader; None for all.
        opener: finds sealed values; None where they cannot be opened here, and then all stay sealed.
        decided: scopes of which the opener itself decides value by value, beside those of the role.
        blinded: stays blinded whatever the role sees: an inspector of a blinded inspection.
    """

    role: str
    person: str | None = None
    sites: frozenset[str] | None = None
    opener: Opener | None = None
    decided: frozenset[str] = frozenset()
    blinded: bool = False

    @property
    def hidden(self) -> frozenset[str]:
        """Action types that this reader does not see although their stream is open to them."""
        return sight_of(self).hidden

    @property
    def only_own(self) -> bool:
        """Whether this reader sees the records of one participant alone: themselves."""
        return sight_of(self).others == "own"

    @property
    def has_own(self) -> bool:
        """Whether it counts who this reader is: their role sees something of its own."""
        sight = sight_of(self)
        return "own" in (sight.access, sight.others)

    def sees(self, stream: str, type_: str, statement: Mapping[str, Any]) -> bool:
        """Tell whether this reader sees a statement at all; a control statement is seen by all (§9)."""
        return bool(allowed(self, None, Record(stream=stream, type=type_, statement=statement)))

    def sees_scope(self, scope: str) -> bool:
        """Tell whether sealed values of a scope are shown to this reader where they can be opened."""
        return bool(allowed(self, None, Sealed(scope=scope)))

    def value(self, event: str, path: str, scope: str) -> Any:
        """Return a sealed value, or the marker that stands for it."""
        if self.opener is None or not (scope in self.decided or self.sees_scope(scope)):
            return sealed(scope)
        found = self.opener(event, path)
        if found is ELSEWHERE:
            return sealed(scope)
        return erased() if found is ERASED else found


def sealed(scope: str) -> dict[str, Any]:
    """Return the marker of a value that this reader does not see."""
    return {"sealed": scope}


def erased() -> dict[str, Any]:
    """Return the marker of a value that nobody can see any more."""
    return {"erased": True}


def is_marker(value: Any) -> bool:
    """Tell whether a shown value is a marker and not a value."""
    return isinstance(value, dict) and (value.keys() == {"sealed"} or value == {"erased": True})
