"""Rows as CSV (RFC 4180) under declared columns: `by.name` is the member `name` of the member `by`.

The header is the same with rows and without (`columns`). A list, and an object below which no column is
declared, is JSON in one cell. Cells are written as `projections.render` writes those of the audit trail, so
that no spreadsheet takes one for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from projections.reader import is_marker
from projections.render import safe_cell, text_of


def names_of(columns: Iterable[str]) -> list[str]:
    """Return the members of rows that columns are of."""
    return list(dict.fromkeys(column.partition(".")[0] for column in columns))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows with a header line; a member that a row lacks is an empty cell.

    Raises:
        ValueError: a row has a member that no column is of, which is a defect of the columns.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    known = frozenset(columns)
    inner = frozenset(_above(columns))
    for row in rows:
        cells = dict(_cells("", row, known, inner))
        writer.writerow([cells.get(column, "") for column in columns])
    return out.getvalue()


def _above(columns: Iterable[str]) -> Iterator[str]:
    """Yield what columns stand below: `about` of `about.index`."""
    for column in columns:
        parts = column.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts)))


def _cells(
    prefix: str, row: Mapping[str, Any], columns: frozenset[str], inner: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        column = f"{prefix}{name}"
        if column in columns:
            yield column, safe_cell(text_of(value))
        elif column in inner and isinstance(value, Mapping) and not is_marker(value):
            yield from _cells(f"{column}.", value, columns, inner)
        elif column not in inner or value is not None:
            raise ValueError(f"expected no member {column}: it has no column")
