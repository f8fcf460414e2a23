"""What goes on beside the calendar of one participant: corrections, voidings, late papers, withdrawals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from ledger.actions.consent import ConsentWithdrawn
from ledger.actions.erasure import ErasureApproved
from ledger.actions.fields import Source
from ledger.actions.randomization import RandomizationRequested
from ledger.actions.safety import AdverseEventFollowedUp
from ledger.actions.visits import VisitStarted
from ledger.demo import between, consenting, judging, moving, pregnancies, safety
from ledger.demo.bedside import dose_name, received
from ledger.demo.cast import REVIEW_BOARD, person_at
from ledger.demo.course import Course
from ledger.demo.enrolling import consent_on, demographics, form_in_effect, register
from ledger.demo.hands import COORDINATOR, NURSE, RATER
from ledger.demo.mending import correct, correct_sealed, void
from ledger.demo.stage import DAY_US, Command, Story, Wait
from ledger.demo.visits import baseline
from ledger.erasing import erase
from ledger.statement import parse_statement
from ledger.study.definition import Visit

Aside = Callable[[Course, Visit, date], Story]

VERBATIM: Final = "/data/verbatim"

_LATE_DAYS: Final = 5
_FOUND_DAYS: Final = 9


def late_consent(course: Course, visit: Visit) -> Story:
    """Begin without a consent in the ledger; it is entered days later, with the day only.

    What was done that day then has an order that nobody can tell, until the form itself shows the minute.
    """
    plan = course.plan
    pen = course.pen(plan.screening, 9 * 60)
    signed, day = pen.text, pen.day
    yield from register(pen.after(20))
    yield from consenting.discussed(pen, form_in_effect(plan.screening))
    yield from demographics(pen, ("CONSENT_MISSING",))
    yield pen.note(COORDINATOR, VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source()))
    signs = course.vital_signs(pen.source("device"), "screening", visit=visit.id, weight=course.weight())
    yield pen.note(NURSE, signs, breaches=("CONSENT_MISSING",))
    request = RandomizationRequested(list=course.definition.drawn().list, stage=1, stratum=plan.site)
    yield pen.note(COORDINATOR, request, refused="CONSENT_MISSING")
    pen = course.pen(plan.screening + timedelta(days=_LATE_DAYS), 9 * 60)
    consent = consent_on(pen, form_in_effect(plan.screening), time=day)
    unclear = ("CONSENT_ORDER_UNCLEAR",) * 2
    recorded = yield pen.note(COORDINATOR, consent, occurred=day, breaches=("LATE_ENTRY", *unclear))
    yield from baseline(pen, visit)
    if recorded is not None:
        course.noted["consent"] = recorded.event
        pen = course.pen(plan.screening + timedelta(days=_FOUND_DAYS), 10 * 60)
        yield from correct(
            pen,
            COORDINATOR,
            recorded.event,
            "/data/participant_time",
            old=day,
            new=signed,
            reason=("source_found", "the signed form shows the minute"),
            source="signed consent form, page 6",
            cosigned=True,
        )


def corrected_twice(course: Course, visit: Visit, on: date) -> Story:
    """Correct a value, and the correction once more."""
    pen = course.pen(on, 15 * 60)
    event, first = course.noted["vital_signs"], course.noted["systolic"]
    path = "/data/measurements/0/quantity/value"
    second = str(int(first) + 10)
    yield from correct(
        pen,
        NURSE,
        event,
        path,
        old=first,
        new=second,
        reason=("transcription_error", "read once more"),
    )
    pen.us += DAY_US
    third = str(int(first) + 1)
    yield from correct(
        pen,
        NURSE,
        event,
        path,
        old=second,
        new=third,
        reason=("transcription_error", "see the printout"),
    )


def sealed_corrected(course: Course, visit: Visit, on: date) -> Story:
    """Correct an age that stays sealed."""
    pen = course.pen(on, 15 * 60)
    age_years = int(course.noted["age_years"])
    yield from correct_sealed(
        pen,
        COORDINATOR,
        course.noted["demographics"],
        "/data/age_years",
        old=age_years,
        new=age_years + 1,
        reason=("transcription_error", "the birthday was last week"),
    )


def miscounted(course: Course, visit: Visit, on: date) -> Story:
    """Add up a questionnaire again: the breach goes with source and second signature."""
    pen = course.pen(on, 16 * 60)
    total = int(course.noted["total"])
    yield from correct(
        pen,
        RATER,
        course.noted["miscounted"],
        "/data/total",
        old=str(total),
        new=str(total - 1),
        reason=("calculation_error", "added up again"),
        source="questionnaire, scored twice",
        cosigned=True,
    )


def wrong_participant(course: Course, visit: Visit, on: date) -> Story:
    """Write down the bag of who came before, notice it, and void it with the right record beside it."""
    number = (visit.infusion or 0) + 2
    pen = course.pen(on, 15 * 60)
    label = f"L{100_000 + course.dice.below(900_000)}"
    recorded = yield pen.note(NURSE, received(pen, number, label))
    if recorded is not None:
        pen.us += DAY_US
        other = course.others.get(course.plan.number - 1)
        right = other.noted.get(dose_name(number)) if other is not None else None
        reason = ("wrong_participant", "the sheet was that of the participant before")
        yield from void(pen, NURSE, recorded.event, right=right, reason=reason)


def samples_withdrawn(course: Course, visit: Visit, on: date) -> Story:
    """Withdraw what does not touch the study itself."""
    pen = course.pen(on, 17 * 60)
    withdrawn = ConsentWithdrawn(
        scopes=("future_samples", "record_access"), effective=pen.text, source=pen.source("participant")
    )
    yield pen.reported(COORDINATOR, withdrawn)


def late_papers(course: Course, visit: Visit, on: date) -> Story:
    """Enter two papers that lay in a drawer."""
    for number, hour in enumerate((14, 15)):
        pen = course.pen(on, hour * 60)
        source = Source(kind="paper", reference=f"sheet {number + 1}")
        signs = course.vital_signs(source, "after_infusion", visit=visit.id)
        yield pen.note(NURSE, signs, at_us=pen.us + (4 + number) * DAY_US, breaches=("LATE_ENTRY",))


def identifier_erased(course: Course, visit: Visit, on: date) -> Story:
    """Write a name where none belongs, and erase it on the approval of investigator and review board."""
    stage, ae = course.stage, course.next_event()
    pen = course.pen(on, 16 * 60)
    verbatim = "headache, told by a relative (here stood a name and a telephone number)"
    reported = yield pen.note(NURSE, safety.report(pen, ae, verbatim, grade=1))
    pen.us += DAY_US
    again = AdverseEventFollowedUp(
        ae=ae, version=2, new_information=pen.text, note="headache in the evening", source=pen.source()
    )
    yield pen.note(NURSE, again)
    stored = stage.ledger.store.entry(reported.index) if reported is not None else None
    if reported is None or stored is None:
        return
    digests = (parse_statement(stored.statement).sealed[VERBATIM],)
    approval = ErasureApproved(
        digests=digests, legal_basis="identifier entered by mistake", statement=reported.event
    )
    approvals = []
    for person in (person_at(course.plan.site, "investigator"), REVIEW_BOARD):
        pen.after(45)
        approved = yield Command(
            at_us=pen.us,
            person=person,
            role=stage.people[person].role,
            action=approval,
            stream="study",
            occurred=pen.text,
        )
        approvals += [approved.event] if approved is not None else []
    yield Wait(at_us=pen.after(10).us)
    erase(stage.ledger, approvals)


def suicidality(course: Course, visit: Visit, on: date) -> Story:
    """Hear of a sign of suicidality in an answer."""
    yield from judging.suicidality(course, course.pen(on, 15 * 60), visit)


def _adverse(story: Callable[..., Story]) -> Aside:
    def aside(course: Course, visit: Visit, on: date) -> Story:
        return story(course.pen(on, 16 * 60))

    return aside


ASIDES: Final[Mapping[str, Aside]] = MappingProxyType(
    {
        "corrected_twice": corrected_twice,
        "sealed_corrected": sealed_corrected,
        "miscounted": miscounted,
        "upgraded": _adverse(safety.upgraded),
        "hospitalised": _adverse(safety.hospitalised),
        "life_threatening": _adverse(safety.life_threatening),
        "wrong_participant": wrong_participant,
        "samples_withdrawn": samples_withdrawn,
        "late_papers": late_papers,
        "identifier_erased": identifier_erased,
        "assessed": _adverse(judging.assessed),
        "nullified": _adverse(judging.nullified),
        "suicidality": suicidality,
        "medication_changed": between.medication_changed,
        "unscheduled": between.unscheduled,
        "page_missing": consenting.page_missing,
        "authorization_revoked": consenting.authorization_revoked,
        "found_ineligible": moving.found_ineligible,
        "transferred": moving.transferred,
        "lost_and_found": moving.lost_and_found,
        "partner_pregnant": pregnancies.of_a_partner,
        "barren": pregnancies.not_possible_any_more,
    }
)
