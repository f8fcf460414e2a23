"""What leaf 0 says of the log that this one goes on from (record-format.md §6), for those who read a record.

It is asked of the log itself, so it is said as well where no directory of the older epoch is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.lines import counted
from ledger.statement import parse_statement
from ledger.store.port import Reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """The log that another goes on from: its ledger id, 64 hex digits, its origin, and how many entries."""

    ledger_id: str
    origin: str
    size: int

    def __str__(self) -> str:
        """Say it to a person."""
        return f"{counted(self.size, 'entry', 'entries')} of {self.origin}, ledger id {self.ledger_id}"


def continued(reads: Reads) -> Continued | None:
    """Return what a log goes on from; None for a study's first log, and for an empty one."""
    first = reads.entry(0)
    if first is None:
        return None
    said = parse_statement(first.statement).data.get("continues")
    if said is None:
        return None
    return Continued(ledger_id=said["ledger_id"], origin=said["origin"], size=said["size"])
