"""What the demonstration says at its end: who is where, what was broken and refused, what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.committer import Ledger
from ledger.directory import read_config
from ledger.lines import counted, encode_base64
from ledger.settings import DEFAULT_HOST, DEFAULT_PORT
from ledger.statement import parse_statement
from ledger.verify.findings import Verdict
from ledger.verify.report import Report

DEMO_ROLES: Final = ("auditor", "investigator", "coordinator", "blinded_monitor", "data_manager")
"""Roles that have a reading token."""

_PAGE: Final = 1_000
_JUDGED: Final = (Verdict.INTEGRITY, Verdict.COMPLETENESS, Verdict.CONDUCT)


def token_text(role: str) -> str:
    """Return the bearer token of a role: public, like every secret of the demonstration."""
    return f"demo-{role.replace('_', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """The demonstration in figures.

    Attributes:
        root: of the tree of `events` leaves, base64 as in the checkpoint.
        participants: by status, the most frequent first.
        breaches: by rule, as the log has them; `open_breaches` the ones that nothing has closed.
        refusals: by rule.
        verdict: what `verify` says of the export.
    """

    directory: Path
    seed: int
    origin: str
    study: str
    title: str
    ledger_id: str
    events: int
    root: str
    registered: int
    randomized: int
    participants: Mapping[str, int]
    types: Mapping[str, int]
    breaches: Mapping[str, int]
    open_breaches: int
    refusals: Mapping[str, int]
    verdict: Report

    @property
    def verified(self) -> bool:
        """Tell whether the export was verified without findings."""
        return self.verdict.exit_code == 0

    def as_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "demonstration": True,
            "directory": str(self.directory),
            "seed": self.seed,
            "origin": self.origin,
            "study": self.study,
            "ledger_id": self.ledger_id,
            "events": self.events,
            "root": self.root,
            "registered": self.registered,
            "randomized": self.randomized,
            "participants": dict(self.participants),
            "types": dict(self.types),
            "breaches": dict(self.breaches),
            "open_breaches": self.open_breaches,
            "refusals": dict(self.refusals),
            "export": str(self.directory / "export"),
            "policy": str(self.directory / "policy"),
            "verdicts": {verdict.value: self.verdict.verdict(verdict) for verdict in _JUDGED},
            "verified": self.verified,
        }

    def as_text(self) -> str:
        """Return the figures for people, and what to try next."""
        place = self.directory
        url = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/v1/studies/{self.study}"
        token = token_text(DEMO_ROLES[0])
        verdicts = ", ".join(f"{verdict.value} {self.verdict.verdict(verdict)}" for verdict in _JUDGED)
        breaches = counted(sum(self.breaches.values()), "breach", "breaches")
        return "\n".join(
            [
                f"DEMONSTRATION of {self.title}: nobody in it is real, and all of its keys are public.",
                "",
                f"ledger id    {self.ledger_id}",
                f"origin       {self.origin}",
                f"events       {self.events}",
                f"root         {self.root}",
                f"seed         {self.seed}: the same seed gives the same root",
                "",
                f"{self.registered} registered, {self.randomized} randomized",
                *_table(self.participants),
                "",
                f"{breaches} detected, {self.open_breaches} of them open",
                *_table(self.breaches),
                "",
                f"{counted(sum(self.refusals.values()), 'command', 'commands')} refused",
                *_table(self.refusals),
                "",
                f"exported to {place / 'export'} and verified: {verdicts}",
                "",
                "Look further:",
                f"  trial-ledger verify {place / 'export'} --policy {place / 'policy'}",
                f"  trial-ledger serve {place}",
                f"  curl -H 'Authorization: Bearer {token}' {url}/participants",
                f"  (tokens: {', '.join(token_text(role) for role in DEMO_ROLES)})",
                "",
                "Verify with openssl, sha256sum and sed alone, by the commands of VERIFY.md:",
                f"  cd {place / 'export'}",
                "  export POLICY=../policy WORK=$(mktemp -d)",
                "  sed -n '/^```bash$/,/^```$/{/^```/d;p;}' VERIFY.md | bash",
            ]
        )


def report_of(ledger: Ledger, directory: Path, *, seed: int, ledger_id: str, verdict: Report) -> DemoReport:
    """Count what the log holds."""
    fold = ledger.refresh()
    head = ledger.store.head()
    types: Counter[str] = Counter()
    breaches: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for start in range(0, head.size, _PAGE):
        for entry in ledger.store.entries(start, min(head.size, start + _PAGE)):
            types[entry.type] += 1
            if entry.type in ("breach.detected", "command.refused") and entry.schema == 1:
                counted = breaches if entry.type == "breach.detected" else refusals
                counted[parse_statement(entry.statement).data["rule"]] += 1
    participants = list(fold.conduct.participants())
    return DemoReport(
        directory=directory,
        seed=seed,
        origin=ledger.origin,
        study=read_config(directory).study,
        title=_title(ledger),
        ledger_id=ledger_id,
        events=head.size,
        root=encode_base64(head.root),
        registered=len(participants),
        randomized=sum(participant.randomized for participant in participants),
        participants=dict(Counter(str(p.status) for p in participants).most_common()),
        types=dict(sorted(types.items())),
        breaches=dict(sorted(breaches.items())),
        open_breaches=sum(breach.is_open for breach in fold.conduct.breaches()),
        refusals=dict(sorted(refusals.items())),
        verdict=verdict,
    )


def _title(ledger: Ledger) -> str:
    protocol = ledger.refresh().conduct.study.protocols[-1]
    return protocol.definition.title if protocol.definition is not None else ""


def _table(rows: Mapping[str, int]) -> list[str]:
    return [f"  {count:>5}  {name}" for name, count in rows.items()]
