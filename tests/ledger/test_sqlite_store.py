"""The SQLite store: the contract of all stores, and what is said of its file alone."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import ConflictError, LedgerError, StoreError
from ledger.store.port import NewDisclosure, Reads, Store
from ledger.store.sqlite import MANY, SqliteStore
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import connect
from tests.store_contract import APPEND_ONLY, PARTICIPANT, PATIENCE_S, StoreContract, record
from tests.store_log import STUDY, Log, digest, disclosure

NAME = "ledger.db"


class TestSqliteStore(StoreContract):
    """The contract, against files in a temporary directory."""

    def create(self, directory: Path) -> Store:
        return SqliteStore.create(directory / NAME)

    def open(self, directory: Path, *, busy_timeout_s: float = 5.0) -> Store:
        return SqliteStore.open(directory / NAME, busy_timeout_s=busy_timeout_s)

    def opening(self, directory: Path) -> str:
        return (
            "from pathlib import Path\nfrom ledger.store.sqlite import SqliteStore\n"
            f"store = SqliteStore.open(Path({str(directory / NAME)!r}))"
        )

    def attack(self, directory: Path, statement: str) -> None:
        with closing(connect(directory / NAME, 5.0)) as connection:
            try:
                connection.execute(statement)
            except sqlite3.Error as error:
                raise translate(error) from error

    def content(self, directory: Path) -> bytes:
        return b"".join(path.read_bytes() for path in directory.iterdir())

    @contextmanager
    def full(self, store: Store) -> Iterator[None]:
        assert isinstance(store, SqliteStore)
        writer = store._writer
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages + 3}")
        try:
            yield
        finally:
            writer.execute("PRAGMA max_page_count = 1073741823")

    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_replacing_a_row_is_refused(self, tmp_path: Path, store: Store, table: str) -> None:
        """INSERT OR REPLACE over an existing row deletes it, so the delete trigger has to fire and refuse."""
        self._fill(store)
        before = self._everything(store)
        with pytest.raises(LedgerError, match=r"append_only|HEAD_STALE"):
            self.attack(tmp_path, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        assert self._everything(store) == before

    def test_replacing_by_another_key_is_refused(self, tmp_path: Path, store: Store) -> None:
        """A new row that has the next index but an old statement id doesn't push the old one out."""
        self._fill(store)
        before = self._everything(store)
        columns = "idx + 1, at, stream, seq + 1, type, schema, id, randomblob(32), statement, leaf"
        with pytest.raises(LedgerError, match="append_only"):
            self.attack(tmp_path, f"INSERT OR REPLACE INTO events SELECT {columns} FROM events")
        assert self._everything(store) == before

    @pytest.mark.parametrize("base", [1, 2])
    def test_a_second_head_for_the_same_events_is_refused(
        self, tmp_path: Path, store: Store, base: int
    ) -> None:
        """A row that starts below the present size is refused even where no commit started there."""
        record(store, Log(store).commit(STUDY, STUDY, STUDY))
        with pytest.raises(ConflictError, match="HEAD_STALE"):
            self.attack(
                tmp_path, f"INSERT INTO log_head SELECT {base}, size, root, frontier, note FROM log_head"
            )
        assert store.heads(3) == b"note of 3"

    def test_a_killed_process_that_spilled_leaves_nothing(self, tmp_path: Path, store: Store) -> None:
        """SIGKILL when uncommitted pages are in the write-ahead log already: nobody ever reads them."""
        record(store, Log(store).commit(STUDY))
        body = (
            "store._writer.execute('PRAGMA cache_size = 10')\n"
            "tx = store.write().__enter__()\n"
            "tx.append(log.commit(*['study'] * 300, padding=9000))\n"
            "print('appended', flush=True)\nsys.stdin.readline()"
        )
        wal = tmp_path / f"{NAME}-wal"
        before = wal.stat().st_size
        with self.child(tmp_path, body) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "appended\n"
            process.kill()
            process.wait(PATIENCE_S)
        assert wal.stat().st_size > before + 1_000_000
        with closing(self.open(tmp_path)) as reopened:
            assert (reopened.head().size, len(reopened.entries(0, 999))) == (1, 1)
            record(reopened, Log(reopened).commit(STUDY))


