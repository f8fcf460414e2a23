"""Adverse events: mild ones that pass, and the serious ones with their versions."""

from __future__ import annotations

from typing import Final

from ledger.actions.safety import (
    ActionTaken,
    AdverseEventFollowedUp,
    AdverseEventReported,
    AdverseEventResolved,
    Causality,
    DeathReported,
    Outcome,
    SaeReportedToSponsor,
    Seriousness,
)
from ledger.demo.course import Pen
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN
from ledger.demo.stage import DAY_US, Story

MILD: Final = (
    ("nausea for an hour after the infusion", 1),
    ("dizziness on standing up", 1),
    ("headache in the evening", 1),
    ("feeling detached, passed within half an hour", 2),
    ("tired until the next day", 1),
    ("vomiting once", 2),
    ("pain at the site of the needle", 1),
)


def report(
    pen: Pen,
    ae: str,
    verbatim: str,
    *,
    grade: int,
    criteria: tuple[Seriousness, ...] = (),
    relation: str = "possible",
    action: ActionTaken = "none",
    outcome: Outcome = "recovering",
) -> AdverseEventReported:
    """Return a report with the site's judgement for each product of the protocol."""
    definition = pen.course.definition
    scale = definition.adverse_event_scale
    return AdverseEventReported(
        ae=ae,
        onset=pen.text,
        awareness=pen.text,
        grade=grade,
        scale=scale.name,
        scale_version=scale.version,
        serious=bool(criteria),
        criteria=criteria,
        causality=tuple(
            Causality(product=product, relation="unrelated" if relation == "unrelated" else "possible")
            for product in definition.products
        ),
        action=action,
        outcome=outcome,
        verbatim=verbatim,
        source=pen.source(),
    )


def mild(pen: Pen) -> Story:
    """A mild event, reported the same day and over within days."""
    course = pen.course
    verbatim, grade = course.dice.pick(MILD)
    ae = course.next_event()
    yield pen.note(NURSE, report(pen, ae, verbatim, grade=grade))
    days = course.dice.between(1, 3)
    pen.us += days * DAY_US
    resolved = AdverseEventResolved(
        ae=ae, version=2, resolved=pen.day, outcome="recovered", source=pen.source()
    )
    yield pen.note(COORDINATOR, resolved)


def upgraded(pen: Pen) -> Story:
    """An event that turns out worse than first reported."""
    ae = pen.course.next_event()
    yield pen.note(NURSE, report(pen, ae, "palpitations", grade=2))
    pen.us += DAY_US
    worse = AdverseEventFollowedUp(
        ae=ae,
        version=2,
        new_information=pen.text,
        grade=3,
        serious=True,
        criteria=("important_medical_event",),
        note="supraventricular tachycardia on the monitor",
        source=pen.source("ehr"),
    )
    yield pen.note(PHYSICIAN, worse)
    yield from to_sponsor(pen, ae, version=2)
    yield from _over(pen, ae, version=3, days=3)


def hospitalised(pen: Pen) -> Story:
    """A stay in hospital, followed up until it is over."""
    ae = pen.course.next_event()
    pen.us += DAY_US
    first = report(
        pen,
        ae,
        "kidney stone with colic, admitted overnight",
        grade=3,
        criteria=("hospitalisation",),
        relation="unrelated",
        action="held",
        outcome="not_recovered",
    )
    yield pen.note(PHYSICIAN, first)
    yield from to_sponsor(pen, ae)
    pen.us += 2 * DAY_US
    better = AdverseEventFollowedUp(
        ae=ae,
        version=2,
        new_information=pen.text,
        outcome="recovering",
        note="discharged",
        source=pen.source("ehr"),
    )
    yield pen.note(PHYSICIAN, better)
    yield from _over(pen, ae, version=3, days=8)


def life_threatening(pen: Pen) -> Story:
    """An allergic reaction that needs treatment at once."""
    ae = pen.course.next_event()
    first = report(
        pen,
        ae,
        "anaphylaxis after shellfish, adrenaline given",
        grade=4,
        criteria=("life_threatening", "hospitalisation"),
        relation="unrelated",
        action="held",
    )
    yield pen.note(PHYSICIAN, first)
    yield from to_sponsor(pen, ae)
    yield from _over(pen, ae, version=2, days=2)


def stopped_for(pen: Pen) -> Story:
    """What an infusion was stopped for."""
    ae = pen.course.next_event()
    verbatim = "hallucinations and fear during the infusion"
    yield pen.note(NURSE, report(pen, ae, verbatim, grade=3, action="stopped"))
    yield from _over(pen, ae, version=2, days=1)


def fatal(pen: Pen) -> Story:
    """A death that has nothing to do with the study, heard of days later."""
    ae = pen.course.next_event()
    death = report(
        pen,
        ae,
        "died in a road accident",
        grade=5,
        criteria=("death",),
        relation="unrelated",
        action="not_applicable",
        outcome="fatal",
    )
    yield pen.note(PHYSICIAN, death)
    yield from to_sponsor(pen, ae)
    reported = DeathReported(
        date=pen.day[:7],  # which day of the month is not known yet
        awareness=pen.text,
        code="accident",
        ae=ae,
        autopsy="unknown",
        cause="road accident",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, reported)


def to_sponsor(pen: Pen, ae: str, *, version: int = 1, breaches: tuple[str, ...] = ()) -> Story:
    """Report a serious event within hours: the same way and in the same time whatever becomes of it."""
    sent = SaeReportedToSponsor(
        ae=ae, version=version, reported=pen.text, method="portal", source=pen.source()
    )
    yield pen.note(PHYSICIAN, sent, after=90, breaches=breaches)


def _over(pen: Pen, ae: str, *, version: int, days: int) -> Story:
    pen.us += days * DAY_US
    resolved = AdverseEventResolved(
        ae=ae, version=version, resolved=pen.day, outcome="recovered", source=pen.source()
    )
    yield pen.note(PHYSICIAN, resolved)
