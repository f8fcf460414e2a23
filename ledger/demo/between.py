"""Between the visits: another medication for a while, and a visit that nobody had planned."""

from __future__ import annotations

from datetime import date, timedelta

from ledger.actions.fields import Measure
from ledger.actions.medication import MedicationChanged, MedicationStarted, MedicationStopped
from ledger.actions.safety import AdverseEventResolved
from ledger.actions.visits import UNSCHEDULED, VisitCompleted, VisitStarted
from ledger.demo import safety, screening
from ledger.demo.course import Course
from ledger.demo.hands import COORDINATOR, NURSE
from ledger.demo.stage import DAY_US, Story
from ledger.study.definition import Visit


def medication_changed(course: Course, visit: Visit, on: date) -> Story:
    """Take something new, take more of it, and stop it."""
    label, pen = "CM-5", course.pen(on, 15 * 60)
    started = MedicationStarted(
        medication=label,
        class_="analgesics",
        start=pen.day,
        dose=Measure(value="400", unit="mg"),
        drug="ibuprofen",
        indication="back pain",
        source=pen.source("participant"),
    )
    yield pen.reported(COORDINATOR, started)
    pen.us += 3 * DAY_US
    changed = MedicationChanged(
        medication=label,
        change=pen.day,
        code="not_enough",
        dose=Measure(value="600", unit="mg"),
        source=pen.source("participant"),
    )
    yield pen.reported(COORDINATOR, changed)
    pen.us += 7 * DAY_US
    stopped = MedicationStopped(
        medication=label, stop=pen.day, code="no_longer_needed", source=pen.source("participant")
    )
    yield pen.reported(COORDINATOR, stopped)


def unscheduled(course: Course, visit: Visit, on: date) -> Story:
    """Come in between for palpitations: an electrocardiogram and blood, and it is nothing."""
    pen = course.pen(on + timedelta(days=1), 14 * 60)
    started = VisitStarted(visit=UNSCHEDULED, mode="in_person", source=pen.source())
    yield pen.note(COORDINATOR, started)
    ae = course.next_event()
    yield pen.note(NURSE, safety.report(pen, ae, "palpitations for an hour", grade=1))
    yield from screening.heart(pen, UNSCHEDULED, significant=True)
    yield from screening.blood(pen, UNSCHEDULED, "unscheduled")
    yield pen.note(COORDINATOR, VisitCompleted(visit=UNSCHEDULED, source=pen.source()))
    pen.us += DAY_US
    over = AdverseEventResolved(ae=ae, version=2, resolved=pen.day, outcome="recovered", source=pen.source())
    yield pen.note(COORDINATOR, over)
