"""How an infusion runs once its bag is there: as planned, and each way in which it differs.

The bag is opaque and the same in every arm: a label, a volume and a rate of the definition. Amounts of
products stay empty here, for nobody at the bedside knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from ledger.actions.fields import Measure
from ledger.actions.infusion import (
    DoseAdministered,
    InfusionCompleted,
    InfusionInterrupted,
    InfusionResumed,
    InfusionStopped,
)
from ledger.demo import tricky
from ledger.demo.course import Pen
from ledger.demo.hands import NURSE
from ledger.demo.mending import correct
from ledger.demo.pump import ML, ML_H, PUMPS, start
from ledger.demo.stage import Story, Telling

_MINUTES_AN_HOUR: Final = 60
_SHORT_PERCENT: Final = 86

Given = Callable[[Pen, int, str], Story]


def _begin(pen: Pen, number: int, label: str) -> Telling:
    """Start the pump; the first infusion makes day 1, and what was too early shows."""
    turns = pen.course.plan.turns
    early = ("RANDOMIZATION_WINDOW",) if number == 1 and turns.requested_early else ()
    departed = ("ON_HOLD",) if turns.bedside.get(number) == "despite_hold" else ()
    yield pen.note(NURSE, start(pen, number, label), after=6, breaches=early + departed)
    return pen.text


def _administered(
    pen: Pen, number: int, started: str, volume_ml: Decimal, *, entered: str | None = None
) -> DoseAdministered:
    planned = pen.course.definition.infusion_volume_ml
    return DoseAdministered(
        infusion=number,
        volume=Measure(value=entered or str(volume_ml), unit=ML),
        percent_given=str((volume_ml * 100 / planned).quantize(Decimal(1))),
        start=started,
        end=pen.text,
        source=pen.source(),
    )


def _completed(pen: Pen, number: int, volume_ml: Decimal) -> InfusionCompleted:
    return InfusionCompleted(
        infusion=number, volume=Measure(value=str(volume_ml), unit=ML), source=pen.source("device")
    )


def as_planned(pen: Pen, number: int, label: str) -> Story:
    """Give the whole bag in the time that the protocol has."""
    definition = pen.course.definition
    started = yield from _begin(pen, number, label)
    volume_ml = definition.infusion_volume_ml
    yield pen.note(NURSE, _completed(pen, number, volume_ml), after=definition.infusion_minutes)
    yield pen.note(NURSE, _administered(pen, number, started, volume_ml), after=0)


def _interrupted(pen: Pen, number: int, label: str) -> Story:
    """Pause for a line that came loose, and go on."""
    definition = pen.course.definition
    first_minutes = definition.infusion_minutes * 3 // 8
    so_far_ml = (definition.infusion_rate_ml_h * first_minutes / _MINUTES_AN_HOUR).quantize(Decimal("0.1"))
    started = yield from _begin(pen, number, label)
    interrupted = InfusionInterrupted(
        infusion=number,
        code="line_dislodged",
        volume=Measure(value=str(so_far_ml), unit=ML),
        pump=PUMPS[0],
        source=pen.source("device"),
    )
    yield pen.note(NURSE, interrupted, after=first_minutes)
    rate = Measure(value=str(definition.infusion_rate_ml_h), unit=ML_H)
    resumed = InfusionResumed(infusion=number, rate=rate, pump=PUMPS[0], source=pen.source("device"))
    yield pen.note(NURSE, resumed, after=9)
    volume_ml = definition.infusion_volume_ml
    rest = definition.infusion_minutes - first_minutes
    yield pen.note(NURSE, _completed(pen, number, volume_ml), after=rest)
    yield pen.note(NURSE, _administered(pen, number, started, volume_ml), after=0)


def _stopped(pen: Pen, number: int, label: str) -> Story:
    """Stop for good."""
    definition = pen.course.definition
    minutes = definition.infusion_minutes * 2 // 5
    volume_ml = (definition.infusion_rate_ml_h * minutes / _MINUTES_AN_HOUR).quantize(Decimal(1))
    started = yield from _begin(pen, number, label)
    stopped = InfusionStopped(
        infusion=number,
        code="adverse_event",
        volume=Measure(value=str(volume_ml), unit=ML),
        source=pen.source("device"),
    )
    yield pen.note(NURSE, stopped, after=minutes)
    yield pen.note(NURSE, _administered(pen, number, started, volume_ml), after=0)


def _slowed(pen: Pen, number: int, label: str) -> Story:
    """Run slower after the first half, and give the whole bag."""
    definition = pen.course.definition
    volume_ml, half = definition.infusion_volume_ml, definition.infusion_minutes // 2
    started = yield from _begin(pen, number, label)
    so_far_ml = (definition.infusion_rate_ml_h * half / _MINUTES_AN_HOUR).quantize(Decimal("0.1"))
    rate_ml_h = (definition.infusion_rate_ml_h * 4 / 5).quantize(Decimal(1))
    pen.after(half)
    yield from tricky.slowed(pen, number, rate_ml_h, so_far_ml)
    rest = int((volume_ml - so_far_ml) * _MINUTES_AN_HOUR / rate_ml_h)
    yield pen.note(NURSE, _completed(pen, number, volume_ml), after=rest)
    yield pen.note(NURSE, _administered(pen, number, started, volume_ml), after=0)


def _reduced(pen: Pen, number: int, label: str) -> Story:
    """Give as much as was planned for a reduced dose."""
    definition, volume_ml = pen.course.definition, tricky.less_ml(pen.course)
    started = yield from _begin(pen, number, label)
    minutes = int(volume_ml * _MINUTES_AN_HOUR / definition.infusion_rate_ml_h)
    yield pen.note(NURSE, _completed(pen, number, volume_ml), after=minutes)
    yield pen.note(NURSE, _administered(pen, number, started, volume_ml), after=0)


def _short(pen: Pen, number: int, label: str) -> Story:
    """Complete with a rest left in the bag: less than the tolerance allows."""
    definition = pen.course.definition
    volume_ml = (definition.infusion_volume_ml * _SHORT_PERCENT / 100).quantize(Decimal(1))
    started = yield from _begin(pen, number, label)
    completed = _completed(pen, number, volume_ml)
    yield pen.note(NURSE, completed, after=definition.infusion_minutes, breaches=("DOSE_OUT_OF_TOLERANCE",))
    given = _administered(pen, number, started, volume_ml)
    yield pen.note(NURSE, given, after=0, breaches=("DOSE_DIFFERS",))


def _mistyped(pen: Pen, number: int, label: str) -> Story:
    """Enter a digit too few, and correct it: the breach goes when a physician has signed as well."""
    definition = pen.course.definition
    volume_ml = definition.infusion_volume_ml
    started = yield from _begin(pen, number, label)
    yield pen.note(NURSE, _completed(pen, number, volume_ml), after=definition.infusion_minutes)
    entered = str(volume_ml // 10)
    given = _administered(pen, number, started, volume_ml, entered=entered)
    recorded = yield pen.note(NURSE, given, after=0, breaches=("DOSE_DIFFERS",))
    if recorded is not None:
        yield from correct(
            pen,
            NURSE,
            recorded.event,
            "/data/volume/value",
            old=entered,
            new=str(volume_ml),
            reason=("data_entry_error", "a digit was left out; the pump's log shows the volume"),
            source="pump log",
            cosigned=True,
        )


GIVEN: Final[Mapping[str, Given]] = MappingProxyType(
    {
        "interrupted": _interrupted,
        "stopped": _stopped,
        "short": _short,
        "mistyped": _mistyped,
        "slowed": _slowed,
        "reduced": _reduced,
    }
)
