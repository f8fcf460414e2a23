"""The PostgreSQL store: the contract of all stores, and what is said of its schema and its roles alone."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.errors import ConflictError, FormatError, StoreError
from ledger.store import postgres_migrations
from ledger.store.port import Commit, Reads, Store
from ledger.store.postgres import PostgresStore
from ledger.store.postgres_append import COPY_FROM
from ledger.store.postgres_connections import connect
from ledger.store.postgres_errors import translate
from ledger.store.postgres_migrations import Migration, migrate, migrations
from ledger.store.postgres_wire import Step, Wire
from ledger.store.urls import parse_schema_url
from tests.postgres_server import OWNER, WRITER, PostgresServer
from tests.store_contract import (
    APPEND_ONLY,
    ERASABLE,
    PARTICIPANT,
    PATIENCE_S,
    StoreContract,
    fail_after,
    record,
    stored,
)
from tests.store_log import STUDY, Log


def schema_of(directory: Path) -> str:
    """Return the name of a schema that stands for a directory."""
    return "s" + hashlib.sha256(str(directory).encode()).hexdigest()[:20]


def record_last(store: Store, commit: Commit) -> None:
    """Append a commit as the last thing of its transaction."""
    with store.write() as transaction:
        transaction.append(commit, last=True)


@contextmanager
def session(server: PostgresServer, schema: str, role: str) -> Iterator[Any]:
    """Connect around the port, with the adapter's own settings."""
    with closing(connect(parse_schema_url(server.url(schema, role)))) as connection:
        yield connection


