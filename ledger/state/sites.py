"""State: one site: board and command approvals, investigators, delegations, versions in force, standing.

Each item keeps the index that brought it in, and every question names the index *before* which it is asked
and the site's zone: which instants a date means depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ledger.envelope import EventHash
from ledger.rules.record import span
from ledger.times import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval by the review board, from its first to its last day."""

    index: int
    event: EventHash
    reference: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """An approval suspended, until a time, or until a further approval where none is named."""

    index: int
    event: EventHash
    begins: str
    ends: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The board lets those go on who are in the study, without an approval in force; activities are codes."""

    index: int
    event: EventHash
    begins: str
    ends: str
    activities: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandApproval:
    """The command lets the site recruit those on active duty."""

    index: int
    event: EventHash
    begins: str
    ends: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Designation:
    """A principal investigator of a site; handed over, it counts from the successor's co-signature on.

    Attributes:
        handed_over: the hand-over that names the successor; None for a first designation.
        accepted: index of the successor's co-signature.
    """

    index: int
    person: str
    begins: str
    handed_over: EventHash | None = None
    accepted: int | None = None

    def counts(self, before: int) -> bool:
        """Tell whether the designation was in the log, and accepted where it has to be."""
        if self.handed_over is None:
            return self.index < before
        return self.accepted is not None and self.accepted < before


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """Tasks given to a person at a site.

    `recorded_us` and `accepted_us` are recording times: a delegation is in effect from the later of `begins`
    and its acceptance; before that it explains and does not excuse (catalogue R2b). `reaffirmed` is the index
    at which an investigator who took over stood by it.
    """

    index: int
    event: EventHash
    person: str
    tasks: frozenset[str]
    begins: str
    ends: str | None
    recorded_us: int
    accepted: int | None = None
    accepted_us: int = 0
    ended: int | None = None
    ended_us: int = 0
    reaffirmed: int | None = None

    def is_over(self, when: Interval, zone: str, before: int) -> bool:
        """Tell whether it had ended before all that a time can mean."""
        if self.ended is not None and self.ended < before and self.ended_us < when.earliest_us:
            return True
        return self.ends is not None and span(self.ends, zone).latest_us < when.earliest_us

    def holds(self, when: Interval, zone: str, before: int) -> bool:
        """Tell whether it was in effect at some instant that a time can mean."""
        if self.accepted is None or max(self.index, self.accepted) >= before:
            return False
        begins = max(span(self.begins, zone).earliest_us, self.accepted_us)
        return begins <= when.latest_us and not self.is_over(when, zone, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A further protocol version in force at the site, from the later of `begins` and its recording."""

    index: int
    version: str
    begins: str
    recorded_us: int

    def begins_us(self, zone: str) -> int:
        """Return the instant from which the version is in force."""
        return max(span(self.begins, zone).earliest_us, self.recorded_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the site may do from a time on."""

    index: int
    state: Literal["active", "suspended", "closed"]
    begins: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What one site has."""

    approvals: tuple[Approval, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    continuations: tuple[Continuation, ...] = ()
    commands: tuple[CommandApproval, ...] = ()
    investigators: tuple[Designation, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    amendments: tuple[Activation, ...] = ()
    initiated: int | None = None
    standings: tuple[Standing, ...] = ()

    def standing(self, zone: str, when: Interval, before: int) -> str | None:
        """Return what the site may do at a time: `active`, `suspended`, `closed`, or None before it is."""
        for standing in reversed(self.standings):
            if standing.index < before and span(standing.begins, zone).earliest_us <= when.latest_us:
                return standing.state
        return None

    def last_standing(self, before: int) -> str | None:
        """Return what the newest statement says that the site may do, whenever that begins."""
        return next((s.state for s in reversed(self.standings) if s.index < before), None)

    def approved(self, zone: str, when: Interval, before: int) -> bool:
        """Tell whether an approval covers all that a time can mean."""
        return any(a.index < before and _covers(a.begins, a.ends, zone, when) for a in self.approvals)

    def suspended(self, zone: str, when: Interval, before: int) -> bool:
        """Tell whether approval is suspended at a time and no further approval has lifted that."""
        return any(
            s.index < before
            and span(s.begins, zone).earliest_us <= when.latest_us
            and (s.ends is None or when.earliest_us <= span(s.ends, zone).latest_us)
            and not self._lifted(s, zone, when, before)
            for s in self.suspensions
        )

    def _lifted(self, suspension: Suspension, zone: str, when: Interval, before: int) -> bool:
        return any(
            suspension.index < a.index < before and _covers(a.begins, a.ends, zone, when)
            for a in self.approvals
        )

    def continues(self, zone: str, when: Interval, before: int, activity: str | None) -> bool:
        """Tell whether the board lets things go on at a time; `activity` must be named where it is asked."""
        return any(
            c.index < before
            and (activity is None or activity in c.activities)
            and _covers(c.begins, c.ends, zone, when)
            for c in self.continuations
        )

    def commanded(self, zone: str, when: Interval, before: int) -> bool:
        """Tell whether a command's approval covers all that a time can mean."""
        return any(c.index < before and _covers(c.begins, c.ends, zone, when) for c in self.commands)

    def investigator(self, zone: str, when: Interval, before: int) -> str | None:
        """Return the principal investigator at a time: the newest designation that counts and has begun."""
        for designation in reversed(self.investigators):
            if designation.counts(before) and span(designation.begins, zone).earliest_us <= when.latest_us:
                return designation.person
        return None

    def is_named(self, person: str, before: int) -> bool:
        """Tell whether a designation or hand-over names a person, whether or not it was accepted."""
        return any(d.person == person and d.index < before for d in self.investigators)

    def delegation(self, event: str) -> Delegation | None:
        """Return a delegation by its event hash."""
        return next((d for d in self.delegations if d.event == event), None)


def _covers(begins: str, ends: str | None, zone: str, when: Interval) -> bool:
    """Tell whether all that a time can mean lies between two times, both included."""
    if span(begins, zone).earliest_us > when.earliest_us:
        return False
    return ends is None or when.latest_us <= span(ends, zone).latest_us
