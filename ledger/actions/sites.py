"""Sites, their ethics approval, investigators and delegation: the streams `site/<site>` (catalogue B)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import (
    Clinical,
    Code,
    Count,
    Date,
    DayOrTime,
    Distinct,
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
# Whoever holds the letter records it: the committee itself, the site, or the sponsor for a central IRB.
_HOLDERS = allow((*STUDY_STAFF, "sponsor_administrator"), "authorship", "verification")
_OF_BOARD = _HOLDERS | allow(("ethics_committee",), "authorship", "approval")


@action("irb_approval.recorded", effect=Effect.FACT, streams="site", roles=_OF_BOARD)
class IrbApprovalRecorded(Fact):
    """An approval by the ethics committee: from, to, how many, for what (21 CFR 56.109; catalogue B)."""

    reference: Name
    from_: Date
    to: Date
    participants: Count
    activities: SomeDistinct[Code]

    def check_form(self) -> None:
        _check_ends(self.from_, self.to)

    def describe(self) -> str:
        return f"The ethics approval {self.reference} from {self.from_} to {self.to} was recorded."


@action("irb_approval.suspended", effect=Effect.FACT, streams="site", roles=_OF_BOARD)
class IrbApprovalSuspended(Fact):
    """The ethics committee suspends its approval, until `to` or a further approval (21 CFR 56.113)."""

    reference: Name
    from_: DayOrTime
    code: Code
    to: DayOrTime | None = None

    def check_form(self) -> None:
        _check_ends(self.from_, self.to)

    def describe(self) -> str:
        time = f"from {self.from_}" + (f" to {self.to}" if self.to else "")
        return f"The ethics approval was suspended {time} ({self.reference}): {self.code}."


@action("irb_continuation.permitted", effect=Effect.FACT, streams="site", roles=_OF_BOARD)
class IrbContinuationPermitted(Fact):
    """Without an approval in force, those already in the study may go on (45 CFR 46.109, 21 CFR 56.109).

    `participants` counts them; who is new needs the activity `enrolment` (catalogue B).
    """

    reference: Name
    from_: Date
    to: Date
    participants: Count
    activities: SomeDistinct[Code]

    def check_form(self) -> None:
        _check_ends(self.from_, self.to)

    def describe(self) -> str:
        what = ", ".join(self.activities)
        return f"The ethics committee permitted to go on from {self.from_} to {self.to}: {what}."


@action("command_approval.recorded", effect=Effect.FACT, streams="site", roles=_HOLDERS)
class CommandApprovalRecorded(Fact):
    """The command's approval to recruit those on active duty there (DoDI 3216.02; catalogue B)."""

    reference: Name
    from_: Date
    to: Date | None = None

    def check_form(self) -> None:
        _check_ends(self.from_, self.to)

    def describe(self) -> str:
        time = f"from {self.from_}" + (f" to {self.to}" if self.to else "")
        return f"The command approval {self.reference} {time} was recorded."


@action("investigator.designated", effect=Effect.GATE, streams="site", roles=_SPONSOR, voidable=False)
class InvestigatorDesignated(Action):
    """One principal investigator per site and time (21 CFR 312.53; catalogue B)."""

    site: SiteId
    person: PersonId
    from_: DayOrTime

    def describe(self) -> str:
        return f"{self.person} was designated principal investigator of {self.site} from {self.from_}."


@action(
    "investigator.handed_over",
    effect=Effect.GATE,
    streams="site",
    roles=_SPONSOR | allow(("investigator",), "responsibility"),
    voidable=False,
    seconds="approver",
)
class InvestigatorHandedOver(Action):
    """Another principal investigator takes over; waits for the successor's co-signature (catalogue B, R9).

    `open_items` and `unsigned` name what the successor takes over: statements that somebody still waits on,
    and records that nobody endorsed yet.
    """

    site: SiteId
    person: PersonId
    from_: DayOrTime
    open_items: Distinct[EventRef]
    unsigned: Distinct[EventRef]

    def describe(self) -> str:
        items = f"{len(self.open_items)} open items and {len(self.unsigned)} unsigned records"
        return f"{self.site} was handed over to {self.person} from {self.from_} with {items}."


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


@action("delegation.reaffirmed", effect=Effect.GATE, streams="site", roles=_INVESTIGATOR, voidable=False)
class DelegationReaffirmed(Action):
    """The investigator who took over stands by an earlier delegation (catalogue B; ICH E6(R3) 2.3)."""

    delegation: EventRef

    def describe(self) -> str:
        return "A delegation was reaffirmed."


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


@action(
    "site.suspended",
    effect=Effect.GATE,
    streams="site",
    roles=_SPONSOR | allow(("investigator",), "approval"),
    voidable=False,
)
class SiteSuspended(Action):
    """No gate at the site until it is activated again; follow-up goes on (catalogue B)."""

    from_: DayOrTime
    code: Code

    def describe(self) -> str:
        return f"The site was suspended from {self.from_}: {self.code}."


@action("site.closed", effect=Effect.GATE, streams="site", roles=_SPONSOR, voidable=False)
class SiteClosed(Action):
    """The site is over: the investigator has a copy of their own, envelopes and drug are reconciled (B)."""

    from_: DayOrTime
    checklist: SomeDistinct[Code]

    def describe(self) -> str:
        return f"The site was closed from {self.from_}."


def _check_ends(begins: str, ends: str | None) -> None:
    """Require an end whose text is not before the beginning's, as far as both are written."""
    if ends is not None and ends[: len("YYYY-MM-DD")] < begins[: len("YYYY-MM-DD")]:
        raise mismatch("a date that is not before `from`", "/to")
