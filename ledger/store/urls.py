"""Which store a URL names, and how it is made and opened.

    sqlite:                                           the embedded one: a file in the ledger's directory
    postgresql://writer@host:5432/database?schema=s   one schema of a database; further members are libpq's

A URL stands in `ledger.toml`, so it carries no password: libpq takes that from its password file, its service
file, or the environment. Whoever keeps ledgers in SQLite alone needs no PostgreSQL driver installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ledger.errors import FormatError, StoreError
from ledger.store.port import Store
from ledger.store.sqlite import SqliteStore

SQLITE: Final = "sqlite:"

_SCHEMES: Final = frozenset({"postgresql", "postgres"})
_SCHEMA: Final = re.compile(r"(?!pg_)[a-z][a-z0-9_]{0,47}")
_SECRET: Final = frozenset({"password", "passfile", "sslpassword"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaUrl:
    """A schema of a PostgreSQL database: what libpq is to connect to, and the schema's name."""

    conninfo: str
    schema: str


def parse_schema_url(url: str) -> SchemaUrl:
    """Read the URL of a schema.

    Raises:
        FormatError: `STORE_URL`.
    """
    try:
        parts = urlsplit(url)
        members = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        given = parts.password is not None
    except ValueError as error:
        raise FormatError("STORE_URL", "expected a URL of a store") from error
    if parts.scheme not in _SCHEMES or parts.fragment:
        raise FormatError("STORE_URL", f"expected {SQLITE} or postgresql://…?schema=…")
    if given or any(name in _SECRET for name, _ in members):
        raise FormatError("STORE_URL", "expected no password in the URL: libpq reads it from elsewhere")
    schemas = [value for name, value in members if name == "schema"]
    if len(schemas) != 1 or _SCHEMA.fullmatch(schemas[0]) is None:
        raise FormatError(
            "STORE_URL", "expected one schema=… of lower-case letters, digits and underscores, 48 at most"
        )
    rest = urlencode([(name, value) for name, value in members if name != "schema"])
    return SchemaUrl(conninfo=urlunsplit(parts._replace(query=rest)), schema=schemas[0])


def check_url(url: str) -> None:
    """Check the form of a store's URL.

    Raises:
        FormatError: `STORE_URL`.
    """
    if url != SQLITE:
        parse_schema_url(url)


def create_store(url: str, file: Path, owner: str | None = None) -> Store:
    """Make a new, empty store: a file, or with an owner's URL a schema in which the role of `url` writes.

    Raises:
        FormatError: `STORE_URL` for a URL out of form, or an owner where there is none to have.
        StoreError: STORE_EXISTS, STORE_MISSING, STORE_FULL, STORE_IO, STORE_ROLE, STORE_VERSION.
    """
    if url == SQLITE:
        if owner is not None:
            raise FormatError("STORE_URL", "a file has no owner's URL")
        return SqliteStore.create(file)
    if owner is None:
        raise FormatError("STORE_URL", "expected the URL of the role that is to own the tables")
    return _postgres().PostgresStore.create(url, owner)  # type: ignore[no-any-return]


def open_store(url: str, file: Path) -> Store:
    """Open an existing store.

    Raises:
        FormatError: `STORE_URL`.
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
    """
    if url == SQLITE:
        return SqliteStore.open(file)
    return _postgres().PostgresStore.open(url)  # type: ignore[no-any-return]


def migrate_store(url: str, owner: str) -> tuple[str, ...]:
    """Apply what the tables of a store lack as the role that owns them; return what was applied.

    Raises:
        FormatError: `STORE_URL`; a file has no migrations.
        StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
    """
    place = parse_schema_url(url)
    applied: tuple[str, ...] = _postgres().migrate(place, parse_schema_url(owner))
    return applied


def _postgres() -> ModuleType:
    try:
        from ledger.store import postgres
    except ImportError as error:
        raise StoreError("STORE_MISSING", "expected the extra postgres to be installed") from error
    return postgres
