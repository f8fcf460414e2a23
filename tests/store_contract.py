"""What every store has to do: one class of tests that the test class of each adapter inherits.

An adapter says how its storage is made, opened, attacked from the side and filled up; everything else is
asked through the port alone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import ConflictError, LedgerError, StoreError
from ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
)
from ledger.store.port import Commit, NewEvent, NewStream, Slot, Store, StoredEntry, WriteTransaction
from ledger.tiles import TileHashes
from tests.shared import ROOT
from tests.store_log import STUDY, Log, digest, disclosure

APPEND_ONLY = ("events", "tile_hashes", "log_head", "streams", "guards", "attachments")
ERASABLE = ("disclosures", "slots")
PARTICIPANT = "participant/SA-01-007"
PATIENCE_S = 20.0


def slot(index: int, *, list_name: str = "main", stratum: str = "SA-01") -> Slot:
    """Return a sealed slot whose bytes occur nowhere else."""
    block = digest(f"slot {list_name} {index}")
    return Slot(
        list=list_name,
        index=index,
        stratum=stratum,
        commitment=digest(f"commitment {list_name} {index}"),
        proof=digest("sibling") * 3,
        nonce=block[:12],
        ciphertext=block * 8,
    )


def stored(event: NewEvent) -> StoredEntry:
    """Return what a store has to give back for an event."""
    names = ("index", "at", "stream", "seq", "type", "schema", "id", "event", "statement", "leaf")
    return StoredEntry(**{name: getattr(event, name) for name in names})


def record(store: Store, *commits: Commit) -> None:
    """Append each commit in a transaction of its own."""
    for commit in commits:
        with store.write() as transaction:
            transaction.append(commit)


def fail_after(store: Store, step: Callable[[WriteTransaction], None]) -> None:
    """Do a step in a transaction, and fail before it is left."""
    with store.write() as transaction:
        step(transaction)
        raise ZeroDivisionError


class StoreContract(ABC):
    """The contract. A subclass named `Test…` runs it against one adapter."""

    @abstractmethod
    def create(self, directory: Path) -> Store:
        """Make a new store in a directory."""

    @abstractmethod
    def open(self, directory: Path, *, busy_timeout_s: float = 5.0) -> Store:
        """Open the store of a directory."""

    @abstractmethod
    def opening(self, directory: Path) -> str:
        """Return Python code that opens the store of a directory under the name `store`."""

    @abstractmethod
    def attack(self, directory: Path, statement: str) -> None:
        """Run a statement against the storage, around the port but with the adapter's own settings."""

    @abstractmethod
    def content(self, directory: Path) -> bytes:
        """Return every byte that the store keeps in its directory."""

    @abstractmethod
    def full(self, store: Store) -> Any:
        """Return a context manager in which the store's medium has no room left."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new, empty store."""
        with closing(self.create(tmp_path)) as store:
            yield store

    @contextmanager
    def child(self, directory: Path, body: str) -> Iterator[subprocess.Popen[str]]:
        """Run code in another process that has `store` and `log`; end it when the test ends."""
        code = f"import sys\nfrom tests.store_log import Log\n{self.opening(directory)}\n"
        code += f"log = Log(store, name='other process')\n{body}\n"
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    # The log

    def test_a_new_store_holds_the_empty_log(self, store: Store) -> None:
        """Before the first commit there is size 0, the root of nothing, and no note."""
        head = store.head()
        assert (head.size, head.root, head.note) == (0, EMPTY_ROOT, b"")
        assert Frontier.from_bytes(head.frontier).size == 0
        assert store.entries(0, 10) == []

    def test_what_was_appended_is_read_back_as_it_was(self, store: Store) -> None:
        """Every field of every entry, and the head, come back byte for byte and in index order."""
        log = Log(store)
        first, second = log.commit(STUDY, PARTICIPANT), log.commit(PARTICIPANT)
        record(store, first, second)
        assert store.entries(0, 10) == [stored(event) for event in (*first.events, *second.events)]
        assert store.entry(2) == stored(second.events[0])
        assert store.head() == log.head()

    def test_ranges_are_half_open(self, store: Store) -> None:
        """entries(1, 3) are the entries 1 and 2."""
        record(store, Log(store).commit(STUDY, STUDY, STUDY, STUDY))
        assert [entry.index for entry in store.entries(1, 3)] == [1, 2]

    def test_entries_of_some_types_leave_the_others_out(self, store: Store) -> None:
        """Of a range only these types are read, whole and in order; of no type there is nothing."""
        record(store, Log(store).commit(STUDY, STUDY, STUDY, STUDY, STUDY))
        assert store.entries(1, 5, {"visit.started"}) == [store.entries(n, n + 1)[0] for n in (1, 3)]
        assert store.entries(0, 5, {"visit.started", "visit.completed", "none"}) == store.entries(0, 5)
        assert store.entries(0, 5, set()) == []

    def test_entries_are_found_by_event_hash_and_by_id(self, store: Store) -> None:
        """The public name of an event and the id of its statement lead to its index."""
        commit = Log(store).commit(STUDY, PARTICIPANT)
        record(store, commit)
        assert store.index_of_event(commit.events[1].event) == 1
        assert store.index_of_id(commit.events[1].id) == 1

    def test_ids_are_looked_up_together(self, store: Store) -> None:
        """Of many ids those that the log has are told; of none, none."""
        commit = Log(store).commit(STUDY, PARTICIPANT)
        record(store, commit)
        first, second = (event.id for event in commit.events)
        other = "018fdf4c-8a00-7000-8000-00000000abcd"
        assert store.ids_taken([first, other, second, first]) == {first, second}
        assert store.ids_taken([]) == store.ids_taken([other]) == set()
        with store.write() as transaction:
            assert transaction.ids_taken([other, second]) == {second}

    def test_what_is_not_there_is_not_found(self, store: Store) -> None:
        """Unknown, malformed and oversized names and numbers find nothing and break nothing."""
        record(store, Log(store).commit(STUDY))
        known = store.entries(0, 1)[0].event
        assert store.index_of_event(known.upper()) is None
        assert store.index_of_event("not a hash") is None
        assert store.index_of_id("\ud800") is None
        assert store.entry(1) is None
        assert store.entry(2**70) is None
        assert store.entry(-1) is None
        assert store.stream("nowhere") is None
        assert store.stream_by_tag("") is None
        assert store.stream_head("nowhere") is None
        assert store.stream_entries("nowhere") == []
        assert store.attachment("00" * 32) is None
        assert store.guard("kind", "key") is None

    def test_streams_are_found_by_name_and_by_tag(self, store: Store) -> None:
        """A stream keeps the tag and the salt that came with its first event."""
        commit = Log(store).commit(STUDY, PARTICIPANT)
        record(store, commit)
        study, participant = commit.streams
        assert store.stream(PARTICIPANT) == participant
        assert store.stream_by_tag(study.tag) == study
        assert store.streams() == [participant, study]

    def test_a_stream_is_read_by_its_own_numbers(self, store: Store) -> None:
        """Entries of one stream come in order of seq, whatever lies between them in the log."""
        log = Log(store)
        record(store, log.commit(PARTICIPANT, STUDY, PARTICIPANT), log.commit(STUDY, PARTICIPANT))
        assert [entry.index for entry in store.stream_entries(PARTICIPANT)] == [0, 2, 4]
        assert [entry.index for entry in store.stream_entries(PARTICIPANT, 2)] == [2, 4]
        assert [entry.index for entry in store.stream_entries(PARTICIPANT, 1, 3)] == [0, 2]
        assert store.stream_head(PARTICIPANT) == (3, store.entries(4, 5)[0].event)

    def test_each_commit_has_its_head_and_no_other_size_has_one(self, store: Store) -> None:
        """A head note is there for exactly the sizes at which a commit ended."""
        log = Log(store)
        record(store, log.commit(STUDY, STUDY), log.commit(STUDY))
        assert [store.heads(size) for size in range(5)] == [None, None, b"note of 2", b"note of 3", None]

    def test_the_head_that_covers_an_index_is_the_one_of_its_commit(self, store: Store) -> None:
        """The first head that a receipt for an index can carry is the one made with it."""
        log = Log(store)
        record(store, log.commit(STUDY, STUDY), log.commit(STUDY))
        covering = [store.head_covering(index) for index in (-1, 0, 1, 2, 3)]
        assert [head and head.size for head in covering] == [None, 2, 2, 3, None]

    def test_proofs_come_out_of_the_stored_hashes(self, store: Store) -> None:
        """Across a tile boundary, stored hashes prove inclusion and consistency against the stored root."""
        log = Log(store)
        first = log.commit(*[STUDY] * 200)
        record(store, first)
        second = log.commit(*[STUDY] * 100)
        record(store, second)
        assert second.tile_hashes
        reader = TileHashes(store.tile_hashes)
        proof = prove_inclusion(7, 300, reader)
        check_inclusion(first.events[7].leaf_hash, 7, 300, store.head().root, proof)
        check_consistency(200, first.root, 300, second.root, prove_consistency(200, 300, reader))

    def test_hashes_that_are_not_there_are_never_passed_over(self, store: Store) -> None:
        """Asking for more tree hashes than there are is an error, never a short answer."""
        record(store, Log(store).commit(STUDY, STUDY))
        assert len(store.tile_hashes(0, 0, 2)) == 64
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            store.tile_hashes(0, 0, 3)

    def test_a_reopened_store_is_the_same(self, tmp_path: Path) -> None:
        """Closing and opening again changes nothing that can be read."""
        with closing(self.create(tmp_path)) as store:
            log = Log(store)
            record(store, log.commit(STUDY, PARTICIPANT, guards=[("number", "007")], sealed=["/data/arm"]))
            before = (store.entries(0, 9), store.head(), store.streams(), store.guards("number"))
        with closing(self.open(tmp_path)) as store:
            assert (store.entries(0, 9), store.head(), store.streams(), store.guards("number")) == before
            record(store, Log(store).commit(STUDY))
            assert store.head().size == 3

    # Order and uniqueness

    def test_a_commit_from_an_old_head_is_refused(self, tmp_path: Path, store: Store) -> None:
        """Of two writers that built on one head the second is refused, and the first one's events stand."""
        record(store, Log(store, name="before").commit(STUDY))
        with closing(self.open(tmp_path)) as other:
            mine, theirs = Log(store).commit(STUDY), Log(other, name="theirs").commit(STUDY)
            record(other, theirs)
            with pytest.raises(ConflictError, match="HEAD_STALE"):
                record(store, mine)
            assert store.entries(1, 9) == [stored(theirs.events[0])]

    @pytest.mark.parametrize("index", [0, 2, 4])
    def test_the_index_is_dense(self, store: Store, index: int) -> None:
        """An event at any index but the next one is refused, and nothing of its commit is kept."""
        log = Log(store)
        record(store, log.commit(STUDY, STUDY, STUDY))
        commit = log.commit(STUDY)
        wrong = replace(commit, events=(replace(commit.events[0], index=index),))
        with pytest.raises(ConflictError, match="HEAD_STALE"):
            record(store, wrong)
        assert store.head().size == len(store.entries(0, 9)) == 3

    def test_a_head_must_start_where_the_log_ends(self, store: Store) -> None:
        """Events that fit under a head that starts elsewhere are refused."""
        log = Log(store)
        record(store, log.commit(STUDY))
        with pytest.raises(ConflictError, match="HEAD_STALE"):
            record(store, replace(log.commit(STUDY), base_size=0))

    def test_the_tree_is_dense(self, store: Store) -> None:
        """A hash of an upper tile level that leaves a gap is refused."""
        commit = replace(Log(store).commit(STUDY), tile_hashes=((1, 1, digest("too far")),))
        with pytest.raises(ConflictError, match="HEAD_STALE"):
            record(store, commit)

    @pytest.mark.parametrize("field", ["id", "event", "seq"])
    def test_ids_hashes_and_stream_positions_are_unique(self, store: Store, field: str) -> None:
        """An id, an event hash or a position in a stream is recorded once."""
        log = Log(store)
        first = log.commit(STUDY)
        record(store, first)
        second = log.commit(STUDY)
        taken: dict[str, Any] = {field: getattr(first.events[0], field)}
        with pytest.raises(ConflictError, match="DUPLICATE"):
            record(store, replace(second, events=(replace(second.events[0], **taken),)))
        assert store.head().size == 1

    @pytest.mark.parametrize("stream", [STUDY, "site/SA-01"])
    def test_streams_and_tags_are_unique(self, store: Store, stream: str) -> None:
        """Neither a stream's salt nor the meaning of a tag can be given again."""
        log = Log(store)
        first = log.commit(STUDY)
        record(store, first)
        again = NewStream(stream=stream, tag=first.streams[0].tag, salt=bytes(32))
        with pytest.raises(ConflictError, match="DUPLICATE"):
            record(store, replace(log.commit(STUDY), streams=(again,)))

    def test_a_guard_is_taken_once(self, store: Store) -> None:
        """A guard's kind and key are used by one index only; the other commit leaves nothing."""
        log = Log(store)
        record(store, log.commit(STUDY, guards=[("slot", "main/0"), ("number", "007")]))
        assert (store.guard("slot", "main/0"), store.guard("slot", "main/1")) == (0, None)
        with pytest.raises(ConflictError, match="GUARD_TAKEN"):
            record(store, log.commit(PARTICIPANT, guards=[("slot", "main/1"), ("slot", "main/0")]))
        assert [guard.key for guard in store.guards("slot")] == ["main/0"]
        assert store.stream(PARTICIPANT) is None

    def test_an_event_needs_its_stream(self, store: Store) -> None:
        """An event in a stream without tag and salt is refused."""
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            record(store, replace(Log(store).commit(PARTICIPANT), streams=()))

    # Transactions

    def test_an_error_in_a_transaction_leaves_nothing(self, store: Store) -> None:
        """When the caller fails after appending, no table has anything of it."""
        commit = Log(store).commit(PARTICIPANT, guards=[("number", "007")], sealed=["/data/arm"])
        with pytest.raises(ZeroDivisionError):
            fail_after(store, lambda transaction: transaction.append(commit))
        assert (store.head().size, store.entries(0, 9), store.streams()) == (0, [], [])
        assert (store.guards("number"), store.disclosures(commit.events[0].event)) == ([], [])
        record(store, commit)

    def test_a_refused_commit_is_not_half_kept_by_a_caller_that_goes_on(self, store: Store) -> None:
        """After a refused append a transaction takes nothing more, and keeps nothing when it is left."""
        log = Log(store)
        record(store, log.commit(STUDY, guards=[("number", "007")]))
        taken, good = log.commit(PARTICIPANT, guards=[("number", "007")]), log.commit(STUDY)
        with store.write() as transaction:
            with pytest.raises(ConflictError, match="GUARD_TAKEN"):
                transaction.append(taken)
            with pytest.raises(StoreError, match="STORE_CLOSED"):
                transaction.append(good)
        assert (store.head().size, store.stream(PARTICIPANT)) == (1, None)

    def test_a_transaction_that_wrote_nothing_changes_nothing(self, store: Store) -> None:
        """Looking under the write lock is allowed, and the lock is free afterwards."""
        with store.write() as transaction:
            assert transaction.head().size == 0
        record(store, Log(store).commit(STUDY))
        assert store.head().size == 1

    def test_a_transaction_reads_what_it_wrote(self, store: Store) -> None:
        """Inside the transaction its own events are there; outside they are not, until it ends."""
        commit = Log(store).commit(STUDY)
        with store.write() as transaction:
            transaction.append(commit)
            assert transaction.index_of_event(commit.events[0].event) == 0
            assert store.index_of_event(commit.events[0].event) is None
        assert store.index_of_event(commit.events[0].event) == 0

    def test_a_transaction_is_over_when_it_is_left(self, store: Store) -> None:
        """A transaction object that is kept cannot read or write behind a later one."""
        with store.write() as transaction:
            transaction.append(Log(store).commit(STUDY))
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            transaction.head()
        with pytest.raises(StoreError, match="STORE_CLOSED"):
            transaction.append(Log(store).commit(STUDY))

    def test_a_second_writer_waits_only_as_long_as_it_may(self, tmp_path: Path, store: Store) -> None:
        """While the write lock is held another writer gets STORE_BUSY, and gets in when it is free."""
        with closing(self.open(tmp_path, busy_timeout_s=0.01)) as impatient:
            with store.write(), pytest.raises(StoreError, match="STORE_BUSY"), impatient.write():
                pass
            record(impatient, Log(impatient).commit(STUDY))

    def test_threads_write_one_after_another(self, store: Store) -> None:
        """Commits of many threads, each built under the lock, make one dense log."""

        def write(name: str) -> None:
            for _ in range(10):
                with store.write() as transaction:
                    transaction.append(Log(transaction, name=name).commit(f"person/{name}"))

        self._together([partial(write, name) for name in "abcd"])
        entries = store.entries(0, 99)
        assert [entry.index for entry in entries] == list(range(40))
        assert [entry.seq for entry in entries if entry.stream == "person/c"] == list(range(1, 11))

    def test_threads_read_while_another_writes(self, store: Store) -> None:
        """Every snapshot taken meanwhile holds as many entries as its head says, and they only grow."""
        log, done = Log(store), threading.Event()

        def write() -> None:
            try:
                for _ in range(30):
                    record(store, log.commit(STUDY, STUDY))
            finally:
                done.set()

        def read() -> None:
            sizes = [0]
            while not done.is_set():
                with store.snapshot() as snapshot:
                    sizes.append(snapshot.head().size)
                    assert snapshot.size == sizes[-1] == len(snapshot.entries(0, 999))
            assert sizes == sorted(sizes)

        self._together([write, read, read])

    def test_a_store_is_opened_while_another_writes(self, tmp_path: Path, store: Store) -> None:
        """What is compared on opening is of one moment, however many commits come in meanwhile."""
        log, done = Log(store), threading.Event()

        def write() -> None:
            while not done.is_set():
                record(store, log.commit(STUDY))

        def open_often() -> None:
            try:
                for _ in range(25):
                    self.open(tmp_path).close()
            finally:
                done.set()

        self._together([write, open_often])

    def test_a_snapshot_stays_as_it_was_taken(self, store: Store) -> None:
        """A commit that comes in meanwhile is not in the snapshot, and is in the store."""
        log = Log(store)
        record(store, log.commit(STUDY))
        with store.snapshot() as snapshot:
            record(store, log.commit(STUDY))
            assert (snapshot.size, snapshot.head().size, len(snapshot.entries(0, 9))) == (1, 1, 1)
            assert store.head().size == 2

    # Other processes

    def test_another_process_sees_commits_and_adds_to_them(self, tmp_path: Path, store: Store) -> None:
        """Two processes share one log: each sees and extends what the other committed."""
        record(store, Log(store).commit(STUDY))
        body = "with store.write() as tx: tx.append(log.commit('study'))\n"
        body += "print(store.head().size)\nstore.close()"
        with self.child(tmp_path, body) as process:
            assert process.communicate(timeout=PATIENCE_S)[0] == "2\n"
        assert store.head().size == 2
        record(store, Log(store).commit(STUDY))
        assert store.head().size == 3

    def test_a_store_locked_by_another_process_is_busy_and_then_usable(
        self, tmp_path: Path, store: Store
    ) -> None:
        """A lock that another process holds is STORE_BUSY; when it lets go, writing goes on."""
        body = "tx = store.write().__enter__()\nprint('held', flush=True)\nsys.stdin.readline()"
        with self.child(tmp_path, body) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            with closing(self.open(tmp_path, busy_timeout_s=0.01)) as impatient:
                with pytest.raises(StoreError, match="STORE_BUSY"), impatient.write():
                    pass
                assert impatient.head().size == 0
            process.communicate("let go\n", timeout=PATIENCE_S)
        record(store, Log(store).commit(STUDY))

    def test_a_process_killed_in_mid_transaction_leaves_nothing(self, tmp_path: Path, store: Store) -> None:
        """SIGKILL after appending, before the commit: the store is as before, and takes the next commit."""
        record(store, Log(store).commit(STUDY))
        body = (
            "tx = store.write().__enter__()\n"
            "tx.append(log.commit(*['study'] * 300, guards=[('number', '007')], padding=9000))\n"
            "print(tx.head().size, flush=True)\nsys.stdin.readline()"
        )
        with self.child(tmp_path, body) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "301\n"
            process.kill()
            process.wait(PATIENCE_S)
        assert (store.head().size, len(store.entries(0, 999)), store.guards("number")) == (1, 1, [])
        record(store, Log(store).commit(STUDY))
        with closing(self.open(tmp_path)) as reopened:
            assert reopened.head().size == 2

    def test_what_was_acknowledged_survives_the_kill(self, tmp_path: Path, store: Store) -> None:
        """SIGKILL right after a commit returned: its events are there."""
        body = (
            "for _ in range(5):\n"
            "    with store.write() as tx: tx.append(Log(tx, name='killed').commit('study'))\n"
            "print('done', flush=True)\nsys.stdin.readline()"
        )
        with self.child(tmp_path, body) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "done\n"
            process.kill()
            process.wait(PATIENCE_S)
        assert store.head().size == len(store.entries(0, 9)) == 5

    # Waiting

    def test_waiting_ends_at_once_when_the_size_is_there(self, store: Store) -> None:
        """wait_for answers with the size when it is reached already."""
        record(store, Log(store).commit(STUDY, STUDY))
        assert store.wait_for(1, PATIENCE_S) == 2

    def test_waiting_ends_when_the_time_is_up(self, store: Store) -> None:
        """wait_for answers with the present size when nothing comes."""
        assert store.wait_for(1, 0.01) == 0

    def test_waiting_ends_with_a_commit_of_this_process(self, store: Store) -> None:
        """A waiting thread is told of a commit of another thread."""
        sizes: list[int] = []
        commit = Log(store).commit(STUDY)
        self._together([lambda: sizes.append(store.wait_for(1, PATIENCE_S)), lambda: record(store, commit)])
        assert sizes == [1]

    def test_waiting_ends_with_a_commit_of_another_process(self, tmp_path: Path, store: Store) -> None:
        """A commit of another process ends the wait too."""
        body = "sys.stdin.readline()\nwith store.write() as tx: tx.append(log.commit('study'))\nstore.close()"
        with self.child(tmp_path, body) as process:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            started = time.monotonic()
            assert store.wait_for(1, PATIENCE_S) == 1
            assert time.monotonic() - started < PATIENCE_S / 2
            process.communicate(timeout=PATIENCE_S)

    # Never changed

    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_what_was_written_is_neither_changed_nor_deleted(
        self, tmp_path: Path, store: Store, table: str
    ) -> None:
        """UPDATE and DELETE on an append-only table are refused by the storage itself."""
        self._fill(store)
        before = self._everything(store)
        column = {"events": "at", "tile_hashes": "hash", "log_head": "note", "streams": "salt"}.get(table)
        column = column or {"guards": "idx", "attachments": "media_type"}[table]
        with pytest.raises(LedgerError, match="append_only"):
            self.attack(tmp_path, f"UPDATE {table} SET {column} = {column}")
        with pytest.raises(LedgerError, match="append_only"):
            self.attack(tmp_path, f"DELETE FROM {table}")
        assert self._everything(store) == before

    @pytest.mark.parametrize("table", ERASABLE)
    def test_what_is_erasable_is_only_erased(self, tmp_path: Path, store: Store, table: str) -> None:
        """A sealed value is never replaced by another one, and its row stays to say that it was there."""
        self._fill(store)
        before = self._everything(store)
        with pytest.raises(LedgerError, match="erase_only"):
            self.attack(tmp_path, f"UPDATE {table} SET ciphertext = nonce")
        with pytest.raises(LedgerError, match="erase_only"):
            self.attack(tmp_path, f"DELETE FROM {table}")
        assert self._everything(store) == before

    # Sealed values, attachments, slots

    def test_sealed_values_are_kept_with_their_statement(self, store: Store) -> None:
        """Disclosures come back in the order of their paths, byte for byte."""
        commit = Log(store).commit(PARTICIPANT, PARTICIPANT, sealed=["/data/b", "/data/a"])
        record(store, commit)
        event = commit.events[1]
        assert store.disclosures(event.event) == [disclosure(event, "/data/a"), disclosure(event, "/data/b")]

    def test_a_destroyed_value_is_gone_from_every_byte_of_the_store(
        self, tmp_path: Path, store: Store
    ) -> None:
        """After delete_disclosures neither nonce nor ciphertext is anywhere, and all others are as before."""
        log = Log(store)
        commits = [log.commit(PARTICIPANT, sealed=["/data/a", "/data/b"]) for _ in range(50)]
        record(store, *commits)
        for commit in commits[::3]:
            assert store.delete_disclosures(commit.events[0].event, ["/data/a", "/data/never"]) == 1
        content = self.content(tmp_path)
        for number, commit in enumerate(commits):
            first, second = commit.disclosures
            assert store.disclosures(commit.events[0].event) == (
                [second] if number % 3 == 0 else [first, second]
            )
            assert (first.ciphertext[:32] in content) == (first.nonce in content) == (number % 3 != 0)
            assert second.ciphertext in content

    def test_a_value_is_destroyed_once(self, store: Store) -> None:
        """Destroying again finds nothing, and a new value cannot take the place."""
        log = Log(store)
        commit = log.commit(PARTICIPANT, sealed=["/data/a"])
        record(store, commit)
        event = commit.events[0].event
        assert [store.delete_disclosures(event, ["/data/a"]) for _ in range(2)] == [1, 0]
        with pytest.raises(ConflictError, match="DUPLICATE"):
            record(store, replace(log.commit(PARTICIPANT), disclosures=commit.disclosures))

    def test_an_open_snapshot_is_named_when_it_keeps_remains(self, tmp_path: Path) -> None:
        """With a snapshot open the value is destroyed, and the caller is told of remains to clear later."""
        with closing(self.create(tmp_path)):
            pass
        with closing(self.open(tmp_path, busy_timeout_s=0.01)) as store:
            commit = Log(store).commit(PARTICIPANT, sealed=["/data/a"])
            record(store, commit)
            event, sealed = commit.events[0].event, commit.disclosures[0]
            with store.snapshot(), pytest.raises(StoreError, match="STORE_BUSY"):
                store.delete_disclosures(event, ["/data/a"])
            assert store.disclosures(event) == []
            assert store.delete_disclosures(event, ["/data/a"]) == 0
            assert sealed.ciphertext[:32] not in self.content(tmp_path)

    def test_attachments_are_kept_once_under_their_hash(self, store: Store) -> None:
        """The same bytes may be put again; other bytes under that hash are refused."""
        name = digest("bytes").hex()
        for _ in range(2):
            store.put_attachment(name, "text/plain", b"bytes")
        kept = store.attachment(name)
        assert kept is not None
        assert (kept.sha256, kept.media_type, kept.data) == (name, "text/plain", b"bytes")
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            store.put_attachment(name, "text/plain", b"other bytes")

    def test_an_attachment_is_part_of_the_transaction_that_names_it(self, store: Store) -> None:
        """Put inside a transaction, an attachment is there exactly when the commit is."""
        name = digest("bytes").hex()
        with pytest.raises(ZeroDivisionError):
            fail_after(store, lambda transaction: transaction.put_attachment(name, "text/plain", b"bytes"))
        assert store.attachment(name) is None
        with store.write() as transaction:
            transaction.append(Log(store).commit(STUDY))
            transaction.put_attachment(name, "text/plain", b"bytes")
        assert store.attachment(name) is not None

    def test_slots_are_used_in_the_order_of_their_stratum(self, store: Store) -> None:
        """The next slot of a stratum is the lowest index above the last used one."""
        store.put_slots([slot(index, stratum=("SA-01", "SA-02")[index % 2]) for index in (5, 4, 3, 2, 1, 0)])
        order, after = [], -1
        while (found := store.next_slot("main", "SA-02", after)) is not None:
            order.append(found.index)
            after = found.index
        assert order == [1, 3, 5]
        assert store.slot("main", 4) == slot(4)
        assert (store.count_slots("main"), store.count_slots("stage2")) == (6, 0)
        assert store.next_slot("stage2", "SA-02", -1) is None

    def test_a_list_is_put_once(self, store: Store) -> None:
        """A slot of a list is never given a second content."""
        store.put_slots([slot(0)])
        with pytest.raises(ConflictError, match="DUPLICATE"):
            store.put_slots([slot(1), replace(slot(0), stratum="SA-02")])
        assert store.count_slots("main") == 1

    def test_destroyed_slots_are_gone_from_every_byte_of_the_store(
        self, tmp_path: Path, store: Store
    ) -> None:
        """After delete_slots the sealed arms of that list are nowhere, and those of others are as before."""
        store.put_slots([slot(index) for index in range(30)])
        store.put_slots([slot(index, list_name="stage2") for index in range(30)])
        assert store.delete_slots("main") == 30
        content = self.content(tmp_path)
        assert not any(slot(index).ciphertext[:32] in content for index in range(30))
        assert all(slot(index, list_name="stage2").ciphertext[:32] in content for index in range(30))
        assert (store.count_slots("main"), store.slot("main", 0), store.count_slots("stage2")) == (
            0,
            None,
            30,
        )

    # Failures of the medium

    def test_a_full_disk_refuses_and_leaves_nothing(self, store: Store) -> None:
        """Without room a commit is STORE_FULL, nothing of it is kept, and with room the ledger goes on."""
        log = Log(store)
        record(store, log.commit(STUDY))
        before = self._everything(store)
        large = log.commit(*[STUDY] * 100, guards=[("number", "007")], padding=30_000)
        with self.full(store), pytest.raises(StoreError, match="STORE_FULL"):
            record(store, large)
        assert self._everything(store) == before
        record(store, large)
        assert store.head() == log.head()

    def test_nothing_creates_itself(self, tmp_path: Path) -> None:
        """Opening what is not there is STORE_MISSING, and afterwards it is still not there."""
        with pytest.raises(StoreError, match="STORE_MISSING"):
            self.open(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_store_is_not_made_twice(self, tmp_path: Path, store: Store) -> None:
        """Creating where a store is already is STORE_EXISTS, and leaves the old one as it was."""
        record(store, Log(store).commit(STUDY))
        with pytest.raises(StoreError, match="STORE_EXISTS"):
            self.create(tmp_path)
        assert store.head().size == 1

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        """Closing twice is allowed; reading, writing and waiting afterwards are STORE_CLOSED."""
        store = self.create(tmp_path)
        store.close()
        store.close()
        uses: list[Callable[[], object]] = [
            store.head,
            lambda: store.wait_for(1, 0.01),
            lambda: store.write().__enter__(),
            lambda: store.snapshot().__enter__(),
        ]
        for use in uses:
            with pytest.raises(StoreError, match="STORE_CLOSED"):
                use()

    # Tools

    def _fill(self, store: Store) -> None:
        """Put at least one row in every table."""
        record(store, Log(store).commit(STUDY, guards=[("number", "007")], sealed=["/data/arm"]))
        store.put_attachment(digest("bytes").hex(), "text/plain", b"bytes")
        store.put_slots([slot(0)])

    def _everything(self, store: Store) -> tuple[object, ...]:
        head = store.head()
        entries = store.entries(0, 999)
        return (
            head,
            entries,
            store.tile_hashes(0, 0, head.size),
            store.streams(),
            store.guards("number"),
            store.attachment(digest("bytes").hex()),
            [store.disclosures(entry.event) for entry in entries],
            store.slot("main", 0),
        )

    def _together(self, tasks: list[Callable[[], None]]) -> None:
        """Run tasks in threads of their own, and fail when one of them fails."""
        errors: list[BaseException] = []

        def run(task: Callable[[], None]) -> None:
            try:
                task()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads)
        assert errors == []
