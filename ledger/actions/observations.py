"""Vital signs, weights, outcomes and suicidality: `participant/<id>` (catalogue F)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    MAX_INTEGER,
    Between,
    Code,
    DayOrTime,
    Decimal,
    EventRef,
    FreeText,
    Items,
    Label,
    Language,
    Measure,
    Name,
    PersonId,
    Quantity,
    Sealed,
    VisitId,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS, STUDY_STAFF

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
    procedure=True,
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


@action(
    "weight.recorded",
    effect=Effect.FACT,
    delegated=True,
    procedure=True,
    streams="participant",
    roles=allow(BEDSIDE_STAFF, "authorship"),
)
class WeightRecorded(Fact):
    """A body weight: what doses by weight rest on (catalogue F)."""

    weight: Measure
    visit: VisitId | None = None
    time_point: Code | None = None
    method: Code | None = None

    def describe(self) -> str:
        return f"A weight of {self.weight} was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer of an instrument."""

    item: Code
    value: Annotated[int, Between(-MAX_INTEGER)]


@action(
    "outcome.recorded",
    effect=Effect.FACT,
    delegated=True,
    procedure=True,
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


@action(
    "outcome.not_done",
    effect=Effect.FACT,
    streams="participant",
    roles=allow((*STUDY_STAFF, "blinded_rater"), "authorship"),
)
class OutcomeNotDone(Fact):
    """An instrument that was due at a visit and not answered, and why (catalogue F)."""

    instrument: Label
    visit: VisitId
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Outcome {self.instrument} at visit {self.visit} was not done ({self.code})."


# R7: whoever learns of it writes it down, participants and their devices too.
_ANYBODY = allow((*BEDSIDE_STAFF, "blinded_rater", "medical_monitor", "participant", "device"), "authorship")


@action(
    "suicidality.alerted",
    effect=Effect.FACT,
    streams="participant",
    roles=_ANYBODY,
    always_open=True,
    voiding_cosigned=True,  # it holds dosing
)
class SuicidalityAlerted(Fact):
    """A sign of suicidality, and the clinician who was told; it waits to be acknowledged (catalogue F, R7).

    `statement` is the outcome or diary that gave the sign.
    """

    basis: Code
    clinician: PersonId
    alerted: DayOrTime
    statement: EventRef | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Suicidality was alerted to {self.clinician} {self.alerted} ({self.basis})."


@action(
    "suicidality.acknowledged",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(PHYSICIANS, "authorship", "responsibility"),
    always_open=True,
)
class SuicidalityAcknowledged(Fact):
    """A clinician has seen to an alert: when, and what was done; `statement` is the alert (catalogue F)."""

    statement: EventRef
    clinician: PersonId
    acknowledged: DayOrTime
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return (
            f"The alert of suicidality was acknowledged by {self.clinician} "
            f"{self.acknowledged} ({self.code})."
        )
