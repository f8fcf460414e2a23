"""Eligibility as it was known at randomization: criterion by criterion, and what came to light afterwards.

Where the protocol randomizes nobody, what counts is when eligibility was confirmed.

The question at each randomization is what was on record *then* (E6(R3) 4.1): an assessment that was entered,
corrected or voided later is shown beside it as what is known now.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from ledger.rules.eligibility import fails
from ledger.study.definition import Criterion
from projections.book import new_book
from projections.desk import Desk
from projections.participant import PARTICIPANT
from projections.projection import replay
from projections.report import Report, Row

ASSESSED: Final = "criterion.assessed"


def eligibility(desk: Desk) -> Iterator[Row]:
    """Yield the criteria of each participant who was let in, in the order of the definition."""
    for participant in desk.participants():
        entry = _entry(desk, participant)
        if entry is None:
            continue
        asked, let_in = entry
        definition = desk.definition_of(participant, asked)
        for criterion in definition.criteria if definition is not None else ():
            yield _row(desk, participant, criterion, let_in)


def _entry(desk: Desk, participant: Participant) -> tuple[int, int] | None:
    """Return the indexes of the request and the answer that let a participant in; None before that."""
    first = next((r for r in participant.randomizations if r.stage == 1), None)
    if first is not None and first.answered is not None:
        return first.index, first.answered
    confirmed = _confirmed(desk, participant)
    if confirmed is None:
        return None
    definition = desk.definition_of(participant, confirmed)
    is_entry = definition is not None and definition.randomization is None
    return (confirmed, confirmed) if is_entry else None


def _confirmed(desk: Desk, participant: Participant) -> int | None:
    """Return the index of the confirmation that stands, or that was taken back and not given again."""
    if participant.eligibility is not None:
        return participant.eligibility.index
    taken_back = {each.confirmation for each in participant.consenting.revocations}
    newest = participant.consenting.confirmations[-1:]
    return desk.reads.index_of_event(newest[0]) if newest and newest[0] in taken_back else None


def _row(desk: Desk, participant: Participant, criterion: Criterion, answered: int) -> Row:
    stream = f"participant/{participant.id}"
    then, then_index = _result(desk, stream, criterion.id, answered)
    now, now_index = _result(desk, stream, criterion.id, desk.size)
    return {
        "site": participant.site,
        "participant": participant.id,
        "criterion": criterion.id,
        "kind": criterion.kind,
        "known_at_randomization": then,
        "passed_at_randomization": then is not None and not fails(criterion, then),
        "known_now": now,
        "passes_now": now is not None and not fails(criterion, now),
        "changed": then != now,
        "randomized_index": answered,
        "then_index": then_index,
        "now_index": now_index,
    }


def _result(desk: Desk, stream: str, criterion: str, size: int) -> tuple[str | None, int | None]:
    """Return the latest assessment as the stream read when the log had `size` leaves."""
    if size == desk.size:
        book = desk.book(stream)
    else:
        book = replay(PARTICIPANT, desk.entries_of(stream), new_book(stream)["id"], size)
    found: tuple[str | None, int | None] = (None, None)
    for record in book["records"]:
        if record["type"] == ASSESSED and "voided" not in record and record["data"]["criterion"] == criterion:
            found = (record["data"]["result"], record["index"])
    return found


REPORTS: Final = (
    Report(
        name="eligibility",
        question="What was known of each criterion at randomization, and what is known now?",
        columns=MappingProxyType(
            {
                "site": "the participant's site",
                "participant": "coded id",
                "criterion": "criterion of the protocol version in force then",
                "kind": "inclusion or exclusion",
                "known_at_randomization": "the latest assessment on record then; empty where there was none",
                "passed_at_randomization": "whether that let the participant in",
                "known_now": "the same, as it reads now",
                "passes_now": "whether that would let the participant in",
                "changed": "whether it reads differently now",
                "randomized_index": "index of the randomization; where there is none, of the confirmation",
                "then_index": "index of the assessment on record then",
                "now_index": "index of the assessment that counts now",
            }
        ),
        rows=eligibility,
    ),
)
