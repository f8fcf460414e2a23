"""A store of PostgreSQL behind the path of a file: the file holds the name of a schema."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from psycopg import sql

from ledger.errors import StoreError
from ledger.store.postgres import BUSY_TIMEOUT_S, PostgresStore
from ledger.store.postgres_connections import connect
from ledger.store.postgres_migrations import create_schema
from ledger.store.sqlite_files import claim
from ledger.store.urls import parse_schema_url
from tests.on_postgresql import SERVER

_MARK: Final = "schema "


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
        if schema is None:
            raise StoreError("STORE_CORRUPT", "expected a store, found another file")
        opened = super().open(_urls()[1].format(schema=schema), busy_timeout_s=busy_timeout_s)
        opened.path = path
        return opened


def superuser(path: Path) -> Any:
    """Connect to the schema of a file past every privilege, for tests that alter what was written."""
    connection = connect(parse_schema_url(_urls()[0].format(schema=schema_in(path))))
    connection.execute("SELECT 1")
    return connection


def _make(schema: str) -> None:
    owner, writer, _ = (url.format(schema=schema) for url in _urls())
    create_schema(parse_schema_url(writer), parse_schema_url(owner))


def _new_name() -> str:
    return f"s{uuid.uuid4().hex[:24]}"


def _urls() -> list[str]:
    return os.environ[SERVER].split("\n")
