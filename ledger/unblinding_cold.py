"""What an emergency asks of the log, found without folding its conduct: allocations, and names of arms.

Folding the conduct of a log of 100,000 entries takes about a minute, which nobody at a bedside has. Where it
is folded already it is asked; else the few statements that matter are read by their type, those of older
epochs included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.committer import Ledger
from ledger.entry import Entry
from ledger.fold import load_entry
from ledger.study.definition import StudyDefinition
from ledger.studystate import Draw, read_definition

_RANDOMIZED: Final = "participant.randomized"
_APPROVED: Final = "protocol.approved"


def allocations(ledger: Ledger, participant: str) -> list[Draw]:
    """Return the allocations of a participant in the order of the log."""
    fold = ledger.refresh()
    if fold.is_whole:
        return [draw for draw in fold.conduct.study.draws if draw.participant == participant]
    return [_draw(entry) for entry in _said(ledger, _RANDOMIZED) if _participant(entry) == participant]


def definitions(ledger: Ledger) -> Iterator[StudyDefinition]:
    """Yield the study definitions that were approved, the newest first."""
    fold = ledger.refresh()
    if fold.is_whole:
        known = (protocol.definition for protocol in reversed(fold.conduct.study.protocols))
        yield from (definition for definition in known if definition is not None)
        return
    for entry in reversed(_said(ledger, _APPROVED)):
        if entry.statement is not None:
            data = entry.statement.data
            found = read_definition(fold.reader.attachment(data["definition"]["sha256"]), data["version"])
            if found is not None:
                yield found


def _said(ledger: Ledger, type_: str) -> list[Entry]:
    """Return what is recorded of a type, older epochs first."""
    older = [
        e for e in ledger.store.earlier.entries() if e.statement is not None and e.statement.type == type_
    ]
    return [*older, *map(load_entry, ledger.store.entries(0, ledger.fold.size, (type_,)))]


def _participant(entry: Entry) -> str:
    return "" if entry.statement is None else entry.statement.stream.partition("/")[2]


def _draw(entry: Entry) -> Draw:
    data: Mapping[str, Any] = {} if entry.statement is None else entry.statement.data
    return Draw(
        index=entry.index,
        event=entry.event,
        participant=_participant(entry),
        list=data["list"],
        stage=data["stage"],
        stratum=data["stratum"],
        list_index=data.get("list_index"),
    )
