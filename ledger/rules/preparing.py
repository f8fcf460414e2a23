"""Rules of preparing and dispensing doses: `pharmacy/<site>` (catalogue E; R8, R9).

Dispensing is a gate like a start: it needs consent, randomization, an order, nothing that holds, and here a
preparation that two others signed. Which product a dose holds is sealed; whether its lines are right is
judged as `SEALED_RULE` where they open: a line for each product of the protocol, in them the arm's products
and no other, from kits that may be used, out of stock that is there; never more is wasted or returned than
was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.rules import bedside, consent, disposition, dosing, eligibility
from ledger.rules.books import at, in_stock, put, quantity
from ledger.rules.case import Case, StudyCase, StudyFold, StudyJudge
from ledger.rules.protocols import version_for
from ledger.rules.record import DAY_US, Record, span
from ledger.rules.sealed import RULE as SEALED_RULE
from ledger.state.pharmacy import Account, Dose, Line, Pharmacy
from ledger.study.definition import StudyDefinition
from ledger.studystate import Attachments, StudyState
from ledger.times import Interval

CONTENTS: Final = "/data/contents"


def judge_prepared(case: StudyCase) -> Iterator[str]:
    """Judge a preparation: under a label of its own, for an infusion of the protocol, with right lines."""
    record, pharmacy = case.record, at(case)
    participant = case.participants(record.data["participant"])
    if participant is None and not case.study.partial:
        yield "DOSE_FOR_NOBODY"
    definition = _definition(case)
    if not bedside.is_planned(definition, participant, record.data["infusion"]):
        yield "INFUSION_UNKNOWN"
    if record.data["label"] in pharmacy.doses:
        yield "LABEL_REPEATED"
    lines = lines_of(record)
    if lines is None:
        return
    zone = case.study.zone(record.site)
    usable = all(_is_usable(line, pharmacy, record.occurred, zone) for line in lines)
    fits = _is_complete(lines, definition) and _is_of_arm(lines, case, definition)
    if not (usable and fits and _is_there(lines, pharmacy)):
        yield SEALED_RULE


def judge_dispensed(case: StudyCase) -> Iterator[str]:
    """Judge dispensing as a start is judged, and the dose: prepared, signed by two others, in time, once."""
    record, pharmacy = case.record, at(case)
    participant = case.participants(record.data["participant"])
    if participant is None:
        yield "DOSE_FOR_NOBODY"
    else:
        if participant.has_ended:
            yield "PARTICIPANT_ENDED"
        # What holds for the participant is asked as it is of the start that the dose is for.
        as_start = replace(record, type="infusion.started")
        protocol = version_for(participant, case.study, record.now, record.index)
        start = Case(as_start, participant, case.study, protocol)
        yield from consent.judge_order(start)
        yield from disposition.judge_after_treatment(start)
        yield from eligibility.judge_dosing(start)
        yield from dosing.judge_treatment(start)
        if not any(order.infusion == record.data["infusion"] for order in participant.orders):
            yield "ORDER_MISSING"
    yield from _judge_dose(record, pharmacy)
    for number in record.data.get("kits", ()):
        if not is_dispensable(pharmacy, number, record.now, case.study.zone(record.site)):
            yield "KIT_NOT_DISPENSABLE"
    dose = pharmacy.doses.get(record.data["label"])
    lines = () if dose is None or dose.lines is None else dose.lines
    zone = case.study.zone(record.site)
    if not all(line.kit is None or _is_usable(line, pharmacy, record.now, zone) for line in lines):
        yield SEALED_RULE


def _judge_dose(record: Record, pharmacy: Pharmacy) -> Iterator[str]:
    dose = pharmacy.doses.get(record.data["label"])
    named = record.data.get("statement")
    if named is None:
        if dose is not None:
            yield "LABEL_REPEATED"
        return
    if dose is None or dose.event != named or not _is_for(dose, record):
        yield "DOSE_NOT_PREPARED"
        return
    if not is_checked(dose, pharmacy):
        yield "PREPARATION_UNCHECKED"
    if dose.dispensed is not None or dose.wasted is not None:
        yield "DISPENSED_TWICE"
    if record.now.earliest_us > dose.beyond_use.latest_us:
        yield "DOSE_EXPIRED"


def judge_left(case: StudyCase) -> Iterator[str]:
    """Judge what came back or was wasted: of a dose that was prepared, and no more than it held."""
    record = case.record
    dose = at(case).doses.get(record.data["label"])
    if dose is None or not _is_for(dose, record):
        yield "DOSE_NOT_PREPARED"
        return
    lines = lines_of(record)
    if lines is None or dose.lines is None:
        return
    left, held = _sums(lines), _sums(dose.lines)
    if not _is_complete(lines, _definition(case)) or any(left[key] > held.get(key, 0) for key in left):
        yield SEALED_RULE


def _is_for(dose: Dose, record: Record) -> bool:
    return (dose.participant, dose.infusion) == (record.data["participant"], record.data["infusion"])


def is_checked(dose: Dose, pharmacy: Pharmacy) -> bool:
    """Tell whether a checker and a witness, neither of them the preparer, signed a preparation."""
    return all(pharmacy.is_signed(dose.event, as_, dose.preparers) for as_ in ("checker", "witness"))


def is_dispensable(pharmacy: Pharmacy, number: str, when: Interval, zone: str) -> bool:
    """Tell whether a kit is in stock, not in quarantine and not expired."""
    kit = pharmacy.kits.get(number)
    if kit is None or kit.waits is not None or kit.expired is not None or kit.gone is not None:
        return False
    return when.earliest_us <= span(kit.expiry, zone).latest_us


def _is_usable(line: Line, pharmacy: Pharmacy, when: Interval, zone: str) -> bool:
    """Tell whether a line may be taken from what it names; nothing at all may be taken from nowhere."""
    if not line.quantity:
        return True
    if line.kit is None:
        return line.lot is not None
    kit = pharmacy.kits.get(line.kit)
    fits = kit is not None and (kit.product, kit.lot) == (line.product, line.lot)
    return fits and is_dispensable(pharmacy, line.kit, when, zone)


def _is_complete(lines: tuple[Line, ...], definition: StudyDefinition | None) -> bool:
    """Tell whether each product of the protocol has its line, and nothing else has one (R8)."""
    return definition is None or {line.product for line in lines} == set(definition.products)


def _is_of_arm(lines: tuple[Line, ...], case: StudyCase, definition: StudyDefinition | None) -> bool:
    """Tell whether a dose holds the products of the participant's arm, where that opens, and no other."""
    participant = case.participants(case.record.data["participant"])
    if participant is None or participant.in_extension or definition is None:
        return True
    name = case.arm(participant, case.record.index)
    arm = None if name is None else definition.arm(name)
    return arm is None or {line.product for line in lines if line.quantity} == {d.product for d in arm.doses}


