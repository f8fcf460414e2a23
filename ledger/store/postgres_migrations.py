"""Migrations of a schema: numbered files that were applied in order, and none of them ever changed or undone.

There are three kinds of schemas, each with its files: a log's, published checkpoints, wrapped data keys.

`create_schema` makes the schema and `migrate` brings an older one up to date, both as the role that owns the
tables; the role that writes is granted what it needs and no more. Each is one transaction.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Final

import psycopg
from psycopg import sql

from ledger.errors import FormatError, StoreError
from ledger.store.postgres_connections import (
    Connection,
    check_server,
    connect,
    connect_writer,
    hold_lock,
    select,
)
from ledger.store.postgres_errors import translate
from ledger.store.sql import script
from ledger.store.urls import SchemaUrl
from ledger.undoing import made

LOG: Final = ""
CHECKPOINTS: Final = "checkpoints"
DATA_KEYS: Final = "datakeys"
GRANTS: Final = {
    LOG: "postgres_writer.sql",
    CHECKPOINTS: "postgres_checkpoints_writer.sql",
    DATA_KEYS: "postgres_datakeys_writer.sql",
}
"""What the role that writes is granted, for each kind of schema."""

_DIRECTORY: Final = "migrations"
_FILE: Final = re.compile(r"(?:(?P<kind>[a-z]+)_)?(?P<number>\d{4})_[a-z_]+\.sql")
_PATIENCE_S: Final = 30.0
_NAMES: Final = "pg_namespace_nspname_index"
"""What another command violates that makes the same schema at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file: its number, its name, its text."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> bytes:
        """Hash of the text, which is never changed once it was applied anywhere."""
        return hashlib.sha256(self.text.encode()).digest()


@cache
def migrations(kind: str = LOG) -> tuple[Migration, ...]:
    """Return the migrations of this version for a kind of schema, in order."""
    names = sorted(each.name for each in (files("ledger.store") / _DIRECTORY).iterdir())
    found = [match for match in map(_FILE.fullmatch, names) if match and (match["kind"] or LOG) == kind]
    return tuple(
        Migration(number=int(match["number"]), name=match[0], text=script(f"{_DIRECTORY}/{match[0]}"))
        for match in found
    )


def create_schema(
    url: SchemaUrl,
    owner: SchemaUrl,
    kind: str = LOG,
    fill: Callable[[Connection], object] = lambda _: None,
) -> None:
    """Make the schema with all its tables and what `fill` puts in, and let the role of `url` write.

    It goes again where what it was made for fails (`ledger.undoing`).

    Raises:
        FormatError: STORE_URL where the two name different schemas.
        StoreError: STORE_EXISTS, STORE_MISSING for the role, STORE_ROLE, STORE_VERSION, STORE_FULL, STORE_IO.
    """
    writer = _role(url, owner)
    with closing(connect_writer(owner, _PATIENCE_S)) as connection:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(owner.schema)))
                check_server(connection, owner.schema)
                _apply(connection, migrations(kind))
                fill(connection)
                _grant(connection, owner.schema, writer, kind)
        except (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation) as error:
            if isinstance(error, psycopg.errors.UniqueViolation) and error.diag.constraint_name != _NAMES:
                raise translate(error) from None
            raise StoreError("STORE_EXISTS", f"expected no schema {owner.schema}, found one") from None
        except psycopg.errors.UndefinedObject:
            raise StoreError("STORE_MISSING", "expected the role that writes, found none") from None
        except psycopg.Error as error:
            raise translate(error) from None
    name = owner.schema
    made(f"schema {name}: as its owner, DROP SCHEMA {name} CASCADE", partial(_drop, owner))


def _drop(owner: SchemaUrl) -> None:
    """Remove a schema that was made a moment ago, and that nothing rests on."""
    with closing(connect_writer(owner, _PATIENCE_S)) as connection:
        try:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(owner.schema)))
        except psycopg.Error as error:
            raise translate(error) from None


def migrate(url: SchemaUrl, owner: SchemaUrl, kind: str = LOG) -> tuple[str, ...]:
    """Apply what an older schema lacks, and grant the role of `url` its privileges again; return the names.

    Raises:
        FormatError: STORE_URL where the two name different schemas.
        StoreError: STORE_MISSING, STORE_VERSION where another history was applied, STORE_BUSY, STORE_IO.
    """
    writer = _role(url, owner)
    with closing(connect_writer(owner, _PATIENCE_S)) as connection:
        number = check_server(connection, owner.schema)
        try:
            with connection.transaction():
                hold_lock(connection, number)
                pending = missing(connection, kind)
                _apply(connection, pending)
                _grant(connection, owner.schema, writer, kind)
        except psycopg.Error as error:
            raise translate(error) from None
    return tuple(each.name for each in pending)


def missing(connection: Connection, kind: str = LOG) -> Sequence[Migration]:
    """Return the migrations that were not applied yet.

    Raises:
        StoreError: STORE_CORRUPT for a schema of something else, STORE_VERSION where what was applied is not
            what this version has at the same numbers.
    """
    try:
        applied = select(connection, "migrations", ())
    except StoreError as error:
        if error.code in ("STORE_CORRUPT", "STORE_ROLE"):
            raise StoreError("STORE_CORRUPT", "expected a schema of a store, found another one") from None
        raise
    known = [(each.number, each.name, each.sha256) for each in migrations(kind)]
    if applied != known[: len(applied)]:
        raise StoreError("STORE_VERSION", "the schema was made by another version of the program")
    return migrations(kind)[len(applied) :]


def _role(url: SchemaUrl, owner: SchemaUrl) -> str:
    """Return the role that is to write, known by connecting as it."""
    if url.schema != owner.schema:
        raise FormatError("STORE_URL", f"expected both URLs to name the schema {url.schema}")
    with closing(connect(url)) as connection:
        return connection.info.user


def _apply(connection: Connection, pending: Sequence[Migration]) -> None:
    for each in pending:
        connection.execute(each.text)
        connection.execute(
            "INSERT INTO migrations (number, name, sha256) VALUES (%s, %s, %s)",
            (each.number, each.name, each.sha256),
        )


def _grant(connection: Connection, schema: str, writer: str, kind: str) -> None:
    names = {"schema": sql.Identifier(schema), "writer": sql.Identifier(writer)}
    connection.execute(sql.SQL(script(GRANTS[kind])).format(**names))
