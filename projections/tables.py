"""Tables on a terminal: whole words, or one block for each row where these do not fit beside each other.

What stands in data is never taken for the terminal's markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FRAME: Final = 3  # what a column's border and padding take
_PLAIN: Final[dict[str, Any]] = {"markup": False, "highlight": False}


def print_cells(headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print rows of as many cells as headings; columns that are empty throughout are named below."""
    kept = [at for at in range(len(headings)) if not rows or any(row[at] for row in rows)]
    columns = [[headings[at], *(row[at] for row in rows)] for at in kept]
    spare = console.width - 1 - sum(_FRAME + _widest_word(column) for column in columns)
    if spare < 0:
        _print_blocks(headings, rows, console)
    else:
        _print_table(columns, _widths(columns, spare), console)
    if empty := [heading for at, heading in enumerate(headings) if at not in kept]:
        console.print(f"empty in every row: {', '.join(empty)}", **_PLAIN)


def _print_table(columns: Sequence[Sequence[str]], widths: Sequence[int], console: Console) -> None:
    table = Table()
    for (heading, *_), width in zip(columns, widths, strict=True):
        number = heading == "index" or heading.endswith(" index")
        table.add_column(heading, width=width, justify="right" if number else "left")
    for row in list(zip(*columns, strict=True))[1:]:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_blocks(headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    wide = max(map(len, headings))
    for number, row in enumerate(rows, 1):
        console.print(f"{number} of {len(rows)}", style="bold", **_PLAIN)
        for heading, text in zip(headings, row, strict=True):
            if text:
                console.print(f"  {heading:<{wide}}  {text}", soft_wrap=True, **_PLAIN)


def _widths(columns: Sequence[Sequence[str]], spare: int) -> list[int]:
    """Share what is left beyond the widest words among the columns that would be wider, narrow ones first."""
    widths = [_widest_word(column) for column in columns]
    wanted = [max(map(cell_len, column)) - width for column, width in zip(columns, widths, strict=True)]
    narrow_first = sorted(range(len(columns)), key=wanted.__getitem__)
    for done, at in enumerate(narrow_first):
        more = min(wanted[at], spare // (len(columns) - done))
        widths[at] += more
        spare -= more
    return widths


def _widest_word(column: Sequence[str]) -> int:
    return max((cell_len(word) for text in column for word in text.split()), default=0)
