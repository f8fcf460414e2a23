"""fsck holds kept projections to the log."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.demo import DemoReport
from ledger.directory import DATABASE
from ledger.store.sqlite import SqliteStore
from projections.check import checker
from projections.runner import FILE, opened


def kept(demo: DemoReport, place: Path) -> SqliteStore:
    """Copy the demonstration's store and keep projections beside it."""
    shutil.copy(demo.directory / DATABASE, place / DATABASE)
    store = SqliteStore.open(place / DATABASE)
    with opened(place / FILE) as runner, store.snapshot() as reads:
        runner.run(reads)
    return store


def test_kept_states_that_follow_from_the_log_are_no_finding(demo: DemoReport, tmp_path: Path) -> None:
    """What the runner kept is what the log gives."""
    with closing(kept(demo, tmp_path)) as store, store.snapshot() as reads:
        assert list(checker(tmp_path)(reads)) == []


def test_a_changed_state_is_found(demo: DemoReport, tmp_path: Path) -> None:
    """One byte of one kept state that is changed behind the runner is named."""
    with closing(kept(demo, tmp_path)) as store, store.snapshot() as reads:
        with closing(sqlite3.connect(tmp_path / FILE)) as raw, raw:
            changed = raw.execute(
                "UPDATE states SET state = CAST(replace(CAST(state AS TEXT), 'SA-01', 'SA-02') AS BLOB) "
                "WHERE key = (SELECT min(key) FROM states WHERE projection LIKE 'participants/%') "
                "AND projection LIKE 'participants/%'"
            )
            assert changed.rowcount == 1
        [found] = list(checker(tmp_path)(reads))
        assert found.code == "PROJECTION"


def test_no_kept_projections_are_no_finding(demo: DemoReport, tmp_path: Path) -> None:
    """A ledger whose projections were never kept has none to compare."""
    shutil.copy(demo.directory / DATABASE, tmp_path / DATABASE)
    with closing(SqliteStore.open(tmp_path / DATABASE)) as store, store.snapshot() as reads:
        assert list(checker(tmp_path)(reads)) == []
    assert not (tmp_path / FILE).exists()
