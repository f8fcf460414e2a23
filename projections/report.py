"""A report: one question that people ask of a study, answered in rows (requirements.md, "What people do").

    report = REPORTS["visits"]
    for row in report.rows(Desk(reads, reader=reader)):     # plain JSON, exactly the report's columns
        …

A report keeps nothing: it is a function of the log as known at an index and of who reads. Laws that hold for
each: the columns are those declared, two readings are the same bytes, what is recorded later changes nothing
as known before, a reader of one site gets no row of another, and what is sealed from a reader is in no cell.
A row names the indexes that it rests on (`index` or a column that ends in `_index`), so that every number
leads to its records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import FormatError
from projections.authorization import withheld
from projections.desk import Desk
from projections.reader import Reader

Row = dict[str, Any]
_RESTRICTED: Final = {
    "pharmacy": "the records of the pharmacies",
    "safety": "the unblinded safety records",
    "access": "the access log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report.

    Attributes:
        name: its stable name in addresses and commands.
        question: what it answers, one line for people.
        columns: the members of every row, in the order in which they are shown, with what each says.
        rows: yields the rows in a promised order: it is the same for the same log and reader.
        restricted: kinds of streams that rows come from and that not every role sees.
        unblinding: some cells need a role that sees `treatment` or `pharmacy/`; others get markers, or none.
    """

    name: str
    question: str
    columns: Mapping[str, str]
    rows: Callable[[Desk], Iterator[Row]]
    unblinding: bool = False
    restricted: tuple[str, ...] = ()


def rows_of(
    report: Report, desk: Desk, *, site: str | None = None, participant: str | None = None
) -> list[Row]:
    """Return a report's rows, all or those of a site or participant; the rows stay those of the whole report.

    Raises:
        FormatError: `FILTER` for a report whose rows are of no site or no participant.
    """
    wanted = {name: value for name, value in (("site", site), ("participant", participant)) if value}
    for name in wanted:
        if name not in report.columns:
            raise FormatError("FILTER", f"rows of {report.name} have no {name}", field=name)
    return [
        check_row(report, row)
        for row in report.rows(desk if participant is None else desk.of(participant))
        if all(row[name] == value for name, value in wanted.items())
    ]


def unseen(report: Report, reader: Reader) -> list[str]:
    """Say of which records a role sees nothing, or only its own: there may be some all the same."""
    said = []
    for kind in withheld(reader, report.restricted):
        own = kind == "access" and reader.has_own
        sees = "sees only what names the reader" if own else "sees nothing"
        said.append(f"The role {reader.role.replace('_', ' ')} {sees} of {_RESTRICTED[kind]}.")
    return said


def check_row(report: Report, row: Row) -> Row:
    """Return a row as it is; one with other members than the columns is a defect of the report.

    Raises:
        ValueError: other members.
    """
    if list(row) != list(report.columns):
        raise ValueError(f"{report.name}: expected {list(report.columns)}, got {list(row)}")
    return row
