"""Criteria that a machine can check: a closed form of expression, and what it says of recorded values.

    {"field": "age_years", "op": "between", "low": "18", "high": "70"}

A criterion's `check` says in data what its text says in words. It never decides: who assesses a criterion is
a person, and a value may be sealed, in another unit or not there. `holds` answers true, false, or None for
*cannot tell*; `contradicted` names the criteria that were assessed against what the values say.

Left out on purpose: and, or, not, and dates. A criterion that needs them is read by people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from ledger.study.sourced import check
from ledger.study.terms import Bound, Code, Unit

if TYPE_CHECKING:
    from ledger.study.definition import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a value has to be so that the criterion is met; bounds are included. `field` is one of

        age_years, sex, service_status    of `demographics.recorded`
        <the instrument's id>             total of `outcome.recorded`
        <the measurement's name>          of `vital_signs.recorded`
        pregnancy_test                    result of `pregnancy_test.performed`

    `between` takes `low` and `high`, `at_least` `low`, `at_most` `high`, `one_of` `values`.
    """

    field: Code
    op: Literal["between", "at_least", "at_most", "one_of"]
    low: Bound | None = None
    high: Bound | None = None
    values: tuple[Code, ...] | None = None
    unit: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One recorded value: a number, with its unit where it has one, or a code."""

    value: Decimal | str
    unit: str | None = None


_ASKS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "between": frozenset({"low", "high"}),
        "at_least": frozenset({"low"}),
        "at_most": frozenset({"high"}),
        "one_of": frozenset({"values"}),
    }
)
_DEMOGRAPHICS: Final = ("age_years", "sex", "service_status")


def check_expression(expression: Check, at: str) -> None:
    """Refuse an expression whose members do not fit its operation.

    Raises:
        FormatError: code `DEFINITION`, `field` below `at`.
    """
    given = {name for name in ("low", "high", "values") if getattr(expression, name) is not None}
    check(given == _ASKS[expression.op], "expected exactly what the operation asks for", f"{at}/op")
    if expression.low is not None and expression.high is not None:
        check(expression.low <= expression.high, "expected at least the low bound", f"{at}/high")
    if expression.values is not None:
        check(bool(expression.values) and expression.unit is None, "expected codes", f"{at}/values")


def holds(expression: Check, values: Mapping[str, Reading]) -> bool | None:
    """Tell whether values satisfy an expression; None where that cannot be told from them.

    Units are compared as texts: nothing is converted silently.
    """
    reading = values.get(expression.field)
    if reading is None or reading.unit != expression.unit:
        return None
    if expression.values is not None:
        return reading.value in expression.values if isinstance(reading.value, str) else None
    if not isinstance(reading.value, Decimal):
        return None
    above = expression.low is None or expression.low <= reading.value
    return above and (expression.high is None or reading.value <= expression.high)


def contradicted(
    criteria: tuple[Criterion, ...], results: Mapping[str, str], values: Mapping[str, Reading]
) -> Iterator[str]:
    """Yield the ids of criteria that were assessed as met, or not met, against what the values say.

    `results` are `met`, `not_met` and `not_applicable` by criterion; the last is never contradicted.
    """
    for criterion in criteria:
        result = results.get(criterion.id)
        if criterion.check is None or result not in ("met", "not_met"):
            continue
        found = holds(criterion.check, values)
        if found is not None and found != (result == "met"):
            yield criterion.id


def readings(type_: str, data: Mapping[str, Any], opened: Mapping[str, Any]) -> dict[str, Reading]:
    """Return what one statement says about fields; sealed values only where they are in `opened`."""
    match type_:
        case "demographics.recorded":
            found = {name: opened.get(f"/data/{name}") for name in _DEMOGRAPHICS}
            return {name: Reading(value=_scalar(value)) for name, value in found.items() if value is not None}
        case "outcome.recorded":
            return {data["instrument"]: Reading(value=Decimal(data["total"]))}
        case "vital_signs.recorded":
            return {
                row["name"]: Reading(value=Decimal(row["quantity"]["value"]), unit=row["quantity"]["unit"])
                for row in data["measurements"]
            }
        case "pregnancy_test.performed":
            return {"pregnancy_test": Reading(value=data["result"])} if "result" in data else {}
    return {}


def _scalar(value: Any) -> Decimal | str:
    return value if isinstance(value, str) else Decimal(value)
