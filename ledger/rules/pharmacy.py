"""Rules of product and its accountability: `pharmacy/<site>` (catalogue E; 21 CFR 312.62(a), 1304).

The books follow from plain movements: what came in, what went out, lot by lot. What doses took is sealed, so
that the balance with the doses is judged as `SEALED_RULE`, where their contents open; the plain balance,
which leaves the doses out, is judged everywhere. A quantity in another unit is another account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from ledger.participant import Breach
from ledger.rules import preparing
from ledger.rules.books import account, at, in_stock, put, quantity
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import DAY_US, Record
from ledger.rules.sealed import RULE as SEALED_RULE
from ledger.state.pharmacy import Account, Due, Kit, Pharmacy, Second
from ledger.studystate import Attachments, StudyState

STREAM: Final = "pharmacy/"
V = TypeVar("V")


def judge_registered(case: StudyCase) -> Iterator[str]:
    """Judge a kit that is taken into the books: under a number of its own."""
    if case.record.data["kit"] in at(case).kits:
        yield "KIT_REPEATED"


def judge_kits(case: StudyCase) -> Iterator[str]:
    """Judge what is said of kits: each is registered, there, and in quarantine where it is released."""
    kits = [at(case).kits.get(number) for number in named_kits(case.record)]
    if None in kits:
        yield "KIT_UNKNOWN"
    known = [kit for kit in kits if kit is not None]
    release = case.record.type == "kit.released"
    if any(kit.gone is not None or (release and kit.waits is None) for kit in known):
        yield "KIT_STATE"
    if case.record.type == "kit.destroyed":
        yield from judge_out(case)


def judge_out(case: StudyCase) -> Iterator[str]:
    """Judge what leaves the books: there was that much of it."""
    pharmacy, wrong = at(case), set()
    for each, amount in movements(case.record, pharmacy).items():
        if amount < 0 and pharmacy.balance(each) + amount < 0:
            wrong.add("BALANCE_NEGATIVE")
        elif amount < 0 and pharmacy.stock(each) + amount < 0:
            wrong.add(SEALED_RULE)
    if case.record.type == "substance.loss_reported":
        wrong.update("KIT_UNKNOWN" for number in named_kits(case.record) if number not in pharmacy.kits)
    yield from sorted(wrong)


def judge_counted(case: StudyCase) -> Iterator[str]:
    """Judge a count: what is there is what was expected, and what was expected is what the books say."""
    pharmacy = at(case)
    for line in case.record.data.get("lines", (case.record.data,)):
        expected, counted = line["expected"], line["counted"]
        if _differ(expected, counted):
            yield "COUNT_DIFFERS"
        if not pharmacy.closed and pharmacy.stock(account(line, expected)) != quantity(expected):
            yield SEALED_RULE


def judge_discrepancy(case: StudyCase) -> Iterator[str]:
    """Judge a discrepancy: of a count or movement that did not come out."""
    if not any(due.event == case.record.data["statement"] for due in at(case).due):
        yield "DISCREPANCY_UNFOUNDED"


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return quantity(one) != quantity(other) or one["unit"] != other["unit"]


def named_kits(record: Record) -> Iterator[str]:
    """Yield the numbers of the kits that a record names."""
    for each in record.data.get("kits", ()):
        yield each if isinstance(each, str) else each["kit"]


def movements(record: Record, pharmacy: Pharmacy) -> Mapping[Account, Decimal]:
    """Return what a record puts into accounts of the books, below zero for what it takes out."""
    data = record.data
    moved: dict[Account, Decimal] = {}
    match record.type:
        case "shipment.received":
            rows = [(each, each["quantity"], 1) for each in data["consignments"]]
        case "kit.destroyed":
            rows = [
                ({"product": kit.product, "lot": kit.lot}, each["quantity"], -1)
                for each in data["kits"]
                if (kit := pharmacy.kits.get(each["kit"])) is not None
            ]
        case "substance.transferred":
            rows = [(data, data["quantity"], 1 if data["direction"] == "in" else -1)]
        case _:
            rows = [(data, data["quantity"], -1)]
    for line, amount, sign in rows:
        each = account(line, amount)
        moved[each] = moved.get(each, Decimal(0)) + sign * quantity(amount)
    return moved


def fold_moved(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Carry a movement into the books; where it makes a balance negative, a discrepancy is due."""
    pharmacy = in_stock(state, record.site)
    balances = dict(pharmacy.balances)
    for each, amount in movements(record, pharmacy).items():
        balances[each] = balances.get(each, Decimal(0)) + amount
    due = pharmacy.due
    if any(balances[each] < 0 for each in movements(record, pharmacy)):
        due = (*due, _due(record))
    pharmacy = replace(pharmacy, balances=MappingProxyType(balances), due=due)
    if record.type in ("kit.destroyed", "substance.loss_reported"):
        pharmacy = _with_kits(pharmacy, record, gone=record.index)
    return put(state, record.site, pharmacy)


