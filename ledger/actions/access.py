"""Logins, views, copies, edit checks and refusals: mostly the streams `access/YYYY-MM` (catalogue A).

All of it is attested by the service, which is itself the source: these facts carry none. Network addresses
and ids that nobody has stand under an HMAC with a secret of the service. What an inspector looked at is
sealed `access`: schema 2 of a view. The login and view types need no site and no training (R7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ledger.actions.fields import (
    Clinical,
    Code,
    Distinct,
    EventRef,
    FreeText,
    Hash,
    Items,
    Label,
    LogIndex,
    PersonId,
    Positive,
    Role,
    RuleCode,
    Sealed,
    SomeDistinct,
    TypeName,
)
from ledger.actions.quality import CorrectedPath
from ledger.actions.registry import Action, Effect, action, allow
from ledger.actions.shapes import mismatch
from ledger.roles import Scope

INSPECTOR = "inspector"

_SERVICE = allow(("service",), "attestation")

Component = Literal["password", "one_time_code", "passkey", "client_key", "single_sign_on"]
ScopeKind = Literal["study", "site", "participant"]
Statements = Annotated[tuple[EventRef, ...], Items(1, 64, unique=True)]


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
    "command.refused",
    schema=2,
    effect=Effect.FACT,
    streams="access",
    roles=_SERVICE,
    voidable=False,
    always_open=True,
)
class CommandsRefused(Action):
    """How many refusals of a person beyond the hourly limit were only counted, since which index (A)."""

    count: Positive
    since: LogIndex
    who: PersonId

    def describe(self) -> str:
        return f"{self.count} more statements by {self.who} were refused and only counted."


@action(
    "export.generated", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class ExportGenerated(Action):
    """A bundle that left: scope, role, tree size, hash of its manifest, purpose (catalogue A; EMA 6.2.1)."""

    manifest_sha256: Hash
    kind: ScopeKind
    role: Role
    size: Positive
    purpose: Code
    id: Label | None = None
    requested_by: PersonId | None = None

    def check_form(self) -> None:
        _check_scope(self.kind, self.id)

    def describe(self) -> str:
        scope = _scope(self.kind, self.id)
        return f"An export of {scope} for the role {self.role} was generated at size {self.size}."


@action(
    "certified_copy.issued",
    effect=Effect.FACT,
    streams="access",
    roles=_SERVICE,
    voidable=False,
    always_open=True,
)
class CertifiedCopyIssued(Action):
    """A certified copy that was issued: scope, role, tree size, hash of its bytes, purpose, to whom.

    Catalogue A; 21 CFR 11.10(b); ICH E6(R3) "certified copy".
    """

    bundle_sha256: Hash
    format: Literal["pdf", "zip"]
    kind: ScopeKind
    role: Role
    size: Positive
    purpose: Code
    who: PersonId
    id: Label | None = None

    def check_form(self) -> None:
        _check_scope(self.kind, self.id)

    def describe(self) -> str:
        scope = _scope(self.kind, self.id)
        return f"A certified copy of {scope} was issued to {self.who} at size {self.size}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """What was looked at: a scope, of it the named statements or a projection, up to a tree size.

    `opened` lists the scopes of sealed values that were shown in the clear.
    """

    kind: ScopeKind
    size: Positive
    opened: Distinct[Scope]
    id: Label | None = None
    since: LogIndex | None = None
    projection: Code | None = None

    def check_form(self) -> None:
        """Require an id for a site or participant, none for the study, and a range that is one."""
        _check_scope(self.kind, self.id)
        if self.since is not None and self.since >= self.size:
            raise mismatch("a range that begins before its size", "/since")


@action(
    "record.viewed", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class RecordViewed(Action):
    """Who looked at which records, in which role, why; always for unblinded data (catalogue A; FDA Q12)."""

    purpose: Code
    role: Role
    view: Viewed
    who: PersonId
    statements: Statements | None = None

    def check_form(self) -> None:
        _check_open_view(self.role)

    def describe(self) -> str:
        shown = f", opening {', '.join(self.view.opened)}" if self.view.opened else ""
        return f"{self.who} viewed records of {_scope(self.view.kind, self.view.id)}{shown}."


@action(
    "record.viewed",
    schema=2,
    effect=Effect.FACT,
    streams="access",
    roles=_SERVICE,
    voidable=False,
    always_open=True,
)
class RecordViewedByInspector(Action):
    """The same of an inspector: what was looked at, by whom and why is sealed (catalogue A)."""

    inspection: EventRef
    purpose: Annotated[Code | None, Sealed("access", required=True)] = None
    view: Annotated[Viewed | None, Sealed("access", required=True)] = None
    who: Annotated[PersonId | None, Sealed("access", required=True)] = None
    statements: Annotated[Statements | None, Sealed("access")] = None

    def describe(self) -> str:
        return "An inspector viewed records."


@action(
    "trail.viewed", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class TrailViewed(Action):
    """Who looked at which part of the audit trail, and why (catalogue A; FDA Q12)."""

    purpose: Code
    role: Role
    view: Viewed
    who: PersonId

    def check_form(self) -> None:
        _check_open_view(self.role)

    def describe(self) -> str:
        return f"{self.who} viewed the audit trail of {_scope(self.view.kind, self.view.id)}."


@action(
    "trail.viewed",
    schema=2,
    effect=Effect.FACT,
    streams="access",
    roles=_SERVICE,
    voidable=False,
    always_open=True,
)
class TrailViewedByInspector(Action):
    """The same of an inspector, sealed (catalogue A)."""

    inspection: EventRef
    purpose: Annotated[Code | None, Sealed("access", required=True)] = None
    view: Annotated[Viewed | None, Sealed("access", required=True)] = None
    who: Annotated[PersonId | None, Sealed("access", required=True)] = None

    def describe(self) -> str:
        return "An inspector viewed the audit trail."


@action(
    "login.succeeded", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class LoginSucceeded(Action):
    """A login: who, by which components, from which address under HMAC (catalogue A; 21 CFR 11.200)."""

    address_hmac: Hash
    components: SomeDistinct[Component]
    who: PersonId
    device: Label | None = None

    def describe(self) -> str:
        return f"{self.who} logged in."


@action(
    "login.failed", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class LoginFailed(Action):
    """A failed attempt to log in as someone whom the log knows (catalogue A; 21 CFR 11.300(d)).

    An attempt under an id that nobody has is not one of a person; it may be a password typed into the wrong
    field, and is kept nowhere.
    """

    address_hmac: Hash
    code: Literal["wrong_component", "missing_component", "disabled", "locked", "expired"]
    who: PersonId
    device: Label | None = None

    def describe(self) -> str:
        return f"An attempt to log in as {self.who} failed ({self.code})."


@action(
    "login.locked", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class LoginLocked(Action):
    """Login is locked until a time after so many failures, and these people were alerted (11.300(d))."""

    alerted: SomeDistinct[PersonId]
    failures: Positive
    until: Clinical
    who: PersonId

    def describe(self) -> str:
        return f"Login of {self.who} was locked until {self.until} after {self.failures} failures."


@action(
    "session.ended", effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False, always_open=True
)
class SessionEnded(Action):
    """The end of the session that a login began (catalogue A; 21 CFR 11.200(a)(1))."""

    code: Literal["signed_out", "idle", "limit", "revoked", "restart"]
    statement: EventRef
    who: PersonId

    def describe(self) -> str:
        return f"A session of {self.who} ended ({self.code})."


_EDIT_STREAMS = "participant pharmacy safety"
Answer = Literal["changed", "confirmed", "abandoned"]


@action("edit_check.fired", effect=Effect.FACT, streams=_EDIT_STREAMS, roles=_SERVICE, voidable=False)
class EditCheckFired(Action):
    """A check that prompted while a record was entered: field, prompt, answer; values sealed (FDA 2024 Q13).

    It stands in the stream of the record that was being entered, and is seen where that would be.
    """

    answer: Answer
    check: Code
    path: CorrectedPath
    type: TypeName
    who: PersonId
    entered: Annotated[Any | None, Sealed("freetext")] = None
    kept: Annotated[Any | None, Sealed("freetext")] = None
    prompt: Annotated[FreeText | None, Sealed("freetext", required=True)] = None

    def describe(self) -> str:
        return f"The check {self.check} prompted {self.who} on {self.type}: {self.answer}."


@action(
    "edit_check.fired",
    schema=2,
    effect=Effect.FACT,
    streams="participant",
    roles=_SERVICE,
    voidable=False,
)
class IdentityCheckFired(Action):
    """The same where the field's value is sealed `identity` (catalogue A)."""

    answer: Answer
    check: Code
    path: CorrectedPath
    type: TypeName
    who: PersonId
    entered: Annotated[Any | None, Sealed("identity")] = None
    kept: Annotated[Any | None, Sealed("identity")] = None
    prompt: Annotated[FreeText | None, Sealed("identity", required=True)] = None

    def describe(self) -> str:
        return f"The check {self.check} prompted {self.who} on {self.type}: {self.answer}."


@action("edit_check.fired", schema=3, effect=Effect.FACT, streams="access", roles=_SERVICE, voidable=False)
class EditChecksFired(Action):
    """How many checks that prompted a person beyond the hourly limit were only counted (catalogue A)."""

    count: Positive
    since: LogIndex
    who: PersonId

    def describe(self) -> str:
        return f"{self.count} more checks prompted {self.who} and were only counted."


def _scope(kind: str, name: str | None) -> str:
    return "the study" if name is None else f"{kind} {name}"


def _check_scope(kind: str, name: str | None) -> None:
    if (name is None) != (kind == "study"):
        raise mismatch("an id for a site or participant and none for the study", "/id")


def _check_open_view(role: str) -> None:
    if role == INSPECTOR:
        raise mismatch("a role other than inspector, whose views are sealed", "/role")
