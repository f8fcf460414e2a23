"""What a rule is asked of a statement about others: the stream's view, and what is assured of it (H)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ledger.participant import Participant
from ledger.rules.case import IndexOf
from ledger.rules.record import Record
from ledger.rules.stream import StreamView
from ledger.state.assurance import Assurance
from ledger.statement import Statement
from ledger.studystate import StudyState

UNBLINDED: Final = frozenset(
    {
        "unblinded_pharmacist",
        "unblinded_monitor",
        "unblinded_safety_physician",
        "unblinded_statistician",
        "safety_committee",
    }
)
"""Roles that know the treatment: where blinded roles read they write about no record (R8)."""


class About(NamedTuple):
    """A record about statements of its stream.

    `participant` is None outside participants' streams; `withheld` says that statements of the log are not
    shown here, so that what rests on other streams cannot be told.
    """

    record: Record
    view: StreamView
    assurance: Assurance
    study: StudyState
    participant: Participant | None
    index_of: IndexOf
    withheld: bool

    @property
    def target(self) -> Statement | None:
        """The statement of this stream that `data` names; None where the stream has none such."""
        return self.view.statements.get(self.record.data["statement"])

    @property
    def by(self) -> str:
        """The person who signs."""
        return self.record.statement.actor.id

    @property
    def role(self) -> str:
        """The role that the person signs in."""
        return self.record.statement.actor.role


AboutJudge = Callable[[About], Iterator[str]]
