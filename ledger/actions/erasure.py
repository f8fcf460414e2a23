"""Erasure of personal data: the stream `study` (catalogue A; record-format.md §7, §11)."""

from __future__ import annotations

from typing import Annotated

from ledger.actions.fields import Digest, EventRef, Items, Name
from ledger.actions.registry import Action, Effect, action, allow
from ledger.actions.shapes import mismatch

Digests = Annotated[tuple[Digest, ...], Items(1, 256, unique=True)]


@action(
    "erasure.approved",
    effect=Effect.GATE,
    streams="study",
    # Two approvals by different people, one not of the sponsor (catalogue A).
    roles=allow(("investigator", "sponsor_administrator", "ethics_committee"), "approval"),
    voidable=False,
)
class ErasureApproved(Action):
    """One of the two approvals: which digests of which statement, on what legal basis (catalogue A)."""

    digests: Digests
    legal_basis: Name
    statement: EventRef

    def describe(self) -> str:
        return f"The erasure of sealed values was approved ({len(self.digests)})."


@action(
    "personal_data.erased",
    effect=Effect.GATE,
    streams="study",
    roles=allow(("service",), "attestation"),
    voidable=False,
)
class PersonalDataErased(Action):
    """What was destroyed, on whose approvals; the statement's bytes never are (record-format.md §7)."""

    approvals: tuple[EventRef, EventRef]
    digests: Digests
    statement: EventRef

    def check_form(self) -> None:
        if self.approvals[0] == self.approvals[1]:
            raise mismatch("two approvals", "/approvals")

    def describe(self) -> str:
        return f"Sealed values were erased ({len(self.digests)})."
