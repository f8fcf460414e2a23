"""Pre-screening, history, criteria, eligibility and its end: `participant/<id>` (catalogue C).

`prescreening.recorded` is of somebody who has no id yet, and so no stream of their own: it is a row of the
site's count and stands in `site/<site>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Clinical,
    Code,
    Distinct,
    EventRef,
    FreeText,
    Hash,
    Label,
    Length,
    Name,
    PersonId,
    Positive,
    Sealed,
)
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import PHYSICIANS, STUDY_STAFF

_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")
_PHYSICIANS = allow(PHYSICIANS, "approval", "responsibility")
VERDICTS = {"met": "met", "not_met": "not met", "not_applicable": "not applicable"}
Term = Annotated[str, Length(500)]


@action("prescreening.recorded", effect=Effect.FACT, streams="site", roles=_STAFF)
class PrescreeningRecorded(Fact):
    """Somebody was looked at before any consent: a count number and why not screened, no identifier (C).

    Without `reason` the person went on to screening, under an id that this never names.
    """

    number: Positive
    reason: Code | None = None

    def describe(self) -> str:
        then = "went on to screening" if self.reason is None else f"was not screened ({self.reason})"
        return f"Person {self.number} of the pre-screening count {then}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A term's code in a dictionary of a version."""

    dictionary: Label
    version: Name
    code: Label


@action(
    "medical_history.recorded",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
)
class MedicalHistoryRecorded(Fact):
    """One condition of the past or of now: term sealed, code and dates plain, which may be partial (C)."""

    ongoing: bool
    onset: Clinical | None = None
    end: Clinical | None = None
    coded: Coded | None = None
    term: Annotated[Term | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        if self.ongoing and self.end is not None:
            raise mismatch("no end of what is ongoing", "/end")

    def describe(self) -> str:
        return f"A condition of the medical history was recorded{_dates(self.onset, self.end, self.ongoing)}."


@action(
    "prior_therapy.recorded",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
)
class PriorTherapyRecorded(Fact):
    """One therapy before the study: its class plain, the term sealed, dates that may be partial (C)."""

    class_: Code
    ongoing: bool
    start: Clinical | None = None
    end: Clinical | None = None
    coded: Coded | None = None
    term: Annotated[Term | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        if self.ongoing and self.end is not None:
            raise mismatch("no end of what is ongoing", "/end")

    def describe(self) -> str:
        dates = _dates(self.start, self.end, self.ongoing)
        return f"A prior therapy ({self.class_}) was recorded{dates}."


def _dates(begin: str | None, end: str | None, ongoing: bool) -> str:
    began = "" if begin is None else f" from {begin}"
    ended = " to now" if ongoing else "" if end is None else f" to {end}"
    return began + ended


@action(
    "criterion.assessed",
    effect=Effect.FACT,
    procedure=True,
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
    roles=_PHYSICIANS,  # "by a physician delegated" (catalogue C)
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


@action(
    "eligibility.revoked",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_PHYSICIANS,
    voiding_cosigned=True,
)
class EligibilityRevoked(Fact):
    """Found not to have been eligible: stays in the analysis, and dosing is decided (catalogue C).

    `statement` is the confirmation. `dosing` is what was decided for who is beyond screening; until it is
    there no infusion starts, and told again of the same confirmation it may come later.
    """

    statement: EventRef
    code: Code
    criteria: Distinct[Label]
    dosing: Literal["continued", "held", "discontinued"] | None = None
    decided_by: PersonId | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        if (self.dosing is None) != (self.decided_by is None):
            raise mismatch("a decision together with who decided", "/decided_by")

    def describe(self) -> str:
        then = "" if self.dosing is None else f"; {self.decided_by} decided: dosing {self.dosing}"
        return f"Eligibility was revoked ({self.code}){then}."


@action(
    "rescreening.authorised",
    effect=Effect.GATE,
    streams="participant",
    roles=_PHYSICIANS | allow(("medical_monitor",), "approval"),
    voiding_cosigned=True,
)
class RescreeningAuthorised(ParticipantGate):
    """A new screening episode; `statement` is the failure that ended the earlier one (catalogue C)."""

    statement: EventRef
    code: Code

    def describe(self) -> str:
        return f"Rescreening was authorised ({self.code})."
