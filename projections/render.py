"""The audit trail as a table, CSV, JSON or XLSX (EMA 6.2.1: a dynamic file, exportable whole).

JSON is the lines as they are. The others have one row for each changed field, so that every column can be
filtered and sorted; the table on a terminal has one row for each line.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and data is written by many
hands. In CSV such a cell gets an apostrophe before it, unless it is a plain number; in XLSX every cell but a
whole number is written as text, which a spreadsheet never evaluates.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import xlsxwriter  # type: ignore[import-untyped]  # the package carries no types
from rich.console import Console

from ledger.times import parse_instant
from projections.moments import local
from projections.reader import is_marker
from projections.tables import print_cells

Line = Mapping[str, Any]

_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_INSTANT: Final = re.compile(r"(\S{10})T(\S+?)(Z|[+-]\d\d:\d\d)")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MAX_CELL: Final = 32_767  # characters that a cell of a spreadsheet holds

COLUMNS: Final[tuple[tuple[str, Callable[[Line, Line], Any]], ...]] = (
    ("index", lambda line, _: line["index"]),
    ("recorded_utc", lambda line, _: line["recorded"]["utc"]),
    ("recorded_local", lambda line, _: line["recorded"]["local"]),
    ("occurred", lambda line, _: line["occurred"]["text"]),
    ("occurred_utc", lambda line, _: _span(line["occurred"])),
    ("occurred_local", lambda line, _: line["occurred"]["local"]),
    ("signed_at", lambda line, _: line["signed_at"]),
    ("person", lambda line, _: line["who"]["id"]),
    ("name", lambda line, _: line["who"]["name"]),
    ("role", lambda line, _: line["who"]["role"]),
    ("organisation", lambda line, _: line["who"]["organisation"]),
    ("performer", lambda line, _: line["performer"]),
    ("originator", lambda line, _: line["originator"]),
    ("source", lambda line, _: line["source"]),
    ("participant", lambda line, _: line["participant"]),
    ("site", lambda line, _: line["site"]),
    ("protocol", lambda line, _: line["protocol"]),
    ("stream", lambda line, _: line["stream"]),
    ("type", lambda line, _: line["type"]),
    ("what", lambda line, _: line["what"]),
    ("about_index", lambda line, _: (line["about"] or {}).get("index")),
    ("field", lambda _, change: change.get("field")),
    ("old", lambda _, change: change.get("old")),
    ("new", lambda _, change: change.get("new")),
    ("reason_code", lambda line, _: (line["reason"] or {}).get("code")),
    ("reason_text", lambda line, _: (line["reason"] or {}).get("text")),
    ("meaning", lambda line, _: line["meaning"]),
    ("signature", lambda line, _: _signatures(line["signatures"])),
    ("breaches", lambda line, _: _breaches(line["breaches"])),
    ("event", lambda line, _: line["event"]),
    ("log", lambda line, _: line.get("log")),  # of a record of an older log; its index is below 0
)


def text_of(value: Any) -> str:
    """Write a value in one cell: a marker in brackets, nothing as nothing, an object as JSON."""
    if value is None:
        return ""
    if is_marker(value):
        return "[erased]" if "erased" in value else f"[sealed: {value['sealed']}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def safe_cell(text: str) -> str:
    """Return a CSV cell that no spreadsheet takes for a formula."""
    if _FORMULA.match(text) and _NUMBER.fullmatch(text) is None:
        return f"'{text}"
    return text


def rows(lines: Iterable[Line]) -> Iterator[list[Any]]:
    """Yield the cells of `COLUMNS` for each changed field; one row for a line without fields."""
    for line in lines:
        changes: Sequence[Line] = line["changes"] or ({},)
        for change in changes:
            yield [read(line, change) for _, read in COLUMNS]


def to_json(lines: Sequence[Line]) -> bytes:
    """Write the lines as one JSON array."""
    return orjson.dumps(list(lines), option=orjson.OPT_SORT_KEYS) + b"\n"


def to_csv(lines: Iterable[Line]) -> str:
    """Write CSV (RFC 4180) with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([name for name, _ in COLUMNS])
    for row in rows(lines):
        writer.writerow([safe_cell(text_of(value)) for value in row])
    return out.getvalue()


def to_xlsx(lines: Iterable[Line], *, created: datetime | None = None) -> bytes:
    """Write a workbook of the trail, one row for each changed field."""
    return workbook("audit trail", [name for name, _ in COLUMNS], rows(lines), created=created)


