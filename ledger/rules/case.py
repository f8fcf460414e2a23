"""What a rule is asked: one record, and the state before it.

A rule is a function from a case to the codes that the record breaks; a fold is a function from a case to the
participant after it. Neither changes anything, and both are the same for a new statement and for one that a
correction folds again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ledger.authority import Authority
from ledger.entry import Entry
from ledger.participant import Participant
from ledger.rules.record import Record
from ledger.study.definition import StudyDefinition
from ledger.studystate import Attachments, Protocol, StudyState

IndexOf = Callable[[str], int | None]
"""The index of an event hash; None where the log has none, or where it is not asked."""


def _unasked(event: str) -> None:
    """Know no event."""


class Case(NamedTuple):
    """A record in a participant's stream, with the protocol version in force for it (`rules.protocols`).

    `index_of` knows at least the events of the record's own stream before it.
    """

    record: Record
    participant: Participant
    study: StudyState
    protocol: Protocol | None
    index_of: IndexOf = _unasked

    @property
    def definition(self) -> StudyDefinition | None:
        """The definition of the protocol version in force, if any."""
        return None if self.protocol is None else self.protocol.definition

    @property
    def site(self) -> str:
        """The participant's site."""
        return self.participant.site

    @property
    def zone(self) -> str:
        """The IANA zone of the participant's site."""
        return self.study.zone(self.participant.site)


Arm = Callable[[Participant, int], str | None]


class StudyCase(NamedTuple):
    """A record in any other stream.

    `attachments` gives the bytes of one by its SHA-256; `earlier` the entry of an event hash below this
    record's index, None where there is none, and one without its statement where that is withheld;
    `participants` a participant as the log stands; `arm` the arm that one
    had before an index, where it opens.
    """

    record: Record
    study: StudyState
    authority: Authority
    attachments: Attachments
    earlier: Callable[[str], Entry | None]
    participants: Callable[[str], Participant | None]
    arm: Arm


Judge = Callable[[Case], Iterator[str]]
Fold = Callable[[Case], Participant]
StudyJudge = Callable[[StudyCase], Iterator[str]]
StudyFold = Callable[[StudyState, Record, Attachments], StudyState]
