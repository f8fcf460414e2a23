"""Infusions: order, dose at the bedside, start, and the state machine after it (catalogue E).

The bedside knows a label, a volume and a rate, equal in every arm; nothing here reads a sealed value. Whose
dose a label belongs to, the pharmacy knows: where its books are not shown, that is not judged.
Starting is a gate and can be refused; interrupting, stopping and completing tell what happened and never are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Infusion, Order, Participant, ReceivedDose, Segment
from ledger.rules import bedside, randomization
from ledger.rules.bedside import staffed, volume_ml
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.holding import is_held
from ledger.rules.record import HOUR_US, MINUTE_US, span
from ledger.state.pharmacy import Dose
from ledger.times import Interval, local_date

RATE_UNIT: Final = "mL/h"
TIME_TOLERANCE_US: Final = 5 * MINUTE_US
HUNDRED: Final = Decimal(100)

_FROM: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "infusion.rate_changed": frozenset({"running"}),
        "infusion.interrupted": frozenset({"running"}),
        "infusion.resumed": frozenset({"interrupted"}),
        "infusion.stopped": frozenset({"running", "interrupted"}),
        "infusion.completed": frozenset({"running"}),
    }
)


def judge_ordered(case: Case) -> Iterator[str]:
    """Judge an order: allocated, an infusion of the protocol, a recent weight, a delegated prescriber."""
    record, data, participant = case.record, case.record.data, case.participant
    yield from judge_treatment(case)
    signer = record.statement.actor.id
    if not case.study.delegated(signer, record.type, case.site, record.occurred, record.index):
        yield "PRESCRIBER_NOT_DELEGATED"
    if any(infusion.number == data["infusion"] for infusion in participant.infusions):
        yield "ORDER_REPEATED"
    if _is_outdated(case, data["weight_date"]):
        yield "WEIGHT_OUTDATED"


def judge_started(case: Case) -> Iterator[str]:
    """Judge a start: ordered, the right label in time, nothing else running, the least gap kept."""
    data, participant = case.record.data, case.participant
    number = data["infusion"]
    yield from judge_treatment(case)
    if not any(order.infusion == number for order in participant.orders):
        yield "ORDER_MISSING"
    if any(infusion.number == number for infusion in participant.infusions):
        yield "INFUSION_REPEATED"
    if participant.running is not None:
        yield "INFUSION_RUNNING"
    if _is_too_soon(case):
        yield "INFUSION_GAP"
    yield from _judge_label(case)
    yield from bedside.judge_check(case)


def judge_treatment(case: Case) -> Iterator[str]:
    """Judge what ordering, dispensing and starting need alike: nothing speaks against this infusion."""
    yield from _judge_entry(case)
    if is_held(case.participant, case.record):
        yield "ON_HOLD"
    yield from bedside.judge_known(case)
    yield from bedside.judge_planned(case)


def _judge_entry(case: Case) -> Iterator[str]:
    """Judge that treatment may begin: allocated, or eligible where the protocol allocates nobody."""
    participant, definition = case.participant, case.definition
    if participant.randomized:
        return
    if definition is None or definition.randomization is not None:
        yield "NOT_RANDOMIZED"
    elif not (_was_let_in(participant) or randomization.is_eligible(case)):
        yield "NOT_ELIGIBLE"


def _was_let_in(participant: Participant) -> bool:
    """Tell whether treatment began on a confirmation: one taken back since is for `judge_dosing`."""
    return bool(participant.infusions and participant.consenting.confirmations)


def is_of_another(case: Case) -> bool:
    """Tell whether the pharmacy gave this label to another participant or infusion."""
    dose = _in_pharmacy(case)
    return dose is not None and not _is_own(dose, case)


def _in_pharmacy(case: Case) -> Dose | None:
    pharmacy = case.study.pharmacies.get(case.site)
    return None if pharmacy is None else pharmacy.dose(case.record.data["label"], case.record.index)


def _is_own(dose: Dose, case: Case) -> bool:
    return (dose.participant, dose.infusion) == (case.participant.id, case.record.data["infusion"])


def _judge_label(case: Case) -> Iterator[str]:
    data = case.record.data
    if is_of_another(case):
        yield "LABEL_OF_ANOTHER"
    dose = next((d for d in reversed(case.participant.received) if d.infusion == data["infusion"]), None)
    if dose is None or dose.label != data["label"]:
        yield "LABEL_MISMATCH"
    elif case.record.now.earliest_us > dose.beyond_use.latest_us:
        yield "DOSE_EXPIRED"


def _is_outdated(case: Case, weight_date: str) -> bool:
    if case.definition is None:
        return False
    weighed, ordered = span(weight_date, case.zone), case.record.now
    last = local_date(weighed.latest_us, case.zone)
    days = (local_date(ordered.earliest_us, case.zone) - last).days
    return weighed.earliest_us > ordered.latest_us or days > case.definition.weight_valid_days


def _is_too_soon(case: Case) -> bool:
    """Tell whether the least time between two infusions has not passed for certain.

    One that is recorded late can lie before others: of these it is the start that has to be far enough.
    """
    if case.definition is None:
        return False
    gap_us, start = case.definition.infusion_minimum_gap_hours * HOUR_US, case.record.now
    return any(
        each.started.earliest_us - start.latest_us < gap_us
        if each.started.earliest_us > start.latest_us
        else start.earliest_us - (each.ended or each.started).latest_us < gap_us
        for each in case.participant.infusions
    )


def judge_step(case: Case) -> Iterator[str]:
    """Judge a step of the state machine."""
    infusion = find(case.participant, case.record.data["infusion"])
    if infusion is None or infusion.state not in _FROM[case.record.type]:
        yield "INFUSION_STATE"
    if case.record.type == "infusion.completed" and case.definition is not None:
        planned = bedside.planned_ml(case)
        if not _is_close(volume_ml(case.record.data["volume"]), planned, _tolerance_ml(case)):
            yield "DOSE_OUT_OF_TOLERANCE"


def judge_received(case: Case) -> Iterator[str]:
    """Judge a dose received: for an infusion of the protocol, with the label of this participant's dose."""
    yield from bedside.judge_known(case)
    dose = _in_pharmacy(case)
    if dose is not None and not _is_own(dose, case):
        yield "LABEL_OF_ANOTHER"
    elif dose is not None and (dose.dispensed is None or dose.dispensed >= case.record.index):
        yield "DOSE_NOT_DISPENSED"


