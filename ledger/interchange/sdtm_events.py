"""One subject's rows on their way to events: what is planned, how values stand in forms, which go together.

A value that is a decimal, a clinical time or a short term stands plain, every other is a sealed text. Dates
are kept as precise as they are; a time of day without zone is no clinical time and is left out of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Final

from ledger.actions.fields import Source
from ledger.actions.forms import Field, FormRecorded, Text
from ledger.actions.imported import UnblindingFormRecorded
from ledger.actions.registry import Action
from ledger.actions.visits import UNSCHEDULED
from ledger.errors import FormatError
from ledger.interchange.markup import code
from ledger.interchange.sdtm_source import CODE, Row, Table
from ledger.study.definition import StudyDefinition
from ledger.times import check_clinical

VERSION: Final = "sdtm-1"
MAX_TEXTS: Final = 64
MAX_FIELDS: Final = 200
MAX_TEXT: Final = 4_000
MAX_REFERENCE: Final = 440
NOT_STATED: Final = "not_stated"

DECIMAL: Final = re.compile(r"(?!-0(?:\.0+)?\Z)-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
# Columns that say where a row belongs, or repeat what other columns say: study days, standardised results.
PLACES: Final = frozenset({"STUDYID", "DOMAIN", "RDOMAIN", "USUBJID", "SUBJID", "SITEID", "VISITDY", "EPOCH"})
DERIVED: Final = re.compile(r"[A-Z]{2}(DY|STDY|ENDY|STRESC|STRESN|STRESU|STNRLO|STNRHI|BLFL|DRVFL|SEQ|TEST)")
_DAY: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mmHg": "mm[Hg]", "beats/min": "/min", "F": "[degF]", "C": "Cel", "LB": "[lb_av]", "in": "[in_i]",
        "IN": "[in_i]", "TABLET": "{tablet}", "mEq/L": "meq/L", "mIU/L": "m[IU]/L", "10^9/L": "10*9/L",
        "10^12/L": "10*12/L", "YEARS": "a",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One event to come: the action, when it happened, the rows that it rests on, and its place in order."""

    action: Action
    occurred: str
    rows: tuple[Row, ...]
    order: tuple[str, int]


@dataclass(slots=True, kw_only=True)
class Subject:
    """One subject's rows and what the definition says of its visits."""

    id: str
    site: str
    rows: Mapping[str, Sequence[Row]]
    definition: StudyDefinition
    files: Mapping[str, Table]
    planned: list[Planned] = field(default_factory=list)

    def source(self, row: Row) -> Source:
        """Name the file a row is from."""
        table = self.files[row.table]
        return Source(kind="esource", reference=f"{table.file} sha256 {table.sha256}")

    def visit(self, row: Row) -> str:
        """Return the definition's visit of a row, or `unscheduled`."""
        name = code(row["VISIT"] or "")
        return name if self.definition.visit(name) is not None else UNSCHEDULED

    def add(
        self, action: Action, occurred: str, rows: Sequence[Row], rank: int, *, first: bool = False
    ) -> None:
        """Plan an event at its day, among those of a day by `rank`; `first` puts it before all others."""
        order = ("", rank) if first else (occurred, rank)
        self.planned.append(Planned(action=action, occurred=occurred, rows=tuple(rows), order=order))

    def form(self, name: str, occurred: str, rows: Sequence[Row], values: Iterable[tuple[str, str]],
             rank: int = 50, visit: str | None = None) -> None:  # fmt: skip
        """Plan a form; values that are no codes, decimals or dates are its sealed texts."""
        fields_: list[Field] = []
        texts: list[Text] = []
        for column, value in values:
            plain = plain_value(value)
            if plain is not None and len(fields_) < MAX_FIELDS:
                fields_.append(Field(field=code(column), value=plain))
            else:
                texts.append(Text(field=code(column), text=value[:MAX_TEXT]))
        if not fields_:
            fields_.append(Field(field="rows", value=str(len(rows))))
        action = FormRecorded(
            source=self.source(rows[0]),
            form=name,
            version=VERSION,
            fields=tuple(fields_),
            visit=visit,
            texts=tuple(texts) or None,
        )
        self.add(action, occurred, rows, rank)

    def seal(self, name: str, occurred: str, rows: Sequence[Row], values: Iterable[tuple[str, str | None]],
             rank: int) -> None:  # fmt: skip
        """Plan a form whose answers tell the treatment."""
        told = tuple(Text(field=code(column), text=value) for column, value in values if value)
        action = UnblindingFormRecorded(
            source=self.source(rows[0]), form=name, version=VERSION, fields=(), treatment=told or None
        )
        self.add(action, occurred, rows, rank)

    def words(self, name: str, occurred: str, rows: Sequence[Row], values: Iterable[tuple[str, str]],
              rank: int) -> None:  # fmt: skip
        """Plan a form of which every answer is sealed as words."""
        action = FormRecorded(
            source=self.source(rows[0]),
            form=name,
            version=VERSION,
            fields=(Field(field="rows", value=str(len(rows))),),
            texts=tuple(Text(field=code(column), text=value) for column, value in values),
        )
        self.add(action, occurred, rows, rank)


