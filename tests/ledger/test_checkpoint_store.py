"""Published checkpoints in a file: the contract, and what the file itself refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import StoreError
from ledger.store.checkpoints import CheckpointFile
from ledger.store.sqlite_files import connect
from tests.checkpoint_contract import CheckpointContract


class TestCheckpointFile(CheckpointContract):
    """The contract, for a file."""

    @pytest.fixture
    def place(self, path: Path) -> str:
        """The path of a new, empty file."""
        return str(path)

    def open(self, place: str) -> CheckpointFile:
        return CheckpointFile(Path(place))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new, empty file."""
    CheckpointFile.create(tmp_path / "checkpoints.db").close()
    return tmp_path / "checkpoints.db"


@pytest.fixture
def checkpoints(path: Path) -> Iterator[CheckpointFile]:
    """A new, empty store."""
    with closing(CheckpointFile(path)) as checkpoints:
        yield checkpoints


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
    path: Path, checkpoints: CheckpointFile, statement: str
) -> None:
    """UPDATE, DELETE and REPLACE are refused by the file itself."""
    checkpoints.publish(b"three", 3, None)
    around = closing(connect(path, 5.0))
    with around as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert checkpoints.latest() == (3, b"three")


def test_a_locked_store_is_busy(path: Path, checkpoints: CheckpointFile) -> None:
    """While another process holds the file, publishing is STORE_BUSY, and works afterwards."""
    with closing(CheckpointFile(path, busy_timeout_s=0.01)) as impatient:
        with closing(connect(path, 5.0)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="STORE_BUSY"):
                impatient.publish(b"three", 3, None)
        impatient.publish(b"three", 3, None)
    assert checkpoints.latest() == (3, b"three")


def test_the_file_is_explicit(tmp_path: Path) -> None:
    """A missing file is not made by opening, and an existing one is not made again."""
    path = tmp_path / "new.db"
    with pytest.raises(StoreError, match="STORE_MISSING"):
        CheckpointFile(path)
    CheckpointFile.create(path).close()
    with pytest.raises(StoreError, match="STORE_EXISTS"):
        CheckpointFile.create(path)
    assert [each.name for each in tmp_path.iterdir()] == ["new.db"]


def test_the_events_are_not_taken_for_checkpoints(tmp_path: Path) -> None:
    """Another kind of file is STORE_CORRUPT."""
    path = tmp_path / "text.db"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreError, match="STORE_CORRUPT"):
        CheckpointFile(path)
