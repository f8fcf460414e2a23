"""What goes on around the participants: keys, new staff, new forms, approvals, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from ledger.actions.accounts import (
    AccountDisabled,
    AccountRenamed,
    KeyEnrolled,
    KeyHolderConfirmed,
    KeyRevoked,
    KeyRotated,
    RecordReaffirmed,
    RoleRevoked,
)
from ledger.actions.fields import Measure, Source
from ledger.actions.infusion import InfusionOrdered
from ledger.actions.quality import CorrectionMade
from ledger.actions.sites import DelegationEnded
from ledger.actions.visits import UNSCHEDULED, VisitStarted
from ledger.demo import (
    amending,
    attesting,
    conditions,
    counting,
    handing_over,
    overseeing,
    running,
    taking_over,
    unblinding_turns,
)
from ledger.demo.cast import (
    ADMINISTRATOR,
    AUDITOR,
    DATA_MANAGER,
    MONITOR,
    ROOTS,
    Person,
    key_of,
    people,
    person_at,
)
from ledger.demo.course import Course
from ledger.demo.schedule import Plan
from ledger.demo.setup import APPROVED_UNTIL, Setup
from ledger.demo.stage import HOUR_US, Command, Stage, Story, Wait, instant
from ledger.entry import Entry
from ledger.fold import load_entry
from ledger.genesis import evidence_of, key_object
from ledger.times import parse_instant

EVENING: Final = 20 * 60
NEW_STAFF: Final = date(2024, 7, 22)
DELEGATED: Final = date(2024, 8, 12)
STAFF_LEAVES: Final = date(2025, 3, 28)
KEY_ADDED: Final = date(2024, 7, 9)
RENAMED: Final = date(2024, 12, 16)
KEY_LOST: Final = date(2024, 10, 8)
KEY_ROTATED: Final = date(2024, 11, 20)
APPROVED_AGAIN_UNTIL: Final = date(2026, 1, 31)
TRIES: Final = 23
SUSPECT_HOURS: Final = 36
ATTEMPTS: Final = date(2024, 6, 18)


def stories(setup: Setup, plans: Sequence[Plan], courses: Mapping[int, Course]) -> Iterator[Story]:
    """Yield all of them; those that need a participant only where there is one."""
    yield from amending.stories(setup)
    yield from conditions.stories(setup)
    yield from handing_over.stories(setup)
    yield from attesting.stories(setup, plans)
    yield from running.stories(setup, plans)
    yield from counting.stories(setup)
    yield from unblinding_turns.stories(setup, plans)
    yield from overseeing.stories(setup, courses)
    yield from taking_over.stories(setup, courses)
    yield from (_new_colleague(setup, person) for person in _later(setup.stage))
    first, *_, last = setup.stage.definition.sites
    yield _lost_key(setup, person_at(last, "infusion_staff"))
    yield _rotated_key(setup, person_at(first, "blinded_rater"))
    yield _second_key(setup, DATA_MANAGER)
    yield _renamed(setup, person_at(last, "coordinator"), "Daniel Kim-Okoro")
    for site in setup.stage.definition.sites:
        yield _approved_again(setup, site, late=site != first)
    if plans:
        yield _attempts(setup.stage, plans[0])
    there = [plan for plan in plans if plan.site != first and not plan.turns.fails]
    if there:
        yield _lapsed(setup.stage, there[-1])


def _later(stage: Stage) -> Iterator[Person]:
    return (p for p in people(stage.definition) if p.joins_later and p.role == "coordinator")


def _new_colleague(setup: Setup, person: Person) -> Story:
    """Somebody joins, begins to work, is delegated weeks later with a date in the past, and leaves again."""
    yield Wait(at_us=_evening(setup, NEW_STAFF))
    setup.admit(person)
    setup.train(person.id, NEW_STAFF)
    yield Wait(at_us=_evening(setup, DELEGATED))
    site, stream = person.sites[0], f"person/{person.id}"
    late = ("DELEGATION_BACKDATED",)
    delegation = setup.delegate(site, person.id, person.role, NEW_STAFF, breaches=late)
    yield Wait(at_us=_evening(setup, STAFF_LEAVES))
    ended = DelegationEnded(delegation=delegation)
    setup.say(person_at(site, "investigator"), ended, f"site/{site}")
    setup.say(ADMINISTRATOR, RoleRevoked(person=person.id, role=person.role), stream)
    setup.say(ADMINISTRATOR, AccountDisabled(person=person.id), stream)


def _lost_key(setup: Setup, person_id: str) -> Story:
    """A key is lost and revoked; it signs nothing any more, and its holder gets a new one.

    What it signed since it was last surely at hand is suspect; the investigator compares each record with its
    source and reaffirms it.
    """
    stage = setup.stage
    person, lost = stage.people[person_id], stage.signers[person_id].key
    stream = f"person/{person_id}"
    yield Wait(at_us=_evening(setup, KEY_LOST))
    site, suspect = person.sites[0], list(_signed_by(stage, lost.id, hours=SUSPECT_HOURS))
    since = suspect[0].index if suspect else None
    setup.say(ADMINISTRATOR, KeyRevoked(key=lost.id, person=person_id, compromised_from=since), stream)
    for entry in suspect:
        reaffirmed = RecordReaffirmed(
            basis="source_compared", person=person_id, statement=entry.event, source=Source(kind="esource")
        )
        setup.say(person_at(site, "investigator"), reaffirmed, stream)
    yield Command(
        at_us=stage.sources.now_us(),
        person=person_id,
        role=person.role,
        action=VisitStarted(visit=UNSCHEDULED, mode="in_person", source=Source(kind="esource")),
        stream=_any_participant(stage, site),
        members={"site": site},
        refused="KEY_REVOKED",
    )
    second = key_of(stage.seed, f"{person_id} second key", person=person)
    new = second.signing_key()
    enrolled = KeyEnrolled(
        evidence=evidence_of(f"{stage.ledger.origin} second signed form of {person_id}"),
        key=key_object(new, person_id, "client"),
    )
    setup.say(ADMINISTRATOR, enrolled, stream, further=(new,))
    stage.enter(person, second)


def _signed_by(stage: Stage, key: str, *, hours: int) -> Iterator[Entry]:
    """Yield what a key signed in the last hours."""
    ledger = stage.ledger
    since_us = stage.sources.now_us() - hours * HOUR_US
    for stored in ledger.store.entries(0, ledger.refresh().size):
        if parse_instant(stored.at) >= since_us:
            entry = load_entry(stored)
            if entry.statement is not None and entry.statement.key.id == key:
                yield entry


def _second_key(setup: Setup, person_id: str) -> Story:
    """A further key, endorsed by the other organisation, and confirmed with the earlier one."""
    stage = setup.stage
    stream = f"person/{person_id}"
    yield Wait(at_us=_evening(setup, KEY_ADDED))
    further = key_of(stage.seed, f"{person_id} second key", person=stage.people[person_id]).signing_key()
    enrolled = KeyEnrolled(
        evidence=evidence_of(f"{stage.ledger.origin} second signed form of {person_id}"),
        key=key_object(further, person_id, "client"),
    )
    setup.say(ROOTS[0], enrolled, stream, further=(further,))
    setup.say(person_id, KeyHolderConfirmed(key=further.id, person=person_id), stream)


def _renamed(setup: Setup, person_id: str, name: str) -> Story:
    """Somebody signs under another name from now on; what was signed before keeps the old one."""
    stage = setup.stage
    yield Wait(at_us=_evening(setup, RENAMED))
    person = replace(stage.people[person_id], name=name)
    renamed = AccountRenamed(name=name, organisation=person.organisation, person=person_id)
    setup.say(ADMINISTRATOR, renamed, f"person/{person_id}")
    stage.enter(person, key_of(stage.seed, person_id, person=person))


def _any_participant(stage: Stage, site: str) -> str:
    """Return the stream of some participant of a site, or of one who would be the next."""
    for participant in stage.ledger.refresh().conduct.participants():
        if participant.site == site:
            return f"participant/{participant.id}"
    return f"participant/{site}-001"


def _rotated_key(setup: Setup, person_id: str) -> Story:
    """A holder replaces a key; the sponsor administrator's key confirms it."""
    stage = setup.stage
    person = stage.people[person_id]
    yield Wait(at_us=_evening(setup, KEY_ROTATED))
    old = stage.signers[person_id].key
    second = key_of(stage.seed, f"{person_id} second key", person=person)
    new = second.signing_key()
    rotated = KeyRotated(key=key_object(new, person_id, "client"), replaces=old.id)
    further = (new, stage.signers[ADMINISTRATOR].key)
    setup.say(person_id, rotated, f"person/{person_id}", further=further)
    stage.enter(person, second)


