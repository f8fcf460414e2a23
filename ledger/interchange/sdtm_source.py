"""SDTM data in: tables of a study as they lie in a folder, one Parquet file each, and names for their rows.

A row is named by its table, its subject, and its sequence number (`--SEQ`); tables without one name the row's
number in the file, from 1. A reference holds many rows of one table and subject:

    VS 01-701-1015 seq 1-12,25         SV 01-701-1015 row 1-4

`refer` writes it, `rows_of` reads it back, so that what events refer to can be counted against the files.
Values are kept as written: text, or a number as a decimal without a fraction of zero; null is None.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ledger.errors import FormatError, StoreError

CODE: Final = "SDTM"
SUFFIX: Final = ".parquet"
SUBJECT: Final = "USUBJID"
_REFERENCE: Final = re.compile(r"([A-Z0-9]{2,8}) (\S+) (seq|row) ([0-9,-]+)")
Value = str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its table's name, which row it is, and its values by column."""

    table: str
    subject: str
    by: str
    number: int
    values: Mapping[str, Value]

    def __getitem__(self, column: str) -> Value:
        """Return a value; None where it is null, empty, or the table has no such column."""
        return self.values.get(column)

    @property
    def key(self) -> tuple[str, str, int]:
        """Name the row within all tables."""
        return (self.table, self.subject, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One file: its name, hash, columns and rows in their order."""

    name: str
    file: str
    sha256: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_of_subjects(self) -> bool:
        """Tell whether its rows are about subjects, and not about the study's design."""
        return SUBJECT in self.columns


def read_tables(folder: Path) -> dict[str, Table]:
    """Read every table of a folder, by name.

    Raises:
        StoreError: `SOURCE_FILE`, the folder has none; `CDISC_EXTRA`, what reads Parquet is not installed.
        FormatError: `SDTM`: no table, a sequence number that stands twice, or no DM or DS.
    """
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not files:
        raise StoreError("SOURCE_FILE", f"expected a folder with tables in *{SUFFIX} files")
    tables = {table.name: table for table in map(read_table, files)}
    lacking = sorted({"DM", "DS"} - tables.keys())
    if lacking:
        raise FormatError(CODE, f"expected tables {' and '.join(lacking)}: who took part, and how it ended")
    return tables


def read_table(path: Path) -> Table:
    """Read one table.

    Raises:
        StoreError, FormatError: as `read_tables`.
    """
    try:
        parquet = import_module("pyarrow.parquet")  # an extra: the ledger itself does without
    except ImportError:
        raise StoreError(
            "CDISC_EXTRA", "reading Parquet needs the extra: pip install trial-ledger[cdisc]"
        ) from None
    try:
        read = parquet.read_table(path)
    except (ValueError, OSError):
        raise FormatError(CODE, f"expected a table in {path.name}, which cannot be read as Parquet") from None
    columns = tuple(read.column_names)
    name = path.stem.upper()
    numbered = f"{_prefix(columns)}SEQ" if SUBJECT in columns else None
    rows = tuple(
        _row(name, numbered, n, {column: _value(value) for column, value in raw.items()})
        for n, raw in enumerate(read.to_pylist(), 1)
    )
    if len({row.key for row in rows}) != len(rows):
        raise FormatError(CODE, f"expected each sequence number of a subject once in {path.name}")
    return Table(
        name=name,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        columns=columns,
        rows=rows,
    )


def refer(rows: Sequence[Row]) -> str:
    """Write the reference to rows of one table and subject."""
    first = rows[0]
    numbers = sorted(row.number for row in rows)
    return f"{first.table} {first.subject} {first.by} {_ranges(numbers)}"


def rows_of(reference: str) -> Iterator[tuple[str, str, int]]:
    """Yield the keys of the rows that a reference names.

    Raises:
        FormatError: `SDTM`, it is not one.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise FormatError(CODE, "expected a reference to rows of a table")
    for part in match[4].split(","):
        low, _, high = part.partition("-")
        for number in range(int(low), int(high or low) + 1):
            yield (match[1], match[2], number)


def by_subject(tables: Iterable[Table]) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of every subject by table, in the order of the files."""
    found: dict[str, dict[str, list[Row]]] = {}
    for table in tables:
        if not table.is_of_subjects:
            continue
        for row in table.rows:
            found.setdefault(row.subject, defaultdict(list))[table.name].append(row)
    return found


def _row(table: str, numbered: str | None, position: int, values: dict[str, Value]) -> Row:
    sequence = values.get(numbered) if numbered is not None else None
    if sequence is not None and not sequence.isdigit():
        raise FormatError(CODE, f"expected a whole sequence number in row {position} of {table}")
    return Row(
        table=table,
        subject=values.get(SUBJECT) or "",
        by="row" if sequence is None else "seq",
        number=position if sequence is None else int(sequence),
        values=values,
    )


def _prefix(columns: Sequence[str]) -> str:
    """Return the two letters that a domain's own columns begin with."""
    return next((column[:2] for column in columns if re.fullmatch(r"[A-Z]{2}SEQ", column)), "")


def _value(value: Any) -> Value:
    if value is None or value == "":
        return None
    if isinstance(value, float):
        number = Decimal(repr(value))
        return format(number.to_integral_value() if number == number.to_integral_value() else number, "f")
    return str(value)


def _ranges(numbers: Sequence[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
