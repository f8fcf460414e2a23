"""Visits: `participant/<id>` (catalogue F). Windows are data of the study definition."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from ledger.actions.fields import Code, DayOrTime, FreeText, Sealed, VisitId
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import BEDSIDE_STAFF

UNSCHEDULED: Final = "unscheduled"
MODES = {
    "in_person": "in person",
    "phone": "by phone",
    "home": "at home",
    "video": "by video",
    "letter": "by letter",
    "email": "by e-mail",
}

_STAFF = allow(BEDSIDE_STAFF, "authorship")


@action("visit.scheduled", effect=Effect.FACT, streams="participant", roles=_STAFF)
class VisitScheduled(Fact):
    """A visit agreed for a day; a later one for the same visit takes its place (catalogue F)."""

    visit: VisitId
    mode: Literal["in_person", "phone", "home", "video"]
    date: DayOrTime

    def describe(self) -> str:
        return f"Visit {self.visit} was scheduled {MODES[self.mode]} for {self.date}."


@action("visit.started", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class VisitStarted(Fact):
    """A visit of the definition, or `unscheduled` (catalogue F)."""

    visit: VisitId
    mode: Literal["in_person", "phone", "home"]

    def describe(self) -> str:
        return f"Visit {self.visit} was started {MODES[self.mode]}."


@action("visit.completed", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class VisitCompleted(Fact):
    """All that a visit asked for was done (catalogue F)."""

    visit: VisitId

    def describe(self) -> str:
        return f"Visit {self.visit} was completed."


@action("visit.missed", effect=Effect.FACT, streams="participant", roles=_STAFF)
class VisitMissed(Fact):
    """A visit that did not take place, and why (catalogue F)."""

    visit: VisitId
    code: Code

    def describe(self) -> str:
        return f"Visit {self.visit} was missed ({self.code})."


@action("contact.made", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class ContactMade(Fact):
    """The participant, or who speaks for them, was reached: for a visit or unscheduled (catalogue F)."""

    visit: VisitId
    mode: Literal["phone", "video", "letter", "email", "in_person"]
    with_: Literal["participant", "caregiver", "physician", "relative"]
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"Contact was made with the {self.with_}, {MODES[self.mode]} (visit {self.visit})."
