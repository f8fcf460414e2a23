"""What a confirmation of eligibility would sign: the newest assessment of every criterion (catalogue C)."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from api.call import Call
from ledger.fold import LogFold
from ledger.participant import Participant
from ledger.rules.eligibility import criteria_digest
from ledger.rules.protocols import version_for
from ledger.study.definition import Criterion, StudyDefinition
from ledger.times import Interval

Row = dict[str, Any]


def criteria(call: Call, fold: LogFold, participant: Participant) -> list[Row]:
    """Return each criterion of the version in force, in its order, with what was assessed last.

    `result`, `event` and `index` are null where it was not assessed (`assessed`) in the present screening.
    """
    now_us = call.study.ledger.sources.now_us()
    now = Interval(earliest_us=now_us, latest_us=now_us)
    protocol = version_for(participant, fold.conduct.study, now, fold.size)
    definition = None if protocol is None else protocol.definition
    return [] if definition is None else [_row(each, participant) for each in _all(definition, participant)]


def within(rows: list[Row], seen: Set[int]) -> list[Row]:
    """Return the rows without what stands in statements that the reader does not see."""
    unseen = {"result": None, "event": None, "index": None}
    return [row if row["index"] in seen else {**row, **unseen} for row in rows]


def digest(participant: Participant) -> str | None:
    """Return the digest that is signed; None where nothing was assessed."""
    return criteria_digest(participant.assessments) if participant.assessments else None


def _all(definition: StudyDefinition, participant: Participant) -> list[Criterion | str]:
    """Return the criteria of the version, and ids of others that were assessed: the digest has them too."""
    named = {each.id for each in definition.criteria}
    return [*definition.criteria, *sorted(participant.assessments.keys() - named)]


def _row(criterion: Criterion | str, participant: Participant) -> Row:
    name = criterion if isinstance(criterion, str) else criterion.id
    found = participant.assessments.get(name)
    return {
        "criterion": name,
        "kind": None if isinstance(criterion, str) else criterion.kind,
        "text": None if isinstance(criterion, str) else criterion.text,
        "assessed": found is not None,
        "result": None if found is None else found.result,
        "event": None if found is None else found.event,
        "index": None if found is None else int(found.index),
    }
