"""The extension after the core study, with a consent of its own: `participant/<id>` (catalogue I).

No member names an arm or a dose, and each of the three stands the same for every arm (R8).
"""

from __future__ import annotations

from ledger.actions.consent import ConsentSigned
from ledger.actions.fields import Clinical, Code, EventRef
from ledger.actions.registry import Effect, Fact, ParticipantGate, action, allow
from ledger.roles import PHYSICIANS, STUDY_STAFF

_STAFF = allow(STUDY_STAFF, "authorship", "responsibility")


@action(
    "extension.consented",
    effect=Effect.FACT,
    delegated=True,
    streams="participant",
    roles=_STAFF,
    voiding_cosigned=True,
)
class ExtensionConsented(ConsentSigned):
    """Consent to the extension, with all that a first consent holds (catalogue I; 21 CFR 50)."""

    def describe(self) -> str:
        return f"Consent to the extension {self.signed_by()}"


@action(
    "extension.entered",
    effect=Effect.GATE,
    streams="participant",
    roles=allow(PHYSICIANS, "approval", "responsibility"),
    voiding_cosigned=True,
)
class ExtensionEntered(ParticipantGate):
    """The extension begins, after the core study is completed, on the consent that it names (catalogue I)."""

    consent: EventRef

    def describe(self) -> str:
        return "The participant entered the extension."


@action("extension.exited", effect=Effect.FACT, streams="participant", roles=_STAFF, voiding_cosigned=True)
class ExtensionExited(Fact):
    """The extension ended, and why (catalogue I)."""

    date: Clinical
    code: Code

    def describe(self) -> str:
        return f"The participant left the extension on {self.date} ({self.code})."
