"""What somebody does to a store behind the ledger's back: alter it, lock it, fill it, look at its bytes.

The same for a SQLite file and for a schema of PostgreSQL that a file stands for (`tests.on_postgresql`), so
that a test says what was done and not to which store.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from tests.on_postgresql import SERVER


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


_POSTGRESQL: Final = (
    (re.compile(r"\?"), "%s"),
    (re.compile(r"zeroblob\((\d+)\)"), r"decode(repeat('00', \1), 'hex')"),
    (re.compile(r"randomblob\(32\)"), "sha256(random()::text::bytea)"),
    (re.compile(r"\bx'([0-9a-f]*)'"), r"'\\x\1'::bytea"),
)
"""What SQLite writes otherwise."""


class Behind:
    """A connection past the port, to which statements are said as to SQLite."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Rows:
        """Run a statement."""
        rows: Rows
        if isinstance(self._connection, sqlite3.Connection):
            rows = self._connection.execute(statement, tuple(parameters))
            return rows
        for theirs, ours in _POSTGRESQL:
            statement = theirs.sub(ours, statement)
        rows = self._connection.execute(statement, tuple(parameters) or None)
        return rows


def schema_of(path: Path) -> str | None:
    """Return the schema that a file stands for in this run, None for a file of SQLite."""
    if SERVER not in os.environ:
        return None
    from tests.on_postgresql.schemas import schema_in

    return schema_in(path)


@contextmanager
def altering(path: Path) -> Iterator[Behind]:
    """Connect as a superuser would: no trigger fires any more, and a file's checks are ignored."""
    if schema_of(path) is not None:
        from tests.on_postgresql.schemas import superuser

        with closing(superuser(path)) as connection:
            tables = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            for (table,) in connection.execute(f"{tables} AND relkind = 'r'").fetchall():
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield Behind(connection)
        return
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield Behind(connection)


@contextmanager
def reading(path: Path) -> Iterator[Behind]:
    """Look at the tables."""
    if schema_of(path) is not None:
        from tests.on_postgresql.schemas import superuser

        with closing(superuser(path)) as connection:
            yield Behind(connection)
        return
    with closing(sqlite3.connect(path)) as connection:
        yield Behind(connection)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock as another process does."""
    schema = schema_of(path)
    if schema is not None:
        from ledger.store.postgres_connections import check_server, hold_lock
        from tests.on_postgresql.schemas import superuser

        with closing(superuser(path)) as connection:
            connection.execute("BEGIN")
            hold_lock(connection, check_server(connection, schema))
            yield
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def impatient(store: Any) -> None:
    """Let an open store wait for a lock for 20 ms alone."""
    if hasattr(store, "schema"):
        store._busy_timeout_s = 0.02
        store._writer.close()  # the next one is opened with it
    else:
        store._writer.execute("PRAGMA busy_timeout = 20")


@contextmanager
def full(store: Any, room: int = 0) -> Iterator[None]:
    """Leave no room but for so many more: pages of a file, or entries of a schema.

    A file may have free pages still, so more than one commit may enter it.
    """
    if not hasattr(store, "schema"):
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages + room}")
        yield
        store._writer.execute("PRAGMA max_page_count = 1000000")
        return
    from tests.on_postgresql.schemas import superuser

    with closing(superuser(store.path)) as connection:
        connection.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER no_room BEFORE INSERT ON log_head FOR EACH ROW "
            f"WHEN (NEW.size > {store.head().size + room}) EXECUTE FUNCTION no_room()"
        )
        yield
        connection.execute("DROP TRIGGER no_room ON log_head; DROP FUNCTION no_room()")


def stands_in(directory: Path, values: Sequence[bytes]) -> tuple[str, ...]:
    """Return the files of a server in which a value stands, of the schema that a directory's file names."""
    if schema_of(directory / "ledger.db") is None:
        return ()
    from tests.on_postgresql.schemas import superuser

    with closing(superuser(directory / "ledger.db")) as connection:
        connection.execute("CHECKPOINT")
        (data,) = connection.execute("SHOW data_directory").fetchone()
        own = "SELECT oid, reltoastrelid FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        paths = connection.execute(
            f"WITH own AS ({own}) SELECT pg_relation_filepath(oid) FROM own "
            "WHERE pg_relation_filenode(oid) IS NOT NULL "
            "UNION SELECT pg_relation_filepath(reltoastrelid) FROM own WHERE reltoastrelid <> 0"
        ).fetchall()
    assert len(paths) > 20
    return tuple(name for (name,) in paths if any(v in (Path(data) / name).read_bytes() for v in values))
