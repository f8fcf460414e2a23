"""Checkpoints and data keys in a cluster apart from the events, so that several hosts serve one ledger."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ledger.datakeys import DataKeys, new_check
from ledger.directory import CHECKPOINTS, CONFIG, DATA_KEYS, open_ledger, read_config, write_config
from ledger.errors import FormatError, StoreError
from ledger.fsck import check_storage
from ledger.places import check_apart, create_checkpoints, open_checkpoints
from ledger.sources import SystemSources
from ledger.store.checkpoints import CheckpointStore
from ledger.store.postgres_connections import connect
from ledger.store.postgres_keys import KeySchema
from ledger.store.postgres_migrations import create_schema
from ledger.store.urls import parse_schema_url
from ledger.undoing import undone_on_failure
from tests.checkpoint_contract import CheckpointContract
from tests.ledger.small_ledger import DEFINITION
from tests.ledger.test_cli import run
from tests.postgres_server import OWNER, PostgresServer, in_memory, standby
from tests.store_contract import PATIENCE_S

KEK = bytes(range(32))
NAME = ("participant/SA-01-001", "identity")
EVENT = "ab" * 32
INIT = ["--study", DEFINITION, "--person", "root1", "--name", "R. Holder", "--organisation", "Sponsor"]


@pytest.fixture
def checkpoints_at(apart: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty store of checkpoints."""
    name = f"c{abs(hash(request.node.nodeid)):x}"
    create_checkpoints(apart.url(name), Path("unused"), apart.url(name, OWNER))
    return apart.url(name)


@pytest.fixture
def checkpoints(checkpoints_at: str) -> Iterator[CheckpointStore]:
    """A new, empty store of checkpoints."""
    with closing(open_checkpoints(checkpoints_at, Path("unused"))) as opened:
        yield opened


