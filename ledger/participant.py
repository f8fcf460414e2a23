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
from ledger.state.consenting import Consent as Consent
from ledger.state.consenting import Consenting
from ledger.state.consenting import Withdrawal as Withdrawal
from ledger.state.leaving import ExtensionStatus, Leaving
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


class Flag(StrEnum):
    """What stands beside the status (catalogue, "Status")."""

    ON_HOLD = "on hold"
    UNBLINDED = "unblinded"
    RECONSENT_DUE = "re-consent due"
    LOCKED = "locked"


ENDED: Final = frozenset({Status.COMPLETED, Status.WITHDRAWN, Status.LOST_TO_FOLLOW_UP, Status.DIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The latest assessment of one criterion; `corrected` is the index of its result's newest correction."""

    index: int
    event: EventHash
    result: Literal["met", "not_met", "not_applicable"]
    corrected: int | None = None


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
    """What makes gates wait from one instant until another, and the event that brought it."""

    index: int
    event: EventHash
    rule: str
    since_us: int
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
        deviation: index of the deviation report that accounts for it; the rule is broken all the same.
    """

    event: EventHash
    rule: str
    index: int
    found: int
    recorded: int | None = None
    pending: EventHash | None = None
    closed: int | None = None
    explained: int | None = None
    deviation: int | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the rule is still broken as far as the log knows."""
        return self.closed is None

    @property
    def is_unaccounted(self) -> bool:
        """Tell whether neither the fold nor a deviation has closed it (catalogue A, `breach.detected`)."""
        return self.closed is None and self.deviation is None


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Everything that rules ask about one participant, as of the newest entry of the stream.

    Attributes:
        day1: study day 1 at the site, once the first infusion or the visit of day 1 is started.
        uncovered: procedures without, before or not clearly after a consent: a later consent may settle them.
        guesses: (visit, who) of each guess of the arm.
        infusion_staff: persons who took part in infusions, who are no blinded raters any more.
        treatment_began: a visit of treatment was started, where treatment is something else than infusions.
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
    treatment_began: bool = False
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
    def treated(self) -> bool:
        """Tell whether treatment has begun."""
        return bool(self.infusions) or self.treatment_began

    @property
    def enrolled(self) -> bool:
        """Tell whether the participant is beyond screening: allocated, or treated where nobody is."""
        return self.randomized or self.treated

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

    def flags_at(self, us: int) -> tuple[Flag, ...]:
        """Return what stands beside the status at an instant, as far as this participant's stream tells.

        Who was unblinded and what is locked is kept with the study (catalogue, "Status").
        """
        flags = []
        held = self.consenting.consent_is_held(self.consents) or self.consenting.dosing_is_held
        if held or self.held_at(us):
            flags.append(Flag.ON_HOLD)
        if self.consenting.reconsent_due(us):
            flags.append(Flag.RECONSENT_DUE)
        return tuple(flags)

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that the participant has been of, the newest last: each transfer adds one."""
        left = tuple(transfer.left for transfer in self.consenting.transfers)
        return (*left, self.site)

    def site_at(self, index: int) -> str:
        """Return the site that the participant was of just before an index."""
        later = (transfer.left for transfer in self.consenting.transfers if transfer.index >= index)
        return next(later, self.site)

    @property
    def in_extension(self) -> bool:
        """Tell whether the extension was entered and has not ended."""
        return self.leaving.extension.status is ExtensionStatus.ENTERED

    @property
    def has_ended(self) -> bool:
        """Tell whether participation is over: no gate opens any more, but those of an extension."""
        return self.died is not None or (self.disposition is not None and not self.in_extension)

    @property
    def status(self) -> Status:
        """Where the participant is: the furthest step that the log shows."""
        if self.died is not None:
            return Status.DIED
        if self.disposition is not None:
            return self.disposition.status
        treated = self.treated or self.leaving.treatment is not None
        if self.following_up and treated:
            return Status.FOLLOW_UP
        if self.treatment_ended and treated:
            return Status.TREATMENT_ENDED
        if self.treated:
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
