"""A small ledger over PostgreSQL: an empty store in a schema, and a directory that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ledger.directory import KEYS, UNBLINDINGS, Config, write_config
from ledger.keyfile import KeyMaterial, write_key
from ledger.store.postgres import PostgresStore
from ledger.store.unblindings import UnblindingQueue
from tests.ledger.small_ledger import SmallLedger, seed
from tests.postgres_server import OWNER, PostgresServer

KEY_FILES: Final = (
    ("log.json", "ed25519", "log"),
    ("log-pq.json", "ml-dsa-44", "log pq"),
    ("service.json", "ed25519", "service"),
    ("kek.json", "kek", "kek"),
)


def new_store(server: PostgresServer, schema: str) -> PostgresStore:
    """Make an empty store in a schema."""
    return PostgresStore.create(server.url(schema), server.url(schema, OWNER))


def write_directory(made: SmallLedger, directory: Path, url: str, **members: Any) -> None:
    """Give the directory of a small ledger what a command opens it with, `members` in its configuration."""
    given: dict[str, Any] = {"study": "small", "demonstration": False, "tokens": (), **members}
    write_config(directory, Config(origin=made.ledger.origin, store=url, **given))
    (directory / KEYS).mkdir(mode=0o700)
    for name, alg, label in KEY_FILES:
        write_key(directory / KEYS / name, KeyMaterial(alg=alg, secret=seed(label)), None)
    UnblindingQueue.create(directory / UNBLINDINGS).close()
