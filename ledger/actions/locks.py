"""Locks: forms and participants in `participant/<id>`, the database in `study` (catalogue H; R4).

A lock is of the ledger alone, so none of these gates was ever passed outside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ledger.actions.fields import EventRef, Hash, Name, ParticipantId, PersonId, Sealed, SomeDistinct
from ledger.actions.registry import Action, Effect, action, allow
from ledger.lines import counted

_LOCKING = allow(("data_manager", "sponsor_administrator"), "approval", "responsibility")


@action(
    "form.frozen",
    effect=Effect.GATE,
    streams="participant",
    roles=allow(("data_manager",), "approval"),
    voidable=False,
    reason_required=True,
)
class FormFrozen(Action):
    """Statements that are corrected no more until they are unfrozen (catalogue H; R4)."""

    statements: SomeDistinct[EventRef]
    authority: Name

    def describe(self) -> str:
        return f"{counted(len(self.statements), 'record was', 'records were')} frozen."


@action(
    "form.unfrozen",
    effect=Effect.GATE,
    streams="participant",
    roles=allow(("data_manager",), "approval"),
    voidable=False,
    reason_required=True,
)
class FormUnfrozen(Action):
    """Frozen statements that can be corrected again (catalogue H; R4)."""

    statements: SomeDistinct[EventRef]
    authority: Name

    def describe(self) -> str:
        return f"{counted(len(self.statements), 'record was', 'records were')} unfrozen."


@action(
    "participant.locked",
    effect=Effect.GATE,
    streams="participant",
    roles=_LOCKING,
    voidable=False,
    reason_required=True,
)
class ParticipantLocked(Action):
    """A participant's records are complete: endorsed, without open query, safety and pharmacy reconciled."""

    endorsement: EventRef
    authority: Name

    def describe(self) -> str:
        return "The participant was locked."


@action(
    "participant.unlocked",
    effect=Effect.GATE,
    streams="participant",
    roles=_LOCKING,
    voidable=False,
    reason_required=True,
)
class ParticipantUnlocked(Action):
    """A locked participant's records are open again (catalogue H; R4)."""

    authority: Name

    def describe(self) -> str:
        return "The participant was unlocked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblinded:
    """Who knew the treatment of whom by then."""

    participant: ParticipantId
    person: PersonId


@action(
    "database.locked",
    effect=Effect.GATE,
    streams="study",
    roles=_LOCKING,
    voidable=False,
    reason_required=True,
)
class DatabaseLocked(Action):
    """Every participant is locked and the trail is reviewed up to there (catalogue H).

    `unblinded_sha256` is the digest of the canonical list of the event hashes of the unblindings until then,
    by index; who they are is sealed.
    """

    authority: Name
    review: EventRef
    unblinded_sha256: Hash
    unblinded: Annotated[tuple[Unblinded, ...] | None, Sealed("safety", required=True)] = None

    def describe(self) -> str:
        return "The database was locked."


@action(
    "database.unlocked",
    effect=Effect.GATE,
    streams="study",
    roles=_LOCKING,
    voidable=False,
    reason_required=True,
)
class DatabaseUnlocked(Action):
    """The locked database is open again (catalogue H; R4)."""

    authority: Name

    def describe(self) -> str:
        return "The database was unlocked."