@pytest.fixture
def keys_at(apart: PostgresServer, request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty place of data keys."""
    name = f"k{abs(hash(request.node.name)):x}"
    KeySchema.create(apart.url(name), apart.url(name, OWNER), new_check(KEK, os.urandom))
    return apart.url(name)


def opened_keys(url: str, kek: bytes = KEK) -> DataKeys:
    """Open a place of data keys."""
    return DataKeys(KeySchema(url), kek, os.urandom)


# Checkpoints


class TestCheckpointSchema(CheckpointContract):
    """The contract, for a schema of a PostgreSQL cluster, to which each publisher might be another host."""

    @pytest.fixture
    def place(self, checkpoints_at: str) -> str:
        """The URL of a new, empty store."""
        return checkpoints_at

    def open(self, place: str) -> CheckpointStore:
        return open_checkpoints(place, Path("unused"))


@pytest.mark.parametrize(
    "statement", ["UPDATE checkpoints SET note = ''", "DELETE FROM checkpoints", "TRUNCATE checkpoints"]
)
def test_what_was_published_stays_even_for_the_owner(
    apart: PostgresServer, checkpoints_at: str, checkpoints: CheckpointStore, statement: str
) -> None:
    """A trigger refuses change and loss."""
    checkpoints.publish(b"three", 3, None)
    with psycopg.connect(apart.conninfo()) as root:
        root.execute(f"SET search_path = {checkpoints_at.rpartition('=')[2]}")
        with pytest.raises(psycopg.Error, match="APPEND_ONLY"):
            root.execute(statement)


def test_a_role_that_may_change_checkpoints_is_refused(apart: PostgresServer, checkpoints_at: str) -> None:
    """The owner's URL is not one to publish with."""
    schema = checkpoints_at.rpartition("=")[2]
    with pytest.raises(StoreError, match="STORE_ROLE"):
        open_checkpoints(apart.url(schema, OWNER), Path("unused"))


# Data keys


def test_what_one_host_sealed_another_opens(keys_at: str) -> None:
    """Both have one key for a stream and scope, and what the one destroys is closed for the other."""
    with opened_keys(keys_at) as one, opened_keys(keys_at) as other:
        sealed = one.seal(EVENT, "/data/identity", *NAME, "QUJD")
        assert other.open(EVENT, "/data/identity", *NAME, *sealed) == "QUJD"
        assert one.key_for(*NAME) == other.key_for(*NAME)
        assert other.destroy(*NAME)
        assert not other.destroy(*NAME)
        with pytest.raises(StoreError, match="DATA_KEY_DESTROYED"):
            one.open(EVENT, "/data/identity", *NAME, *sealed)
        with pytest.raises(StoreError, match="DATA_KEY_MISSING"):
            one.open(EVENT, "/data/identity", "study", "identity", *sealed)
        assert one.seal(EVENT, "/data/identity", *NAME, "QUJD") != sealed


def test_hosts_that_need_the_same_new_keys_at_once_share_them(keys_at: str) -> None:
    """Of keys made at the same moment one is kept for each name, whoever made it."""
    names = [(f"participant/SA-01-{n:03}", "identity") for n in range(40)]
    found: list[list[bytes]] = []
    start = threading.Barrier(4)

    def make() -> None:
        with opened_keys(keys_at) as mine:
            start.wait(PATIENCE_S)
            mine.make(names)
            found.append([mine.key_for(*name) for name in names])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(found) == 4
    assert all(each == found[0] for each in found)


def test_a_destroyed_key_is_in_none_of_the_tables_files(apart: PostgresServer, keys_at: str) -> None:
    """The row version that the update left is gone too once the destruction is done."""
    schema = keys_at.rpartition("=")[2]

    def files() -> bytes:
        with psycopg.connect(apart.conninfo(), autocommit=True) as root:
            root.execute("CHECKPOINT")
            row = root.execute(f"SELECT pg_relation_filepath('{schema}.data_keys')").fetchone()
        assert row is not None
        return (apart.data / row[0]).read_bytes()

    with opened_keys(keys_at) as keys:
        keys.key_for(*NAME)
        wrapped = KeySchema(keys_at)
        kept = wrapped.live(*NAME)
        wrapped.close()
        assert kept is not None
        assert kept in files()
        keys.destroy(*NAME)
        assert kept not in files()


def test_another_key_encryption_key_is_refused(keys_at: str) -> None:
    """Keys that were wrapped with one are not taken for those of another."""
    with pytest.raises(StoreError, match="KEK_WRONG"):
        opened_keys(keys_at, bytes(32))


# A ledger over them


def test_a_ledger_with_every_place_elsewhere(
    postgres: PostgresServer, apart: PostgresServer, tmp_path: Path
) -> None:
    """`init` makes all three; nothing of them is in the directory, and no owner is named there."""
    place = tmp_path / "one"
    owners = [
        "--store", postgres.url("whole"), "--store-owner", postgres.url("whole", OWNER),
        "--checkpoints", apart.url("whole_checkpoints"),
        "--checkpoints-owner", apart.url("whole_checkpoints", OWNER),
        "--data-keys", apart.url("whole_keys"), "--data-keys-owner", apart.url("whole_keys", OWNER),
    ]  # fmt: skip
    done = run("init", place, *INIT, "--plain-keys", *owners)
    assert done.code == 0, done.err
    assert not any((place / name).exists() for name in ("ledger.db", CHECKPOINTS, DATA_KEYS))
    assert OWNER not in (place / CONFIG).read_text()
    with closing(open_ledger(place, None, SystemSources())) as ledger:
        ledger.publish()
        assert check_storage(ledger) == []
        newest = ledger.checkpoints.latest()
        assert newest is not None
        assert newest[0] == ledger.store.head().size
    migrated = run(
        "migrate", place, "--checkpoints-owner", owners[7], "--data-keys-owner", owners[11], "--json"
    )
    assert (migrated.code, migrated.out.strip()) == (0, '{"applied":[]}'), migrated.err
    assert run("fsck", place).code == 0
    (seen,) = json.loads(run("doctor", place, "--json").out)["ledgers"]
    assert [each for each in seen["findings"] if each["area"] == "log" and each["verdict"] == "bad"] == []


def test_doctor_says_that_a_standby_takes_no_writes(postgres: PostgresServer, tmp_path: Path) -> None:
    """The log is read there all the same, and a ledger that leads there records nothing."""
    urls = ["--store", postgres.url("followed"), "--store-owner", postgres.url("followed", OWNER)]
    assert run("init", tmp_path / "ledger", *INIT, "--plain-keys", *urls).code == 0

    def writing() -> tuple[str, str]:
        (seen,) = json.loads(run("doctor", tmp_path / "ledger", "--json").out)["ledgers"]
        [found] = [each for each in seen["findings"] if each["area"] == "writing"]
        return found["verdict"], found["text"]

    assert writing() == ("good", "open")
    with standby(postgres, in_memory()) as second:
        config = read_config(tmp_path / "ledger")
        (tmp_path / "ledger" / CONFIG).unlink()
        write_config(tmp_path / "ledger", replace(config, store=second.url("followed")))
        assert run("fsck", tmp_path / "ledger").code == 0
        assert writing() == ("bad", "the database takes no writes: a standby?")


def schemas(server: PostgresServer, like: str) -> set[str]:
    """Return the names of the schemas that begin so."""
    with closing(connect(parse_schema_url(server.url("any", OWNER)))) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (like,))
        return {row[0] for row in rows}