def fold_counted(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Remember a count that does not come out: its discrepancy is due."""
    pharmacy = in_stock(state, record.site)
    lines = record.data.get("lines", (record.data,))
    if not any(_differ(line["expected"], line["counted"]) for line in lines):
        return state
    return put(state, record.site, replace(pharmacy, due=(*pharmacy.due, _due(record))))


def fold_discrepancy(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Settle what was due: the discrepancy is reported. The books move by a loss, not by this."""
    pharmacy = in_stock(state, record.site)
    due = tuple(each for each in pharmacy.due if each.event != record.data["statement"])
    return put(state, record.site, replace(pharmacy, due=due))


def fold_registered(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Take a kit into the books."""
    pharmacy, data = in_stock(state, record.site), record.data
    if data["kit"] in pharmacy.kits:
        return state
    kit = Kit(index=record.index, product=data["product"], lot=data["lot"], expiry=data["expiry"])
    return put(state, record.site, replace(pharmacy, kits=_and(pharmacy.kits, data["kit"], kit)))


def fold_kits(state: StudyState, record: Record, _: Attachments) -> StudyState:
    """Put kits into quarantine, release them, or set them apart as expired."""
    pharmacy, index = in_stock(state, record.site), record.index
    match record.type:
        case "kit.released":
            pharmacy = _with_kits(pharmacy, record, waits=None)
        case "kit.expired":
            pharmacy = _with_kits(pharmacy, record, expired=index)
        case _:
            pharmacy = _with_kits(pharmacy, record, waits=index)
    return put(state, record.site, pharmacy)


def _with_kits(pharmacy: Pharmacy, record: Record, **changes: Any) -> Pharmacy:
    kits = dict(pharmacy.kits)
    for number in named_kits(record):
        if number in kits:
            kits[number] = replace(kits[number], **changes)
    return replace(pharmacy, kits=MappingProxyType(kits))


def _and(mapping: Mapping[str, V], key: str, value: V) -> Mapping[str, V]:
    return MappingProxyType({**mapping, key: value})


def _due(record: Record) -> Due:
    return Due(index=record.index, event=record.event, at_us=record.at_us)


def fold_cosigned(state: StudyState, record: Record) -> StudyState:
    """Remember who else signed a statement of a pharmacy, and as what (R9)."""
    pharmacy, named = in_stock(state, record.site), record.data["statement"]
    second = Second(record.data["as"], record.statement.actor.id, record.index)
    seconds = _and(pharmacy.seconds, named, (*pharmacy.seconds.get(named, ()), second))
    pharmacy = replace(pharmacy, seconds=seconds)
    for label in sorted(pharmacy.unfinished):
        dose = pharmacy.doses[label]
        if named in (dose.event, dose.waste):
            pharmacy = preparing.settled(pharmacy, label)
    return put(state, record.site, pharmacy)


def look_back(state: StudyState, record: Record) -> Iterator[Breach]:
    """Yield what is overdue in a pharmacy by this record: reports, and steps of a dose's sequence (R8)."""
    pharmacy = in_stock(state, record.site)
    for due in pharmacy.due:
        if record.at_us - due.at_us > DAY_US:
            yield _overdue("DISCREPANCY_DUE", due.event, due.index, record)
    for dose in preparing.unfinished(pharmacy, record):
        yield _overdue("SEQUENCE_INCOMPLETE", dose.event, dose.index, record)


def _overdue(rule: str, event: Any, index: int, record: Record) -> Breach:
    return Breach(event=event, rule=rule, index=index, found=record.index)


def without_facts(state: StudyState, stream: str) -> StudyState:
    """Empty the books of a pharmacy, to be kept again from its statements as they read now (R10)."""
    kind, _, site = stream.partition("/")
    if kind != "pharmacy":
        return state
    return put(state, site, Pharmacy(seconds=in_stock(state, site).seconds))


_OUT: Final = ("substance.loss_reported", "substance.transferred", "substance.destroyed_or_returned")
_OF_KITS: Final = ("kit.quarantined", "kit.released", "kit.expired", "temperature.excursion")
_COUNTS: Final = ("inventory.taken", "substance.counted")

STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "kit.registered": judge_registered,
        **dict.fromkeys((*_OF_KITS, "kit.destroyed"), judge_kits),
        **dict.fromkeys(_OUT, judge_out),
        **dict.fromkeys(_COUNTS, judge_counted),
        "substance.discrepancy_reported": judge_discrepancy,
        **preparing.STUDY_JUDGES,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "shipment.received": fold_moved,
        "kit.registered": fold_registered,
        **dict.fromkeys(_OF_KITS, fold_kits),
        "kit.destroyed": fold_moved,
        **dict.fromkeys(_OUT, fold_moved),
        **dict.fromkeys(_COUNTS, fold_counted),
        "substance.discrepancy_reported": fold_discrepancy,
        **preparing.STUDY_FOLDS,
    }
)
CORRECTABLE: Final = frozenset(STUDY_FOLDS)
"""Statements of a pharmacy that can be corrected or voided, and that its state holds: all of them."""
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "shipment.received": "",
        "kit.registered": "KIT_REPEATED",
        "kit.quarantined": "KIT_UNKNOWN KIT_STATE",
        "kit.released": "KIT_UNKNOWN KIT_STATE",
        "kit.expired": "KIT_UNKNOWN KIT_STATE",
        "kit.destroyed": "KIT_UNKNOWN KIT_STATE BALANCE_NEGATIVE SEALED_RULE DISCREPANCY_DUE",
        "temperature.excursion": "KIT_UNKNOWN KIT_STATE",
        "inventory.taken": "COUNT_DIFFERS SEALED_RULE DISCREPANCY_DUE",
        "substance.counted": "COUNT_DIFFERS SEALED_RULE DISCREPANCY_DUE",
        "substance.discrepancy_reported": "DISCREPANCY_UNFOUNDED",
        "substance.loss_reported": "KIT_UNKNOWN BALANCE_NEGATIVE SEALED_RULE DISCREPANCY_DUE",
        "substance.transferred": "BALANCE_NEGATIVE SEALED_RULE DISCREPANCY_DUE",
        "substance.destroyed_or_returned": "BALANCE_NEGATIVE SEALED_RULE DISCREPANCY_DUE",
        **preparing.ASKED,
    }
)
