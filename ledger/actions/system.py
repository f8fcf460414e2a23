"""The running of the system: clock, backups, releases, configuration, downtime (catalogue A).

What the service measured it attests itself and is the source of; what people did carries its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ledger.actions.devices import OffsetMs
from ledger.actions.fields import (
    Bytes32,
    Code,
    Count,
    DayOrTime,
    EventRef,
    FreeText,
    Hash,
    Items,
    Label,
    Name,
    Positive,
    Sealed,
    SiteOrAll,
    Some,
    SomeDistinct,
    check_sites,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.lines import counted
from ledger.roles import ADMINISTRATORS, STUDY_STAFF

Store = Literal["events", "checkpoints", "data_keys", "projections", "keys"]
Backups = Annotated[tuple[EventRef, ...], Items(1, 256, unique=True)]

_SERVICE = allow(("service",), "attestation")
_DECLARERS = allow((*STUDY_STAFF, "sponsor_administrator"), "authorship", "responsibility")


@action("clock.drifted", effect=Effect.FACT, streams="study", roles=_SERVICE, voidable=False)
class ClockDrifted(Action):
    """A clock that was off by more than its limit, against which reference (catalogue A; FDA 2024 Q14)."""

    clock: Label
    limit_ms: Positive
    offset_ms: OffsetMs
    reference: Name

    def check_form(self) -> None:
        if abs(self.offset_ms) <= self.limit_ms:
            raise mismatch("an offset beyond the limit", "/offset_ms")

    def describe(self) -> str:
        return f"The clock {self.clock} was off by {self.offset_ms} ms (limit {self.limit_ms} ms)."


@action("backup.taken", effect=Effect.FACT, streams="study", roles=_SERVICE, voidable=False)
class BackupTaken(Action):
    """A backup: of which stores, at which size, its hash; and which earlier ones were destroyed for it.

    Erasure asks which backups may still hold a value (catalogue A; record-format.md §7).
    """

    backup: Label
    location: Name
    sha256: Hash
    size: Positive
    stores: SomeDistinct[Store]
    destroyed: Backups | None = None

    def describe(self) -> str:
        return f"Backup {self.backup} was taken at size {self.size}."


@action("restore.tested", effect=Effect.FACT, streams="study", roles=_SERVICE, voidable=False)
class RestoreTested(Action):
    """A backup that was restored on an empty machine, and the root that came out (21 CFR 11.10(c))."""

    outcome: Literal["passed", "failed"]
    root: Bytes32
    size: Positive
    statement: EventRef

    def describe(self) -> str:
        return f"The restore of a backup was tested at size {self.size}: {self.outcome}."


@action(
    "system.released",
    effect=Effect.FACT,
    streams="study",
    roles=allow(ADMINISTRATORS, "approval"),
    voidable=False,
)
class SystemReleased(Fact):
    """A release that is in use from here on: version, version of the rules, digest of the signing pages.

    Every later statement is judged by these rules (record-format.md §10; 21 CFR 11.10(a), 11.10(k)).
    """

    pages_sha256: Hash
    reference: Name
    rules: Positive
    version: Label

    def describe(self) -> str:
        return f"Release {self.version} with version {self.rules} of the rules was put to use."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting, with its value before and after; a secret is named and its value is not."""

    setting: Code
    new: Name | None = None
    old: Name | None = None


@action(
    "configuration.changed",
    effect=Effect.FACT,
    streams="study",
    roles=allow(ADMINISTRATORS, "approval", "responsibility"),
    voidable=False,
)
class ConfigurationChanged(Fact):
    """What was set differently, and which backups were destroyed (catalogue A; 21 CFR 11.10(k))."""

    changes: Some[Change]
    reference: Name
    destroyed: Backups | None = None

    def describe(self) -> str:
        return f"The configuration was changed: {', '.join(change.setting for change in self.changes)}."


@action("downtime.declared", effect=Effect.FACT, streams="study site", roles=_DECLARERS)
class DowntimeDeclared(Fact):
    """The system cannot be used from then on; work goes on on paper (catalogue A; R6)."""

    cause: Literal["planned", "outage", "network", "security", "power", "other"]
    from_: DayOrTime
    procedure: Name
    sites: SomeDistinct[SiteOrAll]
    note: Annotated[FreeText | None, Sealed("freetext")] = None

    def check_form(self) -> None:
        check_sites(self.sites)

    def describe(self) -> str:
        return f"Downtime from {self.from_} was declared ({self.cause})."


@action("downtime.ended", effect=Effect.FACT, streams="study site", roles=_DECLARERS)
class DowntimeEnded(Fact):
    """The system is used again: since when, and what was done on paper meanwhile (catalogue A)."""

    paper_records: Count
    statement: EventRef
    to: DayOrTime
    done_on_paper: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        records = counted(self.paper_records, "record was", "records were")
        return f"The downtime ended {self.to}; {records} made on paper."
