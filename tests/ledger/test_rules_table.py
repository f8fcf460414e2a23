"""docs/spec/rules.csv is what the code says."""

from __future__ import annotations

from ledger.rules.table import table
from tests.shared import ROOT


def test_the_published_table_is_generated() -> None:
    """A rule that is added or changed shows in the published table."""
    assert (ROOT / "docs" / "spec" / "rules.csv").read_text(encoding="utf-8") == table()
