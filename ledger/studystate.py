"""What the study and its sites have permitted: protocols, forms, approvals, delegations, lists; a pure fold.

Everything is kept with the index that brought it in, and every question names the index *before* which it is
asked. So one value answers for the newest statement and, when a correction folds a participant again
(catalogue R10), for each earlier one as the log stood then. Times are kept as they were written; which
instants a date can mean depends on the zone of the site, which a later protocol may be the first to name.

Left out on purpose: persons, keys and roles (`authority`), and what concerns one participant (`participant`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.rules.record import span
from ledger.state.assurance import Assurance
from ledger.state.conditions import Conditions
from ledger.state.people import People
from ledger.state.pharmacy import Pharmacy
from ledger.state.safety_desk import SafetyDesk
from ledger.state.unblinding import Unblinding
from ledger.study.definition import StudyDefinition, load
from ledger.times import Interval

Attachments = Callable[[str], bytes | None]
"""Gives the bytes of an attachment by its SHA-256."""

DEFAULT_LATE_HOURS: Final = 72
DEFAULT_ZONE: Final = "UTC"
ALL_SITES: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """An approved protocol version; `definition` is None where its attachment is missing or unreadable."""

    index: int
    version: str
    definition: StudyDefinition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """An approved consent form and the dates between which it is in effect, both included."""

    index: int
    version: str
    language: str
    begins: str
    ends: str | None
    sha256: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval by the review board, from its first to its last day."""

    index: int
    event: EventHash
    begins: str
    ends: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Designation:
    """A principal investigator of a site."""

    index: int
    person: str
    begins: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """Tasks given to a person at a site.

    `recorded_us` and `accepted_us` are recording times: a delegation is in effect from the later of `begins`
    and its acceptance; before that it explains and does not excuse (catalogue R2b).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What one site has."""

    approvals: tuple[Approval, ...] = ()
    investigators: tuple[Designation, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    initiated: int | None = None
    activated: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training of a person, for one protocol version where it names one."""

    index: int
    protocol: str | None
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Enrolment opened: how many may be randomized, and where."""

    index: int
    cap: int
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One contributor's committed seed."""

    index: int
    event: EventHash
    person: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomizationList:
    """The steps of one list, each by the index that took it (record-format.md §8)."""

    name: str
    begun: int
    seeds: tuple[Seed, ...] = ()
    parameters: int | None = None
    algorithm: str = ""
    first: str | None = None
    strata: tuple[str, ...] = ()
    slots: int = 0
    beacon_size: int = 0
    committed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One allocation: which slot of which list went to whom, at which index of the log."""

    index: int
    event: EventHash
    participant: str
    list: str
    stage: int
    stratum: str
    list_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureApproval:
    """One person's approval to erase digests of a statement."""

    event: EventHash
    statement: str
    digests: frozenset[str]
    person: str
    of_sponsor: bool


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyState:
    """The fold's value.

    `partial` says that statements are withheld here, so that what others drew is not known whole.
    """

    partial: bool = False
    registered: int | None = None
    sponsor: str = ""
    first_registration: int | None = None
    protocols: tuple[Protocol, ...] = ()
    forms: tuple[ConsentForm, ...] = ()
    zones: Mapping[str, str] = field(default_factory=_empty)
    sites: Mapping[str, Site] = field(default_factory=_empty)
    trainings: Mapping[str, tuple[Training, ...]] = field(default_factory=_empty)
    enrolments: tuple[Enrolment, ...] = ()
    lists: Mapping[str, RandomizationList] = field(default_factory=_empty)
    draws: tuple[Draw, ...] = ()
    erasures: Mapping[str, ErasureApproval] = field(default_factory=_empty)
    late_hours: tuple[tuple[int, int], ...] = ()
    people: People = field(default_factory=People)
    conditions: Conditions = field(default_factory=Conditions)
    pharmacies: Mapping[str, Pharmacy] = field(default_factory=_empty)
    unblinding: Unblinding = field(default_factory=Unblinding)
    safety_desk: SafetyDesk = field(default_factory=SafetyDesk)
    assurance: Mapping[str, Assurance] = field(default_factory=_empty)

    def zone(self, site: str | None) -> str:
        """Return the IANA zone of a site; UTC until a protocol names it, and for the study as a whole."""
        return self.zones.get(site, DEFAULT_ZONE) if site is not None else DEFAULT_ZONE

    def site(self, site: str) -> Site:
        """Return what a site has; nothing, for one that the log does not know."""
        return self.sites.get(site, NO_SITE)

    def protocol(self, before: int) -> Protocol | None:
        """Return the protocol version in force: in this version of the rules, the newest approved."""
        for protocol in reversed(self.protocols):
            if protocol.index < before:
                return protocol
        return None

    def version(self, version: str, before: int) -> Protocol | None:
        """Return an approved version by its name."""
        return next((p for p in self.protocols if p.version == version and p.index < before), None)

    def late_entry_hours(self, before: int) -> int:
        """Return after how many hours an entry is late: by policy, else by protocol, else 72."""
        for index, hours in reversed(self.late_hours):
            if index < before:
                return hours
        protocol = self.protocol(before)
        if protocol is None or protocol.definition is None:
            return DEFAULT_LATE_HOURS
        return protocol.definition.late_entry_hours

    def approved(self, site: str, when: Interval, before: int) -> bool:
        """Tell whether a review board's approval of the site covers all that a time can mean."""
        zone = self.zone(site)
        return any(
            a.index < before
            and span(a.begins, zone).earliest_us <= when.earliest_us
            and when.latest_us <= span(a.ends, zone).latest_us
            for a in self.site(site).approvals
        )

    def investigator(self, site: str, when: Interval, before: int) -> str | None:
        """Return the principal investigator of a site at a time: the newest designation that has begun."""
        zone = self.zone(site)
        for designation in reversed(self.site(site).investigators):
            if designation.index < before and span(designation.begins, zone).earliest_us <= when.latest_us:
                return designation.person
        return None

    def delegation(self, site: str, event: str) -> Delegation | None:
        """Return a delegation of a site by its event hash."""
        return next((d for d in self.site(site).delegations if d.event == event), None)

    def delegated(self, person: str, task: str, site: str, when: Interval, before: int) -> bool:
        """Tell whether a person held a task at a site: as its investigator, or by an accepted delegation."""
        zone = self.zone(site)
        for delegation in self.site(site).delegations:
            if delegation.person == person and task in delegation.tasks and delegation.index < before:
                if delegation.accepted is None or delegation.accepted >= before:
                    continue
                begins = max(span(delegation.begins, zone).earliest_us, delegation.accepted_us)
                if begins <= when.latest_us and not _over(delegation, when, zone, before):
                    return True
        return self.investigator(site, when, before) == person

    def explained_by(self, person: str, task: str, site: str, when: Interval) -> int | None:
        """Return the index of a delegation that names the task and the time and came too late, or None."""
        zone = self.zone(site)
        for delegation in self.site(site).delegations:
            if (
                delegation.person == person
                and task in delegation.tasks
                and delegation.accepted is not None
                and span(delegation.begins, zone).earliest_us <= when.latest_us
                and not _over(delegation, when, zone, delegation.accepted + 1)
            ):
                return delegation.accepted
        return None

    def trained(self, person: str, version: str, when: Interval, zone: str, before: int | None) -> int | None:
        """Return the index of a training on a protocol version by then; `before` None asks the whole log."""
        for training in self.trainings.get(person, ()):
            if (
                training.protocol == version
                and (before is None or training.index < before)
                and span(training.date, zone).earliest_us <= when.latest_us
            ):
                return training.index
        return None

    def effective_form(
        self, site: str, language: str, when: Interval, before: int
    ) -> tuple[ConsentForm | None, ...]:
        """Return the form in effect at the first and at the last instant that a time can mean."""
        zone = self.zone(site)

        def at(us: int) -> ConsentForm | None:
            best: ConsentForm | None = None
            for form in self.forms:
                begins = span(form.begins, zone).earliest_us
                if (
                    form.index < before
                    and form.language == language
                    and (site in form.sites or ALL_SITES in form.sites)
                    and begins <= us
                    and (best is None or span(best.begins, zone).earliest_us <= begins)
                ):
                    best = form
            ended = best is not None and best.ends is not None and us > span(best.ends, zone).latest_us
            return None if ended else best

        return at(when.earliest_us), at(when.latest_us)

    def enrolment(self, site: str, before: int) -> Enrolment | None:
        """Return the opening of enrolment that covers a site."""
        for opening in reversed(self.enrolments):
            if opening.index < before and (site in opening.sites or ALL_SITES in opening.sites):
                return opening
        return None

    def randomized(self, before: int) -> int:
        """Return how many participants the log has randomized (stage 1)."""
        return sum(draw.stage == 1 and draw.index < before for draw in self.draws)

    def allocation(self, participant: str, before: int) -> Draw | None:
        """Return a participant's newest allocation; None where there is none."""
        mine = (d for d in reversed(self.draws) if d.participant == participant)
        return next((draw for draw in mine if draw.index < before), None)

    def locked(self, before: int) -> bool:
        """Tell whether the database is locked."""
        assurance = self.assurance.get("study")
        return assurance is not None and assurance.locked(before) is not None

    def used(self, list_: str, stratum: str, before: int) -> int:
        """Return how many slots of a stratum are used."""
        return sum(d.list == list_ and d.stratum == stratum and d.index < before for d in self.draws)


NO_SITE: Final = Site()
INITIAL: Final = StudyState()


def _over(delegation: Delegation, when: Interval, zone: str, before: int) -> bool:
    """Tell whether a delegation had ended before all that a time can mean."""
    if delegation.ended is not None and delegation.ended < before and delegation.ended_us < when.earliest_us:
        return True
    return delegation.ends is not None and span(delegation.ends, zone).latest_us < when.earliest_us


@lru_cache(maxsize=16)
def read_definition(data: bytes | None, version: str) -> StudyDefinition | None:
    """Return an attached definition; None where it is missing, unreadable, or of another version."""
    if data is None:
        return None
    try:
        definition = load(data)
    except FormatError:
        return None
    return definition if definition.version == version else None
