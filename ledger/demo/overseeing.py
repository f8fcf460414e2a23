"""Monitors, reviewers and data managers at work: visits, trail reviews, proposals, actions (H).

Blinded monitors write at the site, unblinded ones in the pharmacy; reviews of the whole trail follow one
another from its first index on, so that the lock finds it covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final, Literal

from ledger.actions.custody import CustodyTransferred, RetentionRuleSet
from ledger.actions.fields import Source
from ledger.actions.monitoring import (
    CapaClosed,
    CapaOpened,
    DeviationClassified,
    DeviationReported,
    MonitoringVisitRecorded,
    TrailReviewed,
)
from ledger.actions.quality import (
    CorrectionMade,
    CorrectionMadeSealed,
    CorrectionProposed,
    CorrectionProposedSealed,
)
from ledger.actions.unblinding import EnvelopeChecked
from ledger.demo.cast import (
    ADMINISTRATOR,
    DATA_MANAGER,
    MONITOR,
    MONITORS,
    SPONSOR,
    UNBLINDED_MONITOR,
    person_at,
)
from ledger.demo.course import Course
from ledger.demo.hands import COORDINATOR, NURSE
from ledger.demo.office import ESOURCE, Desk, digest_of
from ledger.demo.setup import Setup
from ledger.demo.stage import Story, Wait
from ledger.recorded import Recorded
from ledger.rules.locks import covered_until
from ledger.state.assurance import Assurance
from ledger.statement import parse_statement

VISITED: Final = (date(2024, 6, 27), date(2024, 10, 17), date(2025, 2, 20))
REVIEWED: Final = (date(2024, 7, 31), date(2024, 11, 29), date(2025, 3, 31))
DEVIATED: Final = date(2024, 8, 14)
KEPT: Final = date(2024, 3, 14)
MOVED: Final = date(2025, 4, 15)
KEPT_UNTIL: Final = "2040-12-31"
CRITERIA: Final = ("audit_trail_gaps", "corrections", "late_entries", "logins", "views_of_treatment")

_PROPOSED_DAYS: Final = 10  # from day 1
_PULSE: Final = "/data/measurements/2/quantity/value"
_AGE: Final = "/data/age_years"
_REPORT: Final = Source(kind="paper", reference="monitoring report")
_Kind = Literal["interim", "remote", "close_out"]


def stories(setup: Setup, courses: Mapping[int, Course]) -> Iterator[Story]:
    """Yield all of them; proposals where nothing else is corrected."""
    first, *_ = setup.stage.definition.sites
    for number, on in enumerate(VISITED):
        for site in setup.stage.definition.sites:
            yield visited(setup, Desk(setup, on, site=site), site, "remote" if number == 1 else "interim")
    for on in REVIEWED:
        yield reviewed(setup, Desk(setup, on, 22 * 60))
    yield _kept(setup)
    yield _deviated(setup, first)
    yield _custody(setup)
    quiet = [c for c in courses.values() if not (c.plan.turns.fails or c.plan.turns.asides)]
    for course in quiet[1:2]:
        yield _proposed(course)


def visited(setup: Setup, desk: Desk, site: str, kind: _Kind) -> Story:
    """Visit a site and its pharmacy, each monitor for themselves; look at the envelopes."""
    yield desk.wait()
    last = setup.stage.ledger.refresh().size - 1
    begins = (date.fromisoformat(desk.day) - timedelta(days=1)).isoformat()
    for person, stream in ((MONITOR, f"site/{site}"), (UNBLINDED_MONITOR, f"pharmacy/{site}")):
        visit = MonitoringVisitRecorded(
            kind=kind,
            from_=begins,
            to=desk.day,
            first=0,
            last=last,
            findings=1 if kind == "interim" else 0,
            report_sha256=digest_of(f"report {stream} {desk.day}"),
            text="see the report",
            source=_REPORT,
        )
        yield desk.note(person, visit, stream)
    yield from checked(setup, desk, site, kind)


def checked(setup: Setup, desk: Desk, site: str, purpose: str) -> Story:
    """Look at the seal of every envelope that a site still has."""
    study = setup.stage.ledger.refresh().conduct.study
    for name, envelope in study.unblinding.envelopes.items():
        replaced = envelope.settled is not None and name.endswith("-1")
        if envelope.site == site and not replaced:
            check = EnvelopeChecked(
                envelope=name, found="intact", purpose=purpose, seal=envelope.seal, source=ESOURCE
            )
            yield desk.note(UNBLINDED_MONITOR, check, "safety")


def reviewed(setup: Setup, desk: Desk) -> Story:
    """Review the trail of the whole log from where the last review ended."""
    yield desk.wait()
    fold = setup.stage.ledger.refresh()
    known = fold.conduct.study.assurance.get("study", Assurance())
    review = TrailReviewed(
        first=covered_until(known) + 1,
        last=fold.size - 1,
        criteria=CRITERIA,
        findings=0,
        text="by the plan of trail review, version 2",
        source=ESOURCE,
    )
    yield desk.note(DATA_MANAGER, review, "study")


def _kept(setup: Setup) -> Story:
    """Say how long records are kept; the longest wins."""
    desk = Desk(setup, KEPT)
    rule = RetentionRuleSet(basis="contract_with_sites", until=KEPT_UNTIL, source=ESOURCE)
    yield desk.note(ADMINISTRATOR, rule, "study")
    for site in setup.stage.definition.sites:
        law = RetentionRuleSet(basis="two_years_after_approval", source=ESOURCE)
        yield desk.note(person_at(site, "investigator"), law, f"site/{site}")


def _deviated(setup: Setup, site: str) -> Story:
    """A delegation that was written down late: a deviation of the site, and what is done about it."""
    desk, stream = Desk(setup, DEVIATED, site=site), f"site/{site}"
    yield desk.wait()
    breaches = setup.stage.ledger.refresh().conduct.breaches()
    late = [breach.event for breach in breaches if breach.rule == "DELEGATION_BACKDATED"]
    coordinator = person_at(site, COORDINATOR)
    reported = DeviationReported(
        code="delegation_backdated",
        statements=tuple(late),
        rules=("DELEGATION_BACKDATED",),
        known=desk.day,
        action="retrained",
        text="the log of delegations was signed three weeks after work began",
        source=ESOURCE,
    )
    told = yield desk.note(coordinator, reported, stream)
    classified = DeviationClassified(
        statement=_event(told), classification="not_important", impacts=(), irb=False, source=ESOURCE
    )
    yield desk.days(2).note(MONITOR, classified, stream)
    capa = CapaOpened(
        statements=(_event(told),),
        cause="no_step_for_new_staff",
        owner=coordinator,
        due=(date.fromisoformat(desk.day) + timedelta(days=60)).isoformat(),
        text="delegation becomes the first line of the list for new staff",
        source=ESOURCE,
    )
    opened = yield desk.note(person_at(site, "investigator"), capa, stream)
    closed = CapaClosed(
        statement=_event(opened), effective=True, text="two newcomers since, both in time", source=ESOURCE
    )
    yield desk.days(50).note(MONITOR, closed, stream)


def _custody(setup: Setup) -> Story:
    """The monitors' part of the master file goes to the sponsor; who takes it signs too."""
    desk = Desk(setup, MOVED)
    moved = CustodyTransferred(what="master_file", from_=MONITORS, to=SPONSOR, date=desk.day, source=ESOURCE)
    recorded = yield desk.note(DATA_MANAGER, moved, "study")
    yield desk.second(ADMINISTRATOR, recorded, "approver", "study")


