"""The bedside around an infusion: checks, held and reduced doses, errors, observation (catalogue E).

All of it stands in `participant/<id>`, and nothing of it depends on the arm: who is at the bedside does not
know it (R8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from ledger.actions.fields import (
    Between,
    Clinical,
    Code,
    EventRef,
    FreeText,
    Items,
    Measure,
    Name,
    PersonId,
    RuleCode,
    Sealed,
    TypeName,
)
from ledger.actions.infusion import InfusionNumber
from ledger.actions.observations import Measurement
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.lines import counted
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS

_STAFF: Final = allow(BEDSIDE_STAFF, "authorship", "responsibility")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is checked before an infusion, by the name that the protocol gives it."""

    check: Code
    result: Literal["passed", "failed", "not_applicable"]


Checks = Annotated[tuple[Check, ...], Items(1, 64)]


def _results(checks: tuple[Check, ...]) -> dict[str, str]:
    results: dict[str, str] = {each.check: each.result for each in checks}
    if len(results) != len(checks):
        raise mismatch("each check once", "/checks")
    return results


@action(
    "preinfusion_check.passed",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class PreinfusionCheckPassed(Fact):
    """Vitals, pregnancy test, medication, escort and consent allow the infusion (catalogue E)."""

    infusion: InfusionNumber
    vitals: Annotated[tuple[Measurement, ...], Items(0, 64)]
    checks: Checks

    def check_form(self) -> None:
        if "failed" in _results(self.checks).values():
            raise mismatch("a check of which nothing failed", "/checks")

    def describe(self) -> str:
        return f"The check before infusion {self.infusion} was passed."


@action(
    "preinfusion_check.failed",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class PreinfusionCheckFailed(Fact):
    """Something speaks against the infusion, which waits for a check that is passed (catalogue E)."""

    infusion: InfusionNumber
    vitals: Annotated[tuple[Measurement, ...], Items(0, 64)]
    checks: Checks
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        if "failed" not in _results(self.checks).values():
            raise mismatch("a check of which something failed", "/checks")

    def describe(self) -> str:
        failed = ", ".join(each.check for each in self.checks if each.result == "failed")
        return f"The check before infusion {self.infusion} was failed ({failed})."


@action(
    "infusion.rate_changed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class InfusionRateChanged(Fact):
    """Another rate from here on, with the volume so far and why (catalogue E)."""

    infusion: InfusionNumber
    rate: Measure
    volume: Measure
    code: Code
    pump: Name

    def describe(self) -> str:
        return f"The rate of infusion {self.infusion} was changed to {self.rate} ({self.code})."


@action(
    "dose.omitted",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class DoseOmitted(Fact):
    """A planned dose that will not be given: why, and who decided (catalogue E)."""

    infusion: InfusionNumber
    code: Code
    decided_by: PersonId
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return (
            f"The dose for infusion {self.infusion} was omitted ({self.code}), decided by {self.decided_by}."
        )


@action(
    "dose.reduced",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class DoseReduced(Fact):
    """Less volume than planned, which is the same order in every arm: why, and who decided (catalogue E)."""

    infusion: InfusionNumber
    volume: Measure
    code: Code
    decided_by: PersonId
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"The dose for infusion {self.infusion} was reduced to {self.volume} ({self.code})."


@action(
    "dosing.discontinued",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class DosingDiscontinued(Fact):
    """No further infusions: since when, why, and who decided; later starts are held (catalogue E)."""

    effective: Clinical
    code: Code
    decided_by: PersonId
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Dosing was discontinued {self.effective} ({self.code}), decided by {self.decided_by}."


@action(
    "dosing_error.reported",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
    always_open=True,
)
class DosingErrorReported(Fact):
    """Wrong participant, product, dose, rate or kit; always open (R7; catalogue E).

    What the right product had been is sealed: the error's kind is all that blinded roles read.
    """

    infusion: InfusionNumber
    kind: Literal["wrong_participant", "wrong_product", "wrong_dose", "wrong_rate", "wrong_kit", "other"]
    discovered: Clinical
    harm: Literal["none", "possible", "occurred", "unknown"]
    statement: EventRef | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None
    product: Annotated[FreeText | None, Sealed("treatment")] = None

    def describe(self) -> str:
        return f"A dosing error at infusion {self.infusion} was reported ({self.kind.replace('_', ' ')})."


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score of a scale."""

    scale: Name
    score: Annotated[int, Between(0, 1000)]


@action(
    "postinfusion.observed",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    # Not by the blinded rater, who does not see it either (catalogue, "Roles").
    roles=_STAFF,
)
class PostinfusionObserved(Fact):
    """After an infusion: sedation, dissociation, escort home; not shown to blinded raters (catalogue E)."""

    infusion: InfusionNumber
    minutes_after: Annotated[int, Between(0, 10_080)]
    sedation: Score
    dissociation: Score
    escort: bool
    fit_to_leave: bool

    def describe(self) -> str:
        after = counted(self.minutes_after, "minute", "minutes")
        return f"The participant was observed {after} after infusion {self.infusion}."


@action(
    "hazard_departure.recorded",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    # An immediate hazard is removed by a physician (ICH E6(R3) 2.5.5, 21 CFR 312.66).
    roles=allow(PHYSICIANS, "authorship", "responsibility", "approval"),
)
class HazardDepartureRecorded(Fact):
    """A rule set aside to remove an immediate hazard: which, for which gate, and why (catalogue E).

    The next gate of that type is passed once in spite of that rule, and the breach is recorded.
    """

    rule: RuleCode
    gate: TypeName
    code: Code
    infusion: InfusionNumber | None = None
    why: Annotated[FreeText | None, Sealed("freetext")] = None
    done: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"{self.rule} was set aside for {self.gate} to remove an immediate hazard ({self.code})."
