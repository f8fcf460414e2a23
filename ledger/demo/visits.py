"""Visits: screening, randomization, infusions at the bedside, assessments at home, contacts, follow-up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.actions.eligibility import (
    CriterionAssessed,
    EligibilityConfirmed,
    RescreeningAuthorised,
    ScreeningFailed,
)
from ledger.actions.medication import MedicationStarted
from ledger.actions.observations import OutcomeNotDone
from ledger.actions.randomization import RandomizationRequested
from ledger.actions.visits import ContactMade, VisitCompleted, VisitMissed, VisitScheduled, VisitStarted
from ledger.demo import consenting, diaries
from ledger.demo import screening as looking
from ledger.demo.cast import second_coordinator
from ledger.demo.checking import childbearing, tested
from ledger.demo.course import Course, Pen
from ledger.demo.enrolling import consent_on, demographics, form_in_effect, register
from ledger.demo.hands import COORDINATOR, INVESTIGATOR, NURSE, PHYSICIAN, RATER
from ledger.demo.setup import FIRST_FORM
from ledger.demo.stage import Command, Story, Telling, Wait
from ledger.rules.eligibility import criteria_digest
from ledger.study.definition import Criterion, Visit

_MEDICATIONS: Final = (
    ("analgesics", "paracetamol", "headache"),
    ("gabapentinoids", "gabapentin", "neuropathic pain"),
    ("proton_pump_inhibitors", "omeprazole", "heartburn"),
    ("statins", "atorvastatin", "raised cholesterol"),
)


def screening(course: Course, visit: Visit) -> Story:
    """Screen: consent, demographics, baseline, criteria."""
    plan = course.plan
    pen = course.pen(plan.screening, 9 * 60 + course.dice.between(0, 90))
    wrong, version = plan.turns.consent == "wrong_version", form_in_effect(plan.screening)
    if plan.turns.consent == "superior":
        yield from consenting.with_a_superior(course)
        pen = course.pen(plan.screening + timedelta(days=1), 9 * 60 + 30)
    else:
        yield from register(pen)
        version = FIRST_FORM if wrong else version
        yield from consenting.discussed(pen, version)
        consent = consent_on(pen.after(10), version)
        breaches = ("CONSENT_FORM_INEFFECTIVE",) if wrong else ()
        recorded = yield pen.note(COORDINATOR, consent, breaches=breaches)
        if recorded is not None:
            course.noted["consent"] = recorded.event
        yield from demographics(pen)
    yield pen.note(COORDINATOR, VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source()))
    weight = course.weight()
    yield pen.note(
        NURSE, course.vital_signs(pen.source("device"), "screening", visit=visit.id, weight=weight)
    )
    yield from childbearing(pen)
    yield from baseline(pen, visit, fails=plan.turns.fails or plan.turns.rescreened)
    if wrong:
        yield from consenting.wrong_version_found(course, course.noted["consent"])
        again = course.pen(plan.screening + timedelta(days=6), 10 * 60)
        yield again.note(COORDINATOR, consent_on(again, form_in_effect(plan.screening)))


def screened_again(course: Course, visit: Visit, on: date) -> Story:
    """Fail a first screening, and go through a second one weeks later: a new episode of the same person."""
    failure = yield from screen_failure(course, course.plan.turns.rescreened)
    pen = course.pen(on - timedelta(days=1), 15 * 60)
    authorised = RescreeningAuthorised(statement=failure, code="pressure_controlled")
    yield pen.note(PHYSICIAN, authorised)
    pen = course.pen(on, 9 * 60 + 30)
    yield pen.note(COORDINATOR, VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source()))
    signs = course.vital_signs(pen.source("device"), "screening", visit=visit.id, weight=course.weight())
    yield pen.note(NURSE, signs)
    yield from looking.blood(pen, visit.id, "rescreening")
    yield from outcomes(pen, visit, week=0)
    yield from _criteria(pen, visit, "")


def baseline(pen: Pen, visit: Visit, *, fails: str = "") -> Story:
    """Do the rest of a screening: medication, history, instruments, criteria; `fails` by one of them."""
    course = pen.course
    for number in range(course.dice.between(0, 2)):
        class_, drug, indication = course.dice.pick(_MEDICATIONS)
        medication = MedicationStarted(
            medication=f"CM-{number + 1}",
            class_=class_,
            # A month is what participants remember; it is kept as it was said.
            start=f"{2019 + course.dice.below(5)}-{course.dice.between(1, 12):02d}",
            drug=drug,
            indication=indication,
            source=pen.source("participant"),
        )
        yield pen.note(COORDINATOR, medication)
    yield from looking.looked_at(pen, visit)
    yield from outcomes(pen, visit, week=0)
    yield from _criteria(pen, visit, fails)


def _criteria(pen: Pen, visit: Visit, fails: str) -> Story:
    for criterion in pen.course.definition.criteria:
        yield pen.note(COORDINATOR, _assessment(pen, criterion, fails), after=2)
    yield pen.note(COORDINATOR, VisitCompleted(visit=visit.id, source=pen.source()))


def _assessment(pen: Pen, criterion: Criterion, fails: str) -> CriterionAssessed:
    plan = pen.course.plan
    inclusion = criterion.kind == "inclusion"
    if criterion.conditional and plan.sex == "male":
        return CriterionAssessed(criterion=criterion.id, result="not_applicable", source=pen.source())
    failing = criterion.id == fails
    return CriterionAssessed(
        criterion=criterion.id,
        result="met" if inclusion != failing else "not_met",
        evidence="found at screening, see the source" if failing else None,
        source=pen.source("ehr" if criterion.conditional else "esource"),
    )


def screen_failure(course: Course, fails: str) -> Telling:
    """End a screening by what failed; return the event."""
    failing = [criterion.id for criterion in course.definition.criteria if criterion.id == fails]
    pen = course.pen(course.plan.screening + timedelta(days=2), 14 * 60)
    failed = ScreeningFailed(
        criteria=tuple(failing), code="criteria_not_met", note="told by phone", source=pen.source()
    )
    recorded = yield pen.note(PHYSICIAN, failed)
    return "" if recorded is None else str(recorded.event)


def randomization(course: Course) -> Story:
    """Confirm eligibility, and ask for an allocation in the days before day 1."""
    plan, definition = course.plan, course.definition
    early = plan.turns.requested_early
    request_day = plan.day1 + timedelta(days=definition.drawn().first_day - 2 * early)
    confirmed = request_day - timedelta(days=1)
    role = course.dice.pick((INVESTIGATOR, PHYSICIAN))
    pen = course.pen(confirmed, 11 * 60 + course.dice.between(0, 240))
    state = course.stage.ledger.refresh().conduct.state(plan.id)
    # Nothing is recorded of the participant between here and the confirmation.
    digest = criteria_digest(state.assessments) if state is not None else criteria_digest({})
    confirmed_at = yield pen.note(role, EligibilityConfirmed(criteria_sha256=digest))
    if confirmed_at is not None:
        course.noted["eligibility"] = confirmed_at.event
    pen = course.pen(request_day, 10 * 60 + course.dice.between(0, 240))
    yield from tested(pen, None, None)
    list_ = definition.drawn().list
    yield pen.note(COORDINATOR, RandomizationRequested(list=list_, stage=1, stratum=plan.site))
    yield from diaries.access_issued(pen.after(10))
    first = definition.infusion(1)
    if first is not None:
        yield scheduled(pen, first, plan.day1)


def scheduled(pen: Pen, visit: Visit, on: date) -> Command:
    """Agree on a day for a visit."""
    agreed = VisitScheduled(visit=visit.id, mode=visit.mode, date=on.isoformat(), source=pen.source())
    return pen.note(COORDINATOR, agreed)


def outcomes(pen: Pen, visit: Visit, *, week: int, slip: int = 0) -> Story:
    """Go through a visit's instruments; `slip` is an error of addition in the first that is summed."""
    course = pen.course
    asked = visit.instruments
    if visit.infusion is not None and visit.infusion == course.plan.turns.not_done:
        *others, declined = asked
        asked = tuple(others)
        not_done = OutcomeNotDone(
            instrument=declined, visit=visit.id, code="declined", note="too tired", source=pen.source()
        )
        yield pen.note(RATER, not_done)
    for name in asked:
        instrument = course.definition.instruments[name]
        wrong = slip if instrument.scoring == "sum" else 0
        outcome = course.outcome(instrument, visit.id, week, slip=wrong)
        write = pen.reported if instrument.reported_by == "participant" else pen.note
        recorded = yield write(RATER, outcome, breaches=("SCORE_MISMATCH",) if wrong else ())
        if wrong and recorded is not None:
            course.noted["miscounted"] = recorded.event
            course.noted["total"] = outcome.total


