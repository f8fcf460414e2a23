"""Infusion visits at the bedside: arrival, order, bag, infusion; and what keeps one from being given."""

from __future__ import annotations

from collections.abc import Generator
from datetime import date, timedelta
from typing import Any, Final

from ledger.actions.fields import Measure, Quantity
from ledger.actions.infusion import (
    DoseHeld,
    DoseReceived,
    InfusionOrdered,
    Limit,
)
from ledger.actions.medication import MedicationStarted
from ledger.actions.visits import VisitCompleted, VisitStarted
from ledger.demo import consenting, diaries, levels, pregnancies, tricky
from ledger.demo.cast import person_at
from ledger.demo.checking import checked, observed
from ledger.demo.course import MORNING, Course, Pen
from ledger.demo.given import GIVEN, as_planned
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN
from ledger.demo.mending import correct
from ledger.demo.preparing import prepare, returned, waste
from ledger.demo.pump import ML, ML_H, start
from ledger.demo.second_stage import guess
from ledger.demo.stage import HOUR_US, Story, Telling, written
from ledger.demo.visits import outcomes
from ledger.recorded import Recorded
from ledger.study.definition import Visit

BEYOND_USE_US: Final = 8 * HOUR_US
HARMLESS_CLASS: Final = "antihistamines"
WITHOUT: Final = ("hold_stays", "omitted", "pregnant")
"""Turns by which a visit goes on without its infusion."""


def infusion(course: Course, visit: Visit, on: date) -> Story:
    """Play one infusion visit from arrival to leaving."""
    number = visit.infusion or 0
    turn = course.plan.turns.bedside.get(number)
    on -= timedelta(days=turn == "too_soon")  # the window allows it, the hours since the last one do not
    pen = course.pen(on, MORNING + course.dice.between(0, 240), paper=turn == "on_paper")
    if number == course.plan.turns.backfilled:
        yield from diaries.filled_in(course, visit, on)
    yield from _arrive(course, visit, pen, _window_breaches(course, number))
    if turn == "held":
        yield from _held(pen, visit, number)
        pen = course.pen(on + timedelta(days=1), MORNING + 60)
    if turn in ("hold_lifted", "hold_stays"):
        yield from _prohibited(pen, number, lifted=turn == "hold_lifted")
    if turn == "omitted":
        yield from tricky.omitted(pen, number)
    if turn == "pregnant":
        yield from pregnancies.found(pen, visit)
        yield pen.note(NURSE, _dose_held(pen, number, "pregnancy", None))
    if turn not in WITHOUT:
        yield from given(pen, visit, number, turn)
        course.last_infusion = date.fromisoformat(pen.day)
    yield pen.note(COORDINATOR, VisitCompleted(visit=visit.id, source=pen.source()), after=12)


def given(pen: Pen, visit: Visit, number: int, turn: str | None = None) -> Story:
    """Order a bag, check, and let it run; `pen` stands where it was observed."""
    course = pen.course
    if turn == "reduced":
        yield from tricky.reduced(pen, number)
    weight = yield from _order(pen, visit, number)
    label = yield from _receive(pen, number, weight, mixed_up=turn == "mixed_up")
    if turn == "too_soon":
        yield from checked(pen, visit, number)
        yield pen.note(NURSE, start(pen, number, label), after=6, refused="INFUSION_GAP")
        yield pen.note(NURSE, _dose_held(pen, number, "interval_too_short", None))
        yield from returned(pen, number, label, "not_given")
        yield from waste(pen, number, label, code="expired")
        next_day = course.pen(date.fromisoformat(pen.day) + timedelta(days=1), MORNING + 150)
        pen.us = next_day.us
        label = yield from _receive(pen, number, weight)
    if turn == "check_failed":
        yield from tricky.check_failed(pen, visit, number, label)
    yield from checked(pen, visit, number, unclear="invalid" if turn == "invalid_test" else None)
    if turn == "reconsent_late":
        yield pen.note(NURSE, start(pen, number, label), after=4, refused="RECONSENT_OVERDUE")
        yield from consenting.signed_again(pen)
    if turn == "despite_hold":
        yield from tricky.despite_hold(pen, number, label)
    yield from GIVEN.get(turn or "", as_planned)(pen, number, label)
    yield from observed(pen, number)
    yield from waste(pen, number, label)
    course.noted[tricky.LABEL] = label


def _window_breaches(course: Course, number: int) -> tuple[str, ...]:
    """Return what comes out with a visit: that it was shifted, and that diaries were filled in before it."""
    turns = course.plan.turns
    together = ("DIARY_BACKFILLED",) * diaries.BATCH if number == turns.backfilled else ()
    return (("OUTSIDE_WINDOW",) if number in turns.shifted else ()) + together


