"""Many subscribers, a writer at full speed, and a server that is killed meanwhile: the short version."""

from __future__ import annotations

from pathlib import Path

from tests.soak.subscribers import Plan, soak


def test_every_subscriber_ends_with_the_same_entries_in_order(tmp_path: Path) -> None:
    """No gap, no entry taken twice, the same bytes for each of a role."""
    found = soak(tmp_path, Plan(subscribers=20, entries=200, restarts=1, verifying=False))
    assert found.size > 200
    assert found.told["connected"] >= 40
