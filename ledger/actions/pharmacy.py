"""Product and its accountability: `pharmacy/<site>` (catalogue E).

What concerns the stock as a whole is plain here: lots, kits, counts, movements; blinded roles do not see the
stream. Every movement names product, lot and quantity with its unit, so that a running balance follows from
the statements alone. What was taken for one participant is not stock: `preparation` seals it.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ledger.actions.fields import (
    Clinical,
    Code,
    Distinct,
    EventRef,
    FreeText,
    Items,
    Label,
    Measure,
    Name,
    Quantity,
    Sealed,
    Some,
    SomeDistinct,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch

PHARMACISTS: Final = allow(("unblinded_pharmacist",), "authorship", "responsibility")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of the controlled-substance authority: which (DEA 41, 106, 222), and its number."""

    form: Name
    reference: Name


Forms = Annotated[tuple[Form, ...], Items(0, 16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """A part of a shipment: one lot of one product."""

    product: Code
    lot: Label
    expiry: Clinical
    quantity: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One line of an inventory: what the books say is there, and what is."""

    product: Code
    lot: Label
    expected: Measure
    counted: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class KitRemainder:
    """A kit, and how much was still in it."""

    kit: Label
    quantity: Measure


@action("shipment.received", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class ShipmentReceived(Fact):
    """Product came in: lots, expiry, quantities, condition on arrival (catalogue E; 21 CFR 312.62(a))."""

    shipment: Label
    sender: Name
    condition: Literal["intact", "damaged", "temperature_deviation", "incomplete"]
    consignments: Some[Consignment]
    dea_forms: Forms

    def describe(self) -> str:
        condition = self.condition.replace("_", " ")
        return f"Shipment {self.shipment} with {len(self.consignments)} lots was received ({condition})."


@action("kit.registered", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class KitRegistered(Fact):
    """A kit or vial is taken into the books under its own number (catalogue E; 21 CFR 312.62(a))."""

    kit: Label
    product: Code
    lot: Label
    expiry: Clinical
    quantity: Measure
    condition: Literal["good", "damaged"]
    statement: EventRef | None = None

    def describe(self) -> str:
        return f"Kit {self.kit} of lot {self.lot} was registered: {self.quantity}, expires {self.expiry}."


@action("kit.quarantined", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class KitQuarantined(Fact):
    """Kits that are not to be used until they are released (catalogue E)."""

    kits: SomeDistinct[Label]
    code: Code
    statement: EventRef | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"{_kits(self.kits)} {_were(self.kits)} quarantined ({self.code})."


@action("kit.released", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class KitReleased(Fact):
    """Quarantined kits may be used again, and who decided so (catalogue E)."""

    kits: SomeDistinct[Label]
    code: Code
    decided_by: Name
    statement: EventRef | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"{_kits(self.kits)} {_were(self.kits)} released from quarantine ({self.code})."


@action("kit.expired", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class KitExpired(Fact):
    """Kits found past their expiry and set apart (catalogue E)."""

    kits: SomeDistinct[Label]

    def describe(self) -> str:
        return f"{_kits(self.kits)} {_were(self.kits)} set apart as expired."


@action(
    "kit.destroyed",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="witness",
)
class KitDestroyed(Fact):
    """Kits destroyed with what was left in them, before a witness (catalogue E; 21 CFR 312.59)."""

    kits: Some[KitRemainder]
    method: Code
    dea_forms: Forms
    certificate: Name | None = None

    def check_form(self) -> None:
        if len({each.kit for each in self.kits}) != len(self.kits):
            raise mismatch("each kit once", "/kits")

    def describe(self) -> str:
        return f"{_kits(self.kits)} {_were(self.kits)} destroyed ({self.method})."


@action("temperature.excursion", effect=Effect.FACT, delegated=True, streams="pharmacy", roles=PHARMACISTS)
class TemperatureExcursion(Fact):
    """A store was outside its range: how far, how long, and which kits lay in it (catalogue E)."""

    storage: Name
    lowest: Quantity
    highest: Quantity
    from_: Clinical
    to: Clinical | None = None
    kits: Distinct[Label]
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        span = f"{self.lowest} to {self.highest}"
        return f"{self.storage} was out of range ({span}) with {_kits(self.kits)} in it."


@action(
    "inventory.taken",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="second_counter",
)
class InventoryTaken(Fact):
    """The whole stock counted by two people, lot by lot (catalogue E; 21 CFR 312.62(a))."""

    lines: Some[Counted]

    def check_form(self) -> None:
        if len({(each.product, each.lot) for each in self.lines}) != len(self.lines):
            raise mismatch("each lot once", "/lines")

    def describe(self) -> str:
        return f"An inventory of {len(self.lines)} lots was taken."


@action(
    "substance.counted",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="second_counter",
    always_open=True,
)
class SubstanceCounted(Fact):
    """A controlled substance counted by two people; always open (R7; catalogue E; 21 CFR 1304.11)."""

    occasion: Literal["initial", "periodic", "biennial", "handover", "closing"]
    product: Code
    lot: Label
    expected: Measure
    counted: Measure

    def describe(self) -> str:
        return f"Lot {self.lot} was counted ({self.occasion}): {self.counted}, expected {self.expected}."


@action(
    "substance.discrepancy_reported",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="witness",
    always_open=True,
)
class SubstanceDiscrepancyReported(Fact):
    """A count or balance that does not come out, and what is known of it; always open (R7; catalogue E)."""

    statement: EventRef
    product: Code
    lot: Label
    expected: Measure
    counted: Measure
    code: Code
    dea_forms: Forms
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        found = f"{self.counted} counted, {self.expected} expected"
        return f"A discrepancy in lot {self.lot} was reported: {found} ({self.code})."


@action(
    "substance.loss_reported",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="witness",
    always_open=True,
)
class SubstanceLossReported(Fact):
    """A controlled substance lost or stolen; always open (R7; catalogue E; 21 CFR 1301.76(b))."""

    product: Code
    lot: Label
    quantity: Measure
    code: Code
    discovered: Clinical
    dea_forms: Forms
    kits: Annotated[tuple[Label, ...], Items(0, 256, unique=True)] | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"A loss of {self.quantity} of lot {self.lot} was reported ({self.code})."


@action(
    "substance.transferred",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="witness",
    always_open=True,
)
class SubstanceTransferred(Fact):
    """A controlled substance to or from another registrant; always open (R7; catalogue E; 21 CFR 1304.22)."""

    direction: Literal["in", "out"]
    other: Name
    product: Code
    lot: Label
    quantity: Measure
    dea_forms: Forms

    def describe(self) -> str:
        return f"{self.quantity} of lot {self.lot} was transferred {self.direction} ({self.other})."


@action(
    "substance.destroyed_or_returned",
    effect=Effect.FACT,
    delegated=True,
    streams="pharmacy",
    roles=PHARMACISTS,
    seconds="witness",
    always_open=True,
)
class SubstanceDestroyedOrReturned(Fact):
    """A controlled substance destroyed or sent back; always open (R7; catalogue E; 21 CFR 1304.21, 1317)."""

    how: Literal["destroyed", "returned"]
    product: Code
    lot: Label
    quantity: Measure
    method: Code
    dea_forms: Forms
    recipient: Name | None = None

    def describe(self) -> str:
        return f"{self.quantity} of lot {self.lot} was {self.how} ({self.method})."


def _kits(kits: Sized) -> str:
    return "1 kit" if len(kits) == 1 else f"{len(kits)} kits"


def _were(kits: Sized) -> str:
    return "was" if len(kits) == 1 else "were"
