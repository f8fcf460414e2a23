"""The trail as a file: everything in it, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from projections.audit_trail import TrailFilter, trail
from projections.participant import participant_view
from projections.reader import Reader
from projections.render import (
    COLUMNS,
    print_table,
    print_view,
    safe_cell,
    text_of,
    to_csv,
    to_json,
    to_xlsx,
)
from tests.projections.conftest import Told
from tests.scenario import PARTICIPANT

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\n=1",
    "＝1",
    '=HYPERLINK("x")',
    "-",
    "=",
]
NUMBERS = ["-5", "+5", "-0.50", "120.50", "0"]


def trail_of(told: Told) -> list[dict[str, Any]]:
    return trail(told.store, TrailFilter(), reader=Reader(role="auditor"), limit=1000).lines


def hostile(told: Told) -> list[dict[str, Any]]:
    """Lines in which people and values are called like formulas."""
    lines = trail_of(told)[:1]
    lines[0]["who"] |= {"name": '=HYPERLINK("http://x")'}
    lines[0]["changes"] = [{"field": "/data/x", "old": "@a", "new": formula} for formula in FORMULAS]
    return lines


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_begins_a_formula_is_not_one_in_csv(formula: str) -> None:
    """An apostrophe stands before it."""
    assert safe_cell(formula) == f"'{formula}"


@pytest.mark.parametrize("text", [*NUMBERS, "", "a=1", "SA-01-007", "'=1"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """Numbers below zero are data."""
    assert safe_cell(text) == text


@given(st.text())
def test_no_cell_begins_with_a_formula_sign(text: str) -> None:
    """Whatever is written, a cell begins harmlessly or is a plain number."""
    cell = safe_cell(text)
    begins = cell.strip()[:1] if not cell.startswith("'") else "'"
    assert begins not in set("=+-@＝＋－＠") or re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", cell)


def test_csv_has_a_row_for_each_field_and_every_column(told: Told) -> None:
    """Rows and lines hold the same changes."""
    lines = trail_of(told)
    header, *rows = csv.reader(io.StringIO(to_csv(lines), newline=""))
    assert header == [name for name, _ in COLUMNS]
    assert len(rows) == sum(max(1, len(line["changes"])) for line in lines)
    fields = [row[header.index("field")] for row in rows if row[header.index("field")]]
    assert fields == [change["field"] for line in lines for change in line["changes"]]
    assert {row[header.index("recorded_utc")][-1] for row in rows} == {"Z"}


def test_csv_of_hostile_data_has_no_formula(told: Told) -> None:
    """No cell of the file begins with a sign of a formula."""
    for row in csv.reader(io.StringIO(to_csv(hostile(told)), newline="")):
        assert not any(cell.lstrip()[:1] in set("=+-@＝") for cell in row if cell)


def test_xlsx_of_hostile_data_has_no_formula_and_no_link(told: Told) -> None:
    """The workbook's sheet has text cells alone."""
    with zipfile.ZipFile(io.BytesIO(to_xlsx(hostile(told)))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet.lower()
        assert "=1+1" in book.read("xl/sharedStrings.xml").decode()


def test_json_is_the_lines_themselves(told: Told) -> None:
    """Nothing is added and nothing lost."""
    lines = trail_of(told)
    assert orjson.loads(to_json(lines)) == lines


def test_markers_are_words_in_a_cell() -> None:
    """A blinded value says that it is sealed, an erased one that it is erased."""
    assert text_of({"sealed": "treatment"}) == "[sealed: treatment]"
    assert text_of({"erased": True}) == "[erased]"
    assert (text_of(None), text_of(False), text_of(3), text_of(["a"])) == ("", "false", "3", '["a"]')


def test_tables_print_everything_as_text(told: Told) -> None:
    """What stands in data is never taken for the terminal's markup, and each line is there."""
    lines = trail_of(told)
    lines[0]["who"] |= {"name": "[red]Mallory[/red]"}
    out = io.StringIO()
    console = Console(file=out, width=400)
    print_table(lines, console)
    view = participant_view(
        told.store, PARTICIPANT, reader=Reader(role="auditor"), conduct=told.story.conduct
    )
    assert view is not None
    print_view(view, console)
    text = out.getvalue()
    assert "[red]Mallory[/red]" in text
    assert "72 → 82" in text
    assert "measurements pulse 82 /min" in text
    (late,) = (breach for breach in view["breaches"] if breach["rule"] == "LATE_ENTRY")
    assert f"LATE_ENTRY by {late['statement']['index']}, open" in text
    assert re.search(r"status\s+withdrawn", text)
