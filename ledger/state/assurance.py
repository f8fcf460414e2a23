"""State: what people assure of one stream: queries, verification, signatures, deviations, locks, copies.

Everything keeps the index that brought it in and the index that changed it (catalogue R10), so that what is
outdated, overdue or reopened can be traced to the statement that did it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ledger.envelope import EventHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query, from its opening; `changed` is the index of its newest step."""

    index: int
    event: EventHash
    statement: EventHash
    person: str
    role: str
    due: str | None
    state: Literal["open", "answered", "closed", "cancelled"]
    changed: int

    @property
    def is_open(self) -> bool:
        """Tell whether it still asks for something: an answer, or its closing."""
        return self.state in ("open", "answered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Values of one statement that were compared with their source; no paths: all of it.

    Attributes:
        event: the verification.
        outdated: index of the change or discrepancy that outdated it.
    """

    index: int
    event: EventHash
    statement: EventHash
    paths: tuple[str, ...]
    person: str
    outdated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A difference from source; `settled` is the index of the later verification of the same values."""

    index: int
    event: EventHash
    statement: EventHash
    paths: tuple[str, ...]
    settled: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature over a scope; `outdated` is the index of the first later record in it."""

    index: int
    event: EventHash
    scope: Literal["form", "visit", "participant", "milestone"]
    subject: str | None
    upto: int
    person: str
    role: str
    meaning: str
    outdated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A deviation reported: which breaches it accounts for, and how it is classified."""

    index: int
    event: EventHash
    author: str
    statements: frozenset[str]
    rules: frozenset[str]
    classification: str | None = None
    classified: int | None = None

    def accounts_for(self, event: str, rule: str) -> bool:
        """Tell whether it accounts for a breach."""
        if self.classification == "not_a_deviation" or event not in self.statements:
            return False
        return not self.rules or rule in self.rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A correction proposed; `taken` is the index of the site's correction that cites it."""

    index: int
    event: EventHash
    statement: EventHash
    path: str
    taken: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock from one index to another; `passed`: what was recorded through it (R7), which reopens it."""

    index: int
    event: EventHash
    unlocked: int | None = None
    passed: tuple[int, ...] = ()

    def holds(self, before: int) -> bool:
        """Tell whether it was locked before an index."""
        return self.index < before and (self.unlocked is None or self.unlocked >= before)

    @property
    def reopened(self) -> int | None:
        """The index of the first record that passed it."""
        return self.passed[0] if self.passed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a second person since `at_us` (catalogue R9).

    Attributes:
        second: as what the second person signs.
        persons: who has a part in it already and cannot be that person.
        cosigned: index of the second signature, while the statement waits for a further one.
    """

    index: int
    event: EventHash
    type: str
    at_us: int
    second: str
    persons: frozenset[str]
    cosigned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review of the trail, both ends included."""

    index: int
    event: EventHash
    first: int
    last: int
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capa:
    """A corrective and preventive action; `closed` is the index of its closing."""

    index: int
    event: EventHash
    owner: str
    due: str
    closed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive sealed; `read` is the index at which it was read back and found equal."""

    index: int
    event: EventHash
    sha256: str
    read: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Records are kept until a date; None: until further notice."""

    index: int
    until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A certified copy in its receiver's hands."""

    index: int
    event: EventHash
    person: str
    role: str
    size: int
    equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assurance:
    """State of one stream.

    `frozen` maps each frozen statement to the index that froze it. `locks` are the participant's in a
    participant's stream, the database's in `study`.
    """

    queries: tuple[Query, ...] = ()
    verified: tuple[Verified, ...] = ()
    discrepancies: tuple[Discrepancy, ...] = ()
    signatures: tuple[Signature, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    frozen: tuple[tuple[EventHash, int], ...] = ()
    locks: tuple[Lock, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    reviews: tuple[Review, ...] = ()
    capas: tuple[Capa, ...] = ()
    archives: tuple[Archive, ...] = ()
    retentions: tuple[Retention, ...] = ()
    copies: tuple[Copy, ...] = ()

    @property
    def open_queries(self) -> tuple[Query, ...]:
        """The queries that are neither closed nor cancelled."""
        return tuple(query for query in self.queries if query.is_open)

    @property
    def pending(self) -> tuple[Waiting, ...]:
        """What still waits for a second person."""
        return tuple(waiting for waiting in self.waiting if waiting.cosigned is None)

    @property
    def to_sign_again(self) -> tuple[Signature, ...]:
        """The newest signature of each scope and person, where it is outdated: the re-sign worklist."""
        newest = {(s.scope, s.subject, s.person): s for s in self.signatures}
        return tuple(signature for signature in newest.values() if signature.outdated is not None)

    @property
    def to_verify_again(self) -> tuple[Verified, ...]:
        """The newest verification of each statement and its values, where it is outdated."""
        newest = {(v.statement, v.paths): v for v in self.verified}
        return tuple(verified for verified in newest.values() if verified.outdated is not None)

    def query(self, event: str) -> Query | None:
        """Return a query by the event hash of its opening."""
        return next((query for query in self.queries if query.event == event), None)

    def locked(self, before: int) -> Lock | None:
        """Return the lock that was in force before an index."""
        return next((lock for lock in self.locks if lock.holds(before)), None)

    def retained_until(self, before: int) -> str | Literal[False] | None:
        """Return the longest date until which records are kept, None without end, False without a rule."""
        rules = [rule.until for rule in self.retentions if rule.index < before]
        if not rules:
            return False
        dates = [until for until in rules if until is not None]
        return max(dates) if len(dates) == len(rules) else None
