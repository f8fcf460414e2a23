"""What a study permits: amendments, enrolment, halt, close, urgent safety measures (catalogue B)."""

from __future__ import annotations

from typing import Annotated, Literal

from ledger.actions.fields import (
    Code,
    DayOrTime,
    EventRef,
    FreeText,
    Name,
    Sealed,
    SiteId,
    SiteOrAll,
    SomeDistinct,
    check_sites,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.roles import PHYSICIANS

Decider = Literal["sponsor", "investigator", "irb", "regulator", "safety_committee"]
"""On whose authority a study is halted, resumed or closed."""

_SPONSOR = allow(("sponsor_administrator",), "approval")
# Boards that can stop a study say so themselves, or the sponsor records what they decided.
_STOPPERS = _SPONSOR | allow(("safety_committee", "ethics_committee"), "approval")


def _places(sites: tuple[str, ...]) -> str:
    return "every site" if sites == ("*",) else ", ".join(sites)


@action(
    "amendment.activated",
    effect=Effect.GATE,
    streams="site",
    roles=_SPONSOR | allow(("investigator",), "approval"),
    voidable=False,
)
class AmendmentActivated(Action):
    """A further protocol version is in force at a site; `statement` names the urgent measure that does not
    wait for the review board (catalogue B; 21 CFR 312.30(b), 56.108(a)(4))."""

    site: SiteId
    version: Name
    from_: DayOrTime
    statement: EventRef | None = None

    def describe(self) -> str:
        why = " to remove an immediate hazard" if self.statement else ""
        return f"Protocol version {self.version} is in force at {self.site} from {self.from_}{why}."


@action("enrolment.paused", effect=Effect.FACT, streams="study", roles=_STOPPERS, voidable=False)
class EnrolmentPaused(Fact):
    """Nobody is registered or randomized there until enrolment is opened again (catalogue B). A fact: nothing
    may keep it from being recorded."""

    sites: SomeDistinct[SiteOrAll]
    from_: DayOrTime
    code: Code
    authority: Decider

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        return f"Enrolment was paused at {_places(self.sites)} from {self.from_}: {self.code}."


@action("study.halted", effect=Effect.FACT, streams="study", roles=_STOPPERS, voidable=False)
class StudyHalted(Fact):
    """Enrolment, randomization, dispensing and starts wait (catalogue B, R3; 21 CFR 312.42). A fact: nothing
    may keep it from being recorded."""

    from_: DayOrTime
    code: Code
    authority: Decider

    def describe(self) -> str:
        return f"The study was halted from {self.from_} by the {_decider(self.authority)}: {self.code}."


@action("study.resumed", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class StudyResumed(Action):
    """A halted study goes on (catalogue B)."""

    from_: DayOrTime
    code: Code
    authority: Decider

    def describe(self) -> str:
        return f"The study was resumed from {self.from_} by the {_decider(self.authority)}: {self.code}."


@action("study.closed", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class StudyClosed(Action):
    """The study is over: completed, or ended early (catalogue B; ICH E6(R3) 3.17)."""

    from_: DayOrTime
    code: Code
    authority: Decider

    def describe(self) -> str:
        return f"The study was closed from {self.from_} by the {_decider(self.authority)}: {self.code}."


@action(
    "urgent_safety_measure.taken",
    effect=Effect.FACT,
    streams="study site",
    roles=allow((*PHYSICIANS, "sponsor_administrator", "medical_monitor"), "authorship", "responsibility"),
)
class UrgentSafetyMeasureTaken(Fact):
    """What was changed at once to remove an immediate hazard, before any approval (21 CFR 56.108(a)(4))."""

    sites: SomeDistinct[SiteOrAll]
    from_: DayOrTime
    hazard: Code
    measures: SomeDistinct[Code]
    authority: Decider
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        done = ", ".join(self.measures)
        return f"An urgent safety measure was taken at {_places(self.sites)} from {self.from_}: {done}."


def _decider(authority: str) -> str:
    return {"irb": "review board"}.get(authority, authority.replace("_", " "))
