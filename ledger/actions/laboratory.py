"""Samples, results, electrocardiograms: `participant/<id>` (catalogue F).

What a laboratory finds is plain, but for analytes that tell the treatment: these stand in one sealed list,
which is there, and null where nothing is in it, whatever was analysed (record-format.md §7). Which analytes
these are is data of the study definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Code,
    Decimal,
    EventRef,
    FreeText,
    Hash,
    Items,
    Label,
    Name,
    Quantity,
    Sealed,
    VisitId,
)
from ledger.actions.observations import Measurement
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS

_STAFF = allow(BEDSIDE_STAFF, "authorship")


@action(
    "ecg.recorded", effect=Effect.FACT, delegated=True, procedure=True, streams="participant", roles=_STAFF
)
class EcgRecorded(Fact):
    """An electrocardiogram: intervals, who reads it how, and the tracing kept at the site (catalogue F)."""

    measurements: Annotated[tuple[Measurement, ...], Items(0, 64)]
    interpretation: Literal["normal", "abnormal_not_significant", "abnormal_significant", "not_evaluable"]
    visit: VisitId | None = None
    time_point: Code | None = None
    position: Literal["sitting", "supine", "standing"] | None = None
    tracing_sha256: Hash | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        values = "".join(f", {each.name} {each.quantity}" for each in self.measurements)
        return f"An electrocardiogram was recorded: {self.interpretation.replace('_', ' ')}{values}."


@action(
    "lab_sample.collected",
    effect=Effect.FACT,
    delegated=True,
    procedure=True,
    streams="participant",
    roles=_STAFF,
)
class LabSampleCollected(Fact):
    """A sample under a label of its own (catalogue F)."""

    sample: Label
    specimen: Code
    visit: VisitId | None = None
    time_point: Code | None = None
    conditions: Annotated[tuple[Code, ...], Items(1, 16, unique=True)] | None = None

    def describe(self) -> str:
        return f"Sample {self.sample} ({self.specimen}) was collected."


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """One result: a quantity or a code (`negative`, `not_done`), and where it lies to the normal range."""

    analyte: Code
    quantity: Quantity | None = None
    code: Code | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    indicator: Literal["normal", "low", "high", "critical", "abnormal"] | None = None

    def check_form(self) -> None:
        if (self.quantity is None) == (self.code is None):
            raise mismatch("either a quantity or a code", "/quantity")

    def __str__(self) -> str:
        return f"{self.analyte} {self.code if self.quantity is None else self.quantity}"


@action(
    "lab_result.received",
    effect=Effect.FACT,
    streams="participant",
    # A laboratory's interface signs as a device; who enters results that tell the treatment is unblinded,
    # whatever the participant is given (R8).
    roles=allow((*BEDSIDE_STAFF, "unblinded_pharmacist", "device"), "authorship"),
)
class LabResultReceived(Fact):
    """The results of a sample; analytes that tell the treatment are in the sealed list (catalogue F, R8)."""

    sample: Label
    laboratory: Name
    analytes: Annotated[tuple[Analyte, ...], Items(0, 128)]
    visit: VisitId | None = None
    unblinding_results: Annotated[
        Annotated[tuple[Analyte, ...], Items(1, 64)] | None, Sealed("treatment")
    ] = None

    def describe(self) -> str:
        values = ", ".join(str(each) for each in self.analytes) or "none to show"
        return f"Results of sample {self.sample} were received from {self.laboratory}: {values}."


@action(
    "result.reviewed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(PHYSICIANS, "review", "responsibility"),
)
class ResultReviewed(Fact):
    """A physician has judged a result: vital signs, electrocardiogram, laboratory (catalogue F)."""

    statement: EventRef
    significance: Literal["not_significant", "significant"]
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"A result was reviewed: {self.significance.replace('_', ' ')} ({self.code})."
