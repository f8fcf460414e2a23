"""How a participant's study ends: `participant/<id>` (catalogue I)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ledger.actions.fields import Clinical, Code, Items, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import STUDY_STAFF

_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")


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
