"""Criteria, eligibility and screen failure: `participant/<id>` (catalogue C)."""

from __future__ import annotations

from typing import Annotated, Literal

from ledger.actions.fields import Code, Distinct, FreeText, Hash, Label, Sealed
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.roles import PHYSICIANS, STUDY_STAFF

_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")
VERDICTS = {"met": "met", "not_met": "not met", "not_applicable": "not applicable"}


@action(
    "criterion.assessed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class CriterionAssessed(Fact):
    """One criterion of the protocol version in force; the evidence is sealed (catalogue C)."""

    criterion: Label
    result: Literal["met", "not_met", "not_applicable"]
    evidence: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Criterion {self.criterion} was assessed as {VERDICTS[self.result]}."


@action(
    "eligibility.confirmed",
    effect=Effect.GATE,
    delegated=True,
    streams="participant",
    # "By a physician delegated" (catalogue C).
    roles=allow(PHYSICIANS, "approval", "responsibility"),
    voiding_cosigned=True,
)
class EligibilityConfirmed(ParticipantGate):
    """A physician confirms; the digest names the latest assessment of every criterion (catalogue C).

    `criteria_sha256` = SHA-256 of canonical `[[criterion, event hash],…]`, in the order of criterion ids.
    """

    criteria_sha256: Hash

    def describe(self) -> str:
        return "Eligibility was confirmed."


@action(
    "screening.failed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ScreeningFailed(Fact):
    """Screening ended without enrolment: the criteria that failed, and a code (catalogue C)."""

    criteria: Distinct[Label]
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        which = f": {', '.join(self.criteria)}" if self.criteria else ""
        return f"Screening failed ({self.code}){which}."
