"""Rows of a report as CSV, a workbook, or a table on a terminal; the header is there without rows too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.render import safe_cell, text_of, workbook


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
    """Print a table; what stands in data is never taken for the terminal's markup."""
    names = list(columns)
    table = Table()
    for name in names:
        number = name == "index" or name.endswith("_index")
        table.add_column(name.replace("_", " "), overflow="fold", justify="right" if number else "left")
    for row in rows:
        table.add_row(*(Text(text_of(row[name])) for name in names))
    console.print(table)