def _proposed(course: Course) -> Story:
    """A data manager proposes corrections, one of a sealed value; the site makes them, citing that."""
    pen = course.pen(course.plan.day1 + timedelta(days=_PROPOSED_DAYS), 19 * 60)
    yield Wait(at_us=pen.us)
    vital_signs = course.noted["vital_signs"]
    stored = course.stage.ledger.store.index_of_event(vital_signs)
    entry = None if stored is None else course.stage.ledger.store.entry(stored)
    if entry is None:
        return
    old = parse_statement(entry.statement).data["measurements"][2]["quantity"]["value"]
    pulse: dict[str, Any] = {"statement": vital_signs, "path": _PULSE, "old": old, "new": str(int(old) + 2)}
    years = int(course.noted["age_years"])
    age: dict[str, Any] = {
        "statement": course.noted["demographics"],
        "path": _AGE,
        "old": years,
        "new": years + 1,
    }
    rows = (
        (CorrectionProposed(**pulse, source=pen.source()), CorrectionMade(**pulse), NURSE),
        (CorrectionProposedSealed(**age, source=pen.source()), CorrectionMadeSealed(**age), COORDINATOR),
    )
    for proposal, correction, role in rows:
        why = ("transcription_error", "differs from the printout of the device")
        proposed = yield pen.note("data_manager", proposal, person=DATA_MANAGER, after=15, reason=why)
        cited = {"id": DATA_MANAGER, "kind": "person", "source": _event(proposed)}
        yield pen.note(role, correction, after=600, reason=why, members={"originator": cited})


def _event(recorded: Recorded | None) -> str:
    return recorded.event if recorded is not None else ""
