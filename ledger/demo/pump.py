"""The pump at the bedside: which there are, their units, and a start by the label on the bag."""

from __future__ import annotations

from typing import Final

from ledger.actions.fields import Measure
from ledger.actions.infusion import InfusionStarted
from ledger.demo.course import Pen

ML: Final = "mL"
ML_H: Final = "mL/h"
PUMPS: Final = ("PUMP-01", "PUMP-02", "PUMP-03")


def start(pen: Pen, number: int, label: str) -> InfusionStarted:
    """Return the start of the pump, by the label on the bag."""
    rate = Measure(value=str(pen.course.definition.infusion_rate_ml_h), unit=ML_H)
    return InfusionStarted(infusion=number, pump=pen.course.dice.pick(PUMPS), rate=rate, label=label)
