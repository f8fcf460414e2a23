"""The study, its protocol, consent forms and enrolment: the stream `study` (catalogue B)."""

from __future__ import annotations

from ledger.actions.fields import (
    Attachment,
    Date,
    Language,
    Name,
    Positive,
    SiteOrAll,
    SomeDistinct,
    check_sites,
)
from ledger.actions.registry import Action, Effect, action, allow
from ledger.actions.shapes import mismatch
from ledger.lines import counted
from ledger.roles import ADMINISTRATORS

# The sponsor approves what its study is made of; the page gives these types no signer.
_SPONSOR = allow(("sponsor_administrator",), "approval")


@action(
    "study.registered",
    effect=Effect.GATE,
    streams="study",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class StudyRegistered(Action):
    """The study as a public registry names it; first after genesis (catalogue B)."""

    registry_id: Name
    title: Name
    phase: Name
    sponsor: Name
    planned_enrolment: Positive

    def describe(self) -> str:
        planned = counted(self.planned_enrolment, "participant", "participants")
        return f"The study {self.registry_id} was registered, {planned} planned."


@action("protocol.approved", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class ProtocolApproved(Action):
    """A protocol version with its study definition as an attachment (catalogue B)."""

    version: Name
    definition: Attachment
    irb_reference: Name
    reconsent: bool

    def describe(self) -> str:
        needed = "needed" if self.reconsent else "not needed"
        return f"Protocol version {self.version} was approved; re-consent is {needed}."


@action("consent_form.approved", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class ConsentFormApproved(Action):
    """A consent form's version and language, where and when it may be used (21 CFR 50.27; catalogue B)."""

    version: Name
    language: Language
    from_: Date
    document: Attachment
    sites: SomeDistinct[SiteOrAll]
    to: Date | None = None

    def check_form(self) -> None:
        check_sites(self.sites)
        if self.to is not None and self.to < self.from_:
            raise mismatch("a date that is not before `from`", "/to")

    def describe(self) -> str:
        return f"Consent form version {self.version} ({self.language}) was approved from {self.from_}."


@action("consent_form.retired", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class ConsentFormRetired(Action):
    """A consent form is not used after a day any more, at any site (catalogue B)."""

    version: Name
    language: Language
    to: Date

    def describe(self) -> str:
        return f"Consent form version {self.version} ({self.language}) was retired after {self.to}."


@action("enrolment.opened", effect=Effect.GATE, streams="study", roles=_SPONSOR, voidable=False)
class EnrolmentOpened(Action):
    """Enrolment is open at these sites, up to a cap of randomized participants (catalogue B, D)."""

    cap: Positive
    sites: SomeDistinct[SiteOrAll]

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        where = "every site" if self.sites == ("*",) else ", ".join(self.sites)
        return f"Enrolment was opened at {where}, up to {counted(self.cap, 'participant', 'participants')}."
