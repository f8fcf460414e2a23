"""Queries, from opening to closing: in the stream of the statement that they ask about (catalogue H).

A query is named by the event hash of its opening. Who knows the treatment does not ask in a participant's
stream (R8); that is a rule.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ledger.actions.fields import Date, Distinct, EventRef, FreeText, Sealed
from ledger.actions.quality import CorrectedPath
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.roles import SITE_STAFF

ABOUT = "participant site study pharmacy safety person"
ASKING = (
    "data_manager",
    "medical_monitor",
    "blinded_monitor",
    "unblinded_monitor",
    "unblinded_safety_physician",
)
QueryText = Annotated[FreeText | None, Sealed("freetext", required=True)]

_ASK = allow(ASKING, "authorship", "review")


@action("query.opened", effect=Effect.FACT, streams=ABOUT, roles=_ASK, voidable=False)
class QueryOpened(Fact):
    """A question about values of a statement; without paths, about all of it (catalogue H)."""

    statement: EventRef
    paths: Distinct[CorrectedPath]
    kind: Literal["missing", "discrepant", "out_of_range", "inconsistent", "source", "clarification"]
    due: Date | None = None
    text: QueryText = None

    def describe(self) -> str:
        return f"A query was opened about an earlier record ({self.kind.replace('_', ' ')})."


@action(
    "query.answered",
    effect=Effect.FACT,
    streams=ABOUT,
    roles=allow(SITE_STAFF, "authorship") | allow(("investigator",), "authorship", "responsibility"),
    voidable=False,
)
class QueryAnswered(Fact):
    """The site's answer, with the correction that it led to, if any (catalogue H)."""

    statement: EventRef
    correction: EventRef | None = None
    text: QueryText = None

    def describe(self) -> str:
        return "A query was answered."


@action("query.reopened", effect=Effect.FACT, streams=ABOUT, roles=_ASK, voidable=False)
class QueryReopened(Fact):
    """The answer was not enough: the query is open again (catalogue H)."""

    statement: EventRef
    due: Date | None = None
    text: QueryText = None

    def describe(self) -> str:
        return "A query was opened again."


@action("query.closed", effect=Effect.FACT, streams=ABOUT, roles=_ASK, voidable=False)
class QueryClosed(Fact):
    """A query closed in its opener's role (catalogue H)."""

    statement: EventRef
    code: Literal["answered", "corrected", "no_action"]

    def describe(self) -> str:
        return f"A query was closed ({self.code.replace('_', ' ')})."


@action("query.cancelled", effect=Effect.FACT, streams=ABOUT, roles=_ASK, voidable=False)
class QueryCancelled(Fact):
    """A query that should not have been asked (catalogue H)."""

    statement: EventRef
    code: Literal["duplicate", "opened_in_error", "superseded"]

    def describe(self) -> str:
        return f"A query was cancelled ({self.code.replace('_', ' ')})."
