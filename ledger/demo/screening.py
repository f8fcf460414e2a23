"""What a screening looks at beside questionnaires and criteria: history, therapies, weight, heart, blood.

Beside it stands each site's count of people who were looked at before any consent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from ledger.actions.devices import DeviceRegistered
from ledger.actions.eligibility import MedicalHistoryRecorded, PrescreeningRecorded, PriorTherapyRecorded
from ledger.actions.fields import Quantity, Source
from ledger.actions.forms import Field, FormRecorded, Text
from ledger.actions.laboratory import (
    Analyte,
    EcgRecorded,
    LabResultReceived,
    LabSampleCollected,
    ResultReviewed,
)
from ledger.actions.observations import Measurement, WeightRecorded
from ledger.demo.course import Course, Pen
from ledger.demo.dice import Dice
from ledger.demo.hands import COORDINATOR, NURSE, PHYSICIAN
from ledger.demo.stage import Command, Story
from ledger.study.definition import Visit

LABORATORY: Final = "Demo central laboratory"
SCREENING_FORM: Final = "PAIN-HISTORY"

_HISTORY: Final = (
    "lumbar radiculopathy after a fall",
    "painful neuropathy of both feet",
    "post-surgical neuropathic pain of the shoulder",
    "migraine",
    "hearing loss from blasts",
    "asthma in childhood",
)
_THERAPIES: Final = (
    ("physiotherapy", "physiotherapy for the back"),
    ("nerve_blocks", "two nerve blocks"),
    ("cognitive_behavioural_therapy", "group therapy for twelve weeks"),
    ("antidepressants", "duloxetine, stopped for nausea"),
)
_NOT_SCREENED: Final = ("not_interested", "too_far_to_travel", "no_neuropathic_pain", "took_ketamine_lately")
_COUNTED_PERCENT: Final = 35
_ABNORMAL_PERCENT: Final = 20


def looked_at(pen: Pen, visit: Visit) -> Story:
    """Take history, weigh, and look at heart and blood."""
    course = pen.course
    for _ in range(course.dice.between(1, 2)):
        history = MedicalHistoryRecorded(
            ongoing=True,
            onset=f"{2010 + course.dice.below(12)}",  # the year is what people remember
            term=course.dice.pick(_HISTORY),
            source=pen.source("ehr"),
        )
        yield pen.note(COORDINATOR, history)
    class_, term = course.dice.pick(_THERAPIES)
    therapy = PriorTherapyRecorded(
        class_=class_,
        ongoing=False,
        start=f"{2019 + course.dice.below(3)}",
        end=f"2023-{course.dice.between(1, 9):02d}",
        term=term,
        source=pen.source("ehr"),
    )
    yield pen.note(COORDINATOR, therapy)
    yield from weighed(pen, visit.id)
    yield from heart(pen, visit.id)
    yield from blood(pen, visit.id, "screening")
    form = FormRecorded(
        form=SCREENING_FORM,
        version="1.0",
        visit=visit.id,
        fields=(
            Field(field="pain_since", value=f"{2015 + course.dice.below(8)}"),
            Field(field="pain_side", value=course.dice.pick(("left", "right", "both"))),
        ),
        texts=(Text(field="pain_described", text="burning, with tingling at night"),),
        source=pen.source("participant"),
    )
    yield pen.note(COORDINATOR, form)


def weighed(pen: Pen, visit: str) -> Story:
    """Weigh without shoes."""
    weight = WeightRecorded(weight=pen.course.weight(), visit=visit, method="scale", source=pen.source())
    yield pen.note(NURSE, weight)


def heart(pen: Pen, visit: str, *, significant: bool = False) -> Story:
    """Record an electrocardiogram; what is not normal a physician looks at."""
    course = pen.course
    normal = not (significant or course.dice.chance(_ABNORMAL_PERCENT))
    ecg = EcgRecorded(
        measurements=(
            Measurement(name="heart_rate", quantity=_quantity(course.dice.between(56, 90), "/min")),
            Measurement(name="qtcf_interval", quantity=_quantity(course.dice.between(392, 438), "ms")),
        ),
        interpretation="normal" if normal else "abnormal_not_significant",
        visit=visit,
        position="supine",
        tracing_sha256=hashlib.sha256(f"tracing {course.plan.id} {pen.text}".encode()).hexdigest(),
        source=pen.source(),
    )
    recorded = yield pen.note(NURSE, ecg, after=5)
    if recorded is not None and not normal:
        yield from reviewed(pen, recorded.event, significant=significant)


def reviewed(pen: Pen, event: str, *, significant: bool = False) -> Story:
    """Let a physician judge a result."""
    review = ResultReviewed(
        statement=event,
        significance="significant" if significant else "not_significant",
        code="repeat_in_a_week" if significant else "known_before",
        source=pen.source(),
    )
    yield pen.note(PHYSICIAN, review, after=10)


def blood(pen: Pen, visit: str, time_point: str) -> Story:
    """Take blood, and receive what the laboratory found."""
    course = pen.course
    sample = f"{course.plan.id}-{time_point}"
    taken = LabSampleCollected(
        sample=sample, specimen="serum", visit=visit, time_point=time_point, source=pen.source()
    )
    yield pen.note(NURSE, taken, after=5)
    high = course.dice.chance(_ABNORMAL_PERCENT)
    analytes = (
        _analyte("creatinine", f"0.{course.dice.between(70, 99)}", "mg/dL", "0.60", "1.30", high=False),
        _analyte("alanine_aminotransferase", str(58 if high else 24), "U/L", "7", "55", high=high),
        _analyte("thyrotropin", f"{course.dice.between(1, 3)}.4", "m[IU]/L", "0.4", "4.5", high=False),
    )
    received = LabResultReceived(
        sample=sample, laboratory=LABORATORY, analytes=analytes, visit=visit, source=Source(kind="ehr")
    )
    recorded = yield pen.note(COORDINATOR, received, after=25)
    if high and recorded is not None:
        yield from reviewed(pen, recorded.event)


def _analyte(name: str, value: str, unit: str, low: str, high_end: str, *, high: bool) -> Analyte:
    return Analyte(
        analyte=name,
        quantity=Quantity(value=value, unit=unit),
        low=low,
        high=high_end,
        indicator="high" if high else "normal",
    )


def _quantity(value: int, unit: str) -> Quantity:
    return Quantity(value=str(value), unit=unit)


def counts(courses: Iterable[Course]) -> Iterator[Story]:
    """Yield each site's count of who was looked at, and the diary system that it uses."""
    by_site: dict[str, list[Course]] = {}
    for course in courses:
        by_site.setdefault(course.plan.site, []).append(course)
    return (_counted(of_site) for of_site in by_site.values())


