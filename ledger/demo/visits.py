"""Visits: screening, randomization, infusions at the bedside, assessments at home, contacts, follow-up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.actions.consent import ConsentObtained, DemographicsRecorded, Option, ParticipantRegistered
from ledger.actions.eligibility import CriterionAssessed, EligibilityConfirmed, ScreeningFailed
from ledger.actions.medication import MedicationStarted
from ledger.actions.randomization import RandomizationRequested
from ledger.actions.visits import VisitCompleted, VisitMissed, VisitStarted
from ledger.demo.cast import person_at, second_coordinator
from ledger.demo.checking import childbearing, tested
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR, INVESTIGATOR, NURSE, PHYSICIAN, RATER
from ledger.demo.setup import FIRST_FORM, SECOND_FORM, SECOND_FORMS
from ledger.demo.stage import Story
from ledger.rules.eligibility import criteria_digest
from ledger.study.definition import Criterion, Visit

_MEDICATIONS: Final = (
    ("analgesics", "paracetamol", "headache"),
    ("gabapentinoids", "gabapentin", "neuropathic pain"),
    ("proton_pump_inhibitors", "omeprazole", "heartburn"),
    ("statins", "atorvastatin", "raised cholesterol"),
)


def register(pen: Pen) -> Story:
    """Register the participant under a coded id; who it is stays sealed."""
    course = pen.course
    identity = f"Demo participant {course.plan.number + 1}, nobody real"
    registered = ParticipantRegistered(participant=course.plan.id, identity=identity)
    yield pen.note(COORDINATOR, registered)


def demographics(pen: Pen, breaches: tuple[str, ...] = ()) -> Story:
    """Record age, sex and service status, sealed."""
    course = pen.course
    age_years = course.dice.between(24, 66)
    recorded = yield pen.note(
        COORDINATOR,
        DemographicsRecorded(
            age_years=age_years,
            sex="female" if course.plan.sex == "female" else "male",
            service_status=course.dice.pick(("active_duty", "veteran", "retiree")),
            source=pen.source(),
        ),
        breaches=breaches,
    )
    if recorded is not None:
        course.noted["demographics"] = recorded.event
        course.noted["age_years"] = str(age_years)


def consent_on(pen: Pen, version: str, *, time: str | None = None) -> ConsentObtained:
    """Return a consent on a form's version; `time` is a day where no more was written down."""
    course = pen.course
    plan = course.plan
    form = course.forms[plan.site, version, plan.language]
    return ConsentObtained(
        form_version=form.version,
        language=form.language,
        form_sha256=form.sha256,
        mode="paper_in_person",
        identity_check="military_id",
        participant_time=time or pen.text,
        participant_time_from="form",
        consenter=person_at(plan.site, COORDINATOR),
        consenter_time=time or pen.text,
        consenter_time_from="form",
        options=(Option(option="future_samples", agreed=True), Option(option="recontact", agreed=True)),
        authorization=True,
        duty_disclosure=True,
        copy_given=True,
        source=pen.source("paper"),
    )


def form_in_effect(on: date) -> str:
    """Return the version of the consent forms on a day."""
    return SECOND_FORM if on >= SECOND_FORMS else FIRST_FORM


def screening(course: Course, visit: Visit) -> Story:
    """Screen: consent, demographics, baseline, criteria."""
    plan = course.plan
    pen = course.pen(plan.screening, 9 * 60 + course.dice.between(0, 90))
    yield from register(pen)
    wrong = plan.turns.consent == "wrong_version"
    version = FIRST_FORM if wrong else form_in_effect(plan.screening)
    breaches = ("CONSENT_FORM_INEFFECTIVE",) if wrong else ()
    yield pen.note(COORDINATOR, consent_on(pen, version), breaches=breaches)
    yield from demographics(pen)
    yield pen.note(COORDINATOR, VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source()))
    weight = course.weight()
    yield pen.note(
        NURSE, course.vital_signs(pen.source("device"), "screening", visit=visit.id, weight=weight)
    )
    yield from childbearing(pen)
    yield from baseline(pen, visit)
    if wrong:
        again = course.pen(plan.screening + timedelta(days=6), 10 * 60)
        yield again.note(COORDINATOR, consent_on(again, form_in_effect(plan.screening)))


def baseline(pen: Pen, visit: Visit) -> Story:
    """Do the rest of a screening: medication, instruments, criteria."""
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
    yield from outcomes(pen, visit, week=0)
    for criterion in course.definition.criteria:
        yield pen.note(COORDINATOR, _assessment(pen, criterion), after=2)
    yield pen.note(COORDINATOR, VisitCompleted(visit=visit.id, source=pen.source()))


def _assessment(pen: Pen, criterion: Criterion) -> CriterionAssessed:
    plan = pen.course.plan
    inclusion = criterion.kind == "inclusion"
    if criterion.conditional and plan.sex == "male":
        return CriterionAssessed(criterion=criterion.id, result="not_applicable", source=pen.source())
    failing = criterion.id == plan.turns.fails
    return CriterionAssessed(
        criterion=criterion.id,
        result="met" if inclusion != failing else "not_met",
        evidence="found at screening, see the source" if failing else None,
        source=pen.source("ehr" if criterion.conditional else "esource"),
    )


def screen_failure(course: Course) -> Story:
    """End a screening by what failed."""
    failing = [
        criterion.id for criterion in course.definition.criteria if criterion.id == course.plan.turns.fails
    ]
    pen = course.pen(course.plan.screening + timedelta(days=2), 14 * 60)
    failed = ScreeningFailed(
        criteria=tuple(failing), code="criteria_not_met", note="told by phone", source=pen.source()
    )
    yield pen.note(PHYSICIAN, failed)


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
    yield pen.note(role, EligibilityConfirmed(criteria_sha256=digest))
    pen = course.pen(request_day, 10 * 60 + course.dice.between(0, 240))
    yield from tested(pen, None)
    list_ = definition.drawn().list
    yield pen.note(COORDINATOR, RandomizationRequested(list=list_, stage=1, stratum=plan.site))


def outcomes(pen: Pen, visit: Visit, *, week: int, slip: int = 0) -> Story:
    """Go through a visit's instruments; `slip` is an error of addition in the first that is summed."""
    course = pen.course
    for name in visit.instruments:
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
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source())
    yield pen.note(COORDINATOR, started, person=person, breaches=breaches)
    completed = VisitCompleted(visit=visit.id, source=pen.source())
    yield pen.note(COORDINATOR, completed, after=12, person=person, breaches=breaches)


def at_site(course: Course, visit: Visit, on: date, breaches: tuple[str, ...] = ()) -> Story:
    """A visit at the site without an infusion."""
    pen = course.pen(on, 10 * 60 + course.dice.between(0, 180))
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source())
    yield pen.note(COORDINATOR, started, breaches=breaches)
    signs = course.vital_signs(pen.source("device"), "visit", visit=visit.id, weight=course.weight())
    yield pen.note(NURSE, signs)
    yield from outcomes(pen, visit, week=visit.week or 28)
    yield pen.note(COORDINATOR, VisitCompleted(visit=visit.id, source=pen.source()))
