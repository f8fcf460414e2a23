"""State: how treatment ended, contact, and the extension."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ledger.envelope import EventHash
from ledger.times import Interval


class ExtensionStatus(StrEnum):
    """Where a participant is in the extension, beside the status in the core study (catalogue I)."""

    CONSENTED = "consented"
    ENTERED = "entered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentEnd:
    """The end of treatment as the site recorded it."""

    index: int
    event: EventHash
    kind: Literal["completed", "discontinued"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAttempt:
    """One attempt to reach the participant, recorded when it was made."""

    index: int
    time: Interval
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionConsent:
    """A consent to the extension, at the participant's own time."""

    index: int
    event: EventHash
    time: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """The steps of the extension, each by the index that took it."""

    consents: tuple[ExtensionConsent, ...] = ()
    entered: int | None = None
    ended: int | None = None

    @property
    def status(self) -> ExtensionStatus | None:
        """How far it went; None before any consent to it."""
        if self.ended is not None:
            return ExtensionStatus.ENDED
        if self.entered is not None:
            return ExtensionStatus.ENTERED
        return ExtensionStatus.CONSENTED if self.consents else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """How treatment ended, contact, and the extension.

    Attributes:
        completed: when the core study was completed.
        dead: the index of the newest survival status, where it says that the participant is dead.
        attempts: attempts to reach the participant since they were last found.
    """

    treatment: TreatmentEnd | None = None
    completed: Interval | None = None
    attempts: tuple[ContactAttempt, ...] = ()
    dead: int | None = None
    extension: Extension = field(default_factory=Extension)
