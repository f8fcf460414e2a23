"""Transfer to another site, and one person under two ids: `participant/<id>` (catalogue C).

A transfer stands under the site that the participant leaves; every later statement of the stream stands under
the site that takes over. Id, stream, stratum and allocation never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Clinical,
    Code,
    FreeText,
    Hash,
    Language,
    Name,
    ParticipantId,
    PersonId,
    Sealed,
    SiteId,
)
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import PHYSICIANS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentThere:
    """The consent at the site that takes over, on its own form, taken by its own staff."""

    form_version: Name
    language: Language
    form_sha256: Hash
    mode: Literal["paper_in_person", "paper_post", "electronic_on_site", "electronic_remote"]
    participant_time: Clinical
    consenter: PersonId
    consenter_time: Clinical
    authorization: bool
    copy_given: bool


@action(
    "participant.transferred",
    effect=Effect.GATE,
    streams="participant",
    # Signed by the investigator whom the participant leaves, `with` the key of the one who takes over.
    roles=allow(("investigator",), "approval", "responsibility"),
    voidable=False,  # the labels of later statements rest on it: a way back is another transfer
)
class ParticipantTransferred(ParticipantGate):
    """The participant goes to another site, whose consent is here; both investigators sign (catalogue C)."""

    from_: SiteId
    to: SiteId
    code: Code
    consent: ConsentThere

    def check_form(self) -> None:
        if self.to == self.from_:
            raise mismatch("another site than `from`", "/to")

    def describe(self) -> str:
        return (
            f"The participant was transferred from {self.from_} to {self.to} ({self.code}), "
            f"with consent there on form version {self.consent.form_version}."
        )


@action(
    "participant.linked",
    effect=Effect.FACT,
    streams="participant",
    roles=allow(PHYSICIANS, "authorship", "responsibility"),
    seconds="approver",
)
class ParticipantLinked(Fact):
    """The same human has another id; which one is sealed. Another investigator signs too (catalogue C)."""

    code: Code
    other: Annotated[ParticipantId | None, Sealed("identity", required=True)] = None
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"The participant was found to have another id ({self.code})."
