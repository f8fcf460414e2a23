"""Adverse events, deaths, pregnancies: `participant/<id>`, always open (R7; catalogue G).

What is reported to the sponsor has one shape and takes one way, whether or not it will be expedited: the
unblinded steps stand in `safety` (`safety_desk`, R8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Between,
    Clinical,
    Code,
    DayOrTime,
    Distinct,
    FreeText,
    Items,
    Label,
    Name,
    Sealed,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS, STUDY_STAFF

Seriousness = Literal[
    "death",
    "life_threatening",
    "hospitalisation",
    "disability",
    "congenital_anomaly",
    "important_medical_event",
]
ActionTaken = Literal["none", "interrupted", "held", "reduced", "stopped", "not_applicable"]
Outcome = Literal["recovered", "recovering", "not_recovered", "recovered_with_sequelae", "fatal", "unknown"]
Grade = Annotated[int, Between(1, 5)]
Version = Annotated[int, Between(2, 9999)]
Assessor = Literal["investigator", "sponsor"]

# R7: nobody at the site who is told of an event is kept from writing it down, raters included. But not the
# pharmacist: a blinded role would read from the author that the product was in question (R8).
_SITE = allow(BEDSIDE_STAFF, "authorship", "responsibility") | allow(("blinded_rater",), "authorship")


@dataclass(frozen=True, slots=True, kw_only=True)
class Causality:
    """The site's judgement for one product of the protocol."""

    product: Name
    relation: Literal["related", "possible", "unlikely", "unrelated"]


Causalities = Annotated[tuple[Causality, ...], Items(0, 32)]


@action(
    "adverse_event.reported",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
)
class AdverseEventReported(Fact):
    """An adverse event: grade, seriousness, causality per product (catalogue G; 21 CFR 312.64(b))."""

    ae: Label
    onset: Clinical
    awareness: Clinical
    grade: Grade
    scale: Name
    scale_version: Name
    serious: bool
    criteria: Distinct[Seriousness]
    causality: Causalities
    action: ActionTaken
    outcome: Outcome
    verbatim: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        kind = "Serious adverse event" if self.serious else "Adverse event"
        return (
            f"{kind} {self.ae} of grade {self.grade} ({self.scale} {self.scale_version}) was reported, "
            f"onset {self.onset}, outcome {self.outcome.replace('_', ' ')}."
        )


@action(
    "adverse_event.followed_up",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
)
class AdverseEventFollowedUp(Fact):
    """New information: the next version, with the changed members only (catalogue G)."""

    ae: Label
    version: Annotated[int, Between(2, 9999)]
    new_information: Clinical
    grade: Grade | None = None
    serious: bool | None = None
    criteria: Distinct[Seriousness] | None = None
    causality: Causalities | None = None
    action: ActionTaken | None = None
    outcome: Outcome | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def changed(self) -> tuple[str, ...]:
        """Return the names of the members that this version changes."""
        names = ("grade", "serious", "criteria", "causality", "action", "outcome")
        return tuple(name for name in names if getattr(self, name) is not None)

    def describe(self) -> str:
        what = f": {', '.join(self.changed())} changed" if self.changed() else ""
        return f"Adverse event {self.ae} was followed up, version {self.version}{what}."


@action(
    "adverse_event.resolved",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
)
class AdverseEventResolved(Fact):
    """How and when it ended (catalogue G)."""

    ae: Label
    version: Annotated[int, Between(2, 9999)]
    resolved: Clinical
    outcome: Outcome

    def describe(self) -> str:
        return f"Adverse event {self.ae} was resolved {self.resolved}: {self.outcome.replace('_', ' ')}."


# The sponsor is heard through its medical monitor: medical decisions are a physician's.
_ASSESSORS = allow(PHYSICIANS, "authorship", "responsibility") | allow(
    ("medical_monitor",), "authorship", "review", "responsibility"
)
_REPORTERS = allow(STUDY_STAFF, "authorship", "responsibility")