def test_erasing_leaves_no_copy_behind_however_rows_came_and_went(tmp_path: Path) -> None:
    """Values of many sizes, erased in random order between commits, are nowhere in the files afterwards."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        log = Log(store)
        kept: list[NewDisclosure] = []
        erased: list[NewDisclosure] = []
        for _ in range(12):
            commit = log.commit(*[PARTICIPANT] * 20)
            sealed = [
                disclosure(event, path, 16 * (event.index % 7 + 1) ** 3)
                for event in commit.events
                for path in ("/data/a", "/data/b")
            ]
            record(store, replace(commit, disclosures=tuple(sealed)))
            kept = sorted(kept + sealed, key=lambda each: digest(f"order {each.event} {each.path}"))
            third = len(kept) // 3
            erased, kept = erased + kept[:third], kept[third:]
            with store.write() as transaction:
                transaction.erase("erase_disclosure", [(bytes.fromhex(s.event), s.path) for s in erased])
        store.delete_disclosures(erased[0].event, [erased[0].path])
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert not [each.path for each in erased if each.ciphertext[:16] in content]
        assert all(each.ciphertext[:16] in content for each in kept)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=150), min_size=1, max_size=8))
def test_how_events_are_grouped_into_commits_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int]
) -> None:
    """Any split of the same events into commits gives the same entries, tree hashes, root and frontier."""
    results = []
    for sizes in (groups, [sum(groups)]):
        directory = tmp_path_factory.mktemp("split")
        with closing(SqliteStore.create(directory / NAME)) as store:
            log = Log(store)
            for size in sizes:
                record(store, log.commit(*[STUDY] * size))
            total = store.head().size
            levels = [store.tile_hashes(level, 0, total >> 8 * level) for level in range(3)]
            results.append((store.head(), store.entries(0, total), levels))
    assert results[0] == results[1]


def test_a_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    """The connection that writes syncs the write-ahead log at every commit, and the file is in that mode."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        assert store._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert store._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_who_commits_often_writes_over_a_log_of_full_length(tmp_path: Path) -> None:
    """The write-ahead log has its whole length then; what filled it is read by nobody, a crash included."""
    path = tmp_path / NAME
    wal = tmp_path / f"{NAME}-wal"
    with closing(SqliteStore.create(path)) as store:
        log = Log(store)
        record(store, *(log.commit(STUDY) for _ in range(MANY)))
        full = wal.stat().st_size
        assert full > 16_000_000
        record(store, *(log.commit(STUDY) for _ in range(3)))
        assert wal.stat().st_size == full
        crashed = tmp_path / "crashed.db"
        for each, copy in ((path, crashed), (wal, tmp_path / "crashed.db-wal")):
            copy.write_bytes(each.read_bytes())
        with closing(SqliteStore.open(crashed)) as reopened:
            assert reopened.head() == log.head() == store.head()
            assert reopened.entries(0, MANY + 9) == store.entries(0, MANY + 9)


def test_the_last_room_on_a_disk_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where little is free the log grows by what is recorded, and by nothing else."""
    free = shutil.disk_usage(tmp_path)._replace(free=20_000_000)
    monkeypatch.setattr("ledger.store.sqlite_files.shutil.disk_usage", lambda _: free)
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        log = Log(store)
        record(store, *(log.commit(STUDY) for _ in range(MANY + 1)))
        assert (tmp_path / f"{NAME}-wal").stat().st_size < 10_000_000


def test_an_erasure_lets_the_log_grow_anew(tmp_path: Path) -> None:
    """What an erasure empties is given its length again, by whoever commits as often again."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        log = Log(store)
        sealing = log.commit(STUDY, sealed=["/data/arm"])
        record(store, sealing, *(log.commit(STUDY) for _ in range(MANY)))
        store.delete_disclosures(sealing.events[0].event, ["/data/arm"])
        assert (tmp_path / f"{NAME}-wal").stat().st_size == 0
        record(store, *(log.commit(STUDY) for _ in range(MANY)))
        assert (tmp_path / f"{NAME}-wal").stat().st_size > 16_000_000


