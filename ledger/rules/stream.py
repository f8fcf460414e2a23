"""A stream as it reads now: which corrections are in effect, what is voided, what is cosigned (catalogue H).

A correction changes the value at once. A voiding that needs the investigator's co-signature changes nothing
until it has it (R9). A correction or voiding can itself be voided; what counts is settled from the newest
down, because a statement names earlier ones only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ledger.actions.registry import find_spec
from ledger.entry import Entry
from ledger.rules.record import Change, Record, record_of
from ledger.rules.seconds import settles
from ledger.statement import Statement

CHANGING: Final = frozenset({"correction.made", "record.voided", "record.cosigned"})
"""Types that change how other statements of their stream read, so that it is folded again."""

QUALITY: Final = CHANGING | {
    "breach.detected",
    "correction.proposed",
    "query.opened",
    "query.answered",
    "query.reopened",
    "query.closed",
    "query.cancelled",
    "source.verified",
    "source.discrepancy_found",
    "source_document.certified",
    "deviation.reported",
    "deviation.classified",
    "trail.reviewed",
    "record.signed",
    "form.frozen",
    "form.unfrozen",
    "participant.locked",
    "participant.unlocked",
}
"""Types about other statements of their stream: never judged again, and never corrected."""


class StreamView(NamedTuple):
    """The statements of a stream by event hash, and what later ones did to them."""

    statements: Mapping[str, Statement]
    entries: tuple[Entry, ...]
    changes: Mapping[str, tuple[Change, ...]]
    voided: frozenset[str]
    cosigned: frozenset[str]

    def record(self, entry: Entry, zone: str) -> Record | None:
        """Read an entry with its corrections; None where it is voided or withheld.

        Raises:
            FormatError: a corrected time that the zone does not have.
        """
        if entry.event in self.voided:
            return None
        return record_of(entry, zone, self.changes.get(entry.event, ()))


def view_of(entries: Iterable[Entry], before: int) -> StreamView:
    """Read a stream as of the entries below an index."""
    kept = tuple(entry for entry in entries if entry.index < before)
    shown: dict[str, Statement] = {e.event: e.statement for e in kept if e.statement is not None}
    cosigned = frozenset(
        statement.data["statement"] for statement in shown.values() if cosigns(statement, shown)
    )
    voided = _voided(shown, cosigned)
    changes: dict[str, tuple[Change, ...]] = {}
    for entry in kept:
        statement = entry.statement
        if statement is None or statement.type != "correction.made" or entry.event in voided:
            continue
        if statement.schema == 1:
            data = statement.data
            change = Change(path=data["path"], new=data["new"], event=entry.event, index=entry.index)
            changes[data["statement"]] = (*changes.get(data["statement"], ()), change)
    return StreamView(shown, kept, changes, voided, cosigned)


def cosigns(statement: Statement, shown: Mapping[str, Statement]) -> bool:
    """Tell whether a statement is a co-signature that counts for a correction or voiding."""
    if statement.type != "record.cosigned":
        return False
    if not settles(statement.stream, statement.data["as"], statement.actor.role):
        return False
    target = shown.get(statement.data["statement"])
    return target is not None and target.actor.id != statement.actor.id


def needs_cosignature(statement: Statement, shown: Mapping[str, Statement]) -> bool:
    """Tell whether a voiding waits for the investigator: consent, eligibility, dosing, disposition."""
    target = shown.get(statement.data["statement"])
    if target is None or statement.type != "record.voided":
        return False
    spec = find_spec(target.type, target.schema)
    return spec is not None and spec.voiding_cosigned


def _voided(shown: Mapping[str, Statement], cosigned: frozenset[str]) -> frozenset[str]:
    voided: set[str] = set()
    for event, statement in reversed(list(shown.items())):
        if statement.type != "record.voided" or event in voided:
            continue
        if event in cosigned or not needs_cosignature(statement, shown):
            voided.add(statement.data["statement"])
    return frozenset(voided)
