"""Compare a copy that somebody holds with the ledger, later: is it what was issued, and does it still hold?

Two questions, answered apart. Its bytes are those that a `certified_copy.issued` names, or they are not; and
of the records in its scope, what was recorded since it was made, and which of that changes what it shows. The
log may be asked itself, or a later bundle of a role that sees `access/`. A log that goes on from an older one
knows the copies of that one as well, and what either recorded since; indexes of the older one are below 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ledger.continued import continued
from ledger.errors import RefusedError
from ledger.leaf import parse_leaf
from ledger.store.port import Reads, StoredEntry
from ledger.verify.options import Scope
from projections.before import own_log
from projections.book import BREACH, CORRECTION, QUALITY, VOIDING, named
from projections.joined import Joined

ISSUED: Final = "certified_copy.issued"
ERASED: Final = "personal_data.erased"
CHANGES: Final = frozenset({CORRECTION, VOIDING, BREACH, ERASED})
"""Types that change how an earlier record reads, or what is told of it."""
_ACCESS: Final = "access/"
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """A record of the copy's scope that came after it; `about` is the record of the copy that it names."""

    index: int
    at: str
    type: str
    about: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a copy is to the ledger.

    Attributes:
        index: of the event that issued exactly these bytes; `data` is what it says.
        log: the older log that issued it; None where this one did.
        size: how many entries the ledger has now, up to which was compared.
        since: every record of the scope after the copy, in order.
    """

    sha256: str
    index: int
    at: str
    log: str | None
    data: dict[str, Any]
    size: int
    since: tuple[Since, ...]

    @property
    def scope(self) -> Scope:
        """What the copy is of."""
        return Scope(kind=self.data["kind"], id=self.data.get("id"))

    @property
    def changed(self) -> tuple[Since, ...]:
        """Return what was recorded since that changes a record which the copy shows."""
        return tuple(each for each in self.since if each.about is not None and each.type in CHANGES)

    @property
    def matches(self) -> bool:
        """Whether the records that the copy shows are still as it shows them."""
        return not self.changed


def check_copy(data: bytes, reads: Reads) -> Checked:
    """Find the event that issued these bytes, and what was recorded in their scope since.

    Raises:
        RefusedError: `COPY_UNKNOWN` where no event of this log names the bytes: they are another copy's, were
            changed, or the event is not shown here.
    """
    sha256, joined = hashlib.sha256(data).hexdigest(), Joined(reads)
    issued = _issued(joined, sha256)
    if issued is None:
        apart = continued(reads) is not None and joined.first == 0
        more = ", and the older one is not at hand that it goes on from" if apart else ""
        raise RefusedError("COPY_UNKNOWN", f"this ledger issued no copy of exactly these bytes{more}")
    entry, statement = issued
    said = statement["data"]
    scope = Scope(kind=said["kind"], id=said.get("id"))
    size, begin = reads.head().size, joined.begin_of(entry.index)
    shown = range(begin, begin + said["size"])
    since = tuple(_since(joined, each, shown) for each in _entries(joined, scope, shown.stop, size))
    log = own_log(entry.index, statement).get("log")
    return Checked(sha256=sha256, index=entry.index, at=entry.at, log=log, data=said, size=size, since=since)


def _issued(reads: Joined, sha256: str) -> tuple[StoredEntry, dict[str, Any]] | None:
    for name in sorted(reads.streams()):
        if name.startswith(_ACCESS):
            for entry in reads.stream_entries(name):
                if entry.type == ISSUED:
                    statement: dict[str, Any] = orjson.loads(entry.statement)
                    if statement["data"]["bundle_sha256"] == sha256:
                        return entry, statement
    return None


def _entries(reads: Joined, scope: Scope, start: int, stop: int) -> list[StoredEntry]:
    """Return the entries from an index on that belong to a scope, and erasures of what does."""
    found: list[StoredEntry] = []
    for at in range(start, stop, _PAGE):
        for entry in reads.entries(at, min(at + _PAGE, stop)):
            erased = _target(reads, entry) if entry.type == ERASED else None
            if _holds(scope, entry) or (erased is not None and _holds(scope, erased)):
                found.append(entry)
    return found


def _holds(scope: Scope, entry: StoredEntry) -> bool:
    """Tell whether a scope holds an entry by its labels (record-format.md §9)."""
    match scope.kind:
        case "participant":
            return entry.stream == f"participant/{scope.id}"
        case "site":
            return parse_leaf(entry.leaf).site == scope.id
    # Of the study: what is attested of those who read it, this copy's own event included, is no news of it.
    return not entry.stream.startswith(_ACCESS)


def _target(reads: Joined, entry: StoredEntry) -> StoredEntry | None:
    """Return the earliest record that an entry names."""
    indexes = [reads.index_of_event(event) for event in named(orjson.loads(entry.statement)["data"])]
    known = [index for index in indexes if index is not None]
    return reads.entry(min(known)) if known else None


def _since(reads: Joined, entry: StoredEntry, shown: range) -> Since:
    target = _target(reads, entry) if entry.type in CHANGES or entry.type in QUALITY else None
    about = target.index if target is not None and target.index in shown else None
    return Since(index=entry.index, at=entry.at, type=entry.type, about=about)
