"""The catalogue's rules judged again, offline, and compared with the breaches that the ledger recorded (§10).

A breach is *recorded* when a `breach.detected` names the statement and the rule, *unrecorded* when the rules
find it and none does. A gate that its rule refuses has no place in the log: it is a finding, and changes
nothing in the fold. What is sealed or withheld in this bundle is *not judged*, never passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.actions.registry import Effect as Kind
from ledger.actions.registry import spec
from ledger.authority import Authority
from ledger.conduct import Conduct, Effect, Violation
from ledger.verify.findings import CODES, finding
from ledger.verify.integrity import JudgedEntry
from ledger.verify.reader import BundleReader
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Reporter

BREACH: Final = "breach.detected"


class ConductJudge:
    """The fold of conduct, and the breaches expected and recorded."""

    def __init__(self, reader: BundleReader, events: KeyTable, report: Reporter) -> None:
        """Begin before index 0; `events` gives the index of every event so far."""
        self.recorded = 0
        self.not_judged = 0
        self._conduct = Conduct(reader)
        self._events = events
        self._report = report
        self._expected: dict[tuple[str, str], None] = {}

    def judge(self, judged: JudgedEntry, authority: Authority) -> bool:
        """Judge one entry; return whether it may be folded. Only entries that count come here."""
        entry, statement = judged.entry, judged.entry.statement
        if statement is None:
            return False
        if statement.type == BREACH:
            self._settle(statement.data["statement"], statement.data["rule"], entry.index)
        gate = spec(statement.type, statement.schema).effect is Kind.GATE
        outside = "performed_outside" in statement.data
        good = True
        for violation in self._conduct.judge(entry, authority):
            if violation.effect is Effect.FORM or (
                gate and not outside and violation.effect is not Effect.FLAG
            ):
                self._refusable(violation, entry.index)
                good = False
            else:
                self._expect((violation,))
        return good

    def evolve(self, judged: JudgedEntry, authority: Authority) -> None:
        """Fold one entry in, with the authority as it was before it."""
        self._expect(self._conduct.evolve(judged.entry, authority))

    def skip(self) -> None:
        """Count a statement that is withheld here."""
        self.not_judged += 1

    def finish(self) -> None:
        """Report every breach that the rules find and the log does not name."""
        for event, rule in self._expected:
            index = self._events.get(bytes.fromhex(event))
            self._report(
                finding("UNRECORDED_BREACH", f"{rule} is broken and no breach is recorded", index=index)
            )
        if self.not_judged:
            self._report(finding("NOT_JUDGED", f"{self.not_judged} statements are withheld here"))

    def _expect(self, violations: Iterable[Violation]) -> None:
        for violation in violations:
            self._expected[violation.statement, violation.rule] = None

    def _settle(self, event: str, rule: str, index: int) -> None:
        self.recorded += 1
        self._expected.pop((event, rule), None)
        named = self._events.get(bytes.fromhex(event))
        self._report(finding("RECORDED_BREACH", f"{rule} was broken at index {named}", index=index))

    def _refusable(self, violation: Violation, index: int) -> None:
        if violation.effect is Effect.FORM and violation.rule in CODES:
            self._report(finding(violation.rule, "the catalogue's rule of this name is broken", index=index))
        else:
            self._report(
                finding("REFUSABLE", f"{violation.rule} refuses it, and it stands in the log", index=index)
            )
