"""Small files beside the log: made once, opened as what they are, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import LedgerError, StoreError
from ledger.store.small_file import SmallFile
from ledger.store.unblindings import UnblindingQueue
from ledger.witness.keeping import Cosignatures

INSERT = "INSERT INTO waiting (event, nonce, ciphertext) VALUES (?, ?, ?)"
ROW = ("00" * 32, b"n" * 12, b"sealed")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SmallFile]:
    """A queue of unblindings, as a file of any kind."""
    with UnblindingQueue.create(tmp_path / "queue.db") as opened:
        yield opened


def test_what_was_changed_is_there_after_opening_again(file: SmallFile) -> None:
    """A statement is durable when `change` returns."""
    file.change(INSERT, ROW)
    with UnblindingQueue(file.path) as again:
        assert again.read("SELECT event, nonce, ciphertext FROM waiting") == [ROW]


def test_a_transaction_that_fails_leaves_nothing(file: SmallFile) -> None:
    """A statement that fails undoes what was written before it, and the file goes on."""
    with pytest.raises(StoreError):
        _write_and_fail(file)
    assert file.read("SELECT 1 FROM waiting") == []
    file.change(INSERT, ROW)


def test_the_database_s_own_errors_stay_inside(file: SmallFile) -> None:
    """A row twice is DUPLICATE, and no exception of the module leaves."""
    file.change(INSERT, ROW)
    with pytest.raises(LedgerError) as refused:
        file.change(INSERT, ROW)
    assert refused.value.code == "DUPLICATE"


def test_another_writer_is_waited_for_and_then_told_of(file: SmallFile) -> None:
    """Who holds the write lock longer than the patience is STORE_BUSY."""
    with UnblindingQueue(file.path, busy_timeout_s=0.01) as other, file.writing():
        with pytest.raises(StoreError) as busy:
            other.change(INSERT, ROW)
        assert busy.value.code == "STORE_BUSY"


def test_a_closed_file_says_so(file: SmallFile) -> None:
    """Closing twice is allowed; using it afterwards is STORE_CLOSED."""
    file.close()
    file.close()
    with pytest.raises(StoreError) as closed:
        file.read("SELECT 1")
    assert closed.value.code == "STORE_CLOSED"


def test_a_file_of_another_kind_is_not_opened(file: SmallFile) -> None:
    """The application id tells one kind from another: STORE_CORRUPT, and nothing stays open."""
    with pytest.raises(StoreError) as other:
        Cosignatures(file.path)
    assert other.value.code == "STORE_CORRUPT"


def test_its_description_is_its_path_alone(file: SmallFile) -> None:
    """`repr` shows no row."""
    assert repr(file) == f"<UnblindingQueue {file.path}>"


def _write_and_fail(file: SmallFile) -> None:
    with file.writing() as connection:
        connection.execute(INSERT, ROW)
        connection.execute("no statement")
