"""What tests of the verifier share: options of an auditor, and short ways to ask for findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.policy import TrustPolicy, parse_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.verify.report import Report
from tests.shared import VECTORS

MINIMAL = VECTORS / "bundle-minimal"
MINIMAL_POLICY = VECTORS / "bundle-minimal.policy"


def options(policy: TrustPolicy, **changes: Any) -> Options:
    """Return the options of a plain run, with changes."""
    plain = Options(
        policy=policy,
        ledger_id=None,
        scope=Scope(kind="study"),
        role="auditor",
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    return replace(plain, **changes)


def minimal(**changes: Any) -> Options:
    """Return options for the minimal bundle."""
    return options(parse_policy(MINIMAL_POLICY.read_bytes()), **changes)


def found(report: Report, code: str) -> list[int | None]:
    """Return the indexes of all findings and notes with a code."""
    return [each.index for each in report.findings if each.code == code]


def problems(report: Report) -> set[str]:
    """Return the codes that speak against a verdict."""
    return {each.code for each in report.problems}


def judge(path: Path, policy: TrustPolicy, **changes: Any) -> Report:
    """Verify with the options of a plain run, with changes."""
    return verify(path, options(policy, **changes))