def test_a_ledger_that_is_made_by_half_leaves_no_schema(
    postgres: PostgresServer, apart: PostgresServer, tmp_path: Path
) -> None:
    """The last of three schemas is there already: the others go again, that one stays; `init` goes then."""
    KeySchema.create(apart.url("half_taken"), apart.url("half_taken", OWNER), new_check(KEK, os.urandom))
    options = []
    for option, server, name in (
        ("store", postgres, "half_events"),
        ("checkpoints", apart, "half_checkpoints"),
        ("data-keys", apart, "half_taken"),
    ):
        options += [f"--{option}", server.url(name), f"--{option}-owner", server.url(name, OWNER)]
    done = run("init", tmp_path / "ledger", *INIT, "--plain-keys", *options)
    assert (done.code, done.err.split(":")[1]) == (3, " STORE_EXISTS"), done.err
    assert "left behind" not in done.err
    assert (schemas(postgres, "half_"), schemas(apart, "half_")) == (set(), {"half_taken"})
    again = [each.replace("half_taken", "half_keys") for each in options]
    assert run("init", tmp_path / "ledger", *INIT, "--plain-keys", *again).code == 0


def test_two_commands_do_not_make_one_schema(postgres: PostgresServer) -> None:
    """Who comes second while the first has not committed learns that it is there, and takes nothing away."""
    with (
        closing(connect(parse_schema_url(postgres.url("any", OWNER)))) as first,
        ThreadPoolExecutor(1) as other,
    ):
        with first.transaction():
            first.execute("CREATE SCHEMA half_at_once")
            second = other.submit(_make_and_fail, postgres, "half_at_once")
            while not first.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchall()[0][0]:
                assert not second.done()
        with pytest.raises(StoreError, match="STORE_EXISTS: expected no schema half_at_once"):
            second.result(PATIENCE_S)
        first.execute("DROP SCHEMA half_at_once")


def _make_and_fail(server: PostgresServer, name: str) -> None:
    with undone_on_failure():
        create_schema(parse_schema_url(server.url(name)), parse_schema_url(server.url(name, OWNER)))


