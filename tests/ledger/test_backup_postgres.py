"""Backups of a ledger in PostgreSQL: the same files as of any other, put back as files or as schemas."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.archive import seal
from ledger.backup.restoring import Into, restore
from ledger.backup.taking import data_keys_beside, take
from ledger.directory import CHECKPOINTS, CONFIG, DATA_KEYS, DATABASE, open_ledger, read_config
from ledger.errors import ConflictError, FormatError, StoreError
from ledger.fsck import check_storage
from ledger.places import Owners
from ledger.sources import SystemSources
from ledger.store import moving
from ledger.store.moving import move_log
from ledger.store.port import Store
from ledger.store.postgres import PostgresStore
from ledger.store.postgres_keys import KeySchema
from ledger.store.sqlite import SqliteStore
from ledger.store.wrapped_keys import KeyFile
from tests.ledger.on_schema import new_store
from tests.ledger.test_backup import last, opened, tried
from tests.ledger.test_cli import run
from tests.ledger.test_postgres_places import INIT
from tests.ledger.write_path import refused
from tests.postgres_server import OWNER, PostgresServer
from tests.store_contract import record
from tests.store_log import STUDY, Log, digest

DRIFT = {"clock": "service", "limit_ms": 1, "offset_ms": 2, "reference": "another"}
PERSONS = [f"participant/SA-01-{n:03}" for n in range(1, 8)]


@pytest.fixture(scope="module")
def live(postgres: PostgresServer, apart: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger with events, checkpoints and data keys in schemas, of which a key was used."""
    place = tmp_path_factory.mktemp("live") / "ledger"
    owners = [
        "--store", postgres.url("backed"), "--store-owner", postgres.url("backed", OWNER),
        "--checkpoints", apart.url("backed_checkpoints"),
        "--checkpoints-owner", apart.url("backed_checkpoints", OWNER),
        "--data-keys", apart.url("backed_keys"), "--data-keys-owner", apart.url("backed_keys", OWNER),
    ]  # fmt: skip
    done = run("init", place, *INIT, "--plain-keys", *owners)
    assert done.code == 0, done.err
    with opened(place) as ledger:
        ledger.data_keys.key_for("participant/SA-01-001", "identity")
        ledger.data_keys.key_for("participant/SA-01-002", "identity")
        ledger.data_keys.destroy("participant/SA-01-002", "identity")
    return place


def fill(store: Store) -> None:
    """Write a log of several commits, over a tile's end, with at least a row in every table, some erased."""
    log = Log(store)
    record(
        store, log.commit(STUDY, guards=[("number", "001"), ("cap", "é")], sealed=["/data/arm", "/data/x"])
    )
    for n in range(5):
        record(
            store,
            log.commit(*PERSONS, *[STUDY] * 50, guards=[("slot", str(n))], sealed=["/data/arm"][: n % 2]),
        )
    store.put_attachment(digest("bytes").hex(), "text/plain", b"bytes")
    store.delete_disclosures(store.entries(0, 1)[0].event, ["/data/x"])