def plain_value(text: str) -> str | None:
    """Return a value as a form holds it in plain: a decimal, a clinical time, or a code; None for words.

    Upper case becomes lower; `NOT DONE` is `not_done`. What is longer than three words is words.
    """
    if DECIMAL.fullmatch(text):
        return text
    try:
        check_clinical(text)
        return text
    except FormatError:
        pass
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([ /_-][A-Za-z0-9]+){0,2}", text) and len(text) <= 40:
        return code(text)
    return None


def day(text: str | None) -> str | None:
    """Return a date as precise as it is, without a time of day, which has no zone here."""
    match = _DAY.match(text or "")
    return match[0] if match else None


def earliest(subject: Subject, row: Row) -> str:
    """Return when the subject was first seen: the first visit, else the collection of demographics."""
    starts = [day(visit["SVSTDTC"]) for visit in subject.rows.get("SV", ())]
    known = [start for start in (*starts, day(row["DMDTC"]), day(row["RFSTDTC"])) if start]
    if not known:
        raise FormatError(CODE, "expected a date of a subject's first visit or demographics")
    return min(known)


def groups(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[list[Row]]:
    """Yield rows that agree in columns, in parts of which a reference can be written."""

    def key(row: Row) -> tuple[str, ...]:
        return (row.table, *(row[name] or "" for name in columns))

    for _, group in groupby(sorted(rows, key=lambda row: (key(row), row.number)), key=key):
        yield from chunks(list(group))


def chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield runs of rows that fit one event: its fields, its texts, and the length of its reference."""
    run: list[Row] = []
    length = 0
    for row in rows:
        size = len(str(row.number)) + 1
        if run and (length + size > MAX_REFERENCE or len(run) >= MAX_TEXTS):
            yield run
            run, length = [], 0
        run.append(row)
        length += size
    if run:
        yield run


def once(rows: Iterable[Row], name: Callable[[Row], str | None]) -> Iterator[list[Row]]:
    """Yield rows in parts in which each name stands once."""
    parts: list[dict[str | None, Row]] = []
    for row in rows:
        part = next((part for part in parts if name(row) not in part), None)
        if part is None:
            parts.append(part := {})
        part[name(row)] = row
    yield from (list(part.values()) for part in parts)


def unit(said: str | None) -> str:
    return "1" if said is None else _UNITS.get(said, re.sub(r"[^!-~]", "", said)[:32] or "1")


def domain(table: str) -> str:
    """Return the domain of a table: LBCH and LBHE are parts of LB, SUPPxx a supplement."""
    return "SUPP" if table.startswith("SUPP") else table[:2] if len(table) == 4 else table


def others(subject: Subject, rows: Sequence[Row]) -> None:
    """Plan forms for rows that no type stands for: every column that is not derived, as it is written.

    A row is a form; of supplements, which are many and small, as many as one form holds.
    """
    for group in _bundles(rows):
        table = group[0].table
        if domain(table) == "SUPP":
            values = [(f"{row['QNAM']}_{row['IDVARVAL'] or row.number}", row["QVAL"] or "") for row in group]
        else:
            values = [
                (name, value)
                for name, value in group[0].values.items()
                if value and name not in PLACES and not DERIVED.fullmatch(name)
            ]
        dated = (day(group[0][f"{table[:2]}{name}"]) for name in ("DTC", "STDTC", "ENDTC"))
        at = next((text for text in dated if text), None) or _closing(subject)
        visit = subject.visit(group[0]) if group[0]["VISIT"] else None
        subject.form(table, at, group, values, 70, visit)


def _bundles(rows: Sequence[Row]) -> Iterator[list[Row]]:
    if rows and domain(rows[0].table) != "SUPP":
        yield from ([row] for row in rows)
        return
    for part in once(rows, lambda row: f"{row['QNAM']}_{row['IDVARVAL'] or row.number}"):
        yield from chunks(part)


def _closing(subject: Subject) -> str:
    """Return the end of participation: what was derived at the desk is known by then, and has no date."""
    row = subject.rows["DM"][0]
    return day(row["RFPENDTC"]) or day(row["RFENDTC"]) or earliest(subject, row)
