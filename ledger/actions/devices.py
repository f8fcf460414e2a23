"""Devices, source systems and participants' own access (catalogue A; 21 CFR 11.10(h)).

A device or system is registered in `study`, or in the stream of the site where it stands; from then on a
statement may name it as originator or source. A participant's access to the diary stands in that
participant's stream; which person id signs there is sealed `identity` (record-format.md §4).
"""

from __future__ import annotations

from typing import Annotated, Literal

from ledger.actions.fields import (
    MAX_INTEGER,
    Between,
    Code,
    EventRef,
    Label,
    Name,
    PersonId,
    Sealed,
)
from ledger.actions.registry import Action, Effect, ParticipantGate, action, allow
from ledger.roles import STUDY_STAFF

OffsetMs = Annotated[int, Between(-MAX_INTEGER)]

_KEEPERS = allow(("sponsor_administrator", "investigator", "coordinator"), "authorship", "approval")


@action("device.registered", effect=Effect.GATE, streams="study site", roles=_KEEPERS, voidable=False)
class DeviceRegistered(Action):
    """A device or system whose data are taken in, with the offset of its clock (catalogue A)."""

    clock_offset_ms: OffsetMs
    device: Label
    kind: Literal["device", "system"]
    model: Name
    use: Code
    version: Name
    serial: Name | None = None

    def describe(self) -> str:
        return f"The {self.kind} {self.device} was registered for {self.use}."


@action("device.retired", effect=Effect.GATE, streams="study site", roles=_KEEPERS, voidable=False)
class DeviceRetired(Action):
    """A device or system whose later data are not taken in any more (catalogue A)."""

    code: Literal["end_of_use", "fault", "lost", "replaced", "expired"]
    device: Label

    def describe(self) -> str:
        return f"The device {self.device} was retired ({self.code})."


@action(
    "participant_access.issued",
    effect=Effect.GATE,
    streams="participant",
    roles=allow(STUDY_STAFF, "authorship"),
    delegated=True,
    voidable=False,
)
class ParticipantAccessIssued(ParticipantGate):
    """A participant's own access to the diary, and on which device (catalogue A)."""

    access: Label
    use: Literal["own_device", "provisioned_device", "web"]
    device: Label | None = None
    person: Annotated[PersonId | None, Sealed("identity", required=True)] = None

    def describe(self) -> str:
        return f"The participant received the access {self.access}."


@action(
    "participant_access.revoked",
    effect=Effect.GATE,
    streams="participant",
    roles=allow((*STUDY_STAFF, "sponsor_administrator"), "authorship", "responsibility"),
    # Like the revocation of a key: never kept from anyone by the state of the site or the participant (R7).
    always_open=True,
    voidable=False,
)
class ParticipantAccessRevoked(ParticipantGate):
    """The end of a participant's own access (catalogue A)."""

    code: Literal["returned", "lost", "compromised", "withdrawn", "completed", "replaced"]
    statement: EventRef

    def describe(self) -> str:
        return f"An access of the participant was revoked ({self.code})."
