"""The catalogue's rules judged again, offline, and compared with the breaches that the ledger recorded (§10).

A breach is *recorded* when a `breach.detected` names the statement and the rule, *unrecorded* when the rules
find it and none does. A gate that its rule refuses has no place in the log: it is a finding, and changes
nothing in the fold. What is sealed or withheld in this bundle is *not judged*, never passed.
"""

from __future__ import annotations

from typing import Final

from ledger.actions.registry import Effect as Kind
from ledger.actions.registry import spec
from ledger.authority import Authority
from ledger.conduct import Conduct, Effect, Violation
from ledger.earlier import fold_earlier
from ledger.leaf import Leaf
from ledger.lines import counted
from ledger.participant import Breach
from ledger.state.people import People
from ledger.statement import Statement
from ledger.verify.findings import CODES, finding
from ledger.verify.integrity import Judged
from ledger.verify.randomization import FOLLOWING
from ledger.verify.reader import BundleReader
from ledger.verify.tree import Reporter

BREACH: Final = "breach.detected"


class ConductJudge:
    """The fold of conduct, and the breaches that it finds and the log records."""

    def __init__(self, reader: BundleReader, report: Reporter, *, judged: bool = True) -> None:
        """Begin before index 0, where an older epoch ended; without it nothing is judged (`judged`)."""
        self.recorded = 0
        self._judged = judged
        self._conduct = Conduct(reader)
        fold_earlier(reader.earlier, self._conduct)
        self._reader = reader
        self._report = report
        self._withheld: dict[str, int] = {}
        self._newest = -1

    def withhold(self, leaf: Leaf) -> None:
        """Take note that the statement of a leaf is withheld."""
        self._withheld[leaf.stream] = leaf.index
        self._newest = leaf.index

    def judge(self, judged: Judged, authority: Authority) -> bool:
        """Judge an entry that counts; return whether it may be folded."""
        statement = judged.entry.statement
        if statement is None or not self._judged:
            return True
        refused = [
            violation
            for violation in self._conduct.judge(judged.entry, authority)
            if _refuses(violation, statement)
        ]
        for violation in refused:
            self._refusable(violation, judged.entry.index)
        if statement.type == BREACH and not refused:
            self._settle(statement, judged.entry.index)
        if statement.type not in FOLLOWING:
            self._newest = judged.entry.index
        return not refused

    def evolve(self, judged: Judged, authority: Authority) -> None:
        """Fold one entry in, with the authority as it was before it."""
        if self._judged:
            self._conduct.evolve(judged.entry, authority)

    @property
    def people(self) -> People:
        """Return the fold of releases, backups, erasures and reaffirmed records, as of the newest entry."""
        return self._conduct.study.people

    def finish(self) -> None:
        """Report every breach that the rules find and the log does not name."""
        if not self._judged:
            self._report(finding("NOT_JUDGED", "all rules: they rest on an older epoch that is not given"))
        for breach in self._conduct.unrecorded():
            if self._may_be_recorded(breach):
                detail = f"{breach.rule} is broken; whether it is recorded is withheld"
                self._report(finding("NOT_JUDGED", detail, index=breach.index))
            else:
                detail = f"{breach.rule} is broken and no breach is recorded"
                self._report(finding("UNRECORDED_BREACH", detail, index=breach.index))
        if self._conduct.closed:
            closed = counted(self._conduct.closed, "statement", "statements")
            detail = f"{closed} with values that are closed here: SEALED_RULE is not judged"
            self._report(finding("NOT_JUDGED", detail))
        if self._conduct.withheld:
            withheld = counted(self._conduct.withheld, "statement is", "statements are")
            detail = f"{withheld} withheld: rules over them are not judged"
            self._report(finding("NOT_JUDGED", detail))

    def _may_be_recorded(self, breach: Breach) -> bool:
        """Tell whether the breach's record, which stands in the same stream, may be among the withheld."""
        entry = self._reader.entry_at(breach.index) if breach.index >= 0 else None
        return entry is not None and self._withheld.get(entry.leaf.stream, -1) > breach.index

    def _settle(self, statement: Statement, index: int) -> None:
        self.recorded += 1
        event, rule = statement.data["statement"], statement.data["rule"]
        detail = f"{rule} was broken at index {self._reader.index_of(event)}"
        self._report(finding("RECORDED_BREACH", detail, index=index))
        found = self._conduct.found_at(statement.stream, event, rule)
        if found is not None and found < self._newest:
            self._report(finding("BREACH_LATE", f"it came to light at index {found}", index=index))

    def _refusable(self, violation: Violation, index: int) -> None:
        if violation.effect is Effect.FORM and violation.rule in CODES:
            self._report(finding(violation.rule, "the catalogue's rule of this name is broken", index=index))
        else:
            detail = f"{violation.rule} refuses it, and it stands in the log"
            self._report(finding("REFUSABLE", detail, index=index))


def _refuses(violation: Violation, statement: Statement) -> bool:
    """Tell whether a violation keeps a statement out of the log (R6)."""
    if violation.effect is Effect.FORM:
        return True
    gate = spec(statement.type, statement.schema).effect is Kind.GATE
    outside = "performed_outside" in statement.data
    return gate and not outside and violation.effect is not Effect.FLAG
