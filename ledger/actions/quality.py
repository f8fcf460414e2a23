"""Corrections, voidings, cosignatures and breaches (catalogue A, H).

Each stands in the stream of the statement that it names.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ledger.actions.fields import EventRef, Matches, RuleCode, Sealed
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.roles import SITE_STAFF

ANYWHERE = "participant site study safety pharmacy person randomization access"

CorrectedPath = Annotated[
    str,
    Matches(
        r"/data(?:/(?:[a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,4}))+|/occurred_at|/originator|/protocol",
        "a pointer into /data, or /occurred_at, /originator, /protocol",
    ),
]
# "Never by a monitor, never by the sponsor alone" (catalogue H): the site's own roles.
_SITE = allow(SITE_STAFF, "authorship") | allow(("investigator",), "authorship", "responsibility")
_SERVICE = allow(("service",), "attestation")
# Whoever may be a second person anywhere; who may be which, of what, is a rule (R9).
_SECOND = (
    *SITE_STAFF,
    "sponsor_administrator",
    "data_manager",
    "medical_monitor",
    "unblinded_monitor",
    "unblinded_safety_physician",
)


@action("correction.made", effect=Effect.FACT, streams=ANYWHERE, roles=_SITE, reason_required=True)
class CorrectionMade(Action):
    """A value of a statement, old and new; the original stays (catalogue H; 21 CFR 11.10(e)).

    Null stands for a member that is absent. The reason is mandatory.
    """

    new: Any
    old: Any
    path: CorrectedPath
    statement: EventRef

    def describe(self) -> str:
        return f"The value at {self.path} of an earlier record was corrected."


@action("correction.made", schema=2, effect=Effect.FACT, streams=ANYWHERE, roles=_SITE, reason_required=True)
class CorrectionMadeSealed(Action):
    """A correction of a sealed value: old and new are sealed in its scope (record-format.md §11)."""

    path: CorrectedPath
    statement: EventRef
    new: Annotated[Any | None, Sealed("target")] = None
    old: Annotated[Any | None, Sealed("target")] = None

    def describe(self) -> str:
        return f"The sealed value at {self.path} of an earlier record was corrected."


_PROPOSING = allow(("data_manager",), "authorship", "review")


@action(
    "correction.proposed",
    effect=Effect.FACT,
    streams="participant site study person",
    roles=_PROPOSING,
    voidable=False,
    reason_required=True,
)
class CorrectionProposed(Fact):
    """A correction that a data manager asks for; it changes nothing (catalogue H).

    It takes effect by the site's correction that cites it: `originator` is the proposer, its `source` the
    event hash of the proposal, with the same statement, path, old and new value.
    """

    new: Any
    old: Any
    path: CorrectedPath
    statement: EventRef

    def describe(self) -> str:
        return f"A correction of the value at {self.path} of an earlier record was proposed."


@action(
    "correction.proposed",
    schema=2,
    effect=Effect.FACT,
    streams="participant site study person",
    roles=_PROPOSING,
    voidable=False,
    reason_required=True,
)
class CorrectionProposedSealed(Fact):
    """A proposed correction of a sealed value: old and new are sealed in its scope."""

    path: CorrectedPath
    statement: EventRef
    new: Annotated[Any | None, Sealed("target")] = None
    old: Annotated[Any | None, Sealed("target")] = None

    def describe(self) -> str:
        return f"A correction of the sealed value at {self.path} of an earlier record was proposed."


@action("record.voided", effect=Effect.FACT, streams=ANYWHERE, roles=_SITE, reason_required=True)
class RecordVoided(Fact):
    """A record that does not count, shown struck through; the right one beside it (catalogue H)."""

    statement: EventRef
    code: Literal["wrong_participant", "duplicate", "error", "test"]
    right: EventRef | None = None

    def describe(self) -> str:
        return f"An earlier record was voided ({self.code.replace('_', ' ')})."


@action(
    "record.cosigned",
    effect=Effect.FACT,
    streams=ANYWHERE,
    roles=allow(_SECOND, "review", "approval", "verification", "responsibility"),
    voidable=False,
)
class RecordCosigned(Action):
    """The second person of a record (R9)."""

    as_: Literal["checker", "witness", "second_counter", "approver", "supervisor"]
    statement: EventRef

    def describe(self) -> str:
        return f"An earlier record was cosigned as {self.as_.replace('_', ' ')}."


@action(
    "breach.detected",
    effect=Effect.FACT,
    streams=ANYWHERE,
    roles=_SERVICE,
    voidable=False,
    always_open=True,
)
class BreachDetected(Action):
    """A rule that a recorded fact breaks, by the service in the same commit (R6)."""

    rule: RuleCode
    statement: EventRef

    def describe(self) -> str:
        return f"A breach of {self.rule} was detected."
