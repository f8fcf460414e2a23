"""Rows as CSV (RFC 4180): nested members become dotted columns, lists become JSON in one cell.

Columns stand in the order of their first appearance. Cells are written as `projections.render` writes those
of the audit trail, so that no spreadsheet takes one for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from projections.reader import is_marker
from projections.render import safe_cell, text_of


def names_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the members of rows in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def csv_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows with a header line; no rows are an empty text."""
    flat = [dict(_cells("", row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\r\n")
    if columns:
        writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _cells(prefix: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and value and not is_marker(value):
            yield from _cells(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", safe_cell(text_of(value))