def diary_system(site: str) -> str:
    """Return the system that the participants of a site keep their diaries in."""
    return f"EPRO-{site}"


def _counted(courses: list[Course]) -> Story:
    """Count everybody who was looked at, in the order of their coming; some are never screened."""
    site = courses[0].plan.site
    dice = Dice(f"trial-ledger demo {courses[0].stage.seed} people looked at {site}")
    ordered = sorted(courses, key=lambda course: course.plan.screening)
    pen = ordered[0].pen(ordered[0].plan.screening - timedelta(days=3), 9 * 60)
    system = DeviceRegistered(
        clock_offset_ms=120,
        device=diary_system(site),
        kind="system",
        model="Diary app",
        use="diary",
        version="2.1",
    )
    yield _at_site(pen, system)
    number = 0
    for course in ordered:
        for on, reason in _seen(course, dice):
            number += 1
            pen = course.pen(on, 8 * 60 + 5 + dice.between(0, 30))
            row = PrescreeningRecorded(number=number, reason=reason, source=pen.source("ehr"))
            yield _at_site(pen, row)


def _seen(course: Course, dice: Dice) -> Iterator[tuple[date, str | None]]:
    if dice.chance(_COUNTED_PERCENT):
        yield course.plan.screening - timedelta(days=1), dice.pick(_NOT_SCREENED)
    yield course.plan.screening, None


def _at_site(pen: Pen, action: DeviceRegistered | PrescreeningRecorded) -> Command:
    return pen.note(COORDINATOR, action, stream=f"site/{pen.course.plan.site}")