@action(
    "adverse_event.assessed",
    effect=Effect.FACT,
    streams="participant",
    roles=_ASSESSORS,
    always_open=True,
)
class AdverseEventAssessed(Fact):
    """The investigator's or the sponsor's own judgement, the next version; both are kept (catalogue G)."""

    ae: Label
    version: Version
    new_information: Clinical
    assessor: Assessor
    serious: bool
    criteria: Distinct[Seriousness]
    causality: Causalities
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        kind = "serious" if self.serious else "not serious"
        return (
            f"Adverse event {self.ae} was assessed as {kind} by the {self.assessor}, version {self.version}."
        )


@action(
    "adverse_event.nullified",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
)
class AdverseEventNullified(Fact):
    """It was none after all; it stays visible under its last version (catalogue G)."""

    ae: Label
    version: Version
    new_information: Clinical
    code: Code
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Adverse event {self.ae} was nullified ({self.code}), version {self.version}."


@action(
    "seriousness.changed",
    effect=Effect.FACT,
    streams="participant",
    roles=_ASSESSORS,
    always_open=True,
    reason_required=True,
)
class SeriousnessChanged(Fact):
    """One assessor's judgement of seriousness, before and now; the sponsor raises only (catalogue G)."""

    ae: Label
    assessor: Assessor
    old: bool
    new: bool
    criteria: Distinct[Seriousness]

    def describe(self) -> str:
        words = {True: "serious", False: "not serious"}
        return (
            f"The {self.assessor} changed adverse event {self.ae} "
            f"from {words[self.old]} to {words[self.new]}."
        )


@action(
    "sae.reported_to_sponsor",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_REPORTERS,
    always_open=True,
)
class SaeReportedToSponsor(Fact):
    """A serious event reported: the same whether or not it is expedited later (catalogue G; 312.64(b))."""

    ae: Label
    version: Annotated[int, Between(1, 9999)]
    reported: DayOrTime
    method: Code
    received: DayOrTime | None = None

    def describe(self) -> str:
        return (
            f"Serious adverse event {self.ae}, version {self.version}, "
            f"was reported to the sponsor {self.reported}."
        )


@action(
    "safety_case.closed",
    effect=Effect.FACT,
    streams="participant",
    roles=allow(("medical_monitor",), "review", "responsibility"),
    always_open=True,
)
class SafetyCaseClosed(Fact):
    """The sponsor expects nothing more of a serious event (catalogue G)."""

    ae: Label
    version: Annotated[int, Between(1, 9999)]
    closed: DayOrTime

    def describe(self) -> str:
        return f"The safety case of adverse event {self.ae} was closed {self.closed}."


@action(
    "death.reported",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
    voiding_cosigned=True,
)
class DeathReported(Fact):
    """A death: when, as far as known, and the adverse event that led to it (catalogue G)."""

    date: Clinical
    awareness: Clinical
    code: Code
    ae: Label | None = None
    autopsy: Literal["done", "not_done", "unknown"] | None = None
    cause: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        event = "" if self.ae is None else f", adverse event {self.ae}"
        return f"Death {self.date} was reported ({self.code}{event})."


@action(
    "pregnancy.reported",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
    voiding_cosigned=True,  # it stops dosing
)
class PregnancyReported(Fact):
    """A pregnancy of the participant, which stops dosing, or of a partner (catalogue G)."""

    pregnancy: Label
    of: Literal["participant", "partner"]
    awareness: Clinical
    conception: Clinical | None = None
    due: Clinical | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Pregnancy {self.pregnancy} of the {self.of} was reported."


@action(
    "pregnancy.outcome_recorded",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_SITE,
    always_open=True,
)
class PregnancyOutcomeRecorded(Fact):
    """How a pregnancy ended, or that there was none (catalogue G)."""

    pregnancy: Label
    outcome: Literal[
        "live_birth", "stillbirth", "miscarriage", "ectopic", "termination", "not_pregnant", "unknown"
    ]
    date: Clinical
    child: Literal["healthy", "congenital_anomaly", "other_finding", "unknown"] | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        outcome = self.outcome.replace("_", " ")
        return f"The outcome of pregnancy {self.pregnancy} was recorded: {outcome} {self.date}."