def _is_there(lines: tuple[Line, ...], pharmacy: Pharmacy) -> bool:
    taken = _taken(lines)
    return all(pharmacy.stock(account) >= amount for account, amount in taken.items())


def _taken(lines: tuple[Line, ...]) -> Mapping[Account, Decimal]:
    taken: dict[Account, Decimal] = {}
    for line in lines:
        if line.quantity and line.lot is not None:
            account = Account(line.product, line.lot, line.unit)
            taken[account] = taken.get(account, Decimal(0)) + line.quantity
    return taken


def _sums(lines: tuple[Line, ...]) -> Mapping[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        if line.quantity:
            key = (line.product, line.unit)
            sums[key] = sums.get(key, Decimal(0)) + line.quantity
    return sums


def lines_of(record: Record) -> tuple[Line, ...] | None:
    """Return the product lines of a dose; None where they are closed here."""
    contents = None if record.opened is None else record.opened.get(CONTENTS)
    if not isinstance(contents, dict):
        return None
    return tuple(
        Line(
            product=line["product"],
            quantity=quantity(line["quantity"]),
            unit=line["quantity"]["unit"],
            lot=line.get("lot"),
            kit=line.get("kit"),
        )
        for line in contents["lines"]
    )


def unfinished(pharmacy: Pharmacy, record: Record) -> Iterator[Dose]:
    """Yield the doses whose sequence should be whole by this record and is not (R8)."""
    following = record.data.get("participant") if record.type == "dose.prepared" else None
    for label in sorted(pharmacy.unfinished):
        dose = pharmacy.doses[label]
        due = record.at_us - dose.at_us > DAY_US or dose.participant == following
        if due and dose.event != record.event:
            yield dose


def settled(pharmacy: Pharmacy, label: str) -> Pharmacy:
    """Return the books with a dose among the unfinished, or no longer."""
    finished = is_finished(pharmacy.doses[label], pharmacy)
    labels = pharmacy.unfinished - {label} if finished else pharmacy.unfinished | {label}
    return pharmacy if labels == pharmacy.unfinished else replace(pharmacy, unfinished=labels)


def is_finished(dose: Dose, pharmacy: Pharmacy) -> bool:
    """Tell whether a dose has all that every dose has: checker, witness, and its waste with a witness."""
    if not dose.preparers:
        return True
    if not is_checked(dose, pharmacy) or dose.waste is None:
        return False
    return pharmacy.is_signed(dose.waste, "witness")


def fold_prepared(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Add a dose, and carry what it took out of stock where that opens."""
    pharmacy, data = in_stock(state, record.site), record.data
    lines = lines_of(record)
    if data["label"] not in pharmacy.doses:
        preparers = frozenset({record.performer, record.statement.actor.id})
        dose = _dose(record, preparers, span(data["beyond_use"], state.zone(record.site)), lines)
        pharmacy = replace(pharmacy, doses=MappingProxyType({**pharmacy.doses, dose.label: dose}))
        pharmacy = settled(pharmacy, dose.label)
    if lines is None:
        return put(state, record.site, replace(pharmacy, closed=True))
    drawn = dict(pharmacy.drawn)
    for account, amount in _taken(lines).items():
        drawn[account] = drawn.get(account, Decimal(0)) + amount
    return put(state, record.site, replace(pharmacy, drawn=MappingProxyType(drawn)))


def _dose(
    record: Record, preparers: frozenset[str], beyond_use: Interval, lines: tuple[Line, ...] | None
) -> Dose:
    data = record.data
    return Dose(
        index=record.index,
        event=record.event,
        at_us=record.at_us,
        label=data["label"],
        participant=data["participant"],
        infusion=data["infusion"],
        preparers=preparers,
        beyond_use=beyond_use,
        lines=lines,
    )


def fold_dispensed(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Mark a dose as dispensed; kits that are dispensed as they are have gone."""
    pharmacy = in_stock(state, record.site)
    kits = {
        number: replace(kit, gone=record.index) if number in record.data.get("kits", ()) else kit
        for number, kit in pharmacy.kits.items()
    }
    pharmacy = replace(pharmacy, kits=MappingProxyType(kits))
    if "statement" not in record.data and record.data["label"] not in pharmacy.doses:
        dose = _dose(record, frozenset(), record.occurred, None)
        pharmacy = replace(pharmacy, doses=MappingProxyType({**pharmacy.doses, dose.label: dose}))
    return put(state, record.site, _changed(pharmacy, record, dispensed=record.index))


def fold_wasted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Mark what was wasted of a dose."""
    pharmacy = in_stock(state, record.site)
    return put(state, record.site, _changed(pharmacy, record, wasted=record.index, waste=record.event))


def _changed(pharmacy: Pharmacy, record: Record, **changes: Any) -> Pharmacy:
    dose = pharmacy.doses.get(record.data["label"])
    if dose is None or not _is_for(dose, record):
        return pharmacy
    doses = MappingProxyType({**pharmacy.doses, dose.label: replace(dose, **changes)})
    return settled(replace(pharmacy, doses=doses), dose.label)


def _definition(case: StudyCase) -> StudyDefinition | None:
    record = case.record
    protocol = case.study.protocol_for(record.site, record.index, record.now)
    return None if protocol is None else protocol.definition


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "dose.prepared": judge_prepared,
        "dose.dispensed": judge_dispensed,
        "dose.returned": judge_left,
        "dose.wasted": judge_left,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {"dose.prepared": fold_prepared, "dose.dispensed": fold_dispensed, "dose.wasted": fold_wasted}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dose.prepared": "DOSE_FOR_NOBODY INFUSION_UNKNOWN LABEL_REPEATED SEALED_RULE SEQUENCE_INCOMPLETE",
        "dose.dispensed": (
            "DOSE_FOR_NOBODY PARTICIPANT_ENDED CONSENT_MISSING CONSENT_HELD CONSENT_WITHDRAWN "
            "TREATMENT_ENDED ELIGIBILITY_REVOKED NOT_RANDOMIZED NOT_ELIGIBLE ON_HOLD DOSING_DISCONTINUED "
            "DOSE_OMITTED INFUSION_UNKNOWN ORDER_MISSING LABEL_REPEATED DOSE_NOT_PREPARED "
            "PREPARATION_UNCHECKED DISPENSED_TWICE DOSE_EXPIRED KIT_NOT_DISPENSABLE SEALED_RULE"
        ),
        "dose.returned": "DOSE_NOT_PREPARED SEALED_RULE",
        "dose.wasted": "DOSE_NOT_PREPARED SEALED_RULE",
    }
)
