"""What the verifier says at the end: three verdicts, the findings behind them, what they rest on (§10)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.verify.findings import CODES, Finding, Verdict
from ledger.verify.identity import Row, as_lines

HOLDS: Final = "holds"
FAILS: Final = "fails"
NOT_JUDGED: Final = "not judged"
SHOWN_PER_CODE: Final = 20

EXIT_HOLDS: Final = 0
EXIT_FINDINGS: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNUSABLE: Final = 3
EXIT_INTERRUPTED: Final = 130

_JUDGED: Final = (Verdict.INTEGRITY, Verdict.COMPLETENESS, Verdict.CONDUCT)
_STRICT: Final = frozenset({"RECORDED_BREACH", "NOT_JUDGED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of verifying one bundle.

    Attributes:
        complete: all of §10 was judged; False where an earlier step forbade reading on.
        pinned: a ledger id was given by the auditor.
        facts: origin, size, root and such, in the order to print.
        counts: what was counted on the way.
        identity: who stands behind each key, a row for each person.
    """

    findings: tuple[Finding, ...]
    complete: bool
    pinned: bool
    strict_conduct: bool
    facts: Mapping[str, str | int]
    counts: Mapping[str, int]
    identity: tuple[Row, ...] = ()

    def verdict(self, verdict: Verdict) -> str:
        """Say whether one of the three verdicts holds."""
        if any(self._against(each) is verdict for each in self.findings):
            return FAILS
        return HOLDS if self.complete else NOT_JUDGED

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is reported and speaks against no verdict."""
        return tuple(each for each in self.findings if self._against(each) is Verdict.NOTE)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What speaks against a verdict, or against the input."""
        return tuple(each for each in self.findings if self._against(each) is not Verdict.NOTE)

    @property
    def exit_code(self) -> int:
        """Return 0 if all holds, 1 for findings, 3 for unusable input or an unpinned ledger."""
        if any(self._against(each) is not Verdict.UNUSABLE for each in self.problems):
            return EXIT_FINDINGS
        if self.problems or not self.complete or not self.pinned:
            return EXIT_UNUSABLE
        return EXIT_HOLDS

    @property
    def first_index(self) -> int | None:
        """Return the lowest index that a finding names."""
        return min((each.index for each in self.problems if each.index is not None), default=None)

    def _against(self, each: Finding) -> Verdict:
        if self.strict_conduct and each.code in _STRICT:
            return Verdict.CONDUCT
        return each.verdict


def as_json(report: Report) -> str:
    """Write the report for programs: one JSON object, keys sorted, ASCII."""
    value: dict[str, Any] = {
        "verdicts": {verdict.value: report.verdict(verdict) for verdict in _JUDGED},
        "exit": report.exit_code,
        "pinned": report.pinned,
        "first_index": report.first_index,
        "facts": dict(report.facts),
        "counts": dict(report.counts),
        "identity": list(report.identity),
        "findings": [_plain(each) for each in report.problems],
        "notes": [_plain(each) for each in report.notes],
    }
    return json.dumps(value, indent=2, sort_keys=True)


def _plain(each: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {
        "code": each.code,
        "verdict": each.verdict.value,
        "section": CODES[each.code].section,
        "detail": each.detail,
    }
    if each.index is not None:
        row["index"] = each.index
    if each.file is not None:
        row["file"] = each.file
    return row


def as_text(report: Report, *, identity: bool = False) -> str:
    """Write the report for people; of each code at most the first few findings, people where asked for."""
    lines = [f"{name:<14}{value}" for name, value in report.facts.items()]
    lines += ["", *(f"{verdict.value:<14}{report.verdict(verdict)}" for verdict in _JUDGED), ""]
    if report.problems:
        count = len(report.problems)
        lines += [f"{count} {'finding' if count == 1 else 'findings'}", *_listed(report.problems), ""]
    if report.first_index is not None:
        lines += [f"the first event that is affected has index {report.first_index}", ""]
    if report.notes:
        lines += ["notes", *_listed(report.notes), ""]
    lines += [f"{name:<44}{value}" for name, value in report.counts.items()]
    if identity:
        lines += ["", "people and their keys", *as_lines(report.identity)]
    lines += ["", _summary(report)]
    return _printable("\n".join(lines)) + "\n"


def _printable(text: str) -> str:
    """Keep a hostile bundle from writing control characters to the terminal."""
    return "".join(char if char == "\n" or char.isprintable() else "?" for char in text)


def _listed(findings: tuple[Finding, ...]) -> list[str]:
    lines = []
    printed: Counter[str] = Counter()
    for each in findings:
        printed[each.code] += 1
        if printed[each.code] <= SHOWN_PER_CODE:
            where = "" if each.index is None else f" index {each.index}"
            file = "" if each.file is None else f" in {each.file}"
            lines.append(f"  {each.code}{where}{file}: {each.detail}")
    for code, count in printed.items():
        if count > SHOWN_PER_CODE:
            lines.append(f"  {code}: {count - SHOWN_PER_CODE} more")
    return lines


def _summary(report: Report) -> str:
    match report.exit_code:
        case 0:
            return "VERIFIED: integrity and completeness hold, and no breach is unrecorded"
        case 1:
            return "NOT VERIFIED: see the findings"
        case _ if not report.pinned and report.complete:
            return "UNPINNED: all holds, but for a ledger that nobody named; give its ledger id"
        case _:
            return "UNUSABLE: this input can't be judged"
