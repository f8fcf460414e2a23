"""Product accountability: every movement of every lot, with the running balance (21 CFR 312.62(a), 1304).

What was taken for one participant is sealed `treatment`: it counts where the reader may open it. For a reader
who may not, the movement is there without its quantity, and from there on the balance is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from projections.desk import Desk, Line
from projections.reader import is_marker
from projections.report import Report, Row

_DOSES: Final = MappingProxyType({"dose.prepared": -1, "dose.returned": 0, "dose.wasted": 0})
_OUT: Final = MappingProxyType(
    {"substance.loss_reported": -1, "substance.destroyed_or_returned": -1, "substance.transferred": -1}
)


class _Movement(NamedTuple):
    product: str | None
    lot: str | None
    sign: int
    quantity: Decimal | None
    unit: str | None
    counted: Decimal | None = None


def pharmacy(desk: Desk) -> Iterator[Row]:
    """Yield the movements of each pharmacy in the order of the log, each with the balance after it."""
    for stream in desk.streams("pharmacy"):
        site = stream.partition("/")[2]
        if not desk.sees_site(site):
            continue
        balances: dict[tuple[str, str, str], Decimal] = {}
        untold: set[str] = set()
        for line in desk.records_of(stream):
            for movement in _movements(line):
                yield _row(site, line, movement, balances, untold)


def _row(
    site: str,
    line: Line,
    movement: _Movement,
    balances: dict[tuple[str, str, str], Decimal],
    untold: set[str],
) -> Row:
    product, lot, unit = movement.product, movement.lot, movement.unit
    balance = None
    if movement.quantity is None and movement.counted is None:
        untold.add(site)
    elif product is not None and lot is not None and unit is not None:
        key = (product, lot, unit)
        moved = movement.sign * (movement.quantity or Decimal(0))
        balances[key] = balances.get(key, Decimal(0)) + moved
        balance = None if site in untold else balances[key]
    counted = movement.counted
    return {
        "site": site,
        "occurred_at": line.occurred_at,
        "type": line.type,
        "product": product,
        "lot": lot,
        "quantity": _signed(movement),
        "unit": unit,
        "balance": str(balance) if balance is not None else None,
        "negative": balance is not None and balance < 0,
        "counted": str(counted) if counted is not None else None,
        "difference": str(counted - balance) if counted is not None and balance is not None else None,
        "label": line.data.get("label"),
        "by": line.person,
        "cosigned_by": list(line.cosigned_by),
        "index": line.index,
    }


def _signed(movement: _Movement) -> str | None:
    if movement.quantity is None or movement.counted is not None:
        return None
    moves = movement.sign and movement.quantity  # nothing taken out is 0, not -0
    return str(movement.sign * movement.quantity) if moves else str(movement.quantity)


def _movements(line: Line) -> Iterator[_Movement]:
    """Yield what a record moves; several lots can be in one shipment, inventory or dose."""
    data = line.data
    match line.type:
        case "shipment.received":
            for each in data["consignments"]:
                yield _moved(each, 1)
        case "inventory.taken":
            for each in data["lines"]:
                yield _count(each)
        case "substance.counted":
            yield _count(data)
        case "substance.transferred":
            yield _moved(data, 1 if data["direction"] == "in" else -1)
        case "substance.loss_reported" | "substance.destroyed_or_returned":
            yield _moved(data, -1)
        case "dose.prepared" | "dose.returned" | "dose.wasted":
            yield from _dose(data["contents"], _DOSES[line.type])


def _dose(contents: Any, sign: int) -> Iterator[_Movement]:
    """Yield the lines of a dose: taken out when it was prepared; waste and returns are told, not moved."""
    if contents is None or is_marker(contents):
        yield _Movement(None, None, sign, None, None)
        return
    for each in contents["lines"]:
        yield _moved(each, sign)


def _moved(each: Any, sign: int) -> _Movement:
    quantity = each["quantity"]
    return _Movement(each["product"], each.get("lot"), sign, Decimal(quantity["value"]), quantity["unit"])


def _count(each: Any) -> _Movement:
    counted = each["counted"]
    return _Movement(
        each["product"], each["lot"], 0, Decimal(0), counted["unit"], counted=Decimal(counted["value"])
    )


REPORTS: Final = (
    Report(
        name="pharmacy",
        question="What came in, went out and was counted, lot by lot, and does the balance hold?",
        columns=MappingProxyType(
            {
                "site": "the pharmacy's site",
                "occurred_at": "when, as written and corrected",
                "type": "the movement",
                "product": "product code",
                "lot": "lot",
                "quantity": "what it moves, out with a minus; of waste and returns what they were",
                "unit": "UCUM unit",
                "balance": "what the lot holds after it by the records; empty where a quantity is sealed",
                "negative": "whether the balance is below zero",
                "counted": "what was counted",
                "difference": "counted less balance",
                "label": "label code of a dose",
                "by": "who signed it",
                "cosigned_by": "indexes of the second signatures",
                "index": "index of the record",
            }
        ),
        rows=pharmacy,
        unblinding=True,
        restricted=("pharmacy",),
    ),
)
