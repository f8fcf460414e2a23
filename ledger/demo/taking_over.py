"""An emergency department's file is taken in: records of one night, one of them unblinding (F, H).

What that system did not ask is left out, and what it found in the blood stays sealed: the form is entered by
the pharmacist, whatever the participant is given. Each record names the row that it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from ledger.actions.custody import DataImported
from ledger.actions.devices import DeviceRegistered
from ledger.actions.fields import Source
from ledger.actions.forms import Field, Text
from ledger.actions.imported import AdverseEventTakenOver, UnblindingFormRecorded
from ledger.actions.safety import Causality
from ledger.demo.cast import DATA_MANAGER, PHARMACIST, PREPARER, person_at, pharmacist
from ledger.demo.course import Course, Pen
from ledger.demo.hands import COORDINATOR
from ledger.demo.office import ESOURCE, Desk, digest_of
from ledger.demo.setup import Setup
from ledger.demo.stage import Command, Story

IMPORTED: Final = date(2024, 12, 3)
MAPPING: Final = "emergency-register"

_MAPPING_VERSION: Final = "1"
_ROWS: Final = 2


def stories(setup: Setup, courses: Mapping[int, Course]) -> Iterator[Story]:
    """Yield the import for whoever was treated elsewhere in an emergency."""
    for course in courses.values():
        if "life_threatening" in course.plan.turns.asides.values():
            yield _imported(setup, course)


def _imported(setup: Setup, course: Course) -> Story:
    site = course.plan.site
    desk = Desk(setup, IMPORTED, 18 * 60, site=site)
    register = DeviceRegistered(
        clock_offset_ms=0,
        device=_register(site),
        kind="system",
        model="Register of the emergency department",
        use="emergency_treatment",
        version="9",
    )
    yield desk.note(person_at(site, COORDINATOR), register, f"site/{site}")
    file = DataImported(
        file="emergency-department.csv",
        sha256=digest_of("file of the emergency department"),
        mapping=MAPPING,
        mapping_version=_MAPPING_VERSION,
        rows=_ROWS,
        statements=_ROWS,
        left=0,
        source=ESOURCE,
    )
    yield desk.note(DATA_MANAGER, file, "study")
    pen = course.pen(IMPORTED, 19 * 60)
    source = Source(kind="ehr", reference="emergency department, file of the night")
    yield _row(pen, 1, _bruise(course, pen, source))
    yield _row(pen, 2, _screen(source))


def _bruise(course: Course, pen: Pen, source: Source) -> AdverseEventTakenOver:
    scale = course.definition.adverse_event_scale
    return AdverseEventTakenOver(
        ae=course.next_event(),
        onset=pen.day[:7],  # the register has the month of an entry, and nobody asked what was done about it
        awareness=pen.text,
        grade=1,
        scale=scale.name,
        scale_version=scale.version,
        serious=False,
        criteria=(),
        causality=tuple(
            Causality(product=product, relation="unrelated") for product in course.definition.products
        ),
        outcome="recovered",
        verbatim="bruise where the emergency department's cannula was",
        source=source,
    )


def _screen(source: Source) -> UnblindingFormRecorded:
    found = (Text(field="screen_of_anaesthetics", text="reported to the pharmacy in a sealed letter"),)
    return UnblindingFormRecorded(
        form="TOX-SCREEN",
        version="1",
        fields=(Field(field="sample", value="blood"),),
        treatment=found,
        source=source,
    )


def _row(pen: Pen, row: int, action: AdverseEventTakenOver | UnblindingFormRecorded) -> Command:
    """Enter what a row holds: what tells the treatment by the pharmacist, the rest by the coordinator."""
    site = pen.course.plan.site
    role = PHARMACIST if isinstance(action, UnblindingFormRecorded) else COORDINATOR
    person = pharmacist(site, PREPARER) if role == PHARMACIST else None
    taken = {"id": _register(site), "kind": "system", "source": f"{MAPPING} {_MAPPING_VERSION} row {row}"}
    return pen.note(role, action, person=person, members={"originator": taken})


def _register(site: str) -> str:
    return f"ED-REGISTER-{site}"