def workbook(
    title: str, columns: Sequence[str], cells: Iterable[Sequence[Any]], *, created: datetime | None = None
) -> bytes:
    """Write a workbook with one filterable sheet; whole numbers are numbers, every other cell is text.

    With `created` the same cells are the same bytes.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )
    if created is not None:
        book.set_properties({"created": created})
    sheet = book.add_worksheet(title)
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True})
    sheet.write_row(0, 0, columns, bold)
    last = 0
    for last, row in enumerate(cells, 1):
        for column, value in enumerate(row):
            text = text_of(value)
            if type(value) is int:
                sheet.write_number(last, column, value)
            elif text:
                sheet.write_string(last, column, text[:_MAX_CELL], wrapped)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, last, len(columns) - 1)
    book.close()
    return out.getvalue()


def print_table(lines: Iterable[Line], console: Console) -> None:
    """Print one row for each line: when, who signed and when, what, and of a correction old and new."""
    headings: tuple[str, ...] = (
        "index", "recorded", "who", "signed", "where", "what", "why", "meaning", "breaches",
    )  # fmt: skip
    lines = list(lines)
    cells = [_cells(line) for line in lines]
    if any("log" in line for line in lines):  # records of an older log, at indexes below 0
        headings = (*headings, "log")
        cells = [(*row, line.get("log", "")) for row, line in zip(cells, lines, strict=True)]
    print_cells(headings, cells, console)


def _cells(line: Line) -> tuple[str, ...]:
    who, where = line["who"], line["participant"] or line["site"] or line["stream"]
    return (
        str(line["index"]),
        _INSTANT.sub(r"\1 \2 \3", line["recorded"]["local"] or line["recorded"]["utc"]),
        f"{who['name']}, {who['organisation']} ({who['role']})",
        _INSTANT.sub(r"\1 \2 \3", line["signed_at"]),
        where,
        _what(line),
        _why(line),
        line["meaning"],
        _breaches(line["breaches"]),
    )


def print_view(view: Mapping[str, Any], console: Console) -> None:
    """Print a participant's view: status, then its parts, one record a line."""
    zone = view["zone"]
    head = {name: view[name] for name in ("participant", "site", "status", "known", "true", "last_index")}
    head |= {"zone": zone, **view["flags"]}
    for name, value in head.items():
        console.print(f"{name.replace('_', ' '):<20}{text_of(value)}", markup=False, highlight=False)
    for part, value in view.items():
        records = list(_records(value))
        if records and part not in head:
            console.print(f"\n{part.replace('_', ' ')}", style="bold", markup=False)
            for record in records:
                console.print(_record(record, zone), markup=False, highlight=False, soft_wrap=True)
    if view["breaches"]:
        console.print("\nbreaches", style="bold", markup=False)
        for breach in view["breaches"]:
            console.print(f"  {_breach(breach)}", markup=False, highlight=False)


def _breach(breach: Mapping[str, Any]) -> str:
    told = f"{breach['rule']} by {breach['statement']['index']}"
    if breach["open"] is None:
        return f"{told}, recorded"
    return f"{told}, open" if breach["open"] else f"{told}, closed by {breach['closed_by']}"


def _records(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the records that a part of a view holds, however deep."""
    if isinstance(value, dict):
        if "recorded_at" in value and "index" in value:
            yield value
            return
        for inner in value.values():
            yield from _records(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _records(inner)


def _record(record: Mapping[str, Any], zone: str) -> str:
    at = local(parse_instant(record["recorded_at"]), zone)
    said = record.get("data") or {
        name: record[name] for name in ("path", "old", "new", "code") if name in record
    }
    told = ", ".join(f"{name} {_in_words(value)}" for name, value in said.items() if name != "source")
    marks = "".join(
        f" [{mark.replace('_', ' ')}{'' if record[mark] is True else f' {text_of(_indexes(record[mark]))}'}]"
        for mark in ("may_have", "corrected_by", "cosigned_by", "voided_by")
        if record.get(mark)
    )
    signed = f"{record['name']} ({record['role']}, {record['meaning']})"
    return f"  {record['index']:>6}  {at}  {record.get('type', '')}  {told}{marks}  {signed}"


def _in_words(value: Any) -> str:
    """Write inner values for people: quantities as number and unit, objects and lists one after the other."""
    if isinstance(value, list):
        return "; ".join(_in_words(each) for each in value)
    if not isinstance(value, dict) or is_marker(value):
        return text_of(value)
    if value.keys() == {"value", "unit"}:
        return f"{value['value']} {value['unit']}"
    return " ".join(_in_words(each) for each in value.values())


def _indexes(value: Any) -> Any:
    return value["index"] if isinstance(value, dict) else value


def _what(line: Line) -> str:
    if line["about"] is None or not any("old" in change for change in line["changes"]):
        return str(line["what"])
    about = f"{line['what']} It is {line['about']['type']} at {line['about']['index']}."
    changes = (
        f"{change['field']}: {text_of(change['old'])} → {text_of(change['new'])}"
        for change in line["changes"]
        if change["old"] is not None
    )
    return " ".join((about, *changes))


def _why(line: Line) -> str:
    reason = line["reason"]
    if reason is None:
        return ""
    return f"{reason['code']} {text_of(reason['text'])}".strip()


def _span(occurred: Mapping[str, str | None]) -> str:
    return "/".join(text for text in (occurred["utc"], occurred.get("utc_latest")) if text)


def _signatures(signatures: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(f"{each['alg']} {each['id']} {each['grade'] or 'unknown'}" for each in signatures)


def _breaches(breaches: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(f"{each['rule']} ({each['index']})" for each in breaches)
