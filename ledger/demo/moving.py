"""Who moves, gets lost and is found, or turns out to be somebody who was here before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from ledger.actions.disposition import ContactAttempted, ParticipantFound, ParticipantLostToFollowUp
from ledger.actions.eligibility import EligibilityRevoked
from ledger.actions.quality import RecordCosigned
from ledger.actions.transfer import ConsentThere, ParticipantLinked, ParticipantTransferred
from ledger.actions.visits import UNSCHEDULED, ContactMade
from ledger.demo.cast import person_at
from ledger.demo.course import Course
from ledger.demo.enrolling import consent_on, form_in_effect
from ledger.demo.hands import COORDINATOR, INVESTIGATOR, PHYSICIAN
from ledger.demo.mending import INVESTIGATOR as SECOND
from ledger.demo.stage import Story
from ledger.study.definition import Visit

_MOVES_AFTER: Final = 16
_GONE_DAYS: Final = (20, 24, 29)


def transferred(course: Course, visit: Visit, on: date) -> Story:
    """Move to another site: consent there, both investigators sign; id, stratum and allocation stay."""
    plan = course.plan
    there = next(site for site in course.definition.sites.values() if site.id != plan.site)
    day = on + timedelta(days=_MOVES_AFTER)
    new = replace(plan, site=there.id, zone=there.zone)
    old, course.plan = course.plan, new
    talk = course.pen(day, 9 * 60)
    signed = consent_on(talk, form_in_effect(day))
    course.plan = old
    pen = course.pen(day, 14 * 60)
    moved = ParticipantTransferred(
        from_=old.site,
        to=there.id,
        code="new_posting",
        consent=ConsentThere(
            form_version=signed.form_version,
            language=signed.language,
            form_sha256=signed.form_sha256,
            mode=signed.mode,
            participant_time=signed.participant_time,
            consenter=signed.consenter,
            consenter_time=signed.consenter_time,
            authorization=True,
            copy_given=True,
        ),
    )
    receiving = person_at(there.id, INVESTIGATOR)
    key = course.stage.signers[course.stage.successors.get(receiving, receiving)].key
    yield pen.note(INVESTIGATOR, moved, further=(key,))
    course.plan = new


def lost_and_found(course: Course, visit: Visit, on: date) -> Story:
    """Try in vain, give up, and hear again weeks later: participation goes on."""
    course.away = True
    methods = course.definition.contact_methods
    for number, days in enumerate(_GONE_DAYS):
        pen = course.pen(on + timedelta(days=days), 17 * 60)
        attempt = ContactAttempted(method=methods[number % len(methods)], source=pen.source())
        yield pen.note(COORDINATOR, attempt)
    pen = course.pen(on + timedelta(days=_GONE_DAYS[-1] + 9), 10 * 60)
    lost = ParticipantLostToFollowUp(date=pen.day, last_visit=visit.id, attempts=(), source=pen.source())
    yield pen.note(COORDINATOR, lost)
    pen = course.pen(on + timedelta(days=_GONE_DAYS[-1] + 25), 11 * 60)
    reached = ContactMade(
        visit=UNSCHEDULED,
        mode="phone",
        with_="participant",
        note="was away on an exercise, wants to go on",
        source=pen.source("participant"),
    )
    yield pen.note(COORDINATOR, reached)
    found = ParticipantFound(date=pen.day, code="called_back", source=pen.source("participant"))
    yield pen.note(COORDINATOR, found)
    course.away = False


def linked(course: Course) -> Story:
    """Find that somebody had been screened before under another id; another investigator agrees."""
    earlier = next(
        (o for o in course.others.values() if o.plan.turns.fails and o.plan.number < course.plan.number), None
    )
    if earlier is None:
        return
    pen = course.pen(course.plan.screening + timedelta(days=5), 10 * 60)
    same = ParticipantLinked(
        code="screened_before",
        other=earlier.plan.id,
        note="told by the participant",
        source=pen.source("participant"),
    )
    recorded = yield pen.note(PHYSICIAN, same)
    if recorded is not None:
        yield pen.note(SECOND, RecordCosigned(as_="approver", statement=recorded.event), after=30)


def found_ineligible(course: Course, visit: Visit, on: date) -> Story:
    """A criterion turns out not to have been met: the analysis keeps it, and dosing is decided on."""
    pen = course.pen(on, 16 * 60)
    confirmation = course.noted["eligibility"]
    criterion = next(c.id for c in reversed(course.definition.criteria) if c.kind == "exclusion")
    first = EligibilityRevoked(
        statement=confirmation,
        code="found_in_records",
        criteria=(criterion,),
        note="a letter of the family doctor arrived",
        source=pen.source("ehr"),
    )
    yield pen.note(PHYSICIAN, first, breaches=("DOSING_DECISION",))
    pen = course.pen(on + timedelta(days=1), 9 * 60)
    decided = EligibilityRevoked(
        statement=confirmation,
        code="found_in_records",
        criteria=(criterion,),
        dosing="continued",
        decided_by=person_at(course.plan.site, INVESTIGATOR),
        note="no added risk; agreed with the medical monitor",
        source=pen.source(),
    )
    yield pen.note(INVESTIGATOR, decided)
