"""The store of published checkpoints: compare-and-swap, and never two notes for one size."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import ConflictError, StoreError
from ledger.store.checkpoints import CheckpointStore
from ledger.store.sqlite_files import connect
from tests.store_contract import PATIENCE_S


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[CheckpointStore]:
    """A new, empty store."""
    with closing(CheckpointStore.create(tmp_path / "checkpoints.db")) as checkpoints:
        yield checkpoints


def test_nothing_is_published_at_first(checkpoints: CheckpointStore) -> None:
    """A new store has no newest checkpoint and none of any size."""
    assert checkpoints.latest() is None
    assert checkpoints.get(0) is None


def test_the_newest_checkpoint_and_each_older_one_are_kept(checkpoints: CheckpointStore) -> None:
    """Publishing one after another keeps the bytes of each under its size."""
    checkpoints.publish(b"three", 3, None)
    checkpoints.publish(b"eight", 8, 3)
    assert checkpoints.latest() == (8, b"eight")
    assert [checkpoints.get(size) for size in (3, 5, 8)] == [b"three", None, b"eight"]


@pytest.mark.parametrize(("size", "expected"), [(9, 3), (9, None), (9, 8), (5, 3), (5, None)])
def test_publishing_on_an_old_view_is_refused(
    checkpoints: CheckpointStore, size: int, expected: int | None
) -> None:
    """Who expected another newest size than there is, is refused, and nothing changes."""
    checkpoints.publish(b"three", 3, None)
    checkpoints.publish(b"five", 5, 3)
    with pytest.raises(ConflictError, match="CHECKPOINT_CONFLICT"):
        checkpoints.publish(b"other", size, expected)
    assert checkpoints.latest() == (5, b"five")


@pytest.mark.parametrize("size", [5, 4, 0])
def test_no_size_gets_a_second_note(checkpoints: CheckpointStore, size: int) -> None:
    """The same size, or a smaller one, is refused even with the right expectation."""
    checkpoints.publish(b"five", 5, None)
    with pytest.raises(ConflictError, match="CHECKPOINT_CONFLICT"):
        checkpoints.publish(b"other", size, 5)
    assert checkpoints.get(5) == b"five"


def test_of_many_publishers_one_succeeds(tmp_path: Path, checkpoints: CheckpointStore) -> None:
    """Of threads with connections of their own that saw the same newest size, one publishes."""
    checkpoints.publish(b"one", 1, None)
    outcomes: list[str] = []
    together = threading.Barrier(6)

    def publish(name: int) -> None:
        with closing(CheckpointStore(tmp_path / "checkpoints.db")) as mine:
            together.wait(PATIENCE_S)
            try:
                mine.publish(b"%d" % name, 2 + name, 1)
                outcomes.append("published")
            except ConflictError as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=publish, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(outcomes) == ["CHECKPOINT_CONFLICT"] * 5 + ["published"]


def test_a_reopened_store_is_the_same(tmp_path: Path, checkpoints: CheckpointStore) -> None:
    """What was published is there after closing and opening."""
    checkpoints.publish(b"three", 3, None)
    checkpoints.close()
    with closing(CheckpointStore(tmp_path / "checkpoints.db")) as again:
        assert again.latest() == (3, b"three")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoints SET note = x'00'",
        "DELETE FROM checkpoints",
        "INSERT OR REPLACE INTO checkpoints VALUES (0, 3, x'00')",
        "INSERT OR REPLACE INTO checkpoints VALUES (3, 3, x'00')",
    ],
)
def test_what_was_published_is_neither_changed_nor_deleted(
    tmp_path: Path, checkpoints: CheckpointStore, statement: str
) -> None:
    """UPDATE, DELETE and REPLACE are refused by the file itself."""
    checkpoints.publish(b"three", 3, None)
    around = closing(connect(tmp_path / "checkpoints.db", 5.0))
    with around as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert checkpoints.latest() == (3, b"three")


def test_a_locked_store_is_busy(tmp_path: Path, checkpoints: CheckpointStore) -> None:
    """While another process holds the file, publishing is STORE_BUSY, and works afterwards."""
    with closing(CheckpointStore(tmp_path / "checkpoints.db", busy_timeout_s=0.01)) as impatient:
        with closing(connect(tmp_path / "checkpoints.db", 5.0)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="STORE_BUSY"):
                impatient.publish(b"three", 3, None)
        impatient.publish(b"three", 3, None)
    assert checkpoints.latest() == (3, b"three")


def test_a_closed_store_says_so(checkpoints: CheckpointStore) -> None:
    """Closing twice is allowed; asking afterwards is STORE_CLOSED."""
    checkpoints.close()
    checkpoints.close()
    with pytest.raises(StoreError, match="STORE_CLOSED"):
        checkpoints.latest()


def test_the_file_is_explicit(tmp_path: Path) -> None:
    """A missing file is not made by opening, and an existing one is not made again."""
    path = tmp_path / "new.db"
    with pytest.raises(StoreError, match="STORE_MISSING"):
        CheckpointStore(path)
    CheckpointStore.create(path).close()
    with pytest.raises(StoreError, match="STORE_EXISTS"):
        CheckpointStore.create(path)
    assert [each.name for each in tmp_path.iterdir()] == ["new.db"]


def test_the_events_are_not_taken_for_checkpoints(tmp_path: Path) -> None:
    """Another kind of file is STORE_CORRUPT."""
    path = tmp_path / "text.db"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreError, match="STORE_CORRUPT"):
        CheckpointStore(path)
