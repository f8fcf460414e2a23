"""Who learned an arm, and how: `safety`; what people believe: `participant/<id>` (catalogue D).

Nothing in here tells an arm: `unblinding.performed` names the allocation that was opened, and whoever may see
`treatment` reads it there. The stream is restricted, so that who is blinded does not learn who was unblinded.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from ledger.actions.fields import (
    Between,
    Clinical,
    Code,
    Count,
    Distinct,
    EventRef,
    FreeText,
    Label,
    ListName,
    Name,
    ParticipantId,
    PersonId,
    Sealed,
    SiteId,
    SomeDistinct,
    VisitId,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF, PHYSICIANS, SITE_STAFF

NOT_KNOWN: Final = "not_known"
"""The guess of who does not guess an arm (Bang's index counts it apart)."""

KEEPERS: Final = ("unblinded_pharmacist", "unblinded_statistician")
"""Who issues envelopes."""
_UNBLINDED_SAFETY: Final = ("unblinded_safety_physician", "safety_committee")
_MONITORS: Final = ("blinded_monitor", "unblinded_monitor")
_OFFICE: Final = ("sponsor_administrator", "data_manager", "medical_monitor")


@action(
    "allocation.disclosed",
    effect=Effect.FACT,
    streams="safety",
    # Only who knows an allocation can disclose it.
    roles=allow((*KEEPERS, "unblinded_monitor", "list_holder", *_UNBLINDED_SAFETY), "authorship"),
    voidable=False,
    # Analysis begins when everything is locked.
    always_open=True,
)
class AllocationDisclosed(Fact):
    """Allocations were made known to somebody who may know them: an unblinded role (catalogue D).

    Those of `participants`, or where none is named the whole list.
    """

    to: PersonId
    list: ListName
    participants: Distinct[ParticipantId]
    purpose: Code

    def describe(self) -> str:
        of = ", ".join(self.participants) or "everybody"
        return (
            f"The allocation of {of} from the list {self.list} was disclosed to {self.to} ({self.purpose})."
        )


@action(
    "unblinding.performed",
    effect=Effect.FACT,
    streams="safety",
    # Any investigator or on-call service of any site; nobody else has to be reached first.
    roles=allow((*PHYSICIANS, "on_call_unblinding"), "authorship", "responsibility"),
    voidable=False,
    always_open=True,
    reason_required=True,
)
class UnblindingPerformed(Fact):
    """One participant's current regimen was shown to who asked; all others stay blind (catalogue D).

    `statement` is the allocation that was opened. `disclosed_to` are people of the study, the signer not
    repeated; whoever else asked (a physician elsewhere) is told in `asked_by`.
    """

    participant: ParticipantId
    statement: EventRef
    means: Literal["ledger", "envelope"]
    disclosed_to: Distinct[PersonId]
    envelope: Label | None = None
    asked_by: Annotated[Name | None, Sealed("identity")] = None

    def check_form(self) -> None:
        if (self.means == "envelope") != (self.envelope is not None):
            raise mismatch("the envelope that was opened, where one was", "/envelope")

    def describe(self) -> str:
        by = "by the ledger" if self.envelope is None else f"by the envelope {self.envelope}"
        return f"Participant {self.participant} was unblinded in an emergency {by}."


@action(
    "unblinding.envelope_issued",
    effect=Effect.FACT,
    streams="safety",
    roles=allow(KEEPERS, "authorship", "responsibility"),
    voidable=False,
    always_open=True,
)
class EnvelopeIssued(Fact):
    """A sealed envelope with one participant's regimen went to its place (catalogue D).

    `seal` is the number on the envelope's seal; a later regimen takes a new envelope, which `replaces` names.
    """

    envelope: Label
    participant: ParticipantId
    statement: EventRef
    site: SiteId
    custodian: PersonId
    seal: Name
    replaces: Label | None = None

    def describe(self) -> str:
        return (
            f"The envelope {self.envelope} of participant {self.participant} was issued to"
            f" {self.custodian} at {self.site}."
        )


@action(
    "unblinding.envelope_checked",
    effect=Effect.FACT,
    streams="safety",
    roles=allow((*PHYSICIANS, "coordinator", "unblinded_pharmacist", *_MONITORS), "authorship"),
    voidable=False,
    always_open=True,
)
class EnvelopeChecked(Fact):
    """An envelope was looked at: intact, opened or missing (catalogue D)."""

    envelope: Label
    found: Literal["intact", "opened", "missing"]
    purpose: Code
    seal: Name | None = None

    def describe(self) -> str:
        return f"The envelope {self.envelope} was found {self.found} ({self.purpose})."


@action(
    "unblinding.planned",
    effect=Effect.FACT,
    streams="safety",
    roles=allow(
        ("sponsor_administrator", "unblinded_statistician", *_UNBLINDED_SAFETY), "authorship", "approval"
    ),
    voidable=False,
    always_open=True,
)
class UnblindingPlanned(Fact):
    """People are unblinded as the protocol or an analysis plan foresees it (catalogue D)."""

    purpose: Code
    authority: Name
    participants: Distinct[ParticipantId]
    disclosed_to: SomeDistinct[PersonId]
    date: Clinical

    def describe(self) -> str:
        whom = ", ".join(self.participants) or "all participants"
        to = ", ".join(self.disclosed_to)
        return f"Unblinding of {whom} to {to} was planned for {self.date} ({self.purpose})."


@action(
    "unblinding.inadvertent",
    effect=Effect.FACT,
    streams="safety",
    # Whoever notices it says so.
    roles=allow((*SITE_STAFF, *_OFFICE, *_MONITORS, *KEEPERS, *_UNBLINDED_SAFETY), "authorship"),
    voidable=False,
    always_open=True,
)
class UnblindingInadvertent(Fact):
    """Somebody who should be blind learned of an arm without an unblinding (catalogue D)."""

    participants: SomeDistinct[ParticipantId]
    learned: SomeDistinct[PersonId]
    how: Code
    noticed: Clinical
    account: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        who, of = ", ".join(self.learned), ", ".join(self.participants)
        return f"The regimen of {of} became known to {who} inadvertently ({self.how})."


@action(
    "unblinding.drill_done",
    effect=Effect.FACT,
    streams="safety",
    roles=allow((*PHYSICIANS, "on_call_unblinding", "sponsor_administrator", *_MONITORS), "authorship"),
    voidable=False,
    always_open=True,
)
class UnblindingDrillDone(Fact):
    """Emergency unblinding was tried out without opening an arm: asked how, answered when (catalogue D)."""

    site: SiteId
    channel: Code
    answered: bool
    log_frozen: bool
    took_s: Count | None = None

    def check_form(self) -> None:
        if self.answered != (self.took_s is not None):
            raise mismatch("seconds where there was an answer", "/took_s")

    def describe(self) -> str:
        how = f"answered after {self.took_s} s" if self.answered else "not answered"
        state = ", with the log frozen" if self.log_frozen else ""
        return f"Emergency unblinding was tried at {self.site} by {self.channel}: {how}{state}."


@action(
    "blind_guess.recorded",
    effect=Effect.FACT,
    streams="participant",
    roles=allow((*BEDSIDE_STAFF, "blinded_rater", "participant"), "authorship"),
)
class BlindGuessRecorded(Fact):
    """Which arm somebody believes in, and how surely, at the visits where the protocol asks it (catalogue D).

    A guess spreads beliefs, and certainty can follow from what an arm does; so nobody who is blinded reads
    either.
    """

    who: Literal["participant", "rater", "investigator", "infusion_staff", "coordinator"]
    visit: VisitId
    guess: Annotated[Name | None, Sealed("treatment", required=True)] = None
    certainty: Annotated[Annotated[int, Between(1, 5)] | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        who = self.who.replace("_", " ")
        return f"The guess of the {who} about the regimen was recorded at visit {self.visit}."
