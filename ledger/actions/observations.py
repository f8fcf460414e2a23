"""Vital signs and outcomes: `participant/<id>` (catalogue F)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    MAX_INTEGER,
    Between,
    Code,
    Decimal,
    Items,
    Label,
    Language,
    Name,
    Quantity,
    VisitId,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF, STUDY_STAFF

BODY_WEIGHT = "body_weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measured value with its unit; a weight is named `body_weight`."""

    name: Code
    quantity: Quantity


@action(
    "vital_signs.recorded",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(BEDSIDE_STAFF, "authorship"),
)
class VitalSignsRecorded(Fact):
    """Measured values with units, position and time point (catalogue F)."""

    measurements: Annotated[tuple[Measurement, ...], Items(1, 64)]
    visit: VisitId | None = None
    time_point: Code | None = None
    position: Literal["sitting", "supine", "standing"] | None = None

    def describe(self) -> str:
        values = ", ".join(f"{each.name} {each.quantity}" for each in self.measurements)
        return f"Vital signs were recorded: {values}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer of an instrument."""

    item: Code
    value: Annotated[int, Between(-MAX_INTEGER)]


@action(
    "outcome.recorded",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    # A rater who was infusion staff is flagged (catalogue F), so infusion staff do not sign ratings.
    roles=allow((*STUDY_STAFF, "blinded_rater"), "authorship"),
)
class OutcomeRecorded(Fact):
    """An instrument's items and total as entered, scored by the definition (catalogue F).

    The rater is the performer, or the signer where none is named.
    """

    instrument: Label
    version: Name
    visit: VisitId
    language: Language
    items: Annotated[tuple[Item, ...], Items(1, 256)]
    total: Decimal

    def check_form(self) -> None:
        if len({each.item for each in self.items}) != len(self.items):
            raise mismatch("each item once", "/items")

    def describe(self) -> str:
        return f"Outcome {self.instrument} at visit {self.visit} was recorded with a total of {self.total}."
