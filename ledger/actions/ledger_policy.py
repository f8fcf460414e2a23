"""The opening of a ledger and changes of its policy: the stream `study` (record-format.md §6, §11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.accounts import Key
from ledger.actions.fields import (
    Bytes32,
    Hash,
    Items,
    Length,
    Name,
    Origin,
    Positive,
    TypeName,
    VerifierKeyLine,
)
from ledger.actions.registry import Action, Effect, action, allow
from ledger.actions.shapes import mismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """A root key with its holder, who has no account (record-format.md §6)."""

    key: Key
    name: Name
    organisation: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Continues:
    """The old epoch that a ledger continues (record-format.md §6, Epochs)."""

    ledger_id: Hash
    origin: Origin
    root: Bytes32
    size: Positive
    why: Name


RootKeys = Annotated[tuple[RootKey, ...], Items(1, 16)]
Grades = Annotated[
    tuple[Literal["passkey", "client", "custodial", "service", "device"], ...], Items(1, 5, unique=True)
]


@action(
    "ledger.opened", effect=Effect.GATE, streams="study", roles=allow(("root",), "approval"), voidable=False
)
class LedgerOpened(Action):
    """Index 0, once: origin, log keys and root keys, signed by `threshold` of these (record-format.md §6)."""

    format: Literal[1]
    log_keys: Annotated[tuple[VerifierKeyLine, ...], Items(1, 16, unique=True)]
    origin: Origin
    root_keys: RootKeys
    study: Name
    threshold: Positive
    continues: Continues | None = None

    def describe(self) -> str:
        return f"The ledger {self.origin} was opened for the study {self.study}."


@action(
    "policy.changed", effect=Effect.GATE, streams="study", roles=allow(("root",), "approval"), voidable=False
)
class PolicyChanged(Action):
    """A given member replaces the whole of it; root m-of-n sign (catalogue A; record-format.md §11)."""

    grades: Annotated[tuple[tuple[TypeName, Grades], ...], Items(0, 256)] | None = None
    late_entry_hours: Positive | None = None
    root_keys: RootKeys | None = None
    threshold: Positive | None = None
    witness_policy: Annotated[str, Length(20_000, lines=True)] | None = None

    def check_form(self) -> None:
        if not self.changed():
            raise mismatch("one change at least")
        if self.grades is not None and len({type_ for type_, _ in self.grades}) != len(self.grades):
            raise mismatch("each type once", "/grades")

    def changed(self) -> tuple[str, ...]:
        """Return the names of the members that this changes."""
        names = ("grades", "late_entry_hours", "root_keys", "threshold", "witness_policy")
        return tuple(name for name in names if getattr(self, name) is not None)

    def describe(self) -> str:
        return f"The policy was changed: {', '.join(self.changed())}."
