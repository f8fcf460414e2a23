"""What every store of published checkpoints has to do: tests that the test class of each kind inherits."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.errors import ConflictError, StoreError
from ledger.store.checkpoints import CheckpointStore
from tests.store_contract import PATIENCE_S

PUBLISHERS = 6


class CheckpointContract(ABC):
    """The contract. A subclass named `Test…` runs it against one kind; its fixture `place` is the storage."""

    @abstractmethod
    def open(self, place: str) -> CheckpointStore:
        """Open the store of a place, with a connection of its own."""

    @pytest.fixture
    def checkpoints(self, place: str) -> Iterator[CheckpointStore]:
        """A new, empty store."""
        with closing(self.open(place)) as checkpoints:
            yield checkpoints

    def test_nothing_is_published_at_first(self, checkpoints: CheckpointStore) -> None:
        """A new store has no newest checkpoint, none within a size and none of any size."""
        assert checkpoints.latest() is None
        assert checkpoints.newest_within(2**62) is None
        assert checkpoints.get(0) is None

    def test_the_newest_checkpoint_and_each_older_one_are_kept(self, checkpoints: CheckpointStore) -> None:
        """Publishing one after another keeps the bytes of each under its size."""
        checkpoints.publish(b"three", 3, None)
        checkpoints.publish(b"eight", 8, 3)
        assert checkpoints.latest() == (8, b"eight")
        assert [checkpoints.get(size) for size in (3, 5, 8)] == [b"three", None, b"eight"]

    @pytest.mark.parametrize(
        ("size", "found"),
        [(2, None), (3, (3, b"three")), (7, (3, b"three")), (8, (8, b"eight")), (9, (8, b"eight"))],
    )
    def test_the_newest_that_is_not_above_a_size(
        self, checkpoints: CheckpointStore, size: int, found: tuple[int, bytes] | None
    ) -> None:
        """A checkpoint of exactly that size counts; below the first one there is none."""
        checkpoints.publish(b"three", 3, None)
        checkpoints.publish(b"eight", 8, 3)
        assert checkpoints.newest_within(size) == found

    @pytest.mark.parametrize(("size", "expected"), [(9, 3), (9, None), (9, 8), (5, 3), (5, None)])
    def test_publishing_on_an_old_view_is_refused(
        self, checkpoints: CheckpointStore, size: int, expected: int | None
    ) -> None:
        """Who expected another newest size than there is, is refused, and nothing changes."""
        checkpoints.publish(b"three", 3, None)
        checkpoints.publish(b"five", 5, 3)
        with pytest.raises(ConflictError, match="CHECKPOINT_CONFLICT"):
            checkpoints.publish(b"other", size, expected)
        assert checkpoints.latest() == (5, b"five")

    @pytest.mark.parametrize("size", [5, 4, 0])
    def test_no_size_gets_a_second_note(self, checkpoints: CheckpointStore, size: int) -> None:
        """The same size, or a smaller one, is refused even with the right expectation."""
        checkpoints.publish(b"five", 5, None)
        with pytest.raises(ConflictError, match="CHECKPOINT_CONFLICT"):
            checkpoints.publish(b"other", size, 5)
        assert checkpoints.get(5) == b"five"

    def test_of_many_publishers_one_succeeds(self, place: str, checkpoints: CheckpointStore) -> None:
        """Of those with connections of their own that saw the same newest size, one publishes."""
        checkpoints.publish(b"one", 1, None)
        outcomes: list[str] = []
        won: list[bytes] = []
        together = threading.Barrier(PUBLISHERS)

        def publish(name: int) -> None:
            with closing(self.open(place)) as mine:
                together.wait(PATIENCE_S)
                try:
                    mine.publish(b"%d" % name, 7, 1)
                except ConflictError as error:
                    outcomes.append(error.code)
                else:
                    won.append(b"%d" % name)

        threads = [threading.Thread(target=publish, args=(name,)) for name in range(PUBLISHERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert outcomes == ["CHECKPOINT_CONFLICT"] * (PUBLISHERS - 1)
        assert [checkpoints.latest()] == [(7, note) for note in won]

    def test_a_reopened_store_is_the_same(self, place: str, checkpoints: CheckpointStore) -> None:
        """What was published is there after closing and opening."""
        checkpoints.publish(b"three", 3, None)
        checkpoints.close()
        with closing(self.open(place)) as again:
            assert again.latest() == (3, b"three")

    def test_a_closed_store_says_so(self, checkpoints: CheckpointStore) -> None:
        """Closing twice is allowed; asking and publishing afterwards are STORE_CLOSED."""
        checkpoints.close()
        checkpoints.close()
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            checkpoints.latest()
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            checkpoints.publish(b"three", 3, None)
