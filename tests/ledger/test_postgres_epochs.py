"""Epochs and the demonstration over PostgreSQL, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger.directory import DATABASE, read_config
from tests.ledger.test_backup import opened
from tests.ledger.test_cli import run
from tests.ledger.test_postgres_places import INIT
from tests.postgres_server import OWNER, PostgresServer


def done(*arguments: object) -> dict[str, Any]:
    """Run a command that has to succeed, and return what it printed."""
    ran = run(*map(str, arguments), "--json")
    assert ran.code == 0, ran.err
    shown: dict[str, Any] = json.loads(ran.out)
    return shown


def test_an_epoch_goes_on_in_a_schema_of_its_own(postgres: PostgresServer, tmp_path: Path) -> None:
    """Frozen in one schema, opened in another, read across both; each is sound by itself."""
    old, new, key = tmp_path / "old", tmp_path / "new", tmp_path / "root.json"
    stores = {
        name: ["--store", postgres.url(name), "--store-owner", postgres.url(name, OWNER)]
        for name in ("e1", "e2")
    }
    made = done("init", old, *INIT, "--plain-keys", *stores["e1"])
    Path(made["root_key"]).rename(key)
    done("epoch", "freeze", old, "--why", "key stolen")
    opening = ["epoch", "open", old, new, "--why", "key stolen", "--root-key", key, "--plain-keys"]
    handed = done(*opening, *stores["e2"])
    assert handed["continues"] == made["ledger_id"]
    assert read_config(new).store == postgres.url("e2")
    assert not (new / DATABASE).exists()
    for place in (old, new):
        assert run("fsck", str(place)).code == 0
        assert run("export", str(place), str(tmp_path / f"bundle of {place.name}")).code == 0
    with opened(new) as ledger:
        assert len(list(ledger.store.earlier.entries())) == handed["size"]


def test_an_epoch_needs_who_makes_its_schema(postgres: PostgresServer, tmp_path: Path) -> None:
    """A store without its owner makes nothing, and the old epoch stays as it was."""
    old, key = tmp_path / "old", tmp_path / "root.json"
    Path(done("init", old, *INIT, "--plain-keys")["root_key"]).rename(key)
    done("epoch", "freeze", old, "--why", "key stolen")
    opening = ["epoch", "open", old, tmp_path / "new", "--why", "x", "--root-key", key, "--plain-keys"]
    ran = run(*map(str, opening), "--store", postgres.url("nobodys"))
    assert (ran.code, "STORE_URL" in ran.err) == (2, True)
    assert not (tmp_path / "new" / "ledger.toml").exists()


def test_the_demonstration_needs_it_too(postgres: PostgresServer, tmp_path: Path) -> None:
    """`demo --store` without the owner's URL plays nothing."""
    ran = run("demo", str(tmp_path / "d"), "--store", postgres.url("demo_of_nobody"))
    assert (ran.code, "STORE_URL" in ran.err) == (2, True)
    assert postgres.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'demo_of_nobody'") == [(0,)]
