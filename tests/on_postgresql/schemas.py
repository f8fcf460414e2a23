"""A store of PostgreSQL behind the path of a file: the file holds the name of a schema."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from psycopg import sql

from ledger.errors import StoreError
from ledger.store.postgres import BUSY_TIMEOUT_S, PostgresStore
from ledger.store.postgres_connections import connect
from ledger.store.postgres_migrations import create_schema
from ledger.store.sqlite_files import claim
from ledger.store.urls import SchemaUrl, parse_schema_url
from tests.on_postgresql import FILES, SERVER

_MARK: Final = "schema "
_FILE: Final = b"SQLite format 3\0"
MADE: Final = "made_by_tests"
"""A sequence: how many schemas there ever were."""


def schema_in(path: Path) -> str | None:
    """Return the schema that a file stands for; None for any other file."""
    try:
        with path.open("rb") as file:
            text = file.read(64)
    except OSError:
        return None
    return text.decode().removeprefix(_MARK) if text.startswith(_MARK.encode()) else None


def copy_schema(path: Path) -> None:
    """Copy the schema of a file that was copied, and let the new file stand for the copy."""
    source, target = schema_in(path), _new_name()
    assert source is not None
    _make(target)
    tables = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
    always = (
        "SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
        "WHERE c.relnamespace = %s::regnamespace AND NOT t.tgisinternal"
    )
    with psycopg.connect(_urls()[2]) as connection:
        for (table,) in connection.execute(tables, (target,)).fetchall():
            if table == "migrations":
                continue
            names = {"new": sql.Identifier(target, table), "old": sql.Identifier(source, table)}
            connection.execute(sql.SQL("ALTER TABLE {new} DISABLE TRIGGER USER").format(**names))
            connection.execute(sql.SQL("INSERT INTO {new} SELECT * FROM {old}").format(**names))
        for table, trigger in connection.execute(always, (target,)).fetchall():
            connection.execute(
                sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
                    sql.Identifier(target, table), sql.Identifier(trigger)
                )
            )
    path.write_text(_MARK + target)


class SchemaOfFile(PostgresStore):
    """The PostgreSQL store, made and opened by the path of a file as the SQLite one is."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:  # type: ignore[override]
        claim(path)
        schema = _new_name()
        _make(schema)
        path.write_text(_MARK + schema)
        return cls.open(path, busy_timeout_s=busy_timeout_s)

    @classmethod
    def open(cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:  # type: ignore[override]
        if not path.is_file():
            raise StoreError("STORE_MISSING", "expected a store, found no such file")
        schema = schema_in(path)
        if schema is None and path.read_bytes()[:16] == _FILE:
            return FILES[0].open(path, busy_timeout_s=busy_timeout_s)  # type: ignore[no-any-return]
        if schema is None:
            raise StoreError("STORE_CORRUPT", "expected a store, found another file")
        opened = super().open(_urls()[1].format(schema=schema), busy_timeout_s=busy_timeout_s)
        opened.path = path
        return opened


def superuser(path: Path) -> Any:
    """Connect to the schema of a file past every privilege, for tests that alter what was written."""
    schema = schema_in(path)
    assert schema is not None
    return connect(SchemaUrl(conninfo=_urls()[2], schema=schema))


def _make(schema: str) -> None:
    owner, writer, _ = (url.format(schema=schema) for url in _urls())
    create_schema(parse_schema_url(writer), parse_schema_url(owner))
    with psycopg.connect(_urls()[2]) as connection:
        connection.execute(f"SELECT nextval('public.{MADE}')")


def drop_below(directory: Path) -> None:
    """Drop the schemas of the files that a test has left: their number is what slows a server down."""
    names = [schema_in(path) for path in directory.rglob("*.db") if path.is_file()]
    found = [name for name in names if name is not None]
    if not found:
        return
    with psycopg.connect(_urls()[2], autocommit=True) as connection:
        connection.execute("SET lock_timeout = '50ms'")
        for name in found:
            with suppress(psycopg.Error):  # one that a test left open stays
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def made() -> int:
    """Return how many schemas were made in this run, in all of its processes."""
    with psycopg.connect(_urls()[2]) as connection:
        row = connection.execute(f"SELECT last_value - 1 FROM public.{MADE}").fetchone()
    assert row is not None
    return int(row[0])


def _new_name() -> str:
    return f"s{uuid.uuid4().hex[:24]}"


def _urls() -> list[str]:
    return os.environ[SERVER].split("\n")
