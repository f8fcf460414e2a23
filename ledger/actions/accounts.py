"""Accounts, identities, training, roles and keys: the streams `person/<person>` (catalogue A).

The shapes are record-format.md §11. Who may sign: fixed lines of §6; where it is silent a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Base64Bytes,
    Clinical,
    EventRef,
    Hash,
    Items,
    KeyId,
    LogIndex,
    Name,
    PersonId,
    Role,
    SiteOrAll,
    SomeDistinct,
    Spki,
    check_sites,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import ADMINISTRATORS, PEOPLE

Algorithm = Literal["ed25519", "es256", "webauthn-es256", "ml-dsa-65"]
Grade = Literal["passkey", "client", "custodial", "service", "device"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key of a person (record-format.md §11, KEY). Only WebAuthn keys have origins and an rp id."""

    alg: Algorithm
    grade: Grade
    id: KeyId
    person: PersonId
    spki: Spki
    origins: Annotated[tuple[Name, ...], Items(1, 16, unique=True)] | None = None
    rp_id: Name | None = None
    attestation: Annotated[str, Base64Bytes(1, 8192)] | None = None

    def check_form(self) -> None:
        """Require origins and rp id of a WebAuthn key, and of no other."""
        web = self.alg == "webauthn-es256"
        if (self.origins is not None) != web:
            raise mismatch("origins for a webauthn-es256 key and no other", "/origins")
        if (self.rp_id is not None) != web:
            raise mismatch("an rp id for a webauthn-es256 key and no other", "/rp_id")
        if self.attestation is not None and not web:
            raise mismatch("an attestation for a webauthn-es256 key only", "/attestation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Hash of what binds key and person: a signed form that lies in the site's own file (§6)."""

    kind: Literal["signed-form", "qualified-certificate", "attestation"]
    sha256: Hash


@action(
    "account.created",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class AccountCreated(Action):
    """An account; its id is never used again (21 CFR 11.100(a); catalogue A)."""

    name: Name
    organisation: Name
    person: PersonId

    def describe(self) -> str:
        return f"Account {self.person} was created."


@action(
    "account.renamed",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class AccountRenamed(Action):
    """A new printed name or organisation from here on; earlier signatures keep theirs (catalogue A)."""

    name: Name
    organisation: Name
    person: PersonId

    def describe(self) -> str:
        return f"Account {self.person} was renamed."


@action(
    "account.disabled",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class AccountDisabled(Action):
    """The end of an account (catalogue A)."""

    person: PersonId

    def describe(self) -> str:
        return f"Account {self.person} was disabled."


@action(
    "identity.verified",
    effect=Effect.FACT,
    streams="person",
    roles=allow(ADMINISTRATORS, "verification"),
    voidable=False,
)
class IdentityVerified(Action):
    """Who checked whose identity, how, by which kind of document; no number (21 CFR 11.100(b))."""

    by: PersonId
    document: Name
    method: Name
    person: PersonId

    def check_form(self) -> None:
        # It stands in plain in every bundle, for ever: nothing that tells one document from another.
        if any(character.isdigit() for character in self.document):
            raise mismatch("a kind of document, without its number", "/document")

    def describe(self) -> str:
        return f"The identity of {self.person} was verified by {self.by}."


@action(
    "esignature_policy.acknowledged",
    effect=Effect.FACT,
    streams="person",
    # By the person in a granted role: root is exempt (§6).
    roles=allow(PEOPLE, "responsibility"),
    voidable=False,
)
class EsignaturePolicyAcknowledged(Action):
    """The person accepts that the electronic signature binds (21 CFR 11.10(j), 11.100(c); catalogue A)."""

    letter: Name
    person: PersonId
    version: Name

    def describe(self) -> str:
        return f"{self.person} acknowledged version {self.version} of the electronic signature policy."


@action(
    "training.recorded",
    effect=Effect.FACT,
    streams="person",
    # The site keeps the training file of its staff, so its investigator and coordinator record too.
    roles=allow((*ADMINISTRATORS, "investigator", "coordinator"), "authorship", "verification"),
)
class TrainingRecorded(Action):
    """A training of a person, on a protocol version where it names one (21 CFR 11.10(i); catalogue A)."""

    date: Clinical
    person: PersonId
    topic: Name
    protocol: Name | None = None

    def describe(self) -> str:
        on = f" on protocol version {self.protocol}" if self.protocol else ""
        return f"{self.person} was trained in {self.topic}{on} ({self.date})."


@action(
    "role.granted",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class RoleGranted(Action):
    """A role on sites; a later grant of the same role replaces it, never to oneself (catalogue A)."""

    blinded: bool
    person: PersonId
    role: Role
    sites: SomeDistinct[SiteOrAll]

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        where = "every site" if self.sites == ("*",) else ", ".join(self.sites)
        return f"{self.person} was granted the role {self.role} at {where}."


@action(
    "role.revoked",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class RoleRevoked(Action):
    """The end of a role (catalogue A)."""

    person: PersonId
    role: Role

    def describe(self) -> str:
        return f"The role {self.role} of {self.person} was revoked."


@action(
    "key.enrolled",
    effect=Effect.GATE,
    streams="person",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class KeyEnrolled(Action):
    """A key of a person, with proof of possession and evidence (record-format.md §6; catalogue A)."""

    evidence: Evidence
    key: Key

    def describe(self) -> str:
        return f"A key ({self.key.alg}, grade {self.key.grade}) was enrolled for {self.key.person}."


@action(
    "key.rotated",
    effect=Effect.GATE,
    streams="person",
    roles=allow(("root", *PEOPLE), "authorship", "approval"),
    voidable=False,
)
class KeyRotated(Action):
    """The holder replaces a key; the old one is retired at this index (record-format.md §6)."""

    key: Key
    replaces: KeyId

    def describe(self) -> str:
        return f"{self.key.person} replaced a key."


@action(
    "key.holder_confirmed",
    effect=Effect.FACT,
    streams="person",
    roles=allow(("root", *PEOPLE), "verification"),
    voidable=False,
)
class KeyHolderConfirmed(Action):
    """The holder confirms a further key with an earlier one (record-format.md §6)."""

    key: KeyId
    person: PersonId

    def describe(self) -> str:
        return f"{self.person} confirmed a further key."


@action(
    "key.revoked",
    effect=Effect.FACT,
    streams="person",
    # Administrators, and the holder in any role; that a holder revokes only an own key is `authorisation`.
    roles=allow(PEOPLE, "approval", "responsibility") | allow(ADMINISTRATORS, "approval", "responsibility"),
    voidable=False,
    always_open=True,
)
class KeyRevoked(Action):
    """A key that counts no more from the next index, or from `compromised_from` on (record-format.md §6)."""

    key: KeyId
    person: PersonId
    compromised_from: LogIndex | None = None

    def describe(self) -> str:
        since = "" if self.compromised_from is None else f", compromised from index {self.compromised_from}"
        return f"A key of {self.person} was revoked{since}."


@action(
    "record.reaffirmed",
    effect=Effect.FACT,
    streams="person",
    # Whoever answers for the records: the site's investigator, and for what administrators signed another.
    roles=allow(("investigator", "sponsor_administrator"), "responsibility"),
    voidable=False,
)
class RecordReaffirmed(Fact):
    """A suspect record, reviewed by itself after a compromise and found genuine (catalogue A; 11.300(c)).

    `person` is whose key it was; the statement stands in that person's stream.
    """

    basis: Literal["recalled", "source_compared", "witness_confirmed"]
    person: PersonId
    statement: EventRef

    def describe(self) -> str:
        return f"A record signed with a compromised key of {self.person} was reaffirmed."
