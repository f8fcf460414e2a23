"""Wrapped data keys in PostgreSQL, so that several hosts can serve one ledger: sibling of the file.

The cluster is another than the events', so that no backup holds both. Destroying overwrites the row and
rewrites the table; what the server's own log and its backups still hold is wrapped, and is named in
docs/postgresql.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.store.postgres_connections import QUERIES, Connection
from ledger.store.postgres_erasing import clear, rewrite
from ledger.store.postgres_migrations import DATA_KEYS, create_schema
from ledger.store.postgres_place import Place
from ledger.store.sqlite_files import BUSY_TIMEOUT_S
from ledger.store.urls import parse_schema_url
from ledger.store.wrapped_keys import KeyRow, Name


class KeySchema:
    """Wrapped keys in one schema."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open an existing one.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_ROLE, STORE_BUSY, STORE_IO.
        """
        self._place = Place(url, DATA_KEYS, busy_timeout_s)

    @classmethod
    def create(cls, url: str, owner: str, check: bytes, rows: Sequence[KeyRow] = ()) -> None:
        """Make a new one as its owner, with what opens under its key-encryption key, empty or with what
        another place holds.

        Raises:
            FormatError: STORE_URL.
            StoreError: STORE_EXISTS, STORE_MISSING for the role, STORE_ROLE, STORE_VERSION, STORE_IO.
        """

        def fill(connection: Connection) -> None:
            connection.execute(QUERIES["insert_key_check"], (check,))
            if rows:
                connection.execute(
                    QUERIES["insert_key_rows"], [list(each) for each in zip(*rows, strict=True)]
                )

        create_schema(parse_schema_url(url), parse_schema_url(owner), DATA_KEYS, fill)

    @property
    def where(self) -> str:
        return f"schema {self._place.url.schema}"

    def check(self) -> bytes:
        rows = self._place.rows("key_check")
        return rows[0][0] if rows else b""

    def rows(self) -> list[KeyRow]:
        return [tuple(row) for row in self._place.rows("all_keys")]

    def changed(self) -> bool:
        return True  # to ask whether somebody else changed anything costs what asking for the key does

    def live(self, stream: str, scope: str) -> bytes | None:
        rows = self._place.rows("live_key", stream, scope)
        return rows[0][0] if rows else None

    def known(self, stream: str, scope: str) -> bool:
        return bool(self._place.rows("known_key", stream, scope))

    def put(self, names: Sequence[Name], wrap: Callable[[Name], bytes]) -> dict[Name, bytes]:
        columns = [[name[0] for name in names], [name[1] for name in names]]
        self._place.change("insert_keys", *columns, [wrap(name) for name in names])
        return {(stream, scope): key for stream, scope, key in self._place.rows("live_keys", *columns)}

    def destroy(self, stream: str, scope: str) -> bool:
        destroyed = self._place.change("destroy_key", stream, scope)
        clear(lambda: rewrite(self._place.connection(), "data_keys"), self._place.busy_timeout_s)
        return destroyed > 0

    def close(self) -> None:
        self._place.close()
