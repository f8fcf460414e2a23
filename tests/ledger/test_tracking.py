"""Positions of projections: exactly once with what was derived, forward only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError, Tracking

from ledger.errors import LedgerError, StoreError
from ledger.store.tracking import LedgerTrackingRecorder


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[LedgerTrackingRecorder]:
    """A new file with one table of a projection."""
    with closing(LedgerTrackingRecorder.create(tmp_path / "projections.db")) as tracking:
        with tracking.transaction() as connection:
            connection.execute("CREATE TABLE seen (idx INTEGER PRIMARY KEY)")
        yield tracking


def seen(tracking: LedgerTrackingRecorder) -> list[int]:
    """Return what the projection has derived."""
    with tracking.transaction() as connection:
        return [row[0] for row in connection.execute("SELECT idx FROM seen ORDER BY idx")]


def derive(tracking: LedgerTrackingRecorder, upto: int, *rows: int) -> None:
    """Write rows and the position up to which they reach, as a projection does."""
    with tracking.transaction() as connection:
        connection.executemany("INSERT INTO seen VALUES (?)", [(row,) for row in rows])
        tracking.insert_tracking(Tracking("seen", upto))


def test_each_projection_has_its_own_position(tracking: LedgerTrackingRecorder) -> None:
    """A projection that never ran has none; the others' positions are their own."""
    tracking.insert_tracking(Tracking("enrolment", 7))
    tracking.insert_tracking(Tracking("timeline", 3))
    positions = [tracking.max_tracking_id(name) for name in ("enrolment", "timeline", "breaches")]
    assert positions == [7, 3, None]


def derive_and_fail(tracking: LedgerTrackingRecorder, upto: int, *rows: int) -> None:
    """Do the same inside a longer transaction that fails at its end."""
    with tracking.transaction():
        derive(tracking, upto, *rows)
        raise ZeroDivisionError


@pytest.mark.parametrize("position", [5, 4])
def test_a_position_only_moves_forward(tracking: LedgerTrackingRecorder, position: int) -> None:
    """The same or an earlier position is refused with all that was written beside it."""
    derive(tracking, 5, 1, 2)
    with pytest.raises(IntegrityError):
        derive(tracking, position, 3)
    assert (tracking.max_tracking_id("seen"), seen(tracking)) == (5, [1, 2])


def test_rows_and_position_are_kept_together_or_not_at_all(tracking: LedgerTrackingRecorder) -> None:
    """A failing statement takes back what was written before it, rows and position."""
    derive(tracking, 5, 1)
    with pytest.raises(LedgerError):
        derive(tracking, 9, 2, 2)
    with pytest.raises(ZeroDivisionError):
        derive_and_fail(tracking, 9, 2)
    assert (tracking.max_tracking_id("seen"), seen(tracking)) == (5, [1])


def test_of_two_runners_with_the_same_page_one_is_refused(
    tmp_path: Path, tracking: LedgerTrackingRecorder
) -> None:
    """Two processes that read the same position cannot both write what comes after it."""
    with closing(LedgerTrackingRecorder(tmp_path / "projections.db")) as other:
        derive(other, 2, 1)
        with pytest.raises(IntegrityError):
            derive(tracking, 2, 10)
        assert seen(tracking) == [1]


def test_the_library_can_wait_for_a_position(tracking: LedgerTrackingRecorder) -> None:
    """wait() returns when the position is reached and times out when it is not."""
    tracking.insert_tracking(Tracking("seen", 3))
    tracking.wait("seen", 3)
    with pytest.raises(TimeoutError):
        tracking.wait("seen", 4, timeout=0.001)


def test_a_forgotten_projection_starts_again(tracking: LedgerTrackingRecorder) -> None:
    """After forget() there is no position, and any one may be written."""
    derive(tracking, 5, 1)
    tracking.forget("seen")
    assert tracking.max_tracking_id("seen") is None
    derive(tracking, 1, 2)
    assert tracking.max_tracking_id("seen") == 1


def test_the_file_is_explicit(tmp_path: Path) -> None:
    """A missing file is not made by opening, an existing one not made again, another kind not opened."""
    path = tmp_path / "projections.db"
    with pytest.raises(StoreError, match="STORE_MISSING"):
        LedgerTrackingRecorder(path)
    LedgerTrackingRecorder.create(path).close()
    with pytest.raises(StoreError, match="STORE_EXISTS"):
        LedgerTrackingRecorder.create(path)
    other = tmp_path / "other.db"
    other.write_bytes(b"")
    with pytest.raises(StoreError, match="STORE_CORRUPT"):
        LedgerTrackingRecorder(other)
