"""Concomitant medication: `participant/<id>` (catalogue F)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import Clinical, Code, FreeText, Label, Measure, Sealed
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF


@action(
    "medication.started",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(BEDSIDE_STAFF, "authorship"),
)
class MedicationStarted(Fact):
    """A medication by class; prohibited ones are named by the study definition (catalogue F)."""

    medication: Label
    class_: Code
    start: Clinical
    dose: Measure | None = None
    drug: Annotated[FreeText | None, Sealed("freetext")] = None
    indication: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Medication {self.medication} of class {self.class_} was started {self.start}."
