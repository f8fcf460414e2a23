"""Schemas for what another system recorded: `participant/<id>` (catalogue F, G, H).

Data taken over from a finished study lack what was never asked there, and hold what was open there: arms and
exposures. Missing is left out, never invented; what tells the treatment is sealed `treatment`.
"""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import Clinical, Distinct, FreeText, Items, Label, Name, Sealed, VisitId
from ledger.actions.forms import Field, Text
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.safety import ActionTaken, Causalities, Grade, Outcome, Seriousness
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF


@action(
    "form.recorded",
    schema=2,
    effect=Effect.FACT,
    delegated=True,
    procedure=True,
    streams="participant",
    # Who enters what tells the treatment is unblinded, whatever the participant is given (R8).
    roles=allow((*BEDSIDE_STAFF, "unblinded_pharmacist"), "authorship"),
)
class UnblindingFormRecorded(Fact):
    """A form whose answers tell the treatment: they stand in one sealed list (catalogue F, R8)."""

    form: Label
    version: Name
    fields: Annotated[tuple[Field, ...], Items(0, 256)]
    visit: VisitId | None = None
    treatment: Annotated[Annotated[tuple[Text, ...], Items(1, 256)] | None, Sealed("treatment")] = None

    def check_form(self) -> None:
        if len({each.field for each in self.fields}) != len(self.fields):
            raise mismatch("each field once", "/fields")

    def describe(self) -> str:
        where = "" if self.visit is None else f" at visit {self.visit}"
        return f"Form {self.form}, which tells the treatment, was recorded{where}."


@action(
    "adverse_event.reported",
    schema=2,
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(BEDSIDE_STAFF, "authorship", "responsibility"),
    always_open=True,
)
class AdverseEventTakenOver(Fact):
    """An adverse event of another system, where the action taken may not have been asked (catalogue G)."""

    ae: Label
    onset: Clinical
    awareness: Clinical
    grade: Grade
    scale: Name
    scale_version: Name
    serious: bool
    criteria: Distinct[Seriousness]
    causality: Causalities
    outcome: Outcome
    end: Clinical | None = None
    action: ActionTaken | None = None
    verbatim: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        kind = "Serious adverse event" if self.serious else "Adverse event"
        return (
            f"{kind} {self.ae} of grade {self.grade} ({self.scale} {self.scale_version}) was reported, "
            f"onset {self.onset}, outcome {self.outcome.replace('_', ' ')}."
        )
