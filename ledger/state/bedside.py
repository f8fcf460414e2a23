"""State: the bedside beside the infusions themselves: checks, planned and discontinued dosing, departures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ledger.envelope import EventHash
from ledger.times import Interval

if TYPE_CHECKING:
    from ledger.rules.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check before an infusion."""

    index: int
    event: EventHash
    passed: bool
    time: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Discontinuation:
    """No further infusions, from an instant on."""

    index: int
    event: EventHash
    effective: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A rule set aside for the next gate of a type; `used` is the index of the gate that it let pass."""

    index: int
    event: EventHash
    rule: str
    gate: str
    infusion: int | None
    used: int | None = None

    def is_for(self, record: Record) -> bool:
        """Tell whether it lets this gate pass."""
        same = self.infusion is None or record.data.get("infusion") in (None, self.infusion)
        return self.gate == record.type and same and self.index < record.index and self.used is None


def _empty() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bedside:
    """State of the bedside beside the infusions themselves.

    Attributes:
        checks: the checks before each infusion, in the order of the log.
        omitted: infusions that will not be given, and the index that says so.
        reduced: the volume in mL that an infusion was reduced to; None where it is in another unit.
        departures: rules set aside to remove an immediate hazard, each for one gate.
    """

    checks: Mapping[int, tuple[Check, ...]] = field(default_factory=_empty)
    omitted: Mapping[int, int] = field(default_factory=_empty)
    reduced: Mapping[int, Decimal | None] = field(default_factory=_empty)
    discontinued: tuple[Discontinuation, ...] = ()
    departures: tuple[Departure, ...] = ()
