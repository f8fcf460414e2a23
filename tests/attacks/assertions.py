"""What tests of attacks say of a report."""

from __future__ import annotations

from ledger.verify.report import Report
from tests.ledger.verifying import problems


def assert_only(report: Report, code: str, at: int) -> None:
    """Hold a report to one code, at one index first, and to exit code 1."""
    assert problems(report) == {code}
    assert report.first_index == at
    assert report.exit_code == 1
