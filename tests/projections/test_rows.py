"""Rows for a terminal: a table where whole words fit beside each other, else one block for each row."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from projections.rows import print_rows

ROWS: list[dict[str, Any]] = [
    {"person": "data-manager", "sites": ["SA-01", "SA-02"], "ended_at": None, "index": 13},
    {"person": "[red]auditor[/red]", "sites": ["*"], "ended_at": None, "index": 123},
]
COLUMNS = ("person", "sites", "ended_at", "index")


def printed(width: int, rows: list[dict[str, Any]] = ROWS) -> list[str]:
    """Return what a terminal of that width shows."""
    out = io.StringIO()
    print_rows(COLUMNS, rows, Console(file=out, width=width))
    return out.getvalue().splitlines()


def test_a_wide_terminal_gets_a_table_without_its_empty_columns() -> None:
    """What is empty throughout is named below, so that nobody takes it for left out."""
    told = printed(80)
    assert "│ data-manager       │ SA-01, SA-02 │    13 │" in told
    assert told[-1] == "empty in every row: ended at"


def test_words_may_wrap_but_are_never_cut() -> None:
    """A table narrower than its lists wraps between words."""
    told = "\n".join(printed(42))
    assert "│ SA-01,    │" in told
    assert "│ SA-02     │" in told


def test_a_narrow_terminal_gets_a_block_for_each_row() -> None:
    """No word is cut, empty values are left out, and markup in data stays text."""
    assert printed(30) == [
        "1 of 2",
        "  person    data-manager",
        "  sites     SA-01, SA-02",
        "  index     13",
        "2 of 2",
        "  person    [red]auditor[/red]",
        "  sites     *",
        "  index     123",
        "empty in every row: ended at",
    ]


def test_without_rows_the_header_is_there() -> None:
    """An empty answer still says what was asked."""
    told = "\n".join(printed(80, []))
    for heading in ("person", "sites", "ended at", "index"):
        assert heading in told
