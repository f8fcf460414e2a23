"""The end: all is reconciled, endorsed and locked; lists opened, sites and study closed, records archived.

last cases · close-out visits · participants locked · trail reviewed · database locked
database unlocked for a late correction, and locked again
    lists opened · sites closed · study closed · archive read
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from ledger.actions.conditions import StudyClosed
from ledger.actions.custody import ArchiveRestoredAndRead, ArchiveSealed, CertifiedCopyReceived
from ledger.actions.locks import DatabaseLocked, DatabaseUnlocked, Unblinded
from ledger.actions.sites import SiteClosed
from ledger.demo import counting, overseeing
from ledger.demo.attesting import issue_copy, records_digest
from ledger.demo.cast import ADMINISTRATOR, DATA_MANAGER, LIST_HOLDER, person_at
from ledger.demo.course import Course
from ledger.demo.endorsing import endorse_and_lock, unlocked
from ledger.demo.hands import NURSE
from ledger.demo.mending import correct
from ledger.demo.monitoring import verified
from ledger.demo.office import ESOURCE, Desk
from ledger.demo.running import root_at
from ledger.demo.safety_office import SafetyOffice
from ledger.demo.setup import Setup
from ledger.demo.stage import DAY_US, Stage, Story
from ledger.rules.locks import digest_of
from ledger.times import format_instant

AUTHORITY: Final = "Data management plan, section 11"

_STUDY: Final = "study"
_NIGHT: Final = 22 * 60
_LOCKED_AGAIN_DAYS: Final = 7
_MONDAY: Final = 7

Watch = Callable[[int], None]


def close(setup: Setup, courses: Mapping[int, Course], office: SafetyOffice, watch: Watch) -> None:
    """Record the end of the study from the Monday after its last visit on."""
    stage = setup.stage
    stage.run([_last_cases(setup, office)], watch)
    on = _next_monday(stage)
    stage.run([_closed_out(setup, site, on) for site in stage.definition.sites], watch)
    _lock(setup, courses, on + timedelta(days=1), watch)
    stage.run([_unlocked(setup, courses, on + timedelta(days=_LOCKED_AGAIN_DAYS))], watch)
    _lock(setup, courses, on + timedelta(days=_LOCKED_AGAIN_DAYS + 1), watch)
    on += timedelta(days=2 * _LOCKED_AGAIN_DAYS)
    stage.run([_opened(setup, on)], watch)
    stage.run([_site_closed(setup, site, on + timedelta(days=1)) for site in stage.definition.sites], watch)
    stage.run([_study_closed(setup, on + timedelta(days=2))], watch)


def _next_monday(stage: Stage) -> date:
    today = date.fromisoformat(format_instant(stage.sources.now_us())[:10])
    return today + timedelta(days=_MONDAY - today.weekday())


def _last_cases(setup: Setup, office: SafetyOffice) -> Story:
    """Finish what the safety office still has to do, and code the last terms."""
    on = date.fromisoformat(format_instant(setup.stage.sources.now_us() + DAY_US)[:10])
    yield from office.evening(on)
    while office.is_busy():
        on += timedelta(days=1)
        yield from office.evening(on)
    yield from office.code(Desk(setup, on, _NIGHT))


def _closed_out(setup: Setup, site: str, on: date) -> Story:
    """Account for all drug at a site, and visit it for the last time."""
    desk = Desk(setup, on, 18 * 60, site=site)
    yield from counting.reconciled(setup, desk, site)
    yield from overseeing.visited(setup, desk, site, "close_out")


def _lock(setup: Setup, courses: Mapping[int, Course], on: date, watch: Watch) -> None:
    """Lock every participant, then review the trail up to there, then lock the database."""
    stage = setup.stage
    stage.run([endorse_and_lock(course, on) for course in courses.values()], watch)
    stage.run([overseeing.reviewed(setup, Desk(setup, on + timedelta(days=1)))], watch)
    stage.run([_database(setup, on + timedelta(days=2))], watch)


def _database(setup: Setup, on: date) -> Story:
    """Lock the database: which review it rests on, and who knew whose arm by then."""
    desk = Desk(setup, on)
    yield desk.wait()
    study = setup.stage.ledger.refresh().conduct.study
    opened = study.unblinding.opened
    locked = DatabaseLocked(
        authority=AUTHORITY,
        review=study.assurance[_STUDY].reviews[-1].event,
        unblinded_sha256=digest_of(each.event for each in opened),
        unblinded=tuple(
            Unblinded(participant=each.participant, person=person)
            for each in opened
            for person in sorted(each.persons)
        ),
    )
    yield desk.note(DATA_MANAGER, locked, _STUDY, reason=("complete", "every participant is locked"))


def _unlocked(setup: Setup, courses: Mapping[int, Course], on: date) -> Story:
    """Unlock for a value that was found to be wrong after the lock: database, participant, correction."""
    desk = Desk(setup, on, 7 * 60)
    why = ("new_information", "a printout of the last infusion reads otherwise")
    yield desk.note(DATA_MANAGER, DatabaseUnlocked(authority=AUTHORITY), _STUDY, reason=why)
    for course in [each for each in courses.values() if _is_quiet(each)][-1:]:
        pen = course.pen(on, 13 * 60)
        yield unlocked(pen, why[1])
        old = course.noted["systolic"]
        yield from correct(
            pen,
            NURSE,
            course.noted["vital_signs"],
            "/data/measurements/0/quantity/value",
            old=old,
            new=str(int(old) + 1),
            reason=("transcription_error", why[1]),
        )
        yield from verified(pen.after(120))


def _is_quiet(course: Course) -> bool:
    """Tell whether nothing was corrected beside a participant's visits, and nothing came after them."""
    turns = course.plan.turns
    return "systolic" in course.noted and not (turns.asides or turns.leaves or turns.after)


