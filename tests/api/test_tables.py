"""Lists as CSV."""

from __future__ import annotations

import csv
import io

from api.tables import csv_text


def test_nested_members_become_columns() -> None:
    """Objects become dotted columns, lists one cell, nothing an empty one."""
    text = csv_text([{"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": True}, "e": "x,y"}])
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"a.b": "1", "a.c": "[1,2]", "d": "", "e": ""},
        {"a.b": "true", "a.c": "", "d": "", "e": "x,y"},
    ]


def test_no_cell_is_a_formula() -> None:
    """What a spreadsheet would run is written as text; a marker of a sealed value stays one cell."""
    text = csv_text([{"a": "=1+1", "b": "-1.5", "c": {"sealed": "treatment"}}])
    assert text == "a,b,c\r\n'=1+1,-1.5,[sealed: treatment]\r\n"


def test_no_rows_are_an_empty_text() -> None:
    """Without rows there are no columns to name."""
    assert csv_text([]) == ""
