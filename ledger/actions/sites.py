"""Sites, their ethics approval, investigators and delegation: the streams `site/<site>` (catalogue B)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import (
    Clinical,
    Code,
    Count,
    Date,
    DayOrTime,
    EventRef,
    Items,
    Name,
    PersonId,
    SiteId,
    SomeDistinct,
    TypeName,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import STUDY_STAFF

# The page gives sites and investigators no signer: the sponsor selects them (ICH E6(R3) 3.7).
_SPONSOR = allow(("sponsor_administrator",), "approval")
# "By that site's investigator" (catalogue B); that it is that site's is `authorisation`.
_INVESTIGATOR = allow(("investigator",), "approval", "responsibility")
# The delegate in any role that tasks can be delegated to.
_DELEGATES = allow(
    (*STUDY_STAFF, "infusion_staff", "blinded_rater", "unblinded_pharmacist", "on_call_unblinding"),
    "responsibility",
)


@action(
    "irb_approval.recorded",
    effect=Effect.FACT,
    streams="site",
    # Whoever holds the letter records it: the committee itself, the site, or the sponsor for a central IRB.
    roles=allow((*STUDY_STAFF, "sponsor_administrator"), "authorship", "verification")
    | allow(("ethics_committee",), "authorship", "approval"),
)
class IrbApprovalRecorded(Fact):
    """An approval by the ethics committee: from, to, how many, for what (21 CFR 56.109; catalogue B)."""

    reference: Name
    from_: Date
    to: Date
    participants: Count
    activities: SomeDistinct[Code]

    def check_form(self) -> None:
        if self.to < self.from_:
            raise mismatch("a date that is not before `from`", "/to")

    def describe(self) -> str:
        return f"The ethics approval {self.reference} from {self.from_} to {self.to} was recorded."


@action("investigator.designated", effect=Effect.GATE, streams="site", roles=_SPONSOR, voidable=False)
class InvestigatorDesignated(Action):
    """One principal investigator per site and time (21 CFR 312.53; catalogue B)."""

    site: SiteId
    person: PersonId
    from_: DayOrTime

    def describe(self) -> str:
        return f"{self.person} was designated principal investigator of {self.site} from {self.from_}."


@action("delegation.granted", effect=Effect.GATE, streams="site", roles=_INVESTIGATOR, voidable=False)
class DelegationGranted(Action):
    """Tasks that the investigator delegates (ICH E6(R3) 2.3; record-format.md §11)."""

    from_: DayOrTime
    person: PersonId
    site: SiteId
    tasks: Annotated[tuple[TypeName, ...], Items(1, 256, unique=True)]
    to: DayOrTime | None = None

    def describe(self) -> str:
        time = f"from {self.from_}" + (f" to {self.to}" if self.to else "")
        return f"Tasks were delegated to {self.person} at {self.site} {time}: {', '.join(self.tasks)}."


@action("delegation.accepted", effect=Effect.FACT, streams="site", roles=_DELEGATES, voidable=False)
class DelegationAccepted(Action):
    """The delegate accepts (catalogue B). A fact: it tells what the delegate said."""

    delegation: EventRef

    def describe(self) -> str:
        return "A delegation was accepted."


@action("delegation.ended", effect=Effect.FACT, streams="site", roles=_INVESTIGATOR, voidable=False)
class DelegationEnded(Action):
    """A delegation ends (catalogue B). A fact: nothing may keep it from being recorded."""

    delegation: EventRef

    def describe(self) -> str:
        return "A delegation was ended."


@action("site.initiated", effect=Effect.GATE, streams="site", roles=_SPONSOR, voidable=False)
class SiteInitiated(Action):
    """The initiation visit with its checklist (catalogue B)."""

    date: Clinical
    checklist: SomeDistinct[Code]

    def describe(self) -> str:
        return f"The site was initiated on {self.date}."


@action("site.activated", effect=Effect.GATE, streams="site", roles=_SPONSOR, voidable=False)
class SiteActivated(Action):
    """The site may enrol and treat; needs IRB approval, investigator and delegation (catalogue B)."""

    from_: DayOrTime
    checklist: SomeDistinct[Code]

    def describe(self) -> str:
        return f"The site was activated from {self.from_}."