def _opened(setup: Setup, on: date) -> Story:
    """Open the lists to what was committed before anybody was enrolled."""
    desk = Desk(setup, on)
    for drawn in setup.lists:
        yield desk.note(LIST_HOLDER, drawn.opening(), f"randomization/{drawn.list.name}")


def _site_closed(setup: Setup, site: str, on: date) -> Story:
    """Give the investigator a copy of their own, and close the site."""
    desk, stream = Desk(setup, on, site=site), f"site/{site}"
    investigator = person_at(site, "investigator")
    yield desk.wait()
    who = setup.stage.successors.get(investigator, investigator)
    issued, sha256, size = issue_copy(desk, who, "investigator", site, "site_file")
    received = CertifiedCopyReceived(sha256=sha256, size=size, equal=True, statement=issued, source=ESOURCE)
    yield desk.note(investigator, received, stream)
    closed = SiteClosed(
        from_=desk.after(60).text, checklist=("copy_received", "drug_reconciled", "envelopes_reconciled")
    )
    yield desk.note(ADMINISTRATOR, closed, stream, after=0)


def _study_closed(setup: Setup, on: date) -> Story:
    """Close the study, lay its records down, and read them back."""
    desk, ledger = Desk(setup, on), setup.stage.ledger
    closed = StudyClosed(from_=desk.after(4).text, code="completed", authority="sponsor")
    yield desk.note(ADMINISTRATOR, closed, _STUDY, after=0)
    yield desk.days(1).wait()
    size = ledger.refresh().size
    archive = ArchiveSealed(
        sha256=records_digest(ledger, size),
        size=size,
        root=root_at(setup, size),
        medium="write_once_disc",
        place="Demo archive house, vault 3",
        source=ESOURCE,
    )
    recorded = yield desk.note(DATA_MANAGER, archive, _STUDY)
    if recorded is None:
        return
    read = ArchiveRestoredAndRead(
        statement=recorded.event, sha256=archive.sha256, readable=True, source=ESOURCE
    )
    yield desk.days(3).note(DATA_MANAGER, read, _STUDY)
