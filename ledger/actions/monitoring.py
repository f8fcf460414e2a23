"""Source verification, monitoring, trail review, deviations and what is done about them (catalogue H)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.fields import (
    Clinical,
    Code,
    Count,
    Date,
    Distinct,
    EventRef,
    FreeText,
    Hash,
    LogIndex,
    PersonId,
    Positive,
    RuleCode,
    Sealed,
    Some,
    SomeDistinct,
)
from ledger.actions.quality import CorrectedPath
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.lines import counted
from ledger.roles import PHYSICIANS, SITE_STAFF

MONITORS = ("blinded_monitor", "unblinded_monitor")
OVERSEERS = (*MONITORS, "data_manager", "medical_monitor", "sponsor_administrator")

_DATA = "participant site study pharmacy safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was compared with its source: a statement, and which of its values; none named means all."""

    statement: EventRef
    paths: Distinct[CorrectedPath]


@action(
    "source.verified",
    effect=Effect.FACT,
    streams=_DATA,
    roles=allow(MONITORS, "verification", "review"),
    voidable=False,
)
class SourceVerified(Fact):
    """Exact statements and values that agree with their source; any later change outdates it (H)."""

    items: Some[Verified]
    remote: bool

    def describe(self) -> str:
        records = counted(len(self.items), "record", "records")
        return f"Source was verified for {records}{' remotely' if self.remote else ''}."


@action(
    "source.discrepancy_found",
    effect=Effect.FACT,
    streams=_DATA,
    roles=allow((*MONITORS, "auditor"), "verification", "review", "authorship"),
    voidable=False,
)
class SourceDiscrepancyFound(Fact):
    """A value that is not as its source has it (catalogue H)."""

    statement: EventRef
    paths: Distinct[CorrectedPath]
    code: Literal["differs", "source_missing", "not_attributable", "not_legible", "other"]
    text: Annotated[FreeText | None, Sealed("freetext", required=True)] = None

    def describe(self) -> str:
        return f"A discrepancy with the source was found ({self.code.replace('_', ' ')})."


@action(
    "source_document.certified",
    effect=Effect.FACT,
    streams=_DATA,
    roles=allow(SITE_STAFF, "verification", "responsibility"),
)
class SourceDocumentCertified(Fact):
    """A copy of a source document, certified as the same by who compared them (catalogue H; FDA 2024 Q&A)."""

    kind: Literal["scan", "photograph", "printout", "transcript", "electronic_copy"]
    sha256: Hash
    pages: Positive
    statements: Distinct[EventRef]
    text: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"A source document of {self.pages} pages was certified ({self.kind.replace('_', ' ')})."


@action(
    "monitoring_visit.recorded",
    effect=Effect.FACT,
    streams="site pharmacy",
    roles=allow(MONITORS, "authorship", "review"),
)
class MonitoringVisitRecorded(Fact):
    """A visit of the monitor: on which days, how much of the log was looked at, what came of it."""

    kind: Literal["initiation", "interim", "remote", "for_cause", "close_out"]
    from_: Date
    to: Date
    first: LogIndex
    last: LogIndex
    findings: Count
    report_sha256: Hash | None = None
    text: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        """Require ranges that do not end before they begin."""
        _check_range(self.first, self.last)
        if self.to < self.from_:
            raise mismatch("an end that is not before the beginning", "/to")

    def describe(self) -> str:
        return (
            f"A monitoring visit ({self.kind.replace('_', ' ')}) took place from {self.from_} to {self.to}."
        )


@action(
    "trail.reviewed",
    effect=Effect.FACT,
    streams="study site participant pharmacy safety",
    roles=allow((*OVERSEERS, *PHYSICIANS, "unblinded_safety_physician", "auditor"), "review"),
    voidable=False,
)
class TrailReviewed(Fact):
    """The audit trail of the stream's scope, reviewed from one index to another (E6(R3) 4.2.3; EMA 6.2.2).

    In `study` that is the whole log, in `site/` and `participant/` what belongs to them; both ends count.
    """

    first: LogIndex
    last: LogIndex
    criteria: SomeDistinct[Code]
    findings: Count
    text: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        """Require a range that does not end before it begins."""
        _check_range(self.first, self.last)

    def describe(self) -> str:
        return f"The trail was reviewed from {self.first} to {self.last}, with {self.findings} findings."


@action(
    "deviation.reported",
    effect=Effect.FACT,
    streams=_DATA,
    roles=allow((*SITE_STAFF, *OVERSEERS, "unblinded_safety_physician"), "authorship", "responsibility"),
    always_open=True,
)
class DeviationReported(Fact):
    """A departure from the protocol: it accounts for the breaches of the statements that it names (H).

    Without rules it accounts for every breach of them. Always open (R7).
    """

    code: Code
    statements: Distinct[EventRef]
    rules: Distinct[RuleCode]
    known: Clinical
    action: Literal["none", "corrected", "retrained", "held", "withdrawn", "other"]
    text: Annotated[FreeText | None, Sealed("freetext", required=True)] = None

    def describe(self) -> str:
        return f"A deviation was reported: {self.code.replace('_', ' ')}."


@action(
    "deviation.classified",
    effect=Effect.FACT,
    streams=_DATA,
    roles=allow((*OVERSEERS, *PHYSICIANS, "unblinded_safety_physician"), "review", "approval"),
    always_open=True,
)
class DeviationClassified(Fact):
    """How much a deviation matters, by somebody other than its author (catalogue H).

    `not_a_deviation` takes back what it accounted for. Always open (R7).
    """

    statement: EventRef
    classification: Literal["important", "not_important", "not_a_deviation"]
    impacts: Distinct[Literal["safety", "rights", "wellbeing", "data", "blinding"]]
    irb: bool
    text: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return f"A deviation was classified as {self.classification.replace('_', ' ')}."


@action(
    "capa.opened",
    effect=Effect.FACT,
    streams="study site pharmacy",
    roles=allow((*OVERSEERS, *PHYSICIANS, "unblinded_pharmacist"), "authorship", "responsibility"),
)
class CapaOpened(Fact):
    """What will be done so that it does not happen again: root cause, owner, due date (catalogue H)."""

    statements: Distinct[EventRef]
    cause: Code
    owner: PersonId
    due: Date
    text: Annotated[FreeText | None, Sealed("freetext", required=True)] = None

    def describe(self) -> str:
        return f"A corrective and preventive action was opened, due {self.due}."


@action(
    "capa.closed",
    effect=Effect.FACT,
    streams="study site pharmacy",
    roles=allow((*OVERSEERS, *PHYSICIANS, "unblinded_pharmacist"), "review", "approval"),
)
class CapaClosed(Fact):
    """What was done, and whether it helped (catalogue H)."""

    statement: EventRef
    effective: bool
    text: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        return (
            f"A corrective and preventive action was closed{'' if self.effective else ' as not effective'}."
        )


def _check_range(first: int, last: int) -> None:
    if last < first:
        raise mismatch("a range that does not end before it begins", "/last")
