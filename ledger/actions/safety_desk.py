"""The central steps of safety (catalogue G): what the sponsor, its coders and the committee do.

Unblinded steps stand in the stream `safety`, which no blinded role reads; a serious event is assessed there
in every arm. What blinded people do stands with the participant. Which clock a report runs by is plain, for
rules read no sealed value; that is why the stream is restricted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Code,
    Date,
    DayOrTime,
    EventRef,
    FreeText,
    Items,
    Label,
    LogIndex,
    Name,
    Sealed,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import STUDY_STAFF

_PHYSICIAN = allow(("unblinded_safety_physician",), "authorship", "review", "responsibility")


@action("susar.assessed", effect=Effect.FACT, streams="safety", roles=_PHYSICIAN, always_open=True)
class SusarAssessed(Fact):
    """Whether a serious event is a suspected unexpected reaction, and how soon it is due (21 CFR 312.32).

    `statement` is the report to the sponsor. `clock` names a safety clock of the study definition, where the
    event is to be expedited; `determined` is when that was settled. Every serious event is assessed.
    """

    statement: EventRef
    determined: DayOrTime
    clock: Code | None = None
    suspected: Annotated[Literal["suspected", "not_suspected"] | None, Sealed("safety", required=True)] = None
    expectedness: Annotated[Literal["expected", "unexpected"] | None, Sealed("safety")] = None
    regimen: Annotated[Code | None, Sealed("treatment")] = None
    narrative: Annotated[FreeText | None, Sealed("safety")] = None

    def describe(self) -> str:
        due = "not to be expedited" if self.clock is None else f"to be expedited ({self.clock})"
        return f"A serious adverse event was assessed for expedited reporting: {due}."


@action(
    "expedited_report.submitted", effect=Effect.FACT, streams="safety", roles=_PHYSICIAN, always_open=True
)
class ExpeditedReportSubmitted(Fact):
    """A report to an authority, a review board or investigators; `statement` is the assessment (312.32)."""

    statement: EventRef
    to: Name
    kind: Literal["initial", "follow_up"]
    submitted: DayOrTime
    reference: Annotated[Name | None, Sealed("safety")] = None
    narrative: Annotated[FreeText | None, Sealed("safety")] = None

    def describe(self) -> str:
        kind = self.kind.replace("_", " ")
        return f"An expedited report ({kind}) was submitted to {self.to} {self.submitted}."


@action(
    "safety_committee.decided",
    effect=Effect.FACT,
    streams="safety",
    roles=allow(("safety_committee",), "authorship", "approval"),
    always_open=True,
)
class SafetyCommitteeDecided(Fact):
    """What the committee recommends, and up to which index of the log it saw the data (catalogue G)."""

    meeting: Date
    data_cut: LogIndex
    recommendation: Annotated[
        Literal["continue", "modify", "pause", "stop"] | None, Sealed("safety", required=True)
    ] = None
    minutes: Annotated[FreeText | None, Sealed("safety")] = None

    def describe(self) -> str:
        return f"The safety committee of {self.meeting} decided on data up to index {self.data_cut}."


@action(
    "irb.notified",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=allow(STUDY_STAFF, "authorship", "responsibility"),
    always_open=True,
)
class IrbNotified(Fact):
    """The review board was told of something recorded (catalogue G; 21 CFR 312.66)."""

    statement: EventRef
    of: Code
    notified: DayOrTime
    reference: Name

    def describe(self) -> str:
        return f"The review board was notified {self.notified} ({self.of}, {self.reference})."


@action(
    "medical_monitor.reviewed",
    effect=Effect.FACT,
    streams="participant",
    roles=allow(("medical_monitor",), "review"),
    always_open=True,
)
class MedicalMonitorReviewed(Fact):
    """The medical monitor has seen to something recorded, blinded (catalogue G)."""

    statement: EventRef
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"The medical monitor reviewed a record ({self.code})."


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One code, at a level of the dictionary's hierarchy."""

    level: Code
    code: Label


@action(
    "coding.applied",
    effect=Effect.FACT,
    streams="participant",
    roles=allow(("data_manager", "medical_monitor"), "authorship"),
    always_open=True,
)
class CodingApplied(Fact):
    """A term coded in a version of a dictionary; the words themselves stay sealed (catalogue G).

    `field` is the coded member of `statement`: an event's verbatim, a medication's drug.
    """

    statement: EventRef
    field: Code
    dictionary: Name
    version: Name
    codes: Annotated[tuple[Coded, ...], Items(1, 16)]

    def describe(self) -> str:
        codes = ", ".join(each.code for each in self.codes)
        return f"A term was coded as {codes} ({self.dictionary} {self.version})."