def _arrive(course: Course, visit: Visit, pen: Pen, breaches: tuple[str, ...]) -> Story:
    started = VisitStarted(visit=visit.id, mode=visit.mode, source=pen.source())
    yield pen.note(COORDINATOR, started, breaches=breaches)
    slip = 1 if course.plan.turns.asides.get(visit.infusion or 0) == "miscounted" else 0
    yield from outcomes(pen, visit, week=visit.week or 0, slip=slip)
    yield from guess(pen, visit)
    yield from levels.sampled(pen, visit)


def _order(pen: Pen, visit: Visit, number: int) -> Generator[Any, Recorded | None, Measure]:
    course = pen.course
    weight = course.weight()
    signs = course.vital_signs(pen.source("device"), "before_infusion", visit=visit.id, weight=weight)
    recorded = yield pen.note(NURSE, signs, after=4)
    if recorded is not None:
        course.noted["vital_signs"] = recorded.event
        course.noted["systolic"] = signs.measurements[0].quantity.value
    ordered = InfusionOrdered(
        infusion=number,
        weight=weight,
        weight_date=pen.day,
        instruction="per_protocol",
        limits=(
            Limit(
                parameter="systolic_blood_pressure",
                comparison="above",
                quantity=Quantity(value="170", unit="mm[Hg]"),
            ),
            Limit(parameter="oxygen_saturation", comparison="below", quantity=Quantity(value="92", unit="%")),
        ),
    )
    yield pen.note(PHYSICIAN, ordered, after=5)
    return weight


def received(pen: Pen, number: int, label: str) -> DoseReceived:
    """Return a bag for an infusion as it comes to the bedside, with a label that tells nothing."""
    definition = pen.course.definition
    return DoseReceived(
        infusion=number,
        label=label,
        volume=Measure(value=str(definition.infusion_volume_ml), unit=ML),
        rate=Measure(value=str(definition.infusion_rate_ml_h), unit=ML_H),
        beyond_use=written(pen.us + BEYOND_USE_US, pen.course.plan.zone),
        source=pen.source(),
    )


def dose_name(number: int) -> str:
    """Return the name under which a course notes the bag of an infusion."""
    return f"dose {number}"


def _receive(pen: Pen, number: int, weight: Measure, *, mixed_up: bool = False) -> Telling:
    label = yield from prepare(pen, number, weight=weight)
    other = tricky.label_of_another(pen.course) if mixed_up else None
    if other is not None:
        wrong = yield pen.note(NURSE, received(pen, number, other), after=6, breaches=("LABEL_OF_ANOTHER",))
        if wrong is not None:
            yield from tricky.mixed_up(pen, number, other, wrong.event)
    bag = received(pen, number, label)
    recorded = yield pen.note(NURSE, bag, after=6)
    if recorded is not None:
        pen.course.noted[dose_name(number)] = recorded.event
    return bag.label


def _dose_held(pen: Pen, number: int, code: str, note: str | None) -> DoseHeld:
    decided_by = person_at(pen.course.plan.site, PHYSICIAN)
    return DoseHeld(infusion=number, code=code, decided_by=decided_by, note=note, source=pen.source())


def _held(pen: Pen, visit: Visit, number: int) -> Story:
    """Hold the dose for a high blood pressure."""
    signs = pen.course.vital_signs(pen.source("device"), "before_infusion", visit=visit.id, high=True)
    yield pen.note(NURSE, signs)
    yield pen.note(PHYSICIAN, _dose_held(pen, number, "blood_pressure", "to come again tomorrow"))


def _prohibited(pen: Pen, number: int, *, lifted: bool) -> Story:
    """Find a prohibited medication; it was taken, or the bottle shows that it was not."""
    prohibited = pen.course.definition.prohibited_medication[-1].medication_class
    medication = MedicationStarted(
        medication="CM-9",
        class_=prohibited,
        start=f"{pen.day[:8]}01",
        drug="hydroxyzine" if lifted else "lorazepam",
        indication="sleep",
        source=pen.source("participant"),
    )
    recorded = yield pen.reported(COORDINATOR, medication, breaches=("PROHIBITED_MEDICATION",))
    order = InfusionOrdered(
        infusion=number,
        weight=pen.course.weight(),
        weight_date=pen.day,
        instruction="per_protocol",
        limits=(),
    )
    yield pen.note(PHYSICIAN, order, refused="ON_HOLD")
    yield pen.note(PHYSICIAN, _dose_held(pen, number, "prohibited_medication", None))
    if lifted and recorded is not None:
        yield from correct(
            pen,
            COORDINATOR,
            recorded.event,
            "/data/class",
            old=prohibited,
            new=HARMLESS_CLASS,
            reason=("coding_error", "the bottle shows another substance"),
            source="medication bottle, photographed",
            cosigned=True,
        )
