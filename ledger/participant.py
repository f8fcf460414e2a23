"""The state of one participant that the rules need: frozen values, folded by `ledger.rules`.

Only what a rule asks is kept, never a clinical value. Every part says which event brought it in, so that a
status, a hold or a breach can always be traced to its index (catalogue R10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from ledger.envelope import EventHash
from ledger.state.assurance import Assurance
from ledger.state.bedside import Bedside
from ledger.state.consenting import Consenting
from ledger.state.leaving import Leaving
from ledger.state.observing import Observing
from ledger.state.safety import Safety
from ledger.times import Interval


class Status(StrEnum):
    """Where a participant is on the study's way (catalogue, "Status")."""

    PRE_SCREENED = "pre-screened"
    CONSENTED = "consented"
    SCREENING = "screening"
    ELIGIBLE = "eligible"
    SCREEN_FAILED = "screen failed"
    RANDOMIZED = "randomized"
    ON_TREATMENT = "on treatment"
    TREATMENT_ENDED = "treatment ended"
    FOLLOW_UP = "follow-up"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    LOST_TO_FOLLOW_UP = "lost to follow-up"
    DIED = "died"


ENDED: Final = frozenset({Status.COMPLETED, Status.WITHDRAWN, Status.LOST_TO_FOLLOW_UP, Status.DIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One consent, at the participant's own time."""

    index: int
    event: EventHash
    form_version: str
    time: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Consent withdrawn for some scopes, in effect when it was said."""

    index: int
    event: EventHash
    scopes: frozenset[str]
    effective: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The latest assessment of one criterion."""

    index: int
    event: EventHash
    result: Literal["met", "not_met", "not_applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Eligibility confirmed; it is outdated by any later assessment."""

    index: int
    event: EventHash
    confirmed: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomization:
    """One stage of randomization: the request, and the answer once it is there."""

    index: int
    request: EventHash
    requested: Interval
    list: str
    stage: int
    stratum: str
    answered: int | None = None
    list_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An infusion ordered."""

    index: int
    event: EventHash
    infusion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedDose:
    """A dose received at the bedside."""

    index: int
    infusion: int
    label: str
    beyond_use: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A change in an infusion: when, the rate from then on (None: stands still), the volume given so far."""

    at: Interval
    rate_ml_h: Decimal | None
    volume_ml: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Infusion:
    """One infusion from its start on."""

    index: int
    event: EventHash
    number: int
    state: Literal["running", "interrupted", "stopped", "completed"]
    segments: tuple[Segment, ...]

    @property
    def started(self) -> Interval:
        """When it started."""
        return self.segments[0].at

    @property
    def ended(self) -> Interval | None:
        """When it was stopped or completed; None while it is open."""
        return self.segments[-1].at if self.state in ("stopped", "completed") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is recorded of one planned visit; indexes, and when it started."""

    event: EventHash
    started: int | None = None
    time: Interval | None = None
    completed: int | None = None
    missed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent:
    """The newest version of one adverse event."""

    index: int
    event: EventHash
    version: int
    grade: int
    serious: bool
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Medication:
    """A medication by its class; the drug's name is sealed."""

    index: int
    event: EventHash
    medication_class: str
    started: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What makes later gates wait until an instant, and the event that brought it."""

    index: int
    event: EventHash
    rule: str
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """Something that depends on consent and is not known to have come after one."""

    index: int
    event: EventHash
    type: str
    occurred: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits for a second person (catalogue R9), since `at_us`."""

    index: int
    event: EventHash
    at_us: int
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """How a participant left the study."""

    index: int
    event: EventHash
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One rule broken by one statement.

    Attributes:
        index: index of the statement that breaks the rule.
        found: index at which it was found: the same, or that of the correction that brought it out.
        recorded: index of its `breach.detected`.
        pending: the correction or voiding that would make it vanish and still lacks source or co-signature.
        closed: index that made it vanish.
        explained: index of the delegation or training that came too late; it stays open.
    """

    event: EventHash
    rule: str
    index: int
    found: int
    recorded: int | None = None
    pending: EventHash | None = None
    closed: int | None = None
    explained: int | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the rule is still broken as far as the log knows."""
        return self.closed is None


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Everything that rules ask about one participant, as of the newest entry of the stream.

    Attributes:
        day1: study day 1 at the site, once the first infusion is started.
        uncovered: procedures without, before or not clearly after a consent: a later consent may settle them.
        guesses: (visit, who) of each guess of the arm.
        infusion_staff: persons who took part in infusions, who are no blinded raters any more.
        treatment_ended: the last planned infusion is over, or treatment was withdrawn.
    """

    id: str
    site: str
    registered: int
    consents: tuple[Consent, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    assessments: Mapping[str, Assessment] = field(default_factory=_empty)
    screening_began: Interval | None = None
    screening_failed: int | None = None
    eligibility: Eligibility | None = None
    randomizations: tuple[Randomization, ...] = ()
    guesses: frozenset[tuple[str, str]] = frozenset()
    orders: tuple[Order, ...] = ()
    received: tuple[ReceivedDose, ...] = ()
    infusions: tuple[Infusion, ...] = ()
    day1: date | None = None
    infusion_staff: frozenset[str] = frozenset()
    treatment_ended: bool = False
    visits: Mapping[str, Visit] = field(default_factory=_empty)
    following_up: bool = False
    adverse_events: Mapping[str, AdverseEvent] = field(default_factory=_empty)
    medications: tuple[Medication, ...] = ()
    holds: tuple[Hold, ...] = ()
    uncovered: tuple[Procedure, ...] = ()
    pending: tuple[Pending, ...] = ()
    disposition: Disposition | None = None
    died: int | None = None
    consenting: Consenting = field(default_factory=Consenting)
    bedside: Bedside = field(default_factory=Bedside)
    observing: Observing = field(default_factory=Observing)
    safety: Safety = field(default_factory=Safety)
    leaving: Leaving = field(default_factory=Leaving)
    assurance: Assurance = field(default_factory=Assurance)
    breaches: tuple[Breach, ...] = ()

    @property
    def randomized(self) -> bool:
        """Tell whether a first allocation is there."""
        return any(r.stage == 1 and r.answered is not None for r in self.randomizations)

    @property
    def running(self) -> Infusion | None:
        """The infusion that is running or interrupted."""
        return next((i for i in self.infusions if i.ended is None), None)

    @property
    def open_breaches(self) -> tuple[Breach, ...]:
        """The breaches that nothing has closed."""
        return tuple(breach for breach in self.breaches if breach.closed is None)

    def held_at(self, us: int) -> bool:
        """Tell whether something makes gates wait at an instant."""
        return any(us < hold.until_us for hold in self.holds)

    @property
    def status(self) -> Status:
        """Where the participant is: the furthest step that the log shows."""
        if self.died is not None:
            return Status.DIED
        if self.disposition is not None:
            return self.disposition.status
        if self.following_up and self.infusions:
            return Status.FOLLOW_UP
        if self.treatment_ended and self.infusions:
            return Status.TREATMENT_ENDED
        if self.infusions:
            return Status.ON_TREATMENT
        if self.randomized:
            return Status.RANDOMIZED
        if self.screening_failed is not None:
            return Status.SCREEN_FAILED
        if self.eligibility is not None:
            return Status.ELIGIBLE
        if self.screening_began is not None or self.assessments:
            return Status.SCREENING
        return Status.CONSENTED if self.consents else Status.PRE_SCREENED