class TestPostgresStore(StoreContract):
    """The contract, against a schema for each test."""

    server: PostgresServer

    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        type(self).server = postgres

    def create(self, directory: Path) -> Store:
        schema = schema_of(directory)
        return PostgresStore.create(self.server.url(schema), self.server.url(schema, OWNER))

    def open(self, directory: Path, *, busy_timeout_s: float = 5.0) -> Store:
        return PostgresStore.open(self.server.url(schema_of(directory)), busy_timeout_s=busy_timeout_s)

    def opening(self, directory: Path) -> str:
        return (
            "from ledger.store.postgres import PostgresStore\n"
            f"store = PostgresStore.open({self.server.url(schema_of(directory))!r})"
        )

    def attack(self, directory: Path, statement: str) -> None:
        """Attack as the owner, whom no privilege holds back."""
        with session(self.server, schema_of(directory), OWNER) as connection:
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                raise translate(error) from None

    def content(self, directory: Path) -> bytes:
        """Return every byte of the files of tables, indexes and their large values, as they are on disk."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            paths = connection.execute(
                "WITH own AS (SELECT oid, reltoastrelid AS large FROM pg_class "
                "WHERE relnamespace = %s::regnamespace), "
                "large AS (SELECT large AS oid FROM own WHERE large <> 0) "
                "SELECT pg_relation_filepath(oid) FROM own WHERE pg_relation_filenode(oid) IS NOT NULL "
                "UNION ALL SELECT pg_relation_filepath(oid) FROM large UNION ALL "
                "SELECT pg_relation_filepath(indexrelid) FROM pg_index JOIN large ON large.oid = indrelid",
                (schema_of(directory),),
            ).fetchall()
        assert len(paths) > len(APPEND_ONLY) + len(ERASABLE)
        return b"".join((self.server.data / path).read_bytes() for (path,) in paths)

    @contextmanager
    def full(self, store: Store) -> Iterator[None]:
        """Let the server fail at the last row of a commit as it does where no block is left."""
        assert isinstance(store, PostgresStore)
        with session(self.server, store.schema, OWNER) as owner:
            owner.execute(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$;"
                "CREATE TRIGGER no_room BEFORE INSERT ON log_head FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
            yield
            owner.execute("DROP TRIGGER no_room ON log_head; DROP FUNCTION no_room()")

    @pytest.mark.parametrize("count", [COPY_FROM - 1, COPY_FROM])
    def test_a_commit_reads_the_same_however_its_rows_went_in(self, store: Store, count: int) -> None:
        """By one statement or by COPY: events, streams, guards and sealed values come back as they were."""
        log = Log(store)
        names = [f"participant/SA-01-{n:03}" for n in range(count)]
        commit = log.commit(*names, guards=[("number", "1"), ("slot", "é")], sealed=["/data/arm", "/data/x"])
        record(store, commit)
        assert store.entries(0, count) == [stored(event) for event in commit.events]
        assert store.streams() == list(commit.streams)
        assert [store.guard(guard.kind, guard.key) for guard in commit.guards] == [0, 0]
        kept = [each for event in commit.events for each in store.disclosures(event.event)]
        assert kept == list(commit.disclosures)
        assert store.head() == log.head()

    @pytest.mark.parametrize("code", ["HEAD_STALE", "DUPLICATE", "GUARD_TAKEN"])
    def test_what_conflicts_in_a_large_commit_is_named_the_same(self, store: Store, code: str) -> None:
        """What COPY refuses has the code that a single row would have, and nothing of it is kept."""
        log = Log(store)
        stale = Log(store, name="stale").commit(*[STUDY] * COPY_FROM)
        record(store, log.commit(STUDY, guards=[("number", "1")]))
        head, large = store.head(), log.commit(*[STUDY] * COPY_FROM, guards=[("number", "2")])
        wrong = {
            "HEAD_STALE": replace(stale, streams=()),
            "DUPLICATE": replace(
                large, events=(*large.events[:-1], replace(large.events[-1], id=large.events[0].id))
            ),
            "GUARD_TAKEN": replace(large, guards=(replace(large.guards[0], key="1"),)),
        }[code]
        with pytest.raises(ConflictError) as caught:
            record(store, wrong)
        assert caught.value.code == code
        assert store.head() == head
        record(store, large)

    # What goes over the wire together

    @pytest.mark.parametrize("count", [1, COPY_FROM])
    def test_a_commit_is_two_exchanges(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        """One brings lock, head and ids, the other rows and COMMIT; a large commit is sent table by table."""
        log, waits = Log(store), list[int]()
        record(store, log.commit(STUDY))
        commit, hear = log.commit(*[STUDY] * count), Wire.hear
        monkeypatch.setattr(Wire, "hear", lambda wire: waits.append(1) or hear(wire))
        with store.write([event.id for event in commit.events]) as transaction:
            assert transaction.head().size == 1
            assert transaction.ids_taken([event.id for event in commit.events]) == set()
            transaction.append(commit, last=True)
        assert len(waits) <= 2 + 1  # and the news of the commit before, where it was not heard yet
        assert store.head() == log.head()

    def test_ids_come_with_the_lock(self, store: Store) -> None:
        """Of ids that were named the log's are known and the others not, whatever they are made of."""
        log = Log(store)
        first = log.commit(STUDY, STUDY)
        record(store, first)
        known, odd = [event.id for event in first.events], ["", "é", '"', "a,b", "{}", "\0", "\ud800"]
        with store.write([*known, "none", *odd]) as transaction:
            assert [transaction.index_of_id(each) for each in known] == [0, 1]
            assert [transaction.index_of_id(each) for each in ("none", *odd)] == [None] * 8
            assert transaction.ids_taken([*known, "none"]) == set(known)

    def test_ids_are_asked_for_anew_behind_what_was_appended(self, store: Store) -> None:
        """An id that was free when the lock was taken is taken by the same transaction's commit."""
        commit = Log(store).commit(STUDY)
        (event,) = commit.events
        with store.write([event.id]) as transaction:
            assert transaction.index_of_id(event.id) is None
            transaction.append(commit)
            assert transaction.index_of_id(event.id) == 0
            assert transaction.ids_taken([event.id]) == {event.id}

    @pytest.mark.parametrize("count", [1, COPY_FROM])
    def test_a_conflict_of_the_last_commit_has_its_code(self, store: Store, count: int) -> None:
        """It is told on leaving at the latest, nothing of it is kept, and the next commit is taken."""
        log = Log(store)
        record(store, log.commit(STUDY, guards=[("number", "007")]))
        taken = log.commit(*[PARTICIPANT] * count, guards=[("number", "007")])
        with pytest.raises(ConflictError, match="GUARD_TAKEN"):
            record_last(store, taken)
        assert (store.head().size, store.stream(PARTICIPANT)) == (1, None)
        record_last(store, replace(taken, guards=()))
        assert store.head() == log.head()

    def test_nothing_follows_the_last_commit(self, store: Store) -> None:
        """Neither reading nor writing: the transaction may have ended already."""
        log = Log(store)
        with store.write() as transaction:
            transaction.append(log.commit(STUDY), last=True)
            with pytest.raises(StoreError, match="STORE_CLOSED"):
                transaction.append(log.commit(STUDY))
            with pytest.raises(StoreError, match="STORE_CLOSED"):
                transaction.stream(STUDY)
        assert store.head().size == 1

    def test_a_table_that_is_locked_when_statements_are_prepared_is_busy_and_no_more(
        self, tmp_path: Path, store: Store
    ) -> None:
        """Who could not prepare while somebody altered a table writes when that is over."""
        with closing(self.open(tmp_path, busy_timeout_s=0.1)) as other:
            with session(self.server, schema_of(tmp_path), OWNER) as owner:
                owner.execute("BEGIN; LOCK TABLE guards IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(StoreError, match="STORE_BUSY"):
                    record(other, Log(store).commit(STUDY))
            record(other, Log(store).commit(STUDY))
        assert store.head().size == 1

    def test_a_commit_of_many_megabytes_arrives(self, store: Store) -> None:
        """More than the connection takes at once is sent piece by piece."""
        log = Log(store)
        commit = log.commit(*[STUDY] * 300, padding=30_000)
        record_last(store, commit)
        assert store.entries(0, 300) == [stored(event) for event in commit.events]
        assert store.head() == log.head()

    def test_news_that_cannot_be_told_is_no_failure(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that is lost behind the answer to COMMIT is replaced; the commit was recorded."""
        assert isinstance(store, PostgresStore)
        log, send = Log(store), Wire.send
        record(store, log.commit(STUDY))

        def lose(wire: Wire, *groups: Sequence[Step]) -> None:
            if groups == (store.told,):
                wire.connection.close()
            send(wire, *groups)

        monkeypatch.setattr(Wire, "send", lose)
        record_last(store, log.commit(*[STUDY] * COPY_FROM))
        record_last(store, log.commit(STUDY))
        assert store.head() == log.head()

    def test_what_becomes_of_the_caller_does_not_stop_the_last_commit(self, store: Store) -> None:
        """It is on its way when the caller fails: the error is the caller's, and the commit is there."""
        commit = Log(store).commit(STUDY)
        with pytest.raises(ZeroDivisionError):
            fail_after(store, lambda transaction: transaction.append(commit, last=True))
        assert store.head().size == 1
        record(store, Log(store).commit(STUDY))

    def test_a_connection_lost_behind_the_last_commit_leaves_nothing(
        self, tmp_path: Path, store: Store
    ) -> None:
        """The server was about to insert the head when the session ended: an error, and nothing is there."""
        log = Log(store)
        record(store, log.commit(STUDY))
        commit = log.commit(STUDY)
        with session(self.server, schema_of(tmp_path), OWNER) as owner:
            owner.execute("BEGIN; LOCK TABLE log_head IN SHARE ROW EXCLUSIVE MODE")
            transaction = store.write().__enter__()
            transaction.append(commit, last=True)
            self._end_sessions()
        with pytest.raises(StoreError, match="STORE_IO"):
            transaction.__exit__(None, None, None)
        assert store.head().size == 1
        record(store, commit)

    def test_truncating_is_refused_even_to_the_owner(self, tmp_path: Path, store: Store) -> None:
        """TRUNCATE fires no row's trigger, so it has one of its own."""
        self._fill(store)
        before = self._everything(store)
        for table in (*APPEND_ONLY, *ERASABLE, "migrations"):
            with pytest.raises(StoreError, match=r"(append|erase)_only"):
                self.attack(tmp_path, f"TRUNCATE {table}")
        assert self._everything(store) == before

    def test_triggers_hold_while_a_session_plays_a_replica(self, tmp_path: Path, store: Store) -> None:
        """What replication switches off for others stays on here."""
        self._fill(store)
        with psycopg.connect(self.server.conninfo(), autocommit=True) as root:
            root.execute("SET session_replication_role = replica")
            for table in (*APPEND_ONLY, *ERASABLE):
                with pytest.raises(psycopg.Error, match=r"(APPEND|ERASE)_ONLY"):
                    root.execute(f"DELETE FROM {schema_of(tmp_path)}.{table}")

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

    def test_a_table_of_the_callers_own_stands_in_for_none(self, tmp_path: Path, store: Store) -> None:
        """A temporary table with the name of a real one is not what the checks look at."""
        record(store, Log(store).commit(STUDY))
        with session(self.server, schema_of(tmp_path), WRITER) as writer:
            writer.execute(
                "CREATE TEMP TABLE events AS SELECT * FROM events; UPDATE pg_temp.events SET idx = 6"
            )
            writer.execute("SET search_path = pg_temp, " + schema_of(tmp_path))
            with pytest.raises(psycopg.Error, match="HEAD_STALE"):
                writer.execute(
                    f"INSERT INTO {schema_of(tmp_path)}.events SELECT 7, at, stream, 2, type, schema, "
                    "'other', sha256('other'), statement, leaf FROM pg_temp.events"
                )

    # Roles

    @pytest.mark.parametrize(
        "statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}", "DROP TABLE {0}"]
    )
    def test_the_writing_role_has_not_the_privilege(
        self, tmp_path: Path, store: Store, statement: str
    ) -> None:
        """Before any trigger is asked, the database itself denies it to the role that writes."""
        columns = ("at", "hash", "note", "salt", "idx", "media_type")
        with session(self.server, schema_of(tmp_path), WRITER) as writer:
            for table, column in zip(APPEND_ONLY, columns, strict=True):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    writer.execute(statement.format(table, column))

    @pytest.mark.parametrize("table", ERASABLE)
    def test_the_writing_role_zeroes_and_nothing_else(self, tmp_path: Path, store: Store, table: str) -> None:
        """Of erasable rows it may set the three columns that erasing sets, and no row may go."""
        self._fill(store)
        with session(self.server, schema_of(tmp_path), WRITER) as writer:
            for statement in (f"UPDATE {table} SET stream = ''", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                refused = statement.replace("stream", "list") if table == "slots" else statement
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    writer.execute(refused)
            with pytest.raises(psycopg.Error, match="ERASE_ONLY"):
                writer.execute(f"UPDATE {table} SET nonce = 'other nonce '")

    def test_the_writing_role_makes_and_unmakes_nothing(self, tmp_path: Path, store: Store) -> None:
        """Neither triggers nor tables nor privileges are its own to change."""
        with session(self.server, schema_of(tmp_path), WRITER) as writer:
            for statement in (
                "ALTER TABLE events DISABLE TRIGGER ALL",
                "DROP TRIGGER events_append_only ON events",
                "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
                "CREATE TABLE more (n int)",
                "SET session_replication_role = replica",
                f"SET ROLE {OWNER}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    writer.execute(statement)
            writer.execute(f"GRANT DELETE ON events TO {WRITER}")  # nothing to give away: a warning
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute("DELETE FROM events")

    @pytest.mark.parametrize("role", [OWNER, "postgres"])
    def test_a_store_is_not_opened_by_a_role_that_may_do_more(
        self, tmp_path: Path, store: Store, role: str
    ) -> None:
        """Who could change what was written does not write: neither the owner nor a superuser."""
        with pytest.raises(StoreError, match="STORE_ROLE"):
            PostgresStore.open(self.server.url(schema_of(tmp_path), role))

    def test_readers_cannot_write(self, store: Store) -> None:
        """The connections that answer reads refuse to write whatever they are given."""
        assert isinstance(store, PostgresStore)
        with store._reader() as reader, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("INSERT INTO guards VALUES ('kind', 'key', 0)")

    # Durable, and busy

    def test_a_commit_is_synced_before_it_returns(self, store: Store) -> None:
        """The session that writes waits for the server's log, and no timeout cuts that wait short."""
        assert isinstance(store, PostgresStore)
        settings = {"synchronous_commit": "on", "statement_timeout": "0", "fsync": "on"}
        found = {name: store._writer.execute(f"SHOW {name}").fetchone() for name in settings}
        assert found == {name: (value,) for name, value in settings.items()}

    def test_a_read_that_takes_too_long_is_busy(self, store: Store) -> None:
        """What the server cancels can be tried again."""
        assert isinstance(store, PostgresStore)
        with store._reader() as reader:
            reader.execute("SET statement_timeout = 10")
            with pytest.raises(psycopg.errors.QueryCanceled) as caught:
                reader.execute("SELECT pg_sleep(10)")
            reader.execute("RESET statement_timeout")
        assert translate(caught.value).code == "STORE_BUSY"

    def test_two_ledgers_in_one_database_do_not_wait_for_each_other(
        self, tmp_path: Path, store: Store
    ) -> None:
        """The write lock is that of a schema."""
        other = tmp_path / "other"
        with closing(self.create(other)) as second, store.write():
            record(second, Log(second).commit(STUDY))
            assert second.head().size == 1
        self.attack(other, f"DROP SCHEMA {schema_of(other)} CASCADE")

    def test_news_is_heard_and_not_only_asked_for(self, tmp_path: Path, store: Store) -> None:
        """A commit elsewhere is told within a fraction of the time after which one would ask."""
        assert isinstance(store, PostgresStore)
        store.wait_for(1, 0.01)
        self._until(lambda: store._news.hearing)
        with closing(self.open(tmp_path)) as other:
            seen = store._news.count()
            record(other, Log(other).commit(STUDY))
            self._until(lambda: store._news.count() > seen)
        assert store.wait_for(1, PATIENCE_S) == 1

    def test_news_goes_on_after_the_connection_was_lost(self, tmp_path: Path, store: Store) -> None:
        """Without its listener a store still waits rightly, and after a while it hears again."""
        assert isinstance(store, PostgresStore)
        store.wait_for(1, 0.01)
        self._until(lambda: store._news.hearing)
        self._end_sessions()
        with closing(self.open(tmp_path)) as other:
            record(other, Log(other).commit(STUDY))
        assert store.wait_for(1, PATIENCE_S) == 1
        self._until(lambda: store._news.hearing)

    # Lost connections

    def test_lost_connections_are_replaced(self, tmp_path: Path, store: Store) -> None:
        """After the server has ended every session, reading and writing go on."""
        record(store, Log(store).commit(STUDY))
        self._end_sessions()
        assert store.head().size == 1
        record(store, Log(store).commit(STUDY))
        with store.snapshot() as snapshot:
            assert snapshot.size == 2

    def test_a_connection_lost_in_mid_transaction_leaves_nothing(self, tmp_path: Path, store: Store) -> None:
        """What was appended when the session ended is not there, and the next commit is taken."""
        commit = Log(store).commit(STUDY)
        transaction = store.write().__enter__()
        transaction.append(commit)
        self._end_sessions()
        with pytest.raises(StoreError, match="STORE_IO"):
            transaction.__exit__(None, None, None)
        assert store.head().size == 0
        record(store, commit)

    @pytest.mark.parametrize("reaches", [True, False])
    def test_a_lost_answer_is_an_error_that_the_lock_settles(
        self, tmp_path: Path, store: Store, reaches: bool
    ) -> None:
        """When the answer to COMMIT is lost, whether it was durable is learned under the write lock."""
        assert isinstance(store, PostgresStore)
        commit = Log(store).commit(STUDY)
        transaction = store.write().__enter__()
        transaction.append(commit)
        if reaches:
            store._writer.pgconn.send_query(b"COMMIT")
            self._until(lambda: self._size(tmp_path) == 1)
        self._end_sessions()
        with pytest.raises(StoreError, match="STORE_IO"):
            transaction.__exit__(None, None, None)
        with store.write() as transaction:
            assert transaction.index_of_id(commit.events[0].id) == (0 if reaches else None)
        if not reaches:
            record(store, commit)
        assert store.head().size == 1

    def test_a_server_that_is_not_there_is_an_error(self, postgres: PostgresServer) -> None:
        """No server answers on the port: STORE_IO."""
        url = postgres.url("nowhere").replace(str(postgres.port), "1")
        with pytest.raises(StoreError, match="STORE_IO"):
            PostgresStore.open(url)

    # The schema

    def test_what_was_appended_out_of_sight_is_refused(self, tmp_path: Path, store: Store) -> None:
        """With the last event taken out behind the triggers, the store is STORE_CORRUPT on opening."""
        record(store, Log(store).commit(STUDY, STUDY))
        self.attack(tmp_path, "ALTER TABLE events DISABLE TRIGGER ALL")
        self.attack(tmp_path, "DELETE FROM events WHERE idx = 1")
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            self.open(tmp_path)

    def test_another_schema_is_no_store(self, tmp_path: Path) -> None:
        """A schema of something else is STORE_CORRUPT and stays as it is."""
        name = schema_of(tmp_path)
        with session(self.server, name, OWNER) as owner:
            owner.execute(f"CREATE SCHEMA {name}; GRANT USAGE ON SCHEMA {name} TO {WRITER}")
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            self.open(tmp_path)

    def test_a_later_version_of_the_tables_is_refused(self, tmp_path: Path, store: Store) -> None:
        """A schema that a later version migrated is STORE_VERSION."""
        self.attack(tmp_path, "INSERT INTO migrations VALUES (9999, '9999_later.sql', sha256('later'))")
        with pytest.raises(StoreError, match="STORE_VERSION"):
            self.open(tmp_path)

    def test_an_older_version_is_migrated_and_never_on_its_own(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A schema that lacks a migration is refused until its owner applies it, once."""
        record(store, Log(store).commit(STUDY))
        more = Migration(number=len(migrations()) + 1, name="9000_more.sql", text="CREATE TABLE more (n int)")
        later = (*migrations(), more)
        monkeypatch.setattr(postgres_migrations, "migrations", lambda kind="": later)
        with pytest.raises(StoreError, match="9000_more"):
            self.open(tmp_path)
        places = [parse_schema_url(self.server.url(schema_of(tmp_path), role)) for role in (WRITER, OWNER)]
        assert [migrate(*places), migrate(*places)] == [("9000_more.sql",), ()]
        with closing(self.open(tmp_path)) as migrated:
            assert migrated.head().size == 1

    def test_a_failed_creation_leaves_nothing(self, tmp_path: Path) -> None:
        """Where the role that is to write is not there, no schema is made."""
        url = self.server.url(schema_of(tmp_path))
        with pytest.raises(StoreError):
            PostgresStore.create(url.replace(WRITER, "nobody_at_all"), url.replace(WRITER, OWNER))
        with pytest.raises(FormatError, match="STORE_URL"):
            PostgresStore.create(url, self.server.url("another", OWNER))
        with pytest.raises(StoreError, match="STORE_MISSING"):
            self.open(tmp_path)

    def test_no_message_carries_a_value(self, tmp_path: Path, store: Store) -> None:
        """What a refusal says names tables and columns, never the id that was refused."""
        log = Log(store)
        first, second = log.commit(PARTICIPANT), log.commit(PARTICIPANT)
        record(store, first)
        taken = replace(second.events[0], id=first.events[0].id)
        with pytest.raises(ConflictError) as caught:
            record(store, replace(second, events=(taken,)))
        assert str(caught.value) == "DUPLICATE: expected new values, found existing ones of events_id"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_the_adapter_has_the_shape_of_the_port(self, store: Store) -> None:
        """Store, transaction and snapshot are what the type checker is told they are."""
        with store.write() as transaction, store.snapshot() as snapshot:
            reads: tuple[Reads, ...] = (store, transaction, snapshot)
            assert {each.head().size for each in reads} == {0}

    # Tools

    def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline
            pause.wait(0.005)

    def _size(self, directory: Path) -> int:
        with closing(self.open(directory)) as other:
            return other.head().size

    def _end_sessions(self) -> None:
        """Let the server end every session of the role that writes."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as root:
            of_writer = f"FROM pg_stat_activity WHERE usename = '{WRITER}'"
            root.execute(f"SELECT pg_terminate_backend(pid) {of_writer}")
            self._until(lambda: root.execute(f"SELECT count(*) {of_writer}").fetchone() == (0,))


@pytest.mark.parametrize(
    "url",
    [
        "postgres",
        "mysql://writer@host/database?schema=s",
        "postgresql://writer@host/database",
        "postgresql://writer@host/database?schema=",
        "postgresql://writer@host/database?schema=S",
        "postgresql://writer@host/database?schema=pg_s",
        "postgresql://writer@host/database?schema=s&schema=t",
        "postgresql://writer@host/database?schema=a;b",
        "postgresql://writer:secret@host/database?schema=s",
        "postgresql://writer@host/database?schema=s&password=secret",
        "postgresql://[host/database?schema=s",
    ],
)
def test_a_url_out_of_form_is_refused(url: str) -> None:
    """Neither half a URL, nor a name that had to be quoted, nor a password that would be written down."""
    with pytest.raises(FormatError, match="STORE_URL") as caught:
        parse_schema_url(url)
    assert "secret" not in str(caught.value)


def test_a_url_is_split_into_what_libpq_reads_and_the_schema() -> None:
    """Everything but the schema is handed on as it was."""
    place = parse_schema_url("postgresql://writer@host:5433/database?sslmode=verify-full&schema=study_1")
    assert place.schema == "study_1"
    assert place.conninfo == "postgresql://writer@host:5433/database?sslmode=verify-full"
