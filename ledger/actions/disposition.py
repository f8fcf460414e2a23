"""How treatment and participation end, and reaching who is lost: `participant/<id>` (catalogue I)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import Clinical, Code, FreeText, Items, Sealed, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF, STUDY_STAFF

_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")
SOURCES = {
    "participant": "the participant",
    "next_of_kin": "next of kin",
    "clinician": "a clinician",
    "public_record": "a public record",
}


@action("treatment.completed", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True)
class TreatmentCompleted(Fact):
    """Treatment went to its planned end; the participant may stay in follow-up (catalogue I)."""

    date: Clinical

    def describe(self) -> str:
        return f"Treatment was completed on {self.date}."


@action(
    "treatment.discontinued", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True
)
class TreatmentDiscontinued(Fact):
    """Treatment ended before its plan, and why; no later infusion starts, follow-up goes on (catalogue I)."""

    date: Clinical
    reason: Literal[
        "adverse_event",
        "lack_of_efficacy",
        "pregnancy",
        "deviation",
        "physician",
        "participant",
        "sponsor",
    ]
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Treatment was discontinued on {self.date} ({self.reason.replace('_', ' ')})."


@action(
    "participant.completed", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True
)
class ParticipantCompleted(Fact):
    """The participant finished the study; before every visit is done or missed: flag (catalogue I)."""

    date: Clinical
    last_visit: VisitId

    def describe(self) -> str:
        return f"The participant completed the study on {self.date}, last visit {self.last_visit}."


@action(
    "participant.withdrawn", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True
)
class ParticipantWithdrawn(Fact):
    """The participant left the study, and why (catalogue I)."""

    date: Clinical
    last_visit: VisitId
    code: Code

    def describe(self) -> str:
        return f"The participant was withdrawn on {self.date} ({self.code}), last visit {self.last_visit}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to reach the participant."""

    date: Clinical
    method: Code


@action(
    "participant.lost_to_follow_up",
    effect=Effect.FACT,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ParticipantLostToFollowUp(Fact):
    """The participant can't be reached; attempts and methods are asked by the definition (catalogue I)."""

    date: Clinical
    last_visit: VisitId
    attempts: Annotated[tuple[Attempt, ...], Items(0, 64)]

    def describe(self) -> str:
        return f"The participant was lost to follow-up on {self.date} after {len(self.attempts)} attempts."


@action(
    "contact.attempted",
    effect=Effect.FACT,
    streams="participant",
    roles=allow(BEDSIDE_STAFF, "authorship", "responsibility"),
)
class ContactAttempted(Fact):
    """One attempt to reach the participant that reached nobody, and how it was made (catalogue I)."""

    method: Code

    def describe(self) -> str:
        return f"An attempt to reach the participant was made by {self.method}."


@action("participant.found", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True)
class ParticipantFound(Fact):
    """Who was lost to follow-up is found, and how: participation goes on (catalogue I)."""

    date: Clinical
    code: Code

    def describe(self) -> str:
        return f"The participant was found on {self.date} ({self.code})."


@action("survival_status.recorded", effect=Effect.FACT, streams="participant", roles=_STAFF)
class SurvivalStatusRecorded(Fact):
    """Alive or dead as of a time, and who says so; a public record is open after any withdrawal (I)."""

    status: Literal["alive", "dead", "unknown"]
    as_of: Clinical
    known_from: Literal["participant", "next_of_kin", "clinician", "public_record"]

    def describe(self) -> str:
        return f"Survival as of {self.as_of}: {self.status}, from {SOURCES[self.known_from]}."
