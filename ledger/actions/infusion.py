"""Infusions and doses at the bedside: `participant/<id>` (catalogue E).

The bedside sees a random label code, a volume and a rate, equal in every arm (R8): no product, no dose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Amount,
    Between,
    Clinical,
    Code,
    FreeText,
    Items,
    Label,
    Measure,
    Name,
    PersonId,
    Quantity,
    Sealed,
)
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS

InfusionNumber = Annotated[int, Between(1, 999)]

_STAFF = allow(BEDSIDE_STAFF, "authorship", "responsibility")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A safety limit: beyond it the infusion is interrupted."""

    parameter: Code
    comparison: Literal["below", "above"]
    quantity: Quantity


@action(
    "infusion.ordered",
    effect=Effect.GATE,
    delegated=True,
    streams="participant",
    # "Prescriber delegated" (catalogue E): a physician.
    roles=allow(PHYSICIANS, "authorship", "approval", "responsibility"),
    voiding_cosigned=True,
)
class InfusionOrdered(ParticipantGate):
    """An order per protocol, with the weight it rests on and its safety limits (catalogue E)."""

    infusion: InfusionNumber
    weight: Measure
    weight_date: Clinical
    instruction: Literal["per_protocol"]
    limits: Annotated[tuple[Limit, ...], Items(0, 32)]

    def describe(self) -> str:
        return f"Infusion {self.infusion} was ordered per protocol for a weight of {self.weight}."


@action(
    "infusion.started",
    effect=Effect.GATE,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class InfusionStarted(ParticipantGate):
    """The pump runs: label code and rate (catalogue E)."""

    infusion: InfusionNumber
    pump: Name
    rate: Measure
    label: Label

    def describe(self) -> str:
        return f"Infusion {self.infusion} was started at {self.rate} (label {self.label})."


@action(
    "infusion.interrupted",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class InfusionInterrupted(Fact):
    """Paused, with the volume so far and why (catalogue E)."""

    infusion: InfusionNumber
    code: Code
    volume: Measure
    pump: Name

    def describe(self) -> str:
        return f"Infusion {self.infusion} was interrupted after {self.volume} ({self.code})."


@action(
    "infusion.resumed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class InfusionResumed(Fact):
    """Running again after an interruption (catalogue E)."""

    infusion: InfusionNumber
    rate: Measure
    pump: Name

    def describe(self) -> str:
        return f"Infusion {self.infusion} was resumed at {self.rate}."


@action(
    "infusion.stopped",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
    always_open=True,
)
class InfusionStopped(Fact):
    """Ended before its time; always open (R7; catalogue E)."""

    infusion: InfusionNumber
    code: Code
    volume: Measure

    def describe(self) -> str:
        return f"Infusion {self.infusion} was stopped after {self.volume} ({self.code})."


@action(
    "infusion.completed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
    always_open=True,
)
class InfusionCompleted(Fact):
    """Ended as planned; always open (R7; catalogue E)."""

    infusion: InfusionNumber
    volume: Measure

    def describe(self) -> str:
        return f"Infusion {self.infusion} was completed after {self.volume}."


@action(
    "dose.received",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class DoseReceived(Fact):
    """The bag came to the bedside: label code, volume, rate, beyond-use time (catalogue E)."""

    infusion: InfusionNumber
    label: Label
    volume: Measure
    rate: Measure
    beyond_use: Clinical

    def describe(self) -> str:
        return f"The dose for infusion {self.infusion} was received: {self.volume} (label {self.label})."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAmount:
    """How much of one product was given; derived by who knows the arm."""

    product: Name
    quantity: Measure


@action(
    "dose.administered",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
    always_open=True,
)
class DoseAdministered(Fact):
    """What was given: volume, per cent, start and end; amounts of product are sealed (catalogue E)."""

    infusion: InfusionNumber
    volume: Measure
    percent_given: Amount
    start: Clinical
    end: Clinical
    amounts: Annotated[Annotated[tuple[ProductAmount, ...], Items(1, 16)] | None, Sealed("treatment")] = None

    def describe(self) -> str:
        return f"The dose of infusion {self.infusion} was given: {self.volume}, {self.percent_given} %."


@action(
    "dose.held",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
    always_open=True,
)
class DoseHeld(Fact):
    """A dose that was not given for now: why, and who decided (catalogue E)."""

    infusion: InfusionNumber
    code: Code
    decided_by: PersonId
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"The dose for infusion {self.infusion} was held ({self.code}), decided by {self.decided_by}."