def test_a_restore_that_fails_leaves_no_schema(
    postgres: PostgresServer, apart: PostgresServer, tmp_path: Path
) -> None:
    """The events were in theirs, the data keys have no room: nothing of either stays."""
    KeySchema.create(apart.url("back_taken"), apart.url("back_taken", OWNER), new_check(KEK, os.urandom))
    assert run("init", tmp_path / "ledger", *INIT, "--plain-keys").code == 0
    kept = ["--data-keys", tmp_path / "keys.db"]
    assert run("backup", tmp_path / "ledger", tmp_path / "copy", *kept).code == 0
    into = ["--store", postgres.url("back_events"), "--store-owner", postgres.url("back_events", OWNER)]
    into += ["--keys-store", apart.url("back_taken"), "--keys-owner", apart.url("back_taken", OWNER)]
    done = run("restore", tmp_path / "copy", tmp_path / "again", *kept, "--checkpoints-lost", *into)
    assert (done.code, done.err.split(":")[1]) == (3, " STORE_EXISTS"), done.err
    assert (schemas(postgres, "back_"), schemas(apart, "back_")) == (set(), {"back_taken"})
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("member", ["checkpoints", "data_keys"])
def test_a_place_in_the_cluster_of_the_events_is_refused(
    postgres: PostgresServer, tmp_path: Path, member: str
) -> None:
    """Neither `init` nor opening goes on: a backup would hold both."""
    url, option = postgres.url(f"beside_{member}"), member.replace("_", "-")
    beside = [f"--{option}", url, f"--{option}-owner", postgres.url(f"beside_{member}", OWNER)]
    store = ["--store", postgres.url("beside"), "--store-owner", postgres.url("beside", OWNER)]
    done = run("init", tmp_path / "ledger", *INIT, "--plain-keys", *store, *beside)
    assert (done.code, done.err.split(":")[1]) == (3, " STORE_SHARED")
    assert not (tmp_path / "ledger").exists()
    assert run("init", tmp_path / "made", *INIT, "--plain-keys").code == 0
    changed = replace(read_config(tmp_path / "made"), store=postgres.url("beside"), **{member: url})
    write_config(tmp_path / "made", changed)
    assert read_config(tmp_path / "made") == changed
    with pytest.raises(StoreError, match="STORE_SHARED"):
        check_apart(changed.store, (changed.checkpoints, changed.data_keys))


def test_a_file_has_no_owner_and_a_schema_has_one(apart: PostgresServer, tmp_path: Path) -> None:
    """An owner's URL is asked for exactly where there are tables to own."""
    with pytest.raises(FormatError, match="STORE_URL"):
        create_checkpoints("sqlite:", tmp_path / "c", apart.url("c", OWNER))
    with pytest.raises(FormatError, match="STORE_URL"):
        create_checkpoints(apart.url("c"), tmp_path / "c", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("/ledgers?", "/elsewhere?"), "no such database"),
        (("ledger_writer@", "somebody@"), "no such role"),
        (("127.0.0.1:", "nowhere.invalid:"), "the host of the URL has no address"),
    ],
)
def test_a_connection_that_does_not_come_about_is_told_by_its_cause(
    apart: PostgresServer, change: tuple[str, str], said: str
) -> None:
    """An operator learns what to mend; host, role and database stay out of the error, which may be shown."""
    url = apart.url("anything").replace(*change)
    assert url != apart.url("anything")
    with pytest.raises(StoreError, match="STORE_IO") as caught:
        connect(parse_schema_url(url))
    assert said in str(caught.value)
    assert not any(name in str(caught.value) for name in ("elsewhere", "somebody", "nowhere", "127.0.0.1"))


def test_a_port_at_which_nobody_listens_is_told() -> None:
    """It is what a server that was not started looks like."""
    with socket.socket() as held:  # bound, and never listening
        held.bind(("127.0.0.1", 0))
        url = f"postgresql://ledger_writer@127.0.0.1:{held.getsockname()[1]}/ledgers?schema=anything"
        with pytest.raises(StoreError, match="no server listens"):
            connect(parse_schema_url(url))
