"""Refusals and exports: the streams `access/YYYY-MM` (catalogue A)."""

from __future__ import annotations

from typing import Literal

from ledger.actions.fields import Code, Hash, Label, PersonId, Positive, Role, RuleCode, TypeName
from ledger.actions.registry import Action, Effect, action, allow
from ledger.actions.shapes import mismatch

_SERVICE = allow(("service",), "attestation")


@action(
    "command.refused", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class CommandRefused(Action):
    """A gate that was refused: its type, the rule, who, and an HMAC of what was sent (catalogue A, R6)."""

    payload_hmac: Hash
    rule: RuleCode
    type: TypeName
    who: PersonId

    def describe(self) -> str:
        return f"{self.type} by {self.who} was refused: {self.rule}."


@action(
    "export.generated", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class ExportGenerated(Action):
    """A bundle that left: scope, role, tree size, hash of its manifest, purpose (catalogue A; EMA 6.2.1)."""

    manifest_sha256: Hash
    kind: Literal["study", "site", "participant"]
    role: Role
    size: Positive
    purpose: Code
    id: Label | None = None
    requested_by: PersonId | None = None

    def check_form(self) -> None:
        if (self.id is None) != (self.kind == "study"):
            raise mismatch("an id for a site or participant and none for the study", "/id")

    def describe(self) -> str:
        scope = "the study" if self.id is None else f"{self.kind} {self.id}"
        return f"An export of {scope} for the role {self.role} was generated at size {self.size}."
