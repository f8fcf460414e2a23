"""Consent beside its signature: the talk before it, a superior in the room, defects, and asking again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from ledger.actions.consent import (
    AuthorizationRevoked,
    ConsentDefectFound,
    ConsentDiscussed,
    Decision,
    ParticipantInformed,
    ReconsentDeclined,
    ReconsentObtained,
    ReconsentRequired,
)
from ledger.actions.extension import ExtensionConsented
from ledger.demo.cast import MONITOR, person_at
from ledger.demo.course import Course, Pen
from ledger.demo.enrolling import consent_on, demographics, form_in_effect, register
from ledger.demo.hands import COORDINATOR, INVESTIGATOR
from ledger.demo.setup import SECOND_FORM, SECOND_FORMS
from ledger.demo.stage import Story, Wait
from ledger.study.definition import Visit

MONITORING: Final = "blinded_monitor"
_ASKED_DAYS: Final = 3
_ANSWER_DAYS: Final = (5, 18)
_DUE_DAYS: Final = 28
_ASKED: Final = "asked to consent again"


def discussed(pen: Pen, version: str, *, superior: bool = False) -> Story:
    """Talk about the study before the form is signed."""
    course = pen.course
    talk = ConsentDiscussed(
        form_version=course.forms[course.plan.site, version, course.plan.language].version,
        minutes=course.dice.between(20, 55),
        superior_present=superior,
        questions=course.dice.pick((None, "asked whether duty is affected", "asked about driving")),
        source=pen.source(),
    )
    yield pen.note(COORDINATOR, talk, breaches=("SUPERIOR_PRESENT",) if superior else ())


def with_a_superior(course: Course) -> Story:
    """Consent is discussed with a superior in the room: what depends on it waits for another talk.

    The age is asked before anybody notices, and shows. The day after, the talk and the signature are repeated
    with nobody else there.
    """
    pen = course.pen(course.plan.screening, 9 * 60)
    version = form_in_effect(course.plan.screening)
    yield from register(pen)
    yield from discussed(pen, version, superior=True)
    yield pen.note(COORDINATOR, consent_on(pen, version), after=12)
    yield from demographics(pen, ("CONSENT_HELD",))
    again = course.pen(course.plan.screening + timedelta(days=1), 8 * 60 + 20)
    yield from discussed(again, version)
    yield again.note(COORDINATOR, consent_on(again, version), after=12)


def wrong_version_found(course: Course, event: str) -> Story:
    """The monitor finds that a form was used which was not in effect any more."""
    pen = course.pen(course.plan.screening + timedelta(days=3), 15 * 60)
    found = ConsentDefectFound(
        statement=event,
        defect="wrong_version",
        details="version 1.0 was taken from an old stack",
        source=pen.source("paper"),
    )
    yield pen.note(MONITORING, found, person=MONITOR, breaches=("CONSENT_DEFECT",))


def page_missing(course: Course, visit: Visit, on: date) -> Story:
    """A page of the signed form is missing in the binder; the review board decides that consent stands."""
    pen = course.pen(on, 16 * 60)
    event = course.noted["consent"]
    found = ConsentDefectFound(
        statement=event, defect="missing_page", details="page 4 of 6", source=pen.source("paper")
    )
    yield pen.note(MONITORING, found, person=MONITOR, breaches=("CONSENT_DEFECT",))
    pen = course.pen(on + timedelta(days=1), 10 * 60)
    decided = ConsentDefectFound(
        statement=event,
        defect="missing_page",
        decision=Decision(code="consent_stands", irb_reference=f"DEMO-IRB-{on.year}-D1"),
        source=pen.source("paper"),
    )
    yield pen.note(INVESTIGATOR, decided)


def asked_again(course: Course) -> Story:
    """Ask whoever is on treatment when new forms come: most sign, one declines, one is late."""
    turn = course.plan.turns.reconsent
    pen = course.pen(SECOND_FORMS + timedelta(days=_ASKED_DAYS), 9 * 60 + course.plan.number)
    yield Wait(at_us=pen.us)
    state = course.stage.ledger.fold.conduct.state(course.plan.id)
    if course.left or state is None or not state.infusions or state.has_ended:
        return
    days = course.definition.reconsent_within_days or _DUE_DAYS
    version = course.forms[course.plan.site, SECOND_FORM, course.plan.language].version
    required = ReconsentRequired(
        code="new_form",
        due=(SECOND_FORMS + timedelta(days=_ASKED_DAYS + days)).isoformat(),
        form_version=version,
        source=pen.source(),
    )
    asked = yield pen.note(COORDINATOR, required)
    if asked is None:
        return
    course.noted[_ASKED] = asked.event
    if turn == "late":
        return  # the signature comes at the bedside
    answer_days = course.dice.between(*_ANSWER_DAYS)
    pen = course.pen(SECOND_FORMS + timedelta(days=answer_days), 17 * 60 + 30)
    yield Wait(at_us=pen.us)
    if course.left:
        return
    if turn == "declined":
        declined = ReconsentDeclined(
            statement=asked.event,
            code="prefers_first_form",
            irb_reference=f"DEMO-IRB-{SECOND_FORMS.year}-R1",
            source=pen.source("participant"),
        )
        yield pen.reported(COORDINATOR, declined)
        return
    yield from signed_again(pen)


def signed_again(pen: Pen) -> Story:
    """Talk about the new form, and sign it."""
    yield from discussed(pen, SECOND_FORM)
    signed = consent_on(pen.after(15), SECOND_FORM)
    members = {name: getattr(signed, name) for name in _signed_members()}
    yield pen.note(COORDINATOR, ReconsentObtained(statement=pen.course.noted[_ASKED], **members))


def _signed_members() -> tuple[str, ...]:
    """Name what every signed consent holds."""
    return tuple(name for name in ExtensionConsented.__dataclass_fields__ if name != "performer")


def to_extension(pen: Pen) -> ExtensionConsented:
    """Return a consent to the extension on the form in effect."""
    signed = consent_on(pen, form_in_effect(date.fromisoformat(pen.day)))
    return ExtensionConsented(**{name: getattr(signed, name) for name in _signed_members()})


def authorization_revoked(course: Course, visit: Visit, on: date) -> Story:
    """Take back the authorization to read health records elsewhere."""
    pen = course.pen(on, 17 * 60 + 30)
    revoked = AuthorizationRevoked(
        scopes=("record_access",), effective=pen.text, source=pen.source("participant")
    )
    yield pen.reported(COORDINATOR, revoked)


def informed(course: Course, on: date) -> Story:
    """Tell the participant the own results."""
    pen = course.pen(on, 12 * 60)
    told = ParticipantInformed(
        of="individual_results",
        informed_by=person_at(course.plan.site, COORDINATOR),
        source=pen.source(),
    )
    yield pen.note(COORDINATOR, told)
