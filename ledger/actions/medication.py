"""Concomitant medication: `participant/<id>` (catalogue F)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import Clinical, Code, FreeText, Label, Measure, Sealed
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF

_STAFF = allow(BEDSIDE_STAFF, "authorship")


@action("medication.started", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
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


@action("medication.changed", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class MedicationChanged(Fact):
    """Another dose, or another drug in its place, from a time on: the changed members only (catalogue F)."""

    medication: Label
    change: Clinical
    code: Code
    class_: Code | None = None
    dose: Measure | None = None
    drug: Annotated[FreeText | None, Sealed("freetext")] = None
    indication: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        dose = "" if self.dose is None else f", now {self.dose}"
        return f"Medication {self.medication} was changed {self.change} ({self.code}){dose}."


@action("medication.stopped", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class MedicationStopped(Fact):
    """The last day on which it was taken, and why no longer (catalogue F)."""

    medication: Label
    stop: Clinical
    code: Code

    def describe(self) -> str:
        return f"Medication {self.medication} was stopped {self.stop} ({self.code})."
