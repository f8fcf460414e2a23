"""What is found at visits: vital signs, laboratory, questionnaires, adverse events, medication.

Values stand as originally reported. What a type of ours cannot hold, such as a bound of detection or a
measurement that was not done, becomes a form with the value as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ledger.actions.fields import Measure, Quantity
from ledger.actions.imported import AdverseEventTakenOver
from ledger.actions.laboratory import Analyte, LabResultReceived, LabSampleCollected
from ledger.actions.medication import MedicationStarted, MedicationStopped
from ledger.actions.observations import Measurement, VitalSignsRecorded
from ledger.actions.safety import Causality
from ledger.interchange.markup import code
from ledger.interchange.sdtm_events import (
    DECIMAL,
    NOT_STATED,
    Subject,
    day,
    groups,
    once,
    others,
    unit,
)
from ledger.interchange.sdtm_source import Row

_VITALS: Final[Mapping[str, str]] = MappingProxyType({"WEIGHT": "body_weight", "HEIGHT": "body_height"})
_POSITIONS: Final = ("sitting", "supine", "standing")
_GRADES: Final[Mapping[str, int]] = MappingProxyType({"MILD": 1, "MODERATE": 2, "SEVERE": 3})
_OUTCOMES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "RECOVERED/RESOLVED": "recovered",
        "RECOVERING/RESOLVING": "recovering",
        "NOT RECOVERED/NOT RESOLVED": "not_recovered",
        "RECOVERED/RESOLVED WITH SEQUELAE": "recovered_with_sequelae",
        "FATAL": "fatal",
        "UNKNOWN": "unknown",
    }
)
_RELATIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {"NONE": "unrelated", "REMOTE": "unlikely", "POSSIBLE": "possible", "PROBABLE": "related",
     "NOT RELATED": "unrelated", "RELATED": "related"}
)  # fmt: skip
CRITERIA: Final[Mapping[str, Any]] = MappingProxyType(
    {"AESDTH": "death", "AESLIFE": "life_threatening", "AESHOSP": "hospitalisation",
     "AESDISAB": "disability", "AESCONG": "congenital_anomaly", "AESMIE": "important_medical_event",
     "AESCAN": "important_medical_event", "AESOD": "important_medical_event"}
)  # fmt: skip
_ACTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {"DOSE NOT CHANGED": "none", "DRUG INTERRUPTED": "interrupted", "DOSE REDUCED": "reduced",
     "DRUG WITHDRAWN": "stopped", "NOT APPLICABLE": "not_applicable"}
)  # fmt: skip
CODED: Final = ("AESPID", "AELLT", "AEDECOD", "AEHLT", "AEHLGT", "AEBODSYS", "AESOC")
_INDICATORS: Final[Mapping[str, Any]] = MappingProxyType(
    {"NORMAL": "normal", "LOW": "low", "HIGH": "high", "ABNORMAL": "abnormal"}
)


def vitals(subject: Subject, rows: Sequence[Row]) -> None:
    measured = [row for row in rows if _is_measured(row)]
    keys = ("VISITNUM", "VISIT", "VSDTC", "VSPOS", "VSTPT")
    for group in groups(measured, keys):
        first = group[0]
        position = (first["VSPOS"] or "").lower()
        action = VitalSignsRecorded(
            source=subject.source(first),
            measurements=tuple(
                Measurement(
                    name=_VITALS.get(row["VSTESTCD"] or "") or code(row["VSTESTCD"] or ""),
                    quantity=Quantity(value=row["VSORRES"] or "", unit=unit(row["VSORRESU"])),
                )
                for row in group
            ),
            visit=subject.visit(first),
            time_point=code(first["VSTPT"]) if first["VSTPT"] else None,
            position=position if position in _POSITIONS else None,  # type: ignore[arg-type]
        )
        subject.add(action, day(first["VSDTC"]) or "", group, 20)
    others(subject, [row for row in rows if not _is_measured(row)])


def _is_measured(row: Row) -> bool:
    return bool(DECIMAL.fullmatch(row["VSORRES"] or "") and row["VSORRESU"] and day(row["VSDTC"]))


def laboratory(subject: Subject, rows: Sequence[Row]) -> None:
    results = [(row, _analyte(row)) for row in rows]
    known = {row.key: analyte for row, analyte in results if analyte is not None and day(row["LBDTC"])}
    for group in groups([row for row in rows if row.key in known], ("VISITNUM", "VISIT", "LBDTC")):
        first = group[0]
        visit, taken = subject.visit(first), day(first["LBDTC"]) or ""
        name = f"{first.table}-{first['VISITNUM'] or 0}-{first['LBDTC']}"
        label = re.sub(r"[^A-Za-z0-9.-]", "", name)
        sample = LabSampleCollected(
            source=subject.source(first),
            sample=label,
            specimen=code(first["LBSPEC"] or NOT_STATED),
            visit=visit,
        )
        subject.add(sample, taken, group, 30)
        action = LabResultReceived(
            source=subject.source(first),
            sample=label,
            laboratory=first["LBNAM"] or NOT_STATED,
            analytes=tuple(known[row.key] for row in group),
            visit=visit,
        )
        subject.add(action, taken, group, 31)
    others(subject, [row for row in rows if row.key not in known])


def _analyte(row: Row) -> Analyte | None:
    """Return a result as a quantity or a code; None for one in words, such as a bound of detection."""
    said = row["LBORRES"] or row["LBSTRESC"]
    if said is None:
        return None
    limits = {name: row[column] for name, column in (("low", "LBORNRLO"), ("high", "LBORNRHI"))}
    decimal = DECIMAL.fullmatch(said) is not None
    if not decimal and not re.fullmatch(r"[A-Za-z][A-Za-z ]*", said):
        return None
    return Analyte(
        analyte=code(row["LBTESTCD"] or ""),
        quantity=Quantity(value=said, unit=unit(row["LBORRESU"])) if decimal else None,
        code=None if decimal else code(said),
        indicator=_INDICATORS.get(row["LBNRIND"] or ""),
        **{name: value for name, value in limits.items() if value and DECIMAL.fullmatch(value)},
    )


def questionnaires(subject: Subject, rows: Sequence[Row]) -> None:
    for group in groups(rows, ("QSCAT", "VISITNUM", "VISIT", "QSDTC")):
        first = group[0]
        for part in once(group, lambda row: row["QSTESTCD"]):
            values = [(row["QSTESTCD"] or "", _answer(row)) for row in part]
            name = code(first["QSCAT"] or "qs").upper()
            subject.form(name, day(first["QSDTC"]) or "", part, values, 40, subject.visit(first))


def _answer(row: Row) -> str:
    return row["QSORRES"] or row["QSSTRESC"] or row["QSSTAT"] or NOT_STATED


def adverse_events(subject: Subject, rows: Sequence[Row]) -> None:
    scale, products = subject.definition.adverse_event_scale, subject.definition.products
    for row in rows:
        onset, aware = day(row["AESTDTC"]), day(row["AEDTC"])
        grade, outcome = _GRADES.get(row["AESEV"] or ""), _OUTCOMES.get(row["AEOUT"] or "")
        serious = {"Y": True, "N": False}.get(row["AESER"] or "")
        if onset is None or aware is None or grade is None or outcome is None or serious is None:
            others(subject, [row])
            continue
        relation = _RELATIONS.get(row["AEREL"] or "")
        met = dict.fromkeys(name for column, name in CRITERIA.items() if row[column] == "Y")
        action = AdverseEventTakenOver(
            source=subject.source(row),
            ae=f"AE-{row.number}",
            onset=onset,
            awareness=aware,
            grade=grade,
            scale=scale.name,
            scale_version=scale.version,
            serious=serious,
            criteria=tuple(met),
            causality=tuple(Causality(product=name, relation=relation) for name in products if relation),
            outcome=outcome,
            end=day(row["AEENDTC"]),
            action=_ACTIONS.get(row["AEACN"] or ""),
            verbatim=row["AETERM"],
        )  # fmt: skip
        subject.add(action, aware, [row], 60)
        coded = [(name, row[name] or "") for name in CODED if row[name]]
        subject.form("AE_CODING", aware, [row], coded, 61)


def medications(subject: Subject, rows: Sequence[Row]) -> None:
    for row in rows:
        start, told = day(row["CMSTDTC"]), day(row["CMDTC"])
        if start is None or told is None or not row["CMCLAS"]:
            others(subject, [row])
            continue
        amount = row["CMDOSE"]
        dose = Measure(value=amount, unit=unit(row["CMDOSU"])) if amount and row["CMDOSU"] else None
        also = ", ".join(f"{name} {row[name]}" for name in ("CMDECOD", "CMDOSFRQ", "CMROUTE") if row[name])
        action = MedicationStarted(
            source=subject.source(row),
            medication=f"CM-{row.number}",
            class_=code(row["CMCLAS"]),
            start=start,
            dose=dose,
            drug=f"{row['CMTRT']} ({also})" if also else row["CMTRT"],
            indication=row["CMINDC"],
        )
        subject.add(action, told, [row], 50)
        stop = day(row["CMENDTC"])
        if stop is not None:
            stopped = MedicationStopped(
                source=subject.source(row), medication=f"CM-{row.number}", stop=stop, code=NOT_STATED
            )
            subject.add(stopped, told, [row], 51)
