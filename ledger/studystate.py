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
from typing import Any, Final, TypeVar

from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.rules.record import Record, span
from ledger.study.definition import StudyDefinition, load
from ledger.times import Interval

DEFAULT_LATE_HOURS: Final = 72
DEFAULT_ZONE: Final = "UTC"
ALL_SITES: Final = "*"

V = TypeVar("V")


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
    """One allocation: which slot of which list went, at which index of the log."""

    index: int
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


def _with(mapping: Mapping[str, V], key: str, value: V) -> Mapping[str, V]:
    return MappingProxyType({**mapping, key: value})


def _at_site(state: StudyState, site: str, **changes: Any) -> StudyState:
    return replace(state, sites=_with(state.sites, site, replace(state.site(site), **changes)))


def _study_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    if state.registered is not None:
        return state
    return replace(state, registered=record.index, sponsor=record.data["sponsor"])


def _protocol_approved(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    version = record.data["version"]
    definition = read_definition(attachments(record.data["definition"]["sha256"]), version)
    protocol = Protocol(index=record.index, version=version, definition=definition)
    zones = state.zones
    if definition is not None:
        zones = MappingProxyType({**zones, **{s.id: s.zone for s in definition.sites.values()}})
    return replace(state, protocols=(*state.protocols, protocol), zones=zones)


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


def _consent_form_approved(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    form = ConsentForm(
        index=record.index,
        version=data["version"],
        language=data["language"],
        begins=data["from"],
        ends=data.get("to"),
        sha256=data["document"]["sha256"],
        sites=tuple(data["sites"]),
    )
    return replace(state, forms=(*state.forms, form))


def _irb_approval_recorded(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    approval = Approval(index=record.index, event=record.event, begins=data["from"], ends=data["to"])
    return _at_site(state, site, approvals=(*state.site(site).approvals, approval))


def _investigator_designated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    designation = Designation(index=record.index, person=data["person"], begins=data["from"])
    return _at_site(state, site, investigators=(*state.site(site).investigators, designation))


def _delegation_granted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data, site = record.data, record.site or ""
    delegation = Delegation(
        index=record.index,
        event=record.event,
        person=data["person"],
        tasks=frozenset(data["tasks"]),
        begins=data["from"],
        ends=data.get("to"),
        recorded_us=record.at_us,
    )
    return _at_site(state, site, delegations=(*state.site(site).delegations, delegation))


def _change_delegation(state: StudyState, site: str, named: Delegation, **changes: Any) -> StudyState:
    delegations = tuple(
        replace(d, **changes) if d.event == named.event else d for d in state.site(site).delegations
    )
    return _at_site(state, site, delegations=delegations)


def _delegation_accepted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Accept a delegation. A fact is recorded whoever states it; it takes effect by the delegate only."""
    site = record.site or ""
    named = state.delegation(site, record.data["delegation"])
    if named is None or named.person != record.statement.actor.id or named.accepted is not None:
        return state
    return _change_delegation(state, site, named, accepted=record.index, accepted_us=record.at_us)


def _delegation_ended(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """End a delegation. It takes effect by the site's investigator only, once."""
    site = record.site or ""
    named = state.delegation(site, record.data["delegation"])
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    by = state.investigator(site, now, record.index)
    if named is None or by != record.statement.actor.id or named.ended is not None:
        return state
    ended_us = record.occurred.earliest_us
    return _change_delegation(state, site, named, ended=record.index, ended_us=ended_us)


def _site_initiated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _at_site(state, record.site or "", initiated=record.index)


def _site_activated(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _at_site(state, record.site or "", activated=record.index)


def _enrolment_opened(state: StudyState, record: Record, _: Attachments) -> StudyState:
    opening = Enrolment(index=record.index, cap=record.data["cap"], sites=tuple(record.data["sites"]))
    return replace(state, enrolments=(*state.enrolments, opening))


def _training_recorded(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    training = Training(index=record.index, protocol=data.get("protocol"), date=data["date"])
    known = state.trainings.get(data["person"], ())
    return replace(state, trainings=_with(state.trainings, data["person"], (*known, training)))


def _policy_changed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    hours = record.data.get("late_entry_hours")
    if hours is None:
        return state
    return replace(state, late_hours=(*state.late_hours, (record.index, hours)))


def _list(state: StudyState, record: Record, **changes: Any) -> StudyState:
    name = record.data["list"]
    known = state.lists.get(name) or RandomizationList(name=name, begun=record.index)
    return replace(state, lists=_with(state.lists, name, replace(known, **changes)))


def _seed_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    actor = record.statement.actor
    seed = Seed(index=record.index, event=record.event, person=actor.id, organisation=actor.organisation)
    known = state.lists.get(record.data["list"])
    return _list(state, record, seeds=(*(known.seeds if known else ()), seed))


def _parameters_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    return _list(
        state,
        record,
        parameters=record.index,
        algorithm=data["algorithm"],
        first=data.get("first"),
        strata=tuple(data["strata"]),
        slots=data["slots"],
        beacon_size=data["beacon_size"],
    )


def _list_committed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    return _list(state, record, committed=record.index)


def _participant_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    if state.first_registration is not None:
        return state
    return replace(state, first_registration=record.index)


def _participant_randomized(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    draw = Draw(
        index=record.index,
        list=data["list"],
        stage=data["stage"],
        stratum=data["stratum"],
        list_index=data.get("list_index"),
    )
    return replace(state, draws=(*state.draws, draw))


def _erasure_approved(state: StudyState, record: Record, _: Attachments) -> StudyState:
    actor = record.statement.actor
    approval = ErasureApproval(
        event=record.event,
        statement=record.data["statement"],
        digests=frozenset(record.data["digests"]),
        person=actor.id,
        of_sponsor=actor.role == "sponsor_administrator" or actor.organisation == state.sponsor,
    )
    return replace(state, erasures=_with(state.erasures, record.event, approval))


Attachments = Callable[[str], bytes | None]
Fold = Callable[[StudyState, Record, Attachments], StudyState]

FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "policy.changed": _policy_changed,
        "training.recorded": _training_recorded,
        "study.registered": _study_registered,
        "protocol.approved": _protocol_approved,
        "consent_form.approved": _consent_form_approved,
        "irb_approval.recorded": _irb_approval_recorded,
        "investigator.designated": _investigator_designated,
        "delegation.granted": _delegation_granted,
        "delegation.accepted": _delegation_accepted,
        "delegation.ended": _delegation_ended,
        "site.initiated": _site_initiated,
        "site.activated": _site_activated,
        "enrolment.opened": _enrolment_opened,
        "randomization.seed_committed": _seed_committed,
        "randomization.parameters_committed": _parameters_committed,
        "randomization.list_committed": _list_committed,
        "erasure.approved": _erasure_approved,
        "participant.registered": _participant_registered,
        "participant.randomized": _participant_randomized,
    }
)
"""Types that change the state of the study; every other one leaves it as it is."""


def evolve(state: StudyState, record: Record, attachments: Attachments) -> StudyState:
    """Fold one record in. Types that the study's state does not depend on return the same value."""
    fold = FOLDS.get(record.type)
    return fold(state, record, attachments) if fold else state


CORRECTABLE: Final = frozenset({"irb_approval.recorded", "training.recorded"})
"""Facts outside the participants' streams that can be corrected or voided, and that this state holds."""


def again(state: StudyState, stream: str, records: tuple[Record, ...]) -> StudyState:
    """Return the state with a stream's correctable facts as they read after a correction or voiding (R10)."""
    kind, _, name = stream.partition("/")
    if kind == "site":
        state = _at_site(state, name, approvals=())
    elif kind == "person":
        state = replace(state, trainings=_with(state.trainings, name, ()))
    for record in records:
        state = evolve(state, record, _no_attachment)
    return state


def _no_attachment(_: str) -> bytes | None:
    return None
