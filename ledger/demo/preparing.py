"""The pharmacy's part of an infusion: for each dose the same sequence of records in every arm (R8).

    prepared, checked, witnessed, dispensed … what was wasted, witnessed; returned, where it came back

The pharmacist alone knows the arm. Here it is opened by the service's keys, as a pharmacist's screen would.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ledger.actions.fields import Measure
from ledger.actions.preparation import (
    Contents,
    DoseDispensed,
    DosePrepared,
    DoseReturned,
    DoseWasted,
    Line,
    padded,
)
from ledger.actions.quality import RecordCosigned
from ledger.actions.registry import Action
from ledger.demo.cast import CHECKER, PHARMACIST, PREPARER, WITNESS, pharmacist
from ledger.demo.course import Course, Pen
from ledger.demo.stage import HOUR_US, Command, Story, Telling, written
from ledger.demo.stocking import dose_unit, kit_of, lot_of
from ledger.sealing import open_disclosure
from ledger.study.definition import Arm, Dose, StudyDefinition
from ledger.study.lists import CONTINUE

BEYOND_USE_US: Final = 8 * HOUR_US
_ARM: Final = "/data/arm"


def arm_of(course: Course) -> str:
    """Return the arm of a participant as the pharmacist sees it: the newest allocation that names one."""
    ledger = course.stage.ledger
    draws = [d for d in ledger.refresh().conduct.study.draws if d.participant == course.plan.id]
    for draw in sorted(draws, key=lambda each: each.stage, reverse=True):
        for kept in ledger.store.disclosures(draw.event):
            if kept.path == _ARM:
                opened = ledger.data_keys.open(
                    kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
                )
                arm = str(open_disclosure(opened).value)
                if arm != CONTINUE:
                    return arm
    return ""


def prepare(pen: Pen, number: int, *, weight: Measure) -> Telling:
    """Make a dose up and let it leave the pharmacy; return its label."""
    course, definition = pen.course, pen.course.definition
    label = _new_label(course)
    arm = _of_extension(definition) if number > definition.infusions else definition.arm(arm_of(course))
    used = {dose.product: _amount(dose, weight) for dose in (arm.doses if arm is not None else ())}
    lines = tuple(_line(product, definition, used.get(product)) for product in definition.products)
    prepared = DosePrepared(
        label=label,
        participant=course.plan.id,
        infusion=number,
        volume=Measure(value=str(definition.infusion_volume_ml), unit="mL"),
        beyond_use=written(pen.us + BEYOND_USE_US, course.plan.zone),
        contents=contents(lines),
        source=pen.source(),
    )
    made = yield pharmacy(pen, prepared, after=6)
    if made is None:
        return label
    checked = RecordCosigned(as_="checker", statement=made.event)
    yield pharmacy(pen, checked, hand=CHECKER, after=2)
    witnessed = RecordCosigned(as_="witness", statement=made.event)
    yield pharmacy(pen, witnessed, hand=WITNESS, after=2)
    dispensed = DoseDispensed(label=label, participant=course.plan.id, infusion=number, statement=made.event)
    yield pharmacy(pen, dispensed, after=3)
    course.noted[f"prepared {label}"] = made.event
    return label


def _of_extension(definition: StudyDefinition) -> Arm | None:
    """Return the arm whose regimen everybody has in the extension, whatever the core arm was."""
    product = definition.extension.product if definition.extension is not None else None
    return next((arm for arm in definition.arms if {dose.product for dose in arm.doses} == {product}), None)


def _new_label(course: Course) -> str:
    """Draw a label that no dose of the pharmacy has."""
    pharmacy = course.stage.ledger.refresh().conduct.study.pharmacies.get(course.plan.site)
    while True:
        label = f"L{100_000 + course.dice.below(900_000)}"
        if pharmacy is None or label not in pharmacy.doses:
            return label


def waste(pen: Pen, number: int, label: str, *, code: str = "nothing_left") -> Story:
    """Record what was wasted of a dose, nothing included, before a witness."""
    course, definition = pen.course, pen.course.definition
    none = tuple(_line(product, definition, None) for product in definition.products)
    wasted = DoseWasted(
        label=label,
        participant=course.plan.id,
        infusion=number,
        code=code,
        contents=contents(none),
        source=pen.source(),
    )
    recorded = yield pharmacy(pen, wasted, after=4)
    if recorded is not None:
        yield pharmacy(pen, RecordCosigned(as_="witness", statement=recorded.event), hand=WITNESS, after=2)


def returned(pen: Pen, number: int, label: str, code: str) -> Story:
    """Take a whole bag back from the bedside."""
    course, definition = pen.course, pen.course.definition
    none = tuple(_line(product, definition, None) for product in definition.products)
    back = DoseReturned(
        label=label,
        participant=course.plan.id,
        infusion=number,
        volume=Measure(value=str(definition.infusion_volume_ml), unit="mL"),
        code=code,
        contents=contents(none),
        source=pen.source(),
    )
    yield pharmacy(pen, back, after=10)


def contents(lines: tuple[Line, ...]) -> Contents:
    """Return product lines as the value that is sealed, filled up to its size."""
    rows = [
        {
            "product": line.product,
            "quantity": {"value": line.quantity.value, "unit": line.quantity.unit},
            **({"lot": line.lot} if line.lot is not None else {}),
            **({"kit": line.kit} if line.kit is not None else {}),
        }
        for line in lines
    ]
    return Contents(lines=lines, padding=padded(rows)["padding"])


def pharmacy(pen: Pen, action: Action, *, hand: int = PREPARER, **more: int) -> Command:
    """Write in the pharmacy of the participant's site."""
    site = pen.course.plan.site
    return pen.note(PHARMACIST, action, person=pharmacist(site, hand), stream=f"pharmacy/{site}", **more)


def _amount(dose: Dose, weight: Measure) -> str:
    """Return how much of a product a dose holds: by the kilogram, or fixed."""
    if not dose.unit.endswith("/kg"):
        return str(dose.amount)
    amount = Decimal(dose.amount) * Decimal(weight.value)
    if dose.maximum is not None:
        amount = min(amount, Decimal(dose.maximum))
    return str(amount.quantize(Decimal("0.1")))


def _line(product: str, definition: StudyDefinition, amount: str | None) -> Line:
    unit = dose_unit(product, definition)
    quantity = Measure(value=amount or "0", unit=unit)
    if amount is None:
        return Line(product=product, quantity=quantity)
    return Line(product=product, quantity=quantity, lot=lot_of(product), kit=kit_of(product, 1))
