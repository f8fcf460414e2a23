"""Refusals and prompts: recorded up to the hourly limit of each person, counted beyond it, and summed up.

What is counted is this process's; the limit itself is a fold of the log (`refusals`), and so holds across
processes. A refusal is recorded in the transaction that refused, for a valid signature of an enrolled person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.errors import RefusedError
from ledger.refusals import PROMPTED, REFUSED, SUMMED_UP, payload_hmac
from ledger.submission import Submission
from ledger.transaction import Followed, Transaction

ACCESS: Final = "access/"


class Limited:
    """Mutable: how many of each person's refusals and prompts were only counted."""

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self.prompted: dict[str, int] = {}

    def refuse(self, tx: Transaction, submission: Submission, error: RefusedError) -> None:
        """Record a refusal, or count one beyond the limit."""
        statement, batch = submission.statement, tx.batch
        who = tx.fold.authority.person_of(statement.key.id)
        if who is None or not tx.may_attest():
            return
        if not tx.fold.refusals.admits(who, batch.at_us):
            self.refused[who] = self.refused.get(who, 0) + 1
            return
        self._sum_up(tx, who, REFUSED)
        data = {
            "payload_hmac": payload_hmac(tx.means.service.secret, statement.body),
            "rule": error.code,
            "type": statement.type,
            "who": who,
        }
        tx.attest(Followed(), REFUSED, f"{ACCESS}{batch.at[:7]}", data)

    def prompt(
        self,
        tx: Transaction,
        stream: str,
        data: Mapping[str, Any],
        sealed: Mapping[str, Any],
        *,
        schema: int,
        site: str | None,
    ) -> int | None:
        """Record a check that prompted somebody; return its index, None where it is only counted."""
        who, followed = data["who"], Followed()
        if not tx.fold.refusals.admits(who, tx.batch.at_us, PROMPTED):
            self.prompted[who] = self.prompted.get(who, 0) + 1
            return None
        self._sum_up(tx, who, PROMPTED)
        tx.attest(followed, PROMPTED, stream, data, schema=schema, sealed=sealed, site=site)
        return followed.indexes[0]

    def sum_up_all(self, tx: Transaction) -> None:
        """Record what was counted of every person, before a clean stop."""
        if tx.may_attest():
            for who in sorted(self.refused):
                self._sum_up(tx, who, REFUSED)
            for who in sorted(self.prompted):
                self._sum_up(tx, who, PROMPTED)

    def _sum_up(self, tx: Transaction, who: str, type_: str) -> None:
        """Record how many of a person were only counted since the last recorded one."""
        counted = self.prompted if type_ == PROMPTED else self.refused
        count, since = counted.pop(who, 0), tx.fold.refusals.last(who, type_)
        if count and since is not None:
            data = {"count": count, "since": since, "who": who}
            tx.attest(Followed(), type_, f"{ACCESS}{tx.batch.at[:7]}", data, schema=SUMMED_UP[type_])