def test_deleted_content_is_overwritten(tmp_path: Path) -> None:
    """Whatever the database itself frees while it works is zeroed too."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        assert store._writer.execute("PRAGMA secure_delete").fetchone()[0] == 1


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    """A clean stop moves everything into the file and takes the write-ahead log away."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        record(store, Log(store).commit(STUDY))
        assert len(list(tmp_path.iterdir())) > 1
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """The file is made with mode 0600, and so are the write-ahead log and its index."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        record(store, Log(store).commit(STUDY))
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_readers_cannot_write(tmp_path: Path) -> None:
    """The connections that answer reads refuse to write whatever they are given."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        refused = pytest.raises(sqlite3.OperationalError, match="readonly")
        with store._reader() as reader, refused:
            reader.execute("INSERT INTO guards VALUES ('kind', 'key', 0)")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """A text file and another program's database are STORE_CORRUPT and stay as they are."""
    text = tmp_path / "text.db"
    text.write_bytes(b"these are the bytes of no database at all\n" * 20)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE notes (note)")
    for path in (text, foreign):
        before = path.read_bytes()
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            SqliteStore.open(path)
        assert path.read_bytes() == before


def test_another_version_of_the_tables_is_refused(tmp_path: Path) -> None:
    """A file that a later version wrote is STORE_VERSION."""
    SqliteStore.create(tmp_path / NAME).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="STORE_VERSION"):
        SqliteStore.open(tmp_path / NAME)


def test_events_that_the_head_does_not_know_are_refused(tmp_path: Path) -> None:
    """With the last event taken out behind the triggers, the store is STORE_CORRUPT on opening."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        record(store, Log(store).commit(STUDY, STUDY))
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE idx = 1")
    with pytest.raises(StoreError, match="STORE_CORRUPT"):
        SqliteStore.open(tmp_path / NAME)


def test_a_directory_that_is_not_there_is_missing(tmp_path: Path) -> None:
    """A store is not made in a directory that does not exist, and the directory is not made either."""
    with pytest.raises(StoreError, match="STORE_MISSING"):
        SqliteStore.create(tmp_path / "nowhere" / NAME)
    assert not (tmp_path / "nowhere").exists()


def test_no_message_carries_a_value(tmp_path: Path) -> None:
    """What a refusal says names tables and columns, never the id that was refused."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        log = Log(store)
        first, second = log.commit(PARTICIPANT), log.commit(PARTICIPANT)
        record(store, first)
        taken = replace(second.events[0], id=first.events[0].id)
        with pytest.raises(ConflictError) as caught:
            record(store, replace(second, events=(taken,)))
        assert str(caught.value) == "DUPLICATE: expected new values, found existing ones of events.id"


def test_the_adapter_has_the_shape_of_the_port(tmp_path: Path) -> None:
    """Store, transaction and snapshot are what the type checker is told they are."""
    with closing(SqliteStore.create(tmp_path / NAME)) as store:
        port: Store = store
        with port.write() as transaction, port.snapshot() as snapshot:
            reads: tuple[Reads, ...] = (store, transaction, snapshot)
            assert {each.head().size for each in reads} == {0}


def test_a_store_that_cannot_be_written_is_told_so() -> None:
    """`STORE_IO` in words, not by SQLite's number, where files or their directory are read-only."""
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DIRECTORY
    told = translate(error)
    assert (told.code, "cannot be written here" in told.message) == ("STORE_IO", True)