def _approved_again(setup: Setup, site: str, *, late: bool) -> Story:
    """The review board approves for another year; at one site days after the first approval has ended."""
    begins = APPROVED_UNTIL + timedelta(days=1)
    days = 3 if late else -10  # the Monday after, before anybody comes
    zone = setup.stage.definition.sites[site].zone
    yield Wait(at_us=instant(APPROVED_UNTIL + timedelta(days=days), 6 * 60, zone))
    setup.approve_site(site, begins, APPROVED_AGAIN_UNTIL)


def _lapsed(stage: Stage, plan: Plan) -> Story:
    """Order an infusion while no approval is in force."""
    yield Command(
        at_us=instant(APPROVED_UNTIL + timedelta(days=2), 18 * 60, plan.zone),
        person=person_at(plan.site, "sub_investigator"),
        role="sub_investigator",
        action=_order(),
        stream=f"participant/{plan.id}",
        members={"site": plan.site, "protocol": stage.definition.version},
        refused="IRB_LAPSED",
    )


def _order() -> InfusionOrdered:
    return InfusionOrdered(
        infusion=1,
        weight=Measure(value="70.0", unit="kg"),
        weight_date=ATTEMPTS.isoformat(),
        instruction="per_protocol",
        limits=(),
    )


def _attempts(stage: Stage, plan: Plan) -> Story:
    """People try what is not theirs: an auditor investigates, a monitor corrects, a nurse orders.

    Then a monitor's script tries again and again: beyond so many in an hour refusals are counted, and the
    count stands before the next one that is recorded.
    """
    nobody = "0" * 64
    correction = CorrectionMade(statement=nobody, path="/data/visit", old="a", new="b")
    nurse = person_at(plan.site, "infusion_staff")
    attempts = (
        (AUDITOR, "investigator", _order(), None, "ROLE_NOT_HELD"),
        (MONITOR, "blinded_monitor", correction, ("error", "should be so"), "ROLE_NOT_ALLOWED"),
        (nurse, "infusion_staff", _order(), None, "ROLE_NOT_ALLOWED"),
    )
    script = (*attempts, *(attempts[1],) * TRIES)
    for number, (person, role, action, reason, code) in enumerate(script):
        last = number == len(script) - 1
        yield Command(
            at_us=instant(ATTEMPTS, EVENING + number + 90 * last, plan.zone),
            person=person,
            role=role,
            action=action,
            stream=f"participant/{plan.id}",
            reason=reason,
            members={"site": plan.site, "protocol": stage.definition.version},
            refused=code,
        )


def _evening(setup: Setup, on: date) -> int:
    zones = [site.zone for site in setup.stage.definition.sites.values()]
    return max(instant(on, EVENING, zone) for zone in zones)