def everything(store: Store) -> list[object]:
    """Return what the port shows of a log."""
    size = store.head().size
    entries = store.entries(0, size)
    return [
        store.head(),
        entries,
        [store.heads(n) for n in range(size + 1)],
        store.streams(),
        [store.guards(kind) for kind in ("number", "cap", "slot")],
        [store.disclosures(entry.event) for entry in entries],
        [store.tile_hashes(level, 0, size // 256**level) for level in (0, 1)],
        store.attachment(digest("bytes").hex()),
    ]


@pytest.mark.parametrize("page", [3, 4_096])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_log_is_moved_there_and_back(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, at_once: bool
) -> None:
    """From a schema to a file and to another schema, however it is cut, comes what the port showed first."""
    monkeypatch.setattr(moving, "PAGE", page)
    name = f"moved_{page}_{at_once}".lower()
    with (
        closing(new_store(postgres, name)) as first,
        closing(SqliteStore.create(tmp_path / "copy.db")) as file,
        closing(new_store(postgres, f"{name}_back")) as back,
    ):
        fill(first)
        move_log(first, file, at_once=at_once)
        move_log(file, back, at_once=at_once)
        assert everything(first) == everything(file) == everything(back)
        event = first.entries(0, 1)[0].event
        for store in (file, back):
            assert store.delete_disclosures(event, ["/data/x"]) == 0  # erased there, and not absent
            record(store, Log(store).commit(STUDY))
        with pytest.raises(ConflictError):
            move_log(first, file, at_once=at_once)


def test_what_is_backed_up_is_tried_and_recorded(live: Path, tmp_path: Path) -> None:
    """The backup is files; tried beside the live log it gives its root, and both are in the log."""
    with opened(live) as ledger:
        made = take(ledger, live, tmp_path / "b")
        outcome = tried(tmp_path / "b", tmp_path / "work", ledger)
        assert outcome.problems == ()
        assert [type_ for type_, _ in last(ledger, 2)] == ["backup.taken", "restore.tested"]
        assert outcome.root.hex() == made.manifest.root
    names = {part.name for part in made.manifest.files}
    assert names >= {CONFIG, DATABASE, "checkpoint", "keys/kek.json"}
    assert not names & {CHECKPOINTS, DATA_KEYS}
    there = [path for path in tmp_path.rglob("b*") if path.is_file()] + list((tmp_path / "b").rglob("*.*"))
    assert {path.stat().st_mode & 0o077 for path in there} == {0}


def test_put_back_as_files_it_never_names_the_live_schemas(live: Path, tmp_path: Path) -> None:
    """A ledger of its own, with its data keys, destroyed ones destroyed; it writes to no other."""
    with opened(live) as ledger:
        take(ledger, live, tmp_path / "b")
        size = ledger.store.head().size
    restore(tmp_path / "b", tmp_path / "r", data_keys=data_keys_beside(tmp_path / "b"), checkpoints=None)
    assert "postgresql" not in (tmp_path / "r" / CONFIG).read_text()
    with opened(tmp_path / "r") as again:
        assert not isinstance(again.store, PostgresStore)
        again.attest("clock.drifted", "study", DRIFT)
        assert again.data_keys.is_live("participant/SA-01-001", "identity")
        assert not again.data_keys.is_live("participant/SA-01-002", "identity")
        assert check_storage(again) == []
    with opened(live) as ledger:
        assert ledger.store.head().size == size


def test_put_back_as_schemas(
    live: Path, tmp_path: Path, postgres: PostgresServer, apart: PostgresServer
) -> None:
    """Beside the checkpoints that were kept it is frozen, as it lacks its own record; all else is sound."""
    with opened(live) as ledger:
        made = take(ledger, live, tmp_path / "b")
        kept = ledger.data_keys.wrapped.rows()
    into = Into(
        store=postgres.url("again"),
        checkpoints=apart.url("backed_checkpoints"),
        data_keys=apart.url("again_keys"),
        owners=Owners(store=postgres.url("again", OWNER), data_keys=apart.url("again_keys", OWNER)),
    )
    apart_keys = data_keys_beside(tmp_path / "b")
    restore(tmp_path / "b", tmp_path / "r", data_keys=apart_keys, checkpoints=None, into=into)
    assert not any((tmp_path / "r" / name).exists() for name in (DATABASE, CHECKPOINTS, DATA_KEYS))
    config = read_config(tmp_path / "r")
    assert (config.store, config.data_keys) == (into.store, into.data_keys)
    with opened(tmp_path / "r") as again:
        assert again.startup.code == "LOG_BEHIND_CHECKPOINT"
        assert again.store.head().root.hex() == made.manifest.root
        assert again.data_keys.wrapped.rows() == kept
        assert {damage.code for damage in check_storage(again)} == {"CHECKPOINT"}
    with pytest.raises(StoreError, match="STORE_EXISTS"):
        restore(tmp_path / "b", tmp_path / "s", data_keys=apart_keys, checkpoints=None, into=into)
    there = Into(store=into.store, checkpoints=into.checkpoints)
    with pytest.raises(ConflictError, match="HEAD_STALE"):
        restore(tmp_path / "b", tmp_path / "s", data_keys=apart_keys, checkpoints=None, into=there)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("member", "code"), [("data_keys", "STORE_URL"), ("beside", "STORE_SHARED")])
def test_places_that_fit_nowhere(
    live: Path, tmp_path: Path, postgres: PostgresServer, apart: PostgresServer, member: str, code: str
) -> None:
    """Data keys need who makes their schema, in another cluster than the events; no directory is made."""
    with opened(live) as ledger:
        take(ledger, live, tmp_path / "b")
    keys = postgres.url("beside_keys") if member == "beside" else apart.url("nobodys_keys")
    into = Into(
        store=postgres.url(f"nowhere_{member}"),
        data_keys=keys,
        owners=Owners(store=postgres.url(f"nowhere_{member}", OWNER)),
    )
    with pytest.raises((FormatError, StoreError), match=code):
        restore(
            tmp_path / "b",
            tmp_path / "r",
            data_keys=data_keys_beside(tmp_path / "b"),
            checkpoints=None,
            into=into,
        )
    assert not (tmp_path / "r").exists()


def altered(server: PostgresServer, schema: str, *statements: str) -> None:
    """Change a schema past every privilege and trigger."""
    with psycopg.connect(server.conninfo()) as root:
        root.execute(f"SET search_path = {schema}")
        root.execute("SET session_replication_role = replica")
        for table in ("guards", "tile_hashes"):
            root.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            root.execute(statement)


def of_its_own(live: Path, place: Path, server: PostgresServer, schema: str) -> Path:
    """Make a ledger whose events alone are in PostgreSQL, of a backup of another."""
    with opened(live) as ledger:
        take(ledger, live, place / "first")
    into = Into(store=server.url(schema), owners=Owners(store=server.url(schema, OWNER)))
    apart = data_keys_beside(place / "first")
    restore(place / "first", place / "own", data_keys=apart, checkpoints=None, into=into)
    return place / "own"


def test_damage_that_was_there_is_found_by_trying(
    live: Path, tmp_path: Path, postgres: PostgresServer
) -> None:
    """What was altered in the database is copied as it is, and `fsck` of the copy names it."""
    own = of_its_own(live, tmp_path, postgres, "altered")
    altered(postgres, "altered", "UPDATE tile_hashes SET hash = sha256('x') WHERE position = 1")
    with closing(open_ledger(own, None, SystemSources())) as ledger:
        assert take(ledger, own, tmp_path / "b").index is None  # it opened frozen
    assert "TILE" in " ".join(tried(tmp_path / "b", tmp_path / "work").problems)


def test_a_log_with_a_gap_is_not_copied(live: Path, tmp_path: Path, postgres: PostgresServer) -> None:
    """A row of the tree that is missing ends it with a code."""
    of_its_own(live, tmp_path, postgres, "cut")
    altered(postgres, "cut", "DELETE FROM tile_hashes WHERE position = 1")
    with (
        closing(PostgresStore.open(postgres.url("cut"))) as store,
        closing(SqliteStore.create(tmp_path / "x.db")) as target,
        refused("STORE_CORRUPT", StoreError),
    ):
        move_log(store, target, at_once=False)


def test_the_archive_of_a_ledger_in_postgresql(live: Path, tmp_path: Path) -> None:
    """It holds the events as a file, so that an empty machine reads it."""
    with opened(live) as ledger:
        made = seal(ledger, live, tmp_path / "a.zip")
        assert made.size <= ledger.store.head().size
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert packed.read(f"ledger/{DATABASE}").startswith(b"SQLite format 3\0")
        assert b"postgresql" not in packed.read(f"ledger/{CONFIG}")


def commanded(*arguments: object) -> dict[str, Any]:
    """Run a command and return what it printed."""
    done = run(*arguments, "--json")
    assert done.code == 0, done.err
    shown: dict[str, Any] = json.loads(done.out)
    return shown


def test_the_commands(live: Path, tmp_path: Path, postgres: PostgresServer, apart: PostgresServer) -> None:
    """backup, restore-check, restore into schemas, fsck, as an operator types them."""
    b, r = tmp_path / "b", tmp_path / "r"
    size = commanded("backup", live, b)["entries"]
    assert commanded("restore-check", b, "--ledger", live)["outcome"] == "passed"
    places: Sequence[object] = (
        "--store", postgres.url("typed"), "--store-owner", postgres.url("typed", OWNER),
        "--keys-store", apart.url("typed_keys"), "--keys-owner", apart.url("typed_keys", OWNER),
        "--checkpoints-lost",
    )  # fmt: skip
    assert commanded("restore", b, r, *places)["entries"] == size
    done = run("fsck", r)
    assert (done.code, f"{size} entries read, 0 findings" in done.out) == (0, True), done.err


def test_data_keys_come_as_they_were(apart: PostgresServer, tmp_path: Path) -> None:
    """Every row, in order, from a file to a schema and to a file again."""
    rows = [
        ("a", "identity", True, bytes(60)),
        ("a", "identity", False, b"\x01" * 60),
        ("b", "x", False, b"\x02" * 60),
    ]
    KeyFile.make(tmp_path / "keys.db", b"check", rows)
    with closing(KeyFile(tmp_path / "keys.db")) as file:
        KeySchema.create(apart.url("rows"), apart.url("rows", OWNER), file.check(), file.rows())
    with closing(KeySchema(apart.url("rows"))) as schema:
        assert (schema.check(), schema.rows()) == (b"check", rows)
        assert schema.live("a", "identity") == b"\x01" * 60
