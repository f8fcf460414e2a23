"""What an action is: the base classes of the vocabulary, and all that is fixed for one type and schema.

A module of an area declares its classes on these with `registry.action`, which makes their `ActionSpec`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from typing import ClassVar, Final, TypeAlias

from ledger.actions.fields import PerformedOutside, PersonId, Source
from ledger.actions.shapes import Kind, hints_of
from ledger.roles import sees_stream
from ledger.statement import class_of

REASON_TEXT: Final = "/reason/text"


class Effect(StrEnum):
    """Whether an action permits something still to come, or tells what was seen or done (catalogue R6)."""

    GATE = "gate"
    FACT = "fact"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedField:
    """One sealed member: its scope (`target`: that of the corrected value), attribute and kind."""

    scope: str
    attribute: str
    kind: Kind
    required: bool


ActionClass: TypeAlias = "type[Action]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """All that the vocabulary fixes for one type and schema.

    Attributes:
        streams: kinds of stream it may stand in: the part of the stream id before `/`.
        roles: role -> meanings that it may sign this with (authority table, record-format.md §6).
        sealed: path -> scope, a constant set; `/reason/text` (freetext) comes on top where a reason is.
        voidable: whether `record.voided` may name it (catalogue H); not for what the fold of authority rests
            on and gates of the sponsor, which end by an action of their own.
        voiding_cosigned: voiding it needs the investigator's co-signature (catalogue H).
        always_open: recorded in any study, site or lock state (R7).
        reason_required: `reason` is mandatory.
        delegated: a task that is delegated: who performs it needs the delegation and the training (R2b).
        procedure: it is done to a participant or collected of one, and so depends on consent (catalogue C).
        seconds: the second persons that it waits for, as `record.cosigned` names them (R9).
        references: attributes of `data` that name earlier statements by their event hash.
        action: the class.
    """

    type: str
    schema: int
    effect: Effect
    streams: tuple[str, ...]
    roles: Mapping[str, frozenset[str]]
    sealed: Mapping[str, str]
    voidable: bool
    voiding_cosigned: bool
    always_open: bool
    reason_required: bool
    delegated: bool
    procedure: bool
    seconds: tuple[str, ...]
    references: tuple[str, ...]
    action: ActionClass
    data: Kind
    sealed_fields: Mapping[str, SealedField]

    @property
    def cls(self) -> str:
        """The class of its statements (record-format.md §2): of every one, or each that streams give."""
        names = (kind if kind in ("study", "safety") else f"{kind}/x" for kind in self.streams)
        classes = {class_of(self.type, name) for name in names}
        return " ".join(sorted(classes))

    def stands_in(self, stream: str) -> bool:
        """Tell whether a stream is of a kind that this action may stand in."""
        return stream.partition("/")[0] in self.streams

    def roles_in(self, stream: str) -> Mapping[str, frozenset[str]]:
        """Return the roles that sign it in a stream, or kind of stream, with their meanings.

        What stands in other kinds of stream too is signed in a pharmacy's by roles that see it, and by the
        service: no other writes there (R8).
        """
        if stream.partition("/")[0] != "pharmacy" or len(self.streams) == 1:
            return self.roles
        return {
            role: has for role, has in self.roles.items() if role == "service" or sees_stream(role, stream)
        }

    def allows(self, role: str, meaning: str) -> bool:
        """Tell whether the authority table lets a role sign this with a meaning."""
        return meaning in self.roles.get(role, ())

    def scope_at(self, path: str) -> str | None:
        """Return the scope of the sealed member that a path names or lies in; None where it is plain."""
        if path == REASON_TEXT:
            return "freetext"
        for sealed, scope in self.sealed.items():
            if path == sealed or path.startswith(f"{sealed}/"):
                return scope
        return None


class Action(ABC):
    """A typed action: the `data` of one statement. Sealed fields are None unless they were opened."""

    __slots__ = ()
    spec: ClassVar[ActionSpec]

    @abstractmethod
    def describe(self) -> str:
        """Say it in one plain sentence for the audit trail, without sealed values."""

    # Written once here: to generate these three for each of some two hundred classes takes a tenth of a
    # second at every start.
    def __repr__(self) -> str:
        """Show every member but the sealed ones."""
        shown = (field.name for field in dataclass_fields(self) if field.repr)  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __eq__(self, other: object) -> bool:
        """Compare member by member."""
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in hints_of(type(self)))

    def __hash__(self) -> int:
        """Hash all members."""
        return hash(tuple(getattr(self, name) for name in hints_of(type(self))))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Fact(Action):
    """What every fact outside record-format.md §11 carries: its source, and who did it if not the signer."""

    source: Source
    performer: PersonId | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class ParticipantGate(Action):
    """A gate in a participant's stream: it may have been passed outside the system (R6)."""

    performed_outside: PerformedOutside | None = None
