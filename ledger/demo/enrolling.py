"""Who comes in: the coded id, who it is, and the consent that is signed."""

from __future__ import annotations

from datetime import date

from ledger.actions.consent import ConsentObtained, DemographicsRecorded, Option, ParticipantRegistered
from ledger.demo.cast import person_at
from ledger.demo.course import Pen
from ledger.demo.hands import COORDINATOR
from ledger.demo.setup import FIRST_FORM, SECOND_FORM, SECOND_FORMS
from ledger.demo.stage import Story


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
