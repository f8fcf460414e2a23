"""Rows of a report as CSV, a workbook, or a table on a terminal; the header is there without rows too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console

from projections.render import safe_cell, text_of, workbook
from projections.tables import print_cells


def rows_csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Write CSV (RFC 4180); inner objects and lists become JSON in one cell."""
    names = list(columns)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([safe_cell(text_of(row[name])) for name in names])
    return out.getvalue()


def rows_xlsx(title: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Write a workbook with one filterable sheet."""
    names = list(columns)
    return workbook(title, names, ([row[name] for name in names] for row in rows))


def print_rows(columns: Iterable[str], rows: Iterable[Mapping[str, Any]], console: Console) -> None:
    """Print rows for a person, with whole words; columns that are empty throughout are named below."""
    names = list(columns)
    print_cells(
        [_heading(name) for name in names], [[_text(row[name]) for name in names] for row in rows], console
    )


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return text_of(value)


def _heading(name: str) -> str:
    return name.replace("_", " ")