def judge_administered(case: Case) -> Iterator[str]:
    """Judge what was given against the infusion's own record and the tolerance."""
    data = case.record.data
    infusion = find(case.participant, data["infusion"])
    if infusion is None:
        yield "DOSE_WITHOUT_INFUSION"
    elif case.definition is not None and _differs(case, infusion):
        yield "DOSE_DIFFERS"


def _differs(case: Case, infusion: Infusion) -> bool:
    definition, data = case.definition, case.record.data
    if definition is None:
        return False
    tolerance = _tolerance_ml(case)
    given = volume_ml(data["volume"])
    planned = definition.infusion_volume_ml
    if given is None or not planned:  # a study without infusions plans no volume
        return True
    percent = Decimal(data["percent_given"])
    if abs(percent - given * HUNDRED / planned) > definition.volume_tolerance_percent:
        return True
    for expected in (infusion.segments[-1].volume_ml, pumped_ml(infusion)):
        if infusion.ended is not None and expected is not None and abs(expected - given) > tolerance:
            return True
    times = [(data["start"], infusion.started)]
    if infusion.ended is not None:
        times.append((data["end"], infusion.ended))
    return any(_are_apart(span(text, case.zone), recorded) for text, recorded in times)


def pumped_ml(infusion: Infusion) -> Decimal | None:
    """Return the volume that rates and times give; None where a rate or an exact time is missing."""
    total = Decimal(0)
    for begin, end in zip(infusion.segments, infusion.segments[1:], strict=False):
        if begin.rate_ml_h is None:
            continue
        if any(s.at.earliest_us != s.at.latest_us for s in (begin, end)) or begin.rate_ml_h < 0:
            return None
        total += begin.rate_ml_h * (end.at.earliest_us - begin.at.earliest_us) / HOUR_US
    return total


def _tolerance_ml(case: Case) -> Decimal:
    if case.definition is None:
        return Decimal(0)
    return case.definition.infusion_volume_ml * case.definition.volume_tolerance_percent / HUNDRED


def _is_close(value: Decimal | None, expected: Decimal, tolerance: Decimal) -> bool:
    return value is not None and abs(value - expected) <= tolerance


def _are_apart(one: Interval, other: Interval) -> bool:
    return (
        one.earliest_us - other.latest_us > TIME_TOLERANCE_US
        or other.earliest_us - one.latest_us > TIME_TOLERANCE_US
    )


def rate_ml_h(quantity: Mapping[str, Any]) -> Decimal | None:
    """Return a rate in mL/h; None in another unit."""
    return Decimal(quantity["value"]) if quantity["unit"] == RATE_UNIT else None


def find(participant: Participant, number: int) -> Infusion | None:
    """Return the newest infusion of a number."""
    return next((i for i in reversed(participant.infusions) if i.number == number), None)


def last_infusion_date(participant: Participant, zone: str) -> date | None:
    """Return the calendar day at the site of the last infusion, in whichever order they were recorded."""
    if not participant.infusions:
        return None
    return local_date(max(each.started.earliest_us for each in participant.infusions), zone)


