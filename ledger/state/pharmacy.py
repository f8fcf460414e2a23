"""State: the stock of one pharmacy, and what is prepared and dispensed there.

The books are kept lot by lot and unit by unit; a quantity in another unit is another account and never
converted. `balances` follows from plain movements alone. `drawn`, what doses took out, is sealed: it is here
where the reader opens it, for `SEALED_RULE` and nothing else; two states are equal whatever opens in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from ledger.envelope import EventHash
from ledger.times import Interval


class Account(NamedTuple):
    """One account of the books."""

    product: str
    lot: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A kit or vial by its number.

    Attributes:
        waits: the index that put it in quarantine, None where it is free.
        expired: the index that set it apart as expired.
        gone: the index since when it is destroyed, lost or dispensed.
    """

    index: int
    product: str
    lot: str
    expiry: str
    waits: int | None = None
    expired: int | None = None
    gone: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one preparation took of one product."""

    product: str
    quantity: Decimal
    unit: str
    lot: str | None
    kit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """A dose from its preparation on, under its label.

    Attributes:
        preparers: who made it; nobody, where kits were dispensed as they are.
        lines: its products where they open here, None where they are closed.
        dispensed, wasted: the index that did it.
        waste: the statement of the waste, which is cosigned by itself.
    """

    index: int
    event: EventHash
    at_us: int
    label: str
    participant: str
    infusion: int
    preparers: frozenset[str]
    beyond_use: Interval
    lines: tuple[Line, ...] | None = field(default=None, repr=False, compare=False)
    dispensed: int | None = None
    wasted: int | None = None
    waste: EventHash | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A count or movement that does not come out: its discrepancy is to be reported."""

    index: int
    event: EventHash
    at_us: int


class Second(NamedTuple):
    """A second person's signature under a statement, and the index of it."""

    as_: str
    person: str
    at: int


def _empty() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pharmacy:
    """State of the stock of one pharmacy and what is prepared and dispensed.

    Attributes:
        kits: by number.
        doses: by label.
        unfinished: labels of the doses whose sequence is not whole yet.
        balances: what plain movements leave in each account.
        drawn: what doses took from each account, as far as it opens here.
        closed: whether what some dose took is closed here, so that the books are not known whole.
        due: discrepancies that are to be reported.
        seconds: who else signed a statement, and as what (R9).
    """

    kits: Mapping[str, Kit] = field(default_factory=_empty)
    doses: Mapping[str, Dose] = field(default_factory=_empty)
    unfinished: frozenset[str] = frozenset()
    balances: Mapping[Account, Decimal] = field(default_factory=_empty)
    drawn: Mapping[Account, Decimal] = field(default_factory=_empty, repr=False, compare=False)
    closed: bool = field(default=False, compare=False)
    due: tuple[Due, ...] = ()
    seconds: Mapping[str, tuple[Second, ...]] = field(default_factory=_empty)

    def dose(self, label: str, before: int) -> Dose | None:
        """Return the dose with a label, as prepared before an index."""
        found = self.doses.get(label)
        return found if found is not None and found.index < before else None

    def balance(self, account: Account) -> Decimal:
        """Return what plain movements leave in an account."""
        return self.balances.get(account, Decimal(0))

    def stock(self, account: Account) -> Decimal:
        """Return what is left in an account after the doses that open here."""
        return self.balance(account) - self.drawn.get(account, Decimal(0))

    def is_signed(self, event: str, as_: str, apart_from: frozenset[str] = frozenset()) -> bool:
        """Tell whether another person signed a statement as this."""
        return any(s.as_ == as_ and s.person not in apart_from for s in self.seconds.get(event, ()))


NO_PHARMACY = Pharmacy()
