"""Registration, demographics and consent: `participant/<id>` (catalogue C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Between,
    Clinical,
    Code,
    Hash,
    Items,
    Language,
    Length,
    Name,
    ParticipantId,
    PersonId,
    Sealed,
    SomeDistinct,
)
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import BEDSIDE_STAFF, SITE_STAFF, STUDY_STAFF

# The page names no signer: those who screen and consent sign.
_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")

TimeSource = Literal["form", "system", "recollection"]
WithdrawalScope = Literal[
    "study_treatment",
    "visits_and_procedures",
    "contact",
    "record_access",
    "future_samples",
    "future_data",
    "extension",
]
MODES = {
    "paper_in_person": "on paper, in person",
    "paper_post": "on paper, by post",
    "electronic_on_site": "electronically, on site",
    "electronic_remote": "electronically, remotely",
}


@action("participant.registered", effect=Effect.GATE, streams="participant", roles=_STAFF)
class ParticipantRegistered(ParticipantGate):
    """A coded id, never used again; who it is stays sealed, and is written after consent (catalogue C)."""

    participant: ParticipantId
    identity: Annotated[Annotated[str, Length(2000, lines=True)] | None, Sealed("identity")] = None

    def describe(self) -> str:
        return f"Participant {self.participant} was registered."


@action("demographics.recorded", effect=Effect.FACT, delegated=True, streams="participant", roles=_STAFF)
class DemographicsRecorded(Fact):
    """Age at consent, sex and service status, sealed as the protocol allows (catalogue C)."""

    age_years: Annotated[Annotated[int, Between(0, 130)] | None, Sealed("identity")] = None
    sex: Annotated[Literal["female", "male", "undifferentiated", "unknown"] | None, Sealed("identity")] = None
    service_status: Annotated[Code | None, Sealed("identity")] = None

    def describe(self) -> str:
        return "Demographics were recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """An impartial witness or interpreter, and why (21 CFR 50.27(b))."""

    kind: Literal["impartial_witness", "interpreter"]
    why: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An optional part of the consent, agreed to or not."""

    option: Code
    agreed: bool


@action(
    "consent.obtained",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ConsentObtained(Fact):
    """Informed consent: form, both times with origin, options, what was given (catalogue C; 21 CFR 50)."""

    form_version: Name
    language: Language
    form_sha256: Hash
    mode: Literal["paper_in_person", "paper_post", "electronic_on_site", "electronic_remote"]
    identity_check: Code
    participant_time: Clinical
    participant_time_from: TimeSource
    consenter: PersonId
    consenter_time: Clinical
    consenter_time_from: TimeSource
    options: Annotated[tuple[Option, ...], Items(0, 64)]
    authorization: bool
    duty_disclosure: bool
    copy_given: bool
    witness: Witness | None = None
    scan_sha256: Hash | None = None

    def check_form(self) -> None:
        if len({each.option for each in self.options}) != len(self.options):
            raise mismatch("each option once", "/options")

    def describe(self) -> str:
        return (
            f"Consent on form version {self.form_version} ({self.language}) was obtained {MODES[self.mode]}: "
            f"signed by the participant {self.participant_time}, by {self.consenter} {self.consenter_time}."
        )


@action(
    "consent.withdrawn",
    effect=Effect.FACT,
    streams="participant",
    # Never refused (R7), so whoever at the site hears it writes it down.
    roles=allow(BEDSIDE_STAFF, "authorship", "responsibility")
    | allow(frozenset(SITE_STAFF) - frozenset(BEDSIDE_STAFF) - {"unblinded_pharmacist"}, "authorship"),
    voiding_cosigned=True,
    always_open=True,
)
class ConsentWithdrawn(Fact):
    """What was withdrawn, effective when it was said; never refused (catalogue C)."""

    scopes: SomeDistinct[WithdrawalScope]
    effective: Clinical

    def describe(self) -> str:
        what = ", ".join(scope.replace("_", " ") for scope in self.scopes)
        return f"Consent was withdrawn for {what}, effective {self.effective}."
