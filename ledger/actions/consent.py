"""Registration, demographics and consent: `participant/<id>` (catalogue C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Between,
    Clinical,
    Code,
    Count,
    Date,
    EventRef,
    FreeText,
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
from ledger.lines import counted
from ledger.roles import BEDSIDE_STAFF, SITE_STAFF, STUDY_STAFF

# The page names no signer: those who screen and consent sign.
_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")
# A withdrawal is never refused (R7), so whoever at the site hears it writes it down.
_WHOEVER_HEARS = allow(BEDSIDE_STAFF, "authorship", "responsibility") | allow(
    frozenset(SITE_STAFF) - frozenset(BEDSIDE_STAFF) - {"unblinded_pharmacist"}, "authorship"
)

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


@action(
    "demographics.recorded",
    effect=Effect.FACT,
    procedure=True,
    delegated=True,
    streams="participant",
    roles=_STAFF,
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSigned(Fact):
    """What every informed consent holds: the first, a later one, and that to the extension (21 CFR 50)."""

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

    def signed_by(self) -> str:
        """Say on which form, how, and when both signed."""
        return (
            f"on form version {self.form_version} ({self.language}) was obtained {MODES[self.mode]}: "
            f"signed by the participant {self.participant_time}, by {self.consenter} {self.consenter_time}."
        )


@action(
    "consent.discussed",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ConsentDiscussed(Fact):
    """The conversation before a consent; a superior who was present holds what depends on consent (C).

    No officer or supervisor of a service member is present (DoDI 3216.02).
    """

    form_version: Name
    minutes: Count
    superior_present: bool
    questions: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        superior = "with a superior present" if self.superior_present else "no superior present"
        lasted = counted(self.minutes, "minute", "minutes")
        return f"Form version {self.form_version} was discussed for {lasted}, {superior}."


@action(
    "consent.obtained",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ConsentObtained(ConsentSigned):
    """Informed consent: form, both times with origin, options, what was given (catalogue C; 21 CFR 50)."""

    def describe(self) -> str:
        return f"Consent {self.signed_by()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about a defect, and where the ethics committee says so."""

    code: Code
    irb_reference: Name


@action(
    "consent.defect_found",
    effect=Effect.FACT,
    streams="participant",
    # Monitors and auditors find defects too; what follows from one is decided at the site.
    roles=_STAFF | allow(("blinded_monitor", "unblinded_monitor", "auditor"), "authorship"),
    voiding_cosigned=True,
)
class ConsentDefectFound(Fact):
    """A defect of a consent or of its discussion: gates wait for re-consent or for a decision (catalogue C).

    `statement` is the consent or the discussion. Told again of the same statement and defect, with a
    `decision` that has the ethics committee's reference, it lifts what the first one holds.
    """

    statement: EventRef
    defect: Literal[
        "wrong_version",
        "missing_page",
        "missing_date",
        "missing_signature",
        "superior_present",
        "consenter_not_delegated",
        "capacity_doubted",
        "other",
    ]
    decision: Decision | None = None
    details: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        found = f"A defect of the consent was found: {self.defect.replace('_', ' ')}"
        if self.decision is None:
            return f"{found}."
        return f"{found}; decided: {self.decision.code} ({self.decision.irb_reference})."


@action("reconsent.required", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True)
class ReconsentRequired(Fact):
    """The participant is to be asked again, and by when; past due it holds the start of infusions (C)."""

    code: Code
    due: Date
    form_version: Name | None = None

    def describe(self) -> str:
        form = "" if self.form_version is None else f" on form version {self.form_version}"
        return f"Re-consent{form} was required by {self.due} ({self.code})."


@action(
    "reconsent.obtained",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ReconsentObtained(ConsentSigned):
    """Consent again, with all that a first one holds; `statement` is what required it (21 CFR 50.25)."""

    statement: EventRef | None = None

    def describe(self) -> str:
        return f"Re-consent {self.signed_by()}"


@action("reconsent.declined", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True)
class ReconsentDeclined(Fact):
    """The participant did not consent again; infusions wait unless the ethics committee lets them go on (C).

    `irb_reference`: the committee's word that the participant may go on under the earlier consent.
    """

    statement: EventRef
    code: Code
    irb_reference: Name | None = None

    def describe(self) -> str:
        on = "" if self.irb_reference is None else f"; going on is permitted by {self.irb_reference}"
        return f"Re-consent was declined ({self.code}){on}."


@action(
    "consent.withdrawn",
    effect=Effect.FACT,
    streams="participant",
    roles=_WHOEVER_HEARS,
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


@action(
    "authorization.revoked",
    effect=Effect.FACT,
    streams="participant",
    roles=_WHOEVER_HEARS,
    voiding_cosigned=True,
    always_open=True,
)
class AuthorizationRevoked(Fact):
    """The authorization to use health information was taken back; never refused (45 CFR 164.508(b)(5); C)."""

    scopes: SomeDistinct[Literal["record_access", "future_samples", "future_data"]]
    effective: Clinical

    def describe(self) -> str:
        what = ", ".join(scope.replace("_", " ") for scope in self.scopes)
        return f"The authorization was revoked for {what}, effective {self.effective}."


@action("participant.informed", effect=Effect.FACT, streams="participant", roles=_STAFF)
class ParticipantInformed(Fact):
    """The participant was told the results, or the treatment received, and by whom (catalogue C).

    The treatment itself does not stand here: that somebody was told is the same in every arm (R8).
    """

    of: Literal["individual_results", "study_results", "treatment_received"]
    informed_by: PersonId

    def describe(self) -> str:
        return f"The participant was informed of the {self.of.replace('_', ' ')} by {self.informed_by}."