def fold_ordered(case: Case) -> Participant:
    """Add an order."""
    record = case.record
    order = Order(index=record.index, event=record.event, infusion=record.data["infusion"])
    return replace(case.participant, orders=(*case.participant.orders, order))


def fold_received(case: Case) -> Participant:
    """Add a dose at the bedside."""
    record, data = case.record, case.record.data
    dose = ReceivedDose(
        index=record.index,
        infusion=data["infusion"],
        label=data["label"],
        beyond_use=span(data["beyond_use"], case.zone),
    )
    return replace(case.participant, received=(*case.participant.received, dose))


def fold_started(case: Case) -> Participant:
    """Begin an infusion; the first start of the first one is study day 1."""
    record, participant = case.record, case.participant
    # A rate in a unit that is not compared counts as unknown: -1 is never a real rate.
    rate = rate_ml_h(record.data["rate"])
    segment = Segment(at=record.occurred, rate_ml_h=Decimal(-1) if rate is None else rate, volume_ml=None)
    infusion = Infusion(
        index=record.index,
        event=record.event,
        number=record.data["infusion"],
        state="running",
        segments=(segment,),
    )
    day1 = participant.day1
    if record.data["infusion"] == 1 and day1 is None:
        day1 = local_date(record.occurred.earliest_us, case.zone)
    return staffed(replace(participant, infusions=(*participant.infusions, infusion), day1=day1), case)


def fold_step(case: Case) -> Participant:
    """Carry an infusion on: at another rate, interrupted, resumed, stopped or completed."""
    record, participant = case.record, case.participant
    infusion = find(participant, record.data["infusion"])
    if infusion is None:
        return staffed(participant, case)
    rate = record.data.get("rate")
    volume = record.data.get("volume")
    pumped = None if rate is None else rate_ml_h(rate)
    segment = Segment(
        at=record.occurred,
        rate_ml_h=pumped if rate is None or pumped is not None else Decimal(-1),
        volume_ml=None if volume is None else volume_ml(volume),
    )
    state = _STATES[record.type]
    changed = replace(infusion, state=state, segments=(*infusion.segments, segment))
    infusions = tuple(changed if i is infusion else i for i in participant.infusions)
    ended = participant.treatment_ended
    if changed.ended is not None and case.definition is not None:
        ended = ended or infusion.number == max(v.infusion or 0 for v in case.definition.visits)
    return staffed(replace(participant, infusions=infusions, treatment_ended=ended), case)


_STATES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "infusion.rate_changed": "running",
        "infusion.interrupted": "interrupted",
        "infusion.resumed": "running",
        "infusion.stopped": "stopped",
        "infusion.completed": "completed",
    }
)


def fold_staff(case: Case) -> Participant:
    """Remember who took part: no blinded rater of this participant any more."""
    return staffed(case.participant, case)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "infusion.ordered": judge_ordered,
        "dose.received": judge_received,
        "infusion.started": judge_started,
        **dict.fromkeys(_FROM, judge_step),
        "dose.administered": judge_administered,
        **bedside.JUDGES,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "infusion.ordered": fold_ordered,
        "dose.received": fold_received,
        "infusion.started": fold_started,
        **dict.fromkeys(_FROM, fold_step),
        "dose.administered": fold_staff,
        **bedside.FOLDS,
    }
)
_TREATMENT: Final = "NOT_RANDOMIZED NOT_ELIGIBLE ON_HOLD INFUSION_UNKNOWN DOSING_DISCONTINUED DOSE_OMITTED"
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "infusion.ordered": f"{_TREATMENT} PRESCRIBER_NOT_DELEGATED ORDER_REPEATED WEIGHT_OUTDATED",
        "infusion.started": (
            f"{_TREATMENT} CHECK_FAILED CHECK_MISSING ORDER_MISSING INFUSION_REPEATED INFUSION_RUNNING "
            "INFUSION_GAP LABEL_OF_ANOTHER LABEL_MISMATCH DOSE_EXPIRED"
        ),
        "infusion.rate_changed": "INFUSION_STATE",
        "infusion.interrupted": "INFUSION_STATE",
        "infusion.resumed": "INFUSION_STATE",
        "infusion.stopped": "INFUSION_STATE",
        "infusion.completed": "INFUSION_STATE DOSE_OUT_OF_TOLERANCE",
        "dose.received": "INFUSION_UNKNOWN LABEL_OF_ANOTHER DOSE_NOT_DISPENSED",
        "dose.administered": "DOSE_WITHOUT_INFUSION DOSE_DIFFERS",
        **bedside.ASKED,
    }
)
