"""The books of a pharmacy kept again, after something in them was corrected or voided (R10).

Each statement is judged anew by the rules of its area against the books as they read now. Dispensing is not:
it asked for the participant as of then. Breaches of other rules stay as they are, but those of a statement
that is voided, and of a discrepancy that is no longer there to be reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ledger.authority import INITIAL
from ledger.entry import Entry
from ledger.participant import Breach, Participant
from ledger.rules import pharmacy
from ledger.rules.case import Arm, StudyCase
from ledger.rules.record import Record
from ledger.rules.rule_versions import in_force
from ledger.studystate import StudyState

_DUE: Final = "DISCREPANCY_DUE"
_CAUSES: Final = frozenset({"COUNT_DIFFERS", "BALANCE_NEGATIVE"})
_LATER: Final = frozenset({_DUE, "SEQUENCE_INCOMPLETE"})
_NOT_AGAIN: Final = "dose.dispensed"


def breaches_of(
    old: Iterable[Breach],
    records: tuple[Record, ...],
    study: StudyState,
    participants: Callable[[str], Participant | None],
    arm: Arm,
) -> Iterator[Breach]:
    """Yield the breaches of a pharmacy's statements as they read now; `old` are those known before."""
    found = set(judged(records, study, participants, arm))
    types = {record.event: record.type for record in records}
    for record in records:
        for rule in sorted(rule for event, rule in found if event == record.event):
            yield Breach(event=record.event, rule=rule, index=record.index, found=record.index)
    for breach in old:
        type_ = types.get(breach.event)
        if type_ is None or not breach.is_open or (breach.event, breach.rule) in found:
            continue
        asked = set(pharmacy.ASKED.get(type_, "").split()) - _LATER
        moot = breach.rule == _DUE and not any((breach.event, cause) in found for cause in _CAUSES)
        if not moot and (type_ == _NOT_AGAIN or breach.rule not in asked):
            yield breach


def judged(
    records: tuple[Record, ...],
    study: StudyState,
    participants: Callable[[str], Participant | None],
    arm: Arm,
) -> Iterator[tuple[str, str]]:
    """Yield event and rule of each statement that breaks one, the books kept from their beginning."""
    if not records:
        return
    state = pharmacy.without_facts(study, records[0].stream)
    for record in records:
        rule = pharmacy.STUDY_JUDGES.get(record.type)
        if rule is not None and record.type != _NOT_AGAIN:
            case = StudyCase(record, state, INITIAL, _nothing, _no_entry, participants, arm)
            for code in in_force(rule(case), study, record.index):
                yield record.event, code
        fold = pharmacy.STUDY_FOLDS.get(record.type)
        if fold is not None:
            state = fold(state, record, _nothing)


def _nothing(_: str) -> bytes | None:
    return None


def _no_entry(_: str) -> Entry | None:
    return None
