"""Assessments against recorded values: what a machine can check of a criterion (catalogue C).

A criterion's `check` names one field. The newest plain value of a field that a check names is kept as it was
read; sealed values, such as age, are never looked at. Who assesses a criterion against such a value is
flagged and decides all the same: people read more than one value.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules.case import Case
from ledger.study.criteria import holds, readings
from ledger.study.definition import Criterion

_MEASURED: Final = "vital_signs.recorded"
READ_FROM: Final = frozenset({"outcome.recorded", _MEASURED, "pregnancy_test.performed"})
"""Types whose plain values checks can name."""


def contradicts(case: Case, criterion: Criterion) -> bool:
    """Tell whether an assessment as met, or as not met, is against the newest value on record."""
    result = case.record.data["result"]
    if criterion.check is None or result == "not_applicable":
        return False
    found = holds(criterion.check, case.participant.consenting.readings)
    return found is not None and found != (result == "met")


def checked(criteria: tuple[Criterion, ...]) -> frozenset[str]:
    """Return the fields that checks name."""
    return frozenset(criterion.check.field for criterion in criteria if criterion.check is not None)


def read(participant: Participant, case: Case) -> Participant:
    """Keep what a record says of fields that a check of the protocol in force names."""
    record, protocol = case.record, case.protocol
    if record.type not in READ_FROM or protocol is None or not protocol.checked:
        return participant
    if record.type == _MEASURED and protocol.checked.isdisjoint(
        row["name"] for row in record.data["measurements"]
    ):
        return participant  # most measurements are of nothing that is checked: no number is read
    found = readings(record.type, record.data, {})
    told = {name: value for name, value in found.items() if name in protocol.checked}
    if not told:
        return participant
    consenting = participant.consenting
    known = MappingProxyType({**consenting.readings, **told})
    return replace(participant, consenting=replace(consenting, readings=known))
