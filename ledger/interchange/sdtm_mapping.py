"""What rows of SDTM become: for each subject the actions to record, in the order in which they happened.

Mapping version `sdtm-1`. Rows that belong together become one event: what was measured at one visit, time
point and position, one questionnaire at a visit, one laboratory sample. Every row is in at least one event's
reference, behind the mapping's version. The rules of the mapping:

- A value that was not collected is left out. A row that lacks what its type demands becomes a form.
- Dates are kept as precise as they are. A time of day without zone is no clinical time: the event has the
  day, the form or the sample's label the text as written.
- Values stand as originally reported (`--ORRES`), standardised ones (`--STRES…`) where there is no other.
- Age and sex are sealed `identity`; words `freetext`; arms, elements and exposures `treatment`, in one event
  per participant and table, whatever the arm.
- The arm is told as a fact of the source. It is not a randomization: no list proves it.
- Who did it is not in the data: the site's system is named as originator, nobody as performer.

Values in ledgers of other studies are mapped by the same rules: nothing of one study is in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ledger.actions.consent import DemographicsRecorded, ParticipantRegistered
from ledger.actions.disposition import (
    ParticipantCompleted,
    ParticipantLostToFollowUp,
    ParticipantWithdrawn,
)
from ledger.actions.eligibility import ScreeningFailed
from ledger.actions.fields import PerformedOutside
from ledger.actions.registry import Action
from ledger.actions.safety import DeathReported
from ledger.actions.visits import VisitCompleted, VisitStarted
from ledger.errors import FormatError
from ledger.interchange.markup import code
from ledger.interchange.sdtm_events import (
    DERIVED,
    MAX_FIELDS,
    NOT_STATED,
    PLACES,
    Planned,
    Subject,
    day,
    domain,
    earliest,
    others,
)
from ledger.interchange.sdtm_findings import (
    CODED,
    CRITERIA,
    adverse_events,
    laboratory,
    medications,
    questionnaires,
    vitals,
)
from ledger.interchange.sdtm_source import CODE, Row, Table

_SEXES: Final[Mapping[str, Any]] = MappingProxyType(
    {"F": "female", "M": "male", "U": "unknown", "UNDIFFERENTIATED": "undifferentiated"}
)
# Who a participant is, beside age and sex.
_PERSONAL: Final = ("RACE", "ETHNIC", "COUNTRY")
_ENDING: Final = ("DSTERM", "DSDECOD", "DSCAT", "DSSPID", "DSDTC")
_ARMS: Final = ("ARMCD", "ARM", "ACTARMCD", "ACTARM")


def plan(subject: Subject) -> list[Planned]:
    """Return all events of a subject in the order in which they happened; registration comes first.

    Raises:
        FormatError: `SDTM`, the subject has not exactly one row of demographics.
    """
    demographics = subject.rows.get("DM", ())
    if len(demographics) != 1:
        raise FormatError(CODE, "expected one row of demographics for each subject")
    _demographics(subject, demographics[0])
    for table, rows in subject.rows.items():
        _MAPPERS.get(domain(table), others)(subject, rows)
    subject.planned.sort(key=lambda event: event.order)
    return subject.planned


def left_columns(table: Table) -> dict[str, str]:
    """Return the columns of a table that no event holds, each with the reason."""
    carried = _CARRIED.get(domain(table.name), "").split()
    left = {}
    for column in table.columns:
        if column in PLACES:
            left[column] = "says where a row belongs: participant, site, visit"
        elif DERIVED.fullmatch(column):
            left[column] = "derived from other columns, or the row's number"
        elif carried and column not in carried:
            left[column] = "the type that the row becomes has no place for it"
    return left


def _demographics(subject: Subject, row: Row) -> None:
    at = earliest(subject, row)
    source = subject.source(row)
    outside = PerformedOutside(why="paper", source=source)
    registered = ParticipantRegistered(participant=subject.id, performed_outside=outside)
    subject.add(registered, at, [row], 0, first=True)
    said = row["AGE"] or ""
    age = int(said) if said.isdigit() and row["AGEU"] == "YEARS" else None
    told = DemographicsRecorded(source=source, age_years=age, sex=_SEXES.get(row["SEX"] or ""))
    collected = day(row["DMDTC"]) or at
    subject.add(told, collected, [row], 0)
    kept = [name for name in row.values if name not in PLACES | {"AGE", "AGEU", "SEX"} and name not in _ARMS]
    values = [(name, row[name] or "") for name in kept if row[name] and not DERIVED.fullmatch(name)]
    personal = [(name, value) for name, value in values if name in _PERSONAL]
    subject.form("DM", collected, [row], [pair for pair in values if pair not in personal], 1)
    subject.seal("DM_ARM", collected, [row], [(name, row[name]) for name in _ARMS], 2)
    if personal:
        subject.words("DM_PERSON", collected, [row], personal, 1)


def _visits(subject: Subject, rows: Sequence[Row]) -> None:
    for row in rows:
        start, end, visit = day(row["SVSTDTC"]), day(row["SVENDTC"]), subject.visit(row)
        planned = subject.definition.visit(visit)
        if planned is None or start is None:
            others(subject, [row])
            continue
        subject.add(
            VisitStarted(source=subject.source(row), visit=visit, mode=planned.mode), start, [row], 10
        )
        if end is not None:
            subject.add(VisitCompleted(source=subject.source(row), visit=visit), end, [row], 80)
        if row["SVUPDES"]:
            subject.form("SV", start, [row], [("SVUPDES", row["SVUPDES"])], visit=visit)


def _dispositions(subject: Subject, rows: Sequence[Row]) -> None:
    for row in rows:
        on, said = day(row["DSSTDTC"]), row["DSDECOD"] or ""
        values = [(name, row[name] or "") for name in _ENDING if row[name]]
        at = on or day(row["DSDTC"]) or earliest(subject, subject.rows["DM"][0])
        subject.form("DS", at, [row], values, 90, subject.visit(row))
        if row["DSCAT"] == "DISPOSITION EVENT" and on is not None:
            # A death is told before the event that it came of, which would wait for it.
            subject.add(_ended(subject, row, on, said), on, [row], 55 if said == "DEATH" else 95)


def _ended(subject: Subject, row: Row, on: str, said: str) -> Action:
    source, last = subject.source(row), subject.visit(row)
    match said:
        case "COMPLETED":
            return ParticipantCompleted(source=source, date=on, last_visit=last)
        case "SCREEN FAILURE":
            return ScreeningFailed(source=source, criteria=(), code=code(said), note=row["DSTERM"])
        case "DEATH":
            died = day(subject.rows["DM"][0]["DTHDTC"]) or on
            known = day(row["DSDTC"]) or on
            return DeathReported(source=source, date=died, awareness=known, code=NOT_STATED)
        case "LOST TO FOLLOW-UP":
            return ParticipantLostToFollowUp(source=source, date=on, last_visit=last, attempts=())
    return ParticipantWithdrawn(source=source, date=on, last_visit=last, code=code(said))


def _sealed_tables(subject: Subject, rows: Sequence[Row]) -> None:
    """Plan elements or exposures: one event, all of it sealed, as long as the table of the participant."""
    table = rows[0].table
    starts = [day(row[f"{table[:2]}STDTC"]) for row in rows]
    dated = [start for start in starts if start] or [earliest(subject, subject.rows["DM"][0])]
    values = [
        (f"{name}_{row.number}", row[name])
        for row in rows
        for name in row.values
        if name not in PLACES and not DERIVED.fullmatch(name)
    ]
    for n in range(0, len(values), MAX_FIELDS):
        subject.seal(table, min(dated), rows, values[n : n + MAX_FIELDS], 15)


def _nothing(subject: Subject, rows: Sequence[Row]) -> None:
    """Demographics are planned first, on their own."""


_MAPPERS: Final[Mapping[str, Callable[[Subject, Sequence[Row]], None]]] = MappingProxyType(
    {
        "DM": _nothing,
        "SV": _visits,
        "VS": vitals,
        "LB": laboratory,
        "QS": questionnaires,
        "AE": adverse_events,
        "CM": medications,
        "DS": _dispositions,
        "EX": _sealed_tables,
        "SE": _sealed_tables,
    }
)

# Columns that typed events hold. Tables that become forms hold every column that is not derived.
_CARRIED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "VS": "VSTESTCD VSPOS VSORRES VSORRESU VSTPT VSDTC VISIT VSSTAT",
        "LB": "LBTESTCD LBORRES LBORRESU LBORNRLO LBORNRHI LBNRIND LBNAM LBSPEC LBDTC VISIT VISITNUM",
        "QS": "QSTESTCD QSCAT QSORRES QSSTAT QSDTC VISIT",
        "AE": " ".join(
            ("AETERM AESEV AESER AEACN AEREL AEOUT AEDTC AESTDTC AEENDTC", *CODED, *CRITERIA),
        ),
        "CM": "CMTRT CMDECOD CMINDC CMCLAS CMDOSE CMDOSU CMDOSFRQ CMROUTE CMDTC CMSTDTC CMENDTC",
        "DS": " ".join((*_ENDING, "DSSTDTC VISIT")),
        "SUPP": "IDVAR IDVARVAL QNAM QVAL",
    }
)