def missed(course: Course, visit: Visit, on: date, code: str) -> Story:
    """Note that a visit did not take place."""
    pen = course.pen(on, 16 * 60)
    yield pen.note(COORDINATOR, VisitMissed(visit=visit.id, code=code, source=pen.source()))


def at_home(course: Course, visit: Visit, on: date) -> Story:
    """An assessment in the evening at home, taken over in the morning after."""
    pen = course.pen(on, 18 * 60 + course.dice.between(0, 150))
    morning = course.pen(on + timedelta(days=1), 9 * 60 + course.dice.between(0, 60))
    yield Wait(at_us=pen.us)
    if course.left or course.away:
        return
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source("participant"))
    yield pen.reported(COORDINATOR, started, at_us=morning.us)
    for name in visit.instruments:
        outcome = course.outcome(course.definition.instruments[name], visit.id, visit.week or 0)
        yield pen.reported(RATER, outcome, at_us=morning.after(2).us)
    completed = VisitCompleted(visit=visit.id, source=pen.source("participant"))
    yield pen.reported(COORDINATOR, completed, at_us=morning.after(2).us)


def by_phone(course: Course, visit: Visit, on: date) -> Story:
    """A contact by phone; where a coordinator made it who was not delegated yet, it shows."""
    new = course.plan.turns.second_coordinator == visit.week
    person = second_coordinator(course.plan.site) if new else None
    breaches = ("NOT_DELEGATED",) if new else ()
    pen = course.pen(on, 13 * 60 + course.dice.between(0, 120))
    yield Wait(at_us=pen.us)
    if course.left or course.away:
        return
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source())
    yield pen.note(COORDINATOR, started, person=person, breaches=breaches)
    reached = ContactMade(
        visit=visit.id, mode="phone", with_="participant", note="nothing new", source=pen.source()
    )
    yield pen.note(COORDINATOR, reached, person=person, breaches=breaches)
    completed = VisitCompleted(visit=visit.id, source=pen.source())
    yield pen.note(COORDINATOR, completed, after=12, person=person, breaches=breaches)


def at_site(course: Course, visit: Visit, on: date, breaches: tuple[str, ...] = ()) -> Story:
    """A visit at the site without an infusion."""
    pen = course.pen(on, 10 * 60 + course.dice.between(0, 180))
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source())
    yield pen.note(COORDINATOR, started, breaches=breaches)
    yield from looking.weighed(pen, visit.id)
    yield pen.note(NURSE, course.vital_signs(pen.source("device"), "visit", visit=visit.id))
    if visit.kind == "follow_up":
        yield from looking.heart(pen, visit.id)
        yield from looking.blood(pen, visit.id, "follow_up")
    yield from outcomes(pen, visit, week=visit.week or 28)
    yield pen.note(COORDINATOR, VisitCompleted(visit=visit.id, source=pen.source()))
