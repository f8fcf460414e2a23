"""Rows of a table in the order of one of their columns (FDA 2024 Q12: sortable).

    sort = parse_sort("-recorded", columns)          # `-` before a column: descending
    ordered(rows, sort, lambda row: row["recorded"])

Numbers go by their value, texts without regard to case. What is sealed or erased for the reader comes after
all values, every one of it alike, so that an order tells nothing of what a cell does not show; what is empty
comes last, in both directions. Rows that are alike stay in the order in which they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from ledger.errors import FormatError
from projections.reader import is_marker
from projections.render import text_of

T = TypeVar("T")

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{1,64})?")
_VALUE, _MARKER, _EMPTY = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A column, and whether its greatest value comes first."""

    column: str
    descending: bool = False

    @property
    def text(self) -> str:
        """As it is asked for."""
        return f"-{self.column}" if self.descending else self.column


def parse_sort(text: str, columns: Collection[str]) -> Sort:
    """Read what rows are to be sorted by.

    Raises:
        FormatError: `SORT` for what is none of the columns.
    """
    sort = Sort(column=text.removeprefix("-"), descending=text.startswith("-"))
    if sort.column not in columns:
        raise FormatError("SORT", "expected a column of these rows, with - before it or not", field="sort")
    return sort


def sorts(columns: Iterable[str]) -> list[str]:
    """Return everything that rows with these columns can be sorted by."""
    return [text for column in columns for text in (column, f"-{column}")]


def ordered(rows: Iterable[T], sort: Sort, value: Callable[[T], Any]) -> list[T]:
    """Return rows in the order of a value of each."""
    keyed = [(_key(value(row)), row) for row in rows]
    values = [pair for pair in keyed if pair[0][0] == _VALUE]
    values.sort(key=lambda pair: pair[0], reverse=sort.descending)  # stable, in both directions
    rest = sorted((pair for pair in keyed if pair[0][0] != _VALUE), key=lambda pair: pair[0][0])
    return [row for _, row in (*values, *rest)]


def _key(value: Any) -> tuple[int, int, Decimal, str]:
    if is_marker(value):
        return _MARKER, 0, Decimal(0), ""
    text = text_of(value)
    if not text:
        return _EMPTY, 0, Decimal(0), ""
    if _NUMBER.fullmatch(text):
        return _VALUE, 0, Decimal(text), ""
    return _VALUE, 1, Decimal(0), text.casefold()
