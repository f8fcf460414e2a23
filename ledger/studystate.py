"""What the study and its sites have permitted: protocols, forms, approvals, delegations, lists; a pure fold.

Everything is kept with the index that brought it in, and every question names the index *before* which it is
asked. So one value answers for the newest statement and, when a correction folds a participant again
(catalogue R10), for each earlier one as the log stood then. Times are kept as they were written; which
instants a date can mean depends on the zone of the site, which a later protocol may be the first to name.

Left out on purpose: persons, keys and roles (`authority`), and what concerns one participant (`participant`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.leaf import ZERO_SALT, stream_tag
from ledger.rules.record import span
from ledger.state.assurance import Assurance
from ledger.state.conditions import ALL_SITES, Conditions
from ledger.state.lists import Draw as Draw
from ledger.state.lists import Enrolment as Enrolment
from ledger.state.lists import RandomizationList as RandomizationList
from ledger.state.lists import Seed as Seed
from ledger.state.people import People
from ledger.state.pharmacy import Pharmacy
from ledger.state.protocols import ConsentForm as ConsentForm
from ledger.state.protocols import Protocol as Protocol
from ledger.state.protocols import Training as Training
from ledger.state.safety_desk import SafetyDesk
from ledger.state.sites import Delegation, Site
from ledger.state.unblinding import Unblinding
from ledger.study.definition import StudyDefinition, load
from ledger.study.demands import ConsentVersion
from ledger.times import Interval

Attachments = Callable[[str], bytes | None]
"""Gives the bytes of an attachment by its SHA-256."""

DEFAULT_LATE_HOURS: Final = 72
DEFAULT_ZONE: Final = "UTC"


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

    `partial` says that statements are withheld here, so that what others drew is not known whole; `cut` holds
    the tags of streams in which some are: corrections, voidings and co-signatures there are not known.
    """

    partial: bool = False
    cut: frozenset[str] = frozenset()
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
    prescreenings: tuple[tuple[str, int], ...] = ()
    late_hours: tuple[tuple[int, int], ...] = ()
    people: People = field(default_factory=People)
    conditions: Conditions = field(default_factory=Conditions)
    pharmacies: Mapping[str, Pharmacy] = field(default_factory=_empty)
    unblinding: Unblinding = field(default_factory=Unblinding)
    safety_desk: SafetyDesk = field(default_factory=SafetyDesk)
    assurance: Mapping[str, Assurance] = field(default_factory=_empty)

    def is_cut(self, stream: str) -> bool:
        """Tell whether statements of an unsalted stream are withheld here."""
        return bool(self.cut) and _tag(stream) in self.cut

    def with_site(self, site: str, **changes: Any) -> StudyState:
        """Return the state with something of one site replaced."""
        changed = MappingProxyType({**self.sites, site: replace(self.site(site), **changes)})
        return replace(self, sites=changed)

    def zone(self, site: str | None) -> str:
        """Return the IANA zone of a site; UTC until a protocol names it, and for the study as a whole."""
        return self.zones.get(site, DEFAULT_ZONE) if site is not None else DEFAULT_ZONE

    def site(self, site: str) -> Site:
        """Return what a site has; nothing, for one that the log does not know."""
        return self.sites.get(site, NO_SITE)

    def protocol(self, before: int) -> Protocol | None:
        """Return the newest approved version, which need not be in force anywhere yet."""
        for protocol in reversed(self.protocols):
            if protocol.index < before:
                return protocol
        return None

    def protocol_for(self, site: str | None, before: int, when: Interval | None = None) -> Protocol | None:
        """Return the version in force at a site: the newest that is activated there, else the first.

        The first is the first approved version that has the site. Asked for a time, an activation counts that
        has begun by the last instant that it can mean. For the study as a whole: the newest approved.
        """
        if site is None:
            return self.protocol(before)
        for activation in reversed(self.site(site).amendments):
            if activation.index < before and (
                when is None or activation.begins_us(self.zone(site)) <= when.latest_us
            ):
                return self.version(activation.version, before)
        return self.first_protocol(site, before)

    def first_protocol(self, site: str, before: int) -> Protocol | None:
        """Return the version that is in force at a site without being activated there."""
        first: Protocol | None = None
        for protocol in self.protocols:
            if protocol.index >= before:
                break
            if protocol.definition is not None and site in protocol.definition.sites:
                return protocol
            first = first or protocol
        return first

    def has_site(self, site: str, before: int) -> bool:
        """Tell whether an approved version has a site; true while no definition can be read."""
        definitions = [p.definition for p in self.protocols if p.index < before and p.definition is not None]
        return not definitions or any(site in definition.sites for definition in definitions)

    def version(self, version: str, before: int) -> Protocol | None:
        """Return an approved version by its name."""
        return next((p for p in self.protocols if p.version == version and p.index < before), None)

    def late_entry_hours(self, before: int, site: str | None, when: Interval) -> int:
        """Return after how many hours an entry at a time is late: by policy, else by protocol, else 72."""
        for index, hours in reversed(self.late_hours):
            if index < before:
                return hours
        protocol = self.protocol_for(site, before, when)
        if protocol is None or protocol.definition is None:
            return DEFAULT_LATE_HOURS
        return protocol.definition.late_entry_hours

    def approved(self, site: str, when: Interval, before: int) -> bool:
        """Tell whether a review board's approval of the site covers all that a time can mean."""
        return self.site(site).approved(self.zone(site), when, before)

    def investigator(self, site: str, when: Interval, before: int) -> str | None:
        """Return the principal investigator of a site at a time."""
        return self.site(site).investigator(self.zone(site), when, before)

    def leads(self, person: str, site: str, when: Interval, before: int) -> bool:
        """Tell whether a person is the principal investigator, or may be where co-signatures are withheld."""
        if self.investigator(site, when, before) == person:
            return True
        return self.is_cut(f"site/{site}") and self.site(site).is_named(person, before)

    def delegation(self, site: str, event: str) -> Delegation | None:
        """Return a delegation of a site by its event hash."""
        return self.site(site).delegation(event)

    def delegated(self, person: str, task: str, site: str, when: Interval, before: int) -> bool:
        """Tell whether a person held a task at a site: as its investigator, or by an accepted delegation."""
        zone = self.zone(site)
        for delegation in self.site(site).delegations:
            if (
                delegation.person == person
                and task in delegation.tasks
                and delegation.holds(when, zone, before)
            ):
                return True
        return self.leads(person, site, when, before)

    def explained_by(self, person: str, task: str, site: str, when: Interval) -> int | None:
        """Return the index of a delegation that names the task and the time and came too late, or None."""
        zone = self.zone(site)
        for delegation in self.site(site).delegations:
            if (
                delegation.person == person
                and task in delegation.tasks
                and delegation.accepted is not None
                and span(delegation.begins, zone).earliest_us <= when.latest_us
                and not delegation.is_over(when, zone, delegation.accepted + 1)
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
        self, site: str, language: str, when: Interval, before: int, version: str, part: str | None = None
    ) -> tuple[ConsentForm | None, ...]:
        """Return the form in effect at the first and at the last instant that a time can mean.

        `version` is that of the form that was signed, `part` what it was signed for: the core study or the
        extension, None for either. Forms that a protocol asks for beside one another (a parent's and a
        child's, core and extension) do not supersede each other, and one of another part is in effect there.
        """
        zone = self.zone(site)
        asked = {row.id for row in self._asked_for(version, before) if part in (None, row.part)}

        def is_beside(form: ConsentForm) -> bool:
            rows = self._asked_for(form.version, before)
            if rows and part is not None and all(row.part != part for row in rows):
                return True
            return bool(asked and rows) and asked.isdisjoint(row.id for row in rows)

        rivals = [form for form in self.forms if not is_beside(form)]

        def at(us: int) -> ConsentForm | None:
            best: ConsentForm | None = None
            for form in rivals:
                begins = span(form.begins, zone).earliest_us
                if (
                    form.index < before
                    and form.language == language
                    and form.is_for(site)
                    and begins <= us
                    and (best is None or span(best.begins, zone).earliest_us <= begins)
                ):
                    best = form
            ends_us = None if best is None else best.ends_us(zone, before)
            return None if ends_us is not None and us > ends_us else best

        return at(when.earliest_us), at(when.latest_us)

    def _asked_for(self, version: str, before: int) -> frozenset[ConsentVersion]:
        """Return the consents that protocols name a version of a form for."""
        return frozenset(
            row
            for protocol in self.protocols
            if protocol.index < before and protocol.definition is not None
            for row in protocol.definition.consent_versions
            if row.version == version
        )

    def enrolment(self, site: str, before: int) -> Enrolment | None:
        """Return the opening of enrolment that covers a site."""
        for opening in reversed(self.enrolments):
            if opening.index < before and (site in opening.sites or ALL_SITES in opening.sites):
                return opening
        return None

    def paused(self, site: str, when: Interval, before: int) -> bool:
        """Tell whether enrolment is paused at a site at a time, and not opened again there since."""
        for pause in reversed(self.conditions.pauses):
            if pause.index < before and pause.holds(site, when):
                opening = self.enrolment(site, before)
                return (
                    opening is None or opening.index < pause.index or opening.recorded_us > when.earliest_us
                )
        return False

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

    def prescreened(self, site: str, before: int) -> int:
        """Return how many persons a site's count of pre-screening has."""
        return sum(at == site and index < before for at, index in self.prescreenings)

    def used(self, list_: str, stratum: str, before: int) -> int:
        """Return how many slots of a stratum are used."""
        return sum(d.list == list_ and d.stratum == stratum and d.index < before for d in self.draws)


NO_SITE: Final = Site()
INITIAL: Final = StudyState()


@lru_cache(maxsize=4096)
def _tag(stream: str) -> str:
    return stream_tag(stream, ZERO_SALT)


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
