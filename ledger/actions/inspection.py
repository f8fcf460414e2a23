"""Inspections: the stream `study` (catalogue A; 21 CFR 312.58, 312.68; ICH E6(R3) 3.15.1).

An inspector reads what an inspection opens, at the checkpoint that it freezes, and records nothing clinical.
The inspectors are people with accounts, so that what each of them opened is attested.
"""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import (
    Bytes32,
    EventRef,
    FreeText,
    Label,
    Name,
    PersonId,
    Positive,
    Sealed,
    SiteOrAll,
    SomeDistinct,
    check_sites,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow


@action(
    "inspection.opened",
    effect=Effect.GATE,
    streams="study",
    # An inspector may come to a site unannounced: its investigator opens to them without the sponsor.
    roles=allow(("sponsor_administrator", "investigator"), "approval"),
    voidable=False,
)
class InspectionOpened(Action):
    """An authority reads: who comes, what they see, blinded or not, at which checkpoint (catalogue A)."""

    authority: Name
    blinded: bool
    inspection: Label
    inspectors: SomeDistinct[PersonId]
    root: Bytes32
    sites: SomeDistinct[SiteOrAll]
    size: Positive

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        where = "the study" if self.sites == ("*",) else ", ".join(self.sites)
        return f"Inspection {self.inspection} of {where} by {self.authority} was opened at size {self.size}."


@action(
    "inspection.closed",
    effect=Effect.FACT,
    streams="study",
    roles=allow(("sponsor_administrator", "investigator"), "responsibility"),
    voidable=False,
)
class InspectionClosed(Fact):
    """The end of an inspection and the reference of what was found (catalogue A)."""

    statement: EventRef
    reference: Name | None = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return "An inspection was closed."
