"""Adverse events: `participant/<id>`, always open (R7; catalogue G)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import Between, Clinical, Distinct, FreeText, Items, Label, Name, Sealed
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF

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
