"""Whether an imported ledger says what its source says: rows, and each participant's state.

`reconcile` reads every event back from the log, takes the rows that it refers to, and compares them with the
rows of the files, name by name. `compare` compares each participant, as the rules fold it from the log, with
demographics (DM) and disposition (DS) of the source: site, arm, dates, how participation ended. What the
mapping planned is not asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ledger.committer import Ledger
from ledger.interchange.markup import code
from ledger.interchange.sdtm_events import day
from ledger.interchange.sdtm_source import Row, Table, rows_of
from ledger.participant import Participant
from ledger.sealing import open_disclosure
from ledger.statement import Statement, parse_statement

PAGE: Final = 1_024
_PARTICIPANT: Final = "participant/"
_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "COMPLETED": "completed",
        "SCREEN FAILURE": "screen failed",
        "DEATH": "died",
        "LOST TO FOLLOW-UP": "lost to follow-up",
    }
)
"""How DS says that participation ended, and the status that it is here; every other end is a withdrawal."""

_DATES: Final = ("RFSTDTC", "RFENDTC", "RFXSTDTC", "RFXENDTC", "RFPENDTC", "DTHDTC", "DMDTC")
_ARMS: Final = ("ARM", "ACTARM", "ARMCD", "ACTARMCD")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCount:
    """One table: rows of the file, rows that events refer to, events, and what is not the same."""

    table: str
    rows: int
    referenced: int
    events: int
    lacking: int
    strange: int

    @property
    def agrees(self) -> bool:
        """Tell whether every row is referred to, and nothing else is."""
        return not self.lacking and not self.strange


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A participant whose state is not what the source says, and in what."""

    participant: str
    what: str


def reconcile(ledger: Ledger, tables: Mapping[str, Table], subjects: Collection[str]) -> list[TableCount]:
    """Count the rows of every table of subjects against those that the log's events refer to."""
    named: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    events = Counter[str]()
    for statement in _statements(ledger):
        if statement.originator is None or statement.originator.source is None:
            continue
        _, _, reference = statement.originator.source.partition(" ")  # the mapping's version goes before
        keys = list(rows_of(reference))
        named[keys[0][0]].update(keys)
        events[keys[0][0]] += 1
    found = []
    for name, table in sorted(tables.items()):
        if table.is_of_subjects:
            there = {row.key for row in table.rows if row.subject in subjects}
            found.append(
                TableCount(
                    table=name,
                    rows=len(there),
                    referenced=len(named[name]),
                    events=events[name],
                    lacking=len(there - named[name]),
                    strange=len(named[name] - there),
                )
            )
    return found


def compare(ledger: Ledger, tables: Mapping[str, Table], subjects: Collection[str]) -> list[Difference]:
    """Return every difference between participants' states and DM and DS; none where all agrees."""
    told = _told(ledger)
    ends = {row.subject: row for row in tables["DS"].rows if row["DSCAT"] == "DISPOSITION EVENT"}
    conduct = ledger.refresh().conduct
    found = []
    for row in tables["DM"].rows:
        if row.subject not in subjects:
            continue
        state = conduct.state(row.subject)
        whats = (
            ["not registered"]
            if state is None
            else _differences(state, row, ends.get(row.subject), told[row.subject], ledger)
        )
        found += [Difference(participant=row.subject, what=what) for what in whats]
    strangers = {state.id for state in conduct.participants()} - set(subjects)
    return found + [Difference(participant=name, what="not in the source") for name in sorted(strangers)]


def _differences(
    state: Participant, row: Row, end: Row | None, told: Mapping[str, str], ledger: Ledger
) -> Iterator[str]:
    """Yield what is not the same: site, status, the day of it, arms, dates."""
    if state.site != row["SITEID"]:
        yield "site"
    said = "" if end is None else end["DSDECOD"] or ""
    if str(state.status) != _ENDS.get(said, "withdrawn"):
        yield "disposition"
    if end is None or _ended(state, ledger) != day(end["DSSTDTC"]):
        yield "day of disposition"
    for name in (*_ARMS, *_DATES):
        if told.get(code(name)) not in (row[name], None if row[name] is None else code(row[name] or "")):
            yield name


def _ended(state: Participant, ledger: Ledger) -> str | None:
    """Return the day on which the statement that made the status says that it ended."""
    index = state.disposition.index if state.disposition else state.died or state.screening_failed
    kept = None if index is None else ledger.store.entry(index)
    return None if kept is None else parse_statement(kept.statement).occurred_at


def _told(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return what forms of demographics say of each participant, sealed answers opened."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for statement in _statements(ledger):
        if statement.type == "form.recorded" and str(statement.data["form"]).startswith("DM"):
            answers = found[statement.stream.removeprefix(_PARTICIPANT)]
            answers.update((row["field"], row["value"]) for row in statement.data["fields"])
            for path in ("/data/texts", "/data/treatment"):
                answers.update((row["field"], row["text"]) for row in _opened(ledger, statement, path))
    return found


def _opened(ledger: Ledger, statement: Statement, path: str) -> list[dict[str, str]]:
    """Return the rows that are sealed at a path; none where it is null or not of the type."""
    for kept in ledger.store.disclosures(statement.event):
        if kept.path == path:
            disclosure = ledger.data_keys.open(
                statement.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
            )
            value: Any = open_disclosure(disclosure).value
            return value or []
    return []


def _statements(ledger: Ledger) -> Iterator[Statement]:
    size = ledger.store.head().size
    for start in range(0, size, PAGE):
        for entry in ledger.store.entries(start, min(start + PAGE, size)):
            statement = parse_statement(entry.statement)
            if statement.stream.startswith(_PARTICIPANT):
                yield statement
