"""Imports, archives, retention, custody and certified copies: `study`, `site/<site>` (catalogue H)."""

from __future__ import annotations

from typing import Literal

from ledger.actions.fields import (
    Bytes32,
    Code,
    Count,
    Date,
    EventRef,
    Hash,
    Label,
    Name,
    Positive,
)
from ledger.actions.registry import Effect, Fact, action, allow
from ledger.lines import counted
from ledger.roles import PHYSICIANS

_PLACES = "study site"
_KEEPERS = ("data_manager", "sponsor_administrator", "investigator")


@action(
    "data.imported",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow(("data_manager", "sponsor_administrator", "investigator", "coordinator"), "authorship"),
    voidable=False,
)
class DataImported(Fact):
    """A file taken in: its hash, the mapping and its version, rows read and statements made (catalogue H)."""

    file: Name
    sha256: Hash
    mapping: Label
    mapping_version: Label
    rows: Count
    statements: Count
    left: Count

    def describe(self) -> str:
        return (
            f"{self.file} was imported: {counted(self.rows, 'row', 'rows')}, "
            f"{counted(self.statements, 'statement', 'statements')}, {self.left} left."
        )


@action(
    "archive.sealed",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow(_KEEPERS, "authorship", "responsibility"),
    voidable=False,
)
class ArchiveSealed(Fact):
    """A bundle laid down for the years: which tree it holds, its hash, where it lies (catalogue H)."""

    sha256: Hash
    size: Positive
    root: Bytes32
    medium: Code
    place: Name

    def describe(self) -> str:
        return f"An archive of the log's first {self.size} entries was sealed."


@action(
    "archive.restored_and_read",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow((*_KEEPERS, "auditor"), "verification", "review"),
)
class ArchiveRestoredAndRead(Fact):
    """An archive read back with its dynamic functions, and what its bytes hash to (catalogue H; EMA 6.10)."""

    statement: EventRef
    sha256: Hash
    readable: bool

    def describe(self) -> str:
        return f"An archive was restored and {'read' if self.readable else 'could not be read'}."


@action(
    "retention.rule_set",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow(("sponsor_administrator", "investigator"), "authorship", "responsibility"),
    voidable=False,
)
class RetentionRuleSet(Fact):
    """How long the records are kept, and on which basis; without a date, until a rule gives one.

    The longest retention wins, so no rule is ever taken back (catalogue H; 21 CFR 312.57, 312.62).
    """

    basis: Code
    until: Date | None = None

    def describe(self) -> str:
        return f"Records are kept until {self.until or 'further notice'} ({self.basis.replace('_', ' ')})."


@action(
    "custody.transferred",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow(_KEEPERS, "responsibility", "approval"),
    voidable=False,
    seconds="approver",
)
class CustodyTransferred(Fact):
    """Records that another organisation keeps from a day on; who takes them cosigns (catalogue H)."""

    what: Literal["ledger", "site_file", "master_file", "source_documents"]
    from_: Name
    to: Name
    date: Date

    def describe(self) -> str:
        return f"Custody of the {self.what.replace('_', ' ')} went from {self.from_} to {self.to}."


@action(
    "certified_copy.received",
    effect=Effect.FACT,
    streams=_PLACES,
    roles=allow((*PHYSICIANS, "sponsor_administrator", "inspector"), "verification", "responsibility"),
    voidable=False,
)
class CertifiedCopyReceived(Fact):
    """A copy in the receiver's own hands: of which tree, its hash, and whether it equals what was issued.

    The investigator's own copy is what a site needs before it is closed (catalogue B, H; EMA 6.3).
    """

    sha256: Hash
    size: Positive
    equal: bool
    statement: EventRef | None = None

    def describe(self) -> str:
        return f"A certified copy was received{'' if self.equal else ', which differs from what was issued'}."
