"""The start-up rule, with real trees, real log keys and copies of real files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.errors import StoreError
from ledger.merkle import leaf_hash
from ledger.note import CosignatureSigner, NoteSigner
from ledger.store.checkpoints import CheckpointFile, CheckpointStore
from ledger.store.port import Commit
from ledger.store.sqlite import SqliteStore
from ledger.store.startup import LOG_BEHIND_CHECKPOINT, LOG_INCONSISTENT, Startup, check
from tests.behind import altering
from tests.store_log import STUDY, Log, digest

ORIGIN = "ledger.example/startup"
HEAD_SIGNER = NoteSigner(ORIGIN, digest("log key"))
PUBLISHER = CosignatureSigner(ORIGIN, digest("log key pq"))
LOG_KEYS = (HEAD_SIGNER.key, PUBLISHER.key)
TIME_S = 1_718_000_000


@dataclass(slots=True, kw_only=True)
class Place:
    """A directory with a store and its checkpoints, and the log that is grown in it."""

    directory: Path
    store: SqliteStore
    checkpoints: CheckpointStore
    log: Log

    def grow(self, count: int) -> Commit:
        """Commit events under a signed head."""
        commit = self.log.commit(*[STUDY] * count)
        signed = replace(commit, head=note(self.log.frontier.size, commit.root))
        with self.store.write() as transaction:
            transaction.append(signed)
        return signed

    def publish(self) -> None:
        """Publish a checkpoint of the newest head."""
        head, latest = self.store.head(), self.checkpoints.latest()
        published = publish(head.note, [PUBLISHER], TIME_S)
        self.checkpoints.publish(published, head.size, latest[0] if latest else None)

    def put_back(self, copy: Path) -> None:
        """Replace the events by an older copy of them."""
        self.store.close()
        shutil.copy(copy, self.directory / "ledger.db")
        self.store = SqliteStore.open(self.directory / "ledger.db")

    def copy(self) -> Path:
        """Copy the events as a backup does, with everything in the file."""
        self.store.close()
        target = self.directory / "copy.db"
        shutil.copy(self.directory / "ledger.db", target)
        self.store = SqliteStore.open(self.directory / "ledger.db")
        return target

    def tamper(self, statement: str) -> None:
        """Change the stored tables behind the triggers."""
        self.store.close()
        with altering(self.directory / "ledger.db") as behind:
            behind.execute(statement)
        self.store = SqliteStore.open(self.directory / "ledger.db")

    def check(self) -> Startup:
        """Judge the place as a starting process does."""
        return check(self.store, self.checkpoints, LOG_KEYS)


def note(size: int, root: bytes) -> bytes:
    """Return a signed head."""
    return sign_head(Checkpoint(origin=ORIGIN, size=size, root=root), HEAD_SIGNER)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty ledger."""
    store = SqliteStore.create(tmp_path / "ledger.db")
    checkpoints = CheckpointFile.create(tmp_path / "checkpoints.db")
    place = Place(directory=tmp_path, store=store, checkpoints=checkpoints, log=Log(store))
    yield place
    place.store.close()
    place.checkpoints.close()


def test_an_empty_ledger_starts(place: Place) -> None:
    """With no events and nothing published there is nothing to freeze."""
    assert place.check() == Startup(frozen=False, code=None, message="0 events, nothing published yet")


def test_events_before_the_first_checkpoint_start(place: Place) -> None:
    """A process that ended between its first commit and the first publication goes on."""
    place.grow(3)
    assert not place.check().frozen


@pytest.mark.parametrize(("before", "after"), [(1, 0), (1, 1), (7, 300), (255, 2), (256, 256), (300, 1)])
def test_events_that_continue_what_was_published_start(place: Place, before: int, after: int) -> None:
    """At the published size, and ahead of it over tile boundaries, the ledger goes on."""
    place.grow(before)
    place.publish()
    if after:
        place.grow(after)
    assert place.check().code is None


def test_an_older_copy_put_back_is_frozen(place: Place) -> None:
    """Events that are fewer than was published freeze the ledger, and reading goes on."""
    place.grow(5)
    place.publish()
    copy = place.copy()
    place.grow(4)
    place.publish()
    place.put_back(copy)
    startup = place.check()
    assert (startup.frozen, startup.code) == (True, LOG_BEHIND_CHECKPOINT)
    assert startup.message == "a checkpoint of 9 events was published, found 5 events"
    assert len(place.store.entries(0, 99)) == 5


def test_an_older_copy_that_was_written_on_is_frozen(place: Place) -> None:
    """A history that left the published one, longer than it, is inconsistent."""
    place.grow(5)
    copy = place.copy()
    place.grow(4)
    place.publish()
    place.put_back(copy)
    place.log = Log(place.store, name="another history")
    place.grow(20)
    assert place.check().code == LOG_INCONSISTENT


def test_another_history_of_the_same_size_is_frozen(place: Place) -> None:
    """Same size and another root is inconsistent."""
    copy = place.copy()
    place.grow(4)
    place.publish()
    place.put_back(copy)
    place.log = Log(place.store, name="another history")
    place.grow(4)
    assert place.check().code == LOG_INCONSISTENT


def test_another_ledgers_checkpoints_are_frozen(place: Place) -> None:
    """A checkpoint that the log's keys did not sign is not the log's."""
    place.grow(2)
    other = CosignatureSigner(ORIGIN, digest("another key"))
    place.checkpoints.publish(publish(place.store.head().note, [other], TIME_S), 2, None)
    assert place.check().code == LOG_INCONSISTENT


def test_a_checkpoint_kept_under_another_size_is_frozen(place: Place) -> None:
    """The size of the row and the size that was signed have to agree."""
    place.grow(3)
    place.checkpoints.publish(publish(place.store.head().note, [PUBLISHER], TIME_S), 2, None)
    message = "a checkpoint of size 3 was kept as one of 2"
    assert place.check() == Startup(frozen=True, code=LOG_INCONSISTENT, message=message)


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE tile_hashes SET hash = x'{leaf_hash(b'other').hex()}' WHERE level = 0 AND position = 299",
        f"UPDATE tile_hashes SET hash = x'{leaf_hash(b'other').hex()}' WHERE level = 1 AND position = 0",
        "DELETE FROM tile_hashes WHERE level = 0 AND position = 298",
        f"UPDATE log_head SET root = x'{leaf_hash(b'other').hex()}'",
        "UPDATE log_head SET frontier = x'00'",
        "UPDATE log_head SET note = (SELECT note FROM log_head WHERE base = 0)",
        "UPDATE log_head SET note = x'00'",
    ],
)
def test_a_tree_that_its_head_does_not_fit_is_frozen(place: Place, statement: str) -> None:
    """A changed hash at the right edge, root, frontier or note of the newest head freezes the ledger."""
    place.grow(10)
    place.grow(290)
    place.publish()
    place.tamper(statement)
    assert place.check().code == LOG_INCONSISTENT


def test_a_store_that_cannot_be_read_is_an_error(place: Place) -> None:
    """What is no judgement about the log, such as a closed store, is not turned into one."""
    place.store.close()
    with pytest.raises(StoreError, match="STORE_CLOSED"):
        place.check()
