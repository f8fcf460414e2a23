"""Where wrapped data keys lie: the port, and the SQLite file behind it; `postgres_keys` is its sibling.

Neither opens a key. What is kept is opaque: 60 bytes for each stream and scope, zeros once it is destroyed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import BUSY_TIMEOUT_S, FileFormat, make_file

APPLICATION_ID: Final = 0x544C474B
SCHEMA_VERSION: Final = 1
FORM: Final = FileFormat(
    what="a file of data keys",
    application_id=APPLICATION_ID,
    version=SCHEMA_VERSION,
    script="datakeys.sql",
    write_ahead=False,
)

Name = tuple[str, str]
"""Stream and scope."""
KeyRow = tuple[str, str, bool, bytes]
"""Stream, scope, whether it was destroyed, and the wrapped key, zeros where it was."""


class WrappedKeys(Protocol):
    """The rows of wrapped data keys, shared by threads under the caller's lock, and by processes.

    Every method raises StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
    """

    @property
    def where(self) -> str:
        """Where they lie, for people."""

    def check(self) -> bytes:
        """Return what opens under the key-encryption key of all of them; empty where it is lost."""

    def rows(self) -> list[KeyRow]:
        """Return all of them as of one moment, in the order in which they were added."""

    def changed(self) -> bool:
        """Tell whether somebody else may have changed anything since this was asked last."""

    def live(self, stream: str, scope: str) -> bytes | None:
        """Return the wrapped key that is live."""

    def known(self, stream: str, scope: str) -> bool:
        """Tell whether there ever was one."""

    def put(self, names: Sequence[Name], wrap: Callable[[Name], bytes]) -> dict[Name, bytes]:
        """Add what is missing of these, made by `wrap`, in one durable transaction; return what is live."""

    def destroy(self, stream: str, scope: str) -> bool:
        """Overwrite the live one with zeros for ever; tell whether there was one."""

    def close(self) -> None:
        """Release it; closing twice is allowed."""


class KeyFile(SmallFile):
    """Wrapped keys in one SQLite file."""

    form = FORM
    _seen_version = -1

    @classmethod
    def make(cls, path: Path, check: bytes, rows: Sequence[KeyRow] = ()) -> None:
        """Make a new file with its check, empty or with what another place holds.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """

        def fill(made: sqlite3.Connection) -> None:
            made.execute("INSERT INTO kek_check (one, sealed) VALUES (1, ?)", (check,))
            made.executemany(
                "INSERT INTO data_keys (stream, scope, destroyed, wrapped) VALUES (?, ?, ?, ?)", rows
            )

        make_file(path, FORM, BUSY_TIMEOUT_S, fill)

    @property
    def where(self) -> str:
        return str(self.path)

    def check(self) -> bytes:
        row = self._one("SELECT sealed FROM kek_check", ())
        return row[0] if row else b""

    def rows(self) -> list[KeyRow]:
        found = self.read("SELECT stream, scope, destroyed, wrapped FROM data_keys ORDER BY number")
        return [(stream, scope, bool(destroyed), wrapped) for stream, scope, destroyed, wrapped in found]

    def changed(self) -> bool:
        row = self._one("PRAGMA data_version", ())
        version, seen = row[0] if row else 0, self._seen_version
        self._seen_version = version
        return version != seen

    def live(self, stream: str, scope: str) -> bytes | None:
        row = self._one(
            "SELECT wrapped FROM data_keys WHERE stream = ? AND scope = ? AND destroyed = 0", (stream, scope)
        )
        return None if row is None else row[0]

    def known(self, stream: str, scope: str) -> bool:
        return (
            self._one("SELECT 1 FROM data_keys WHERE stream = ? AND scope = ? LIMIT 1", (stream, scope))
            is not None
        )

    def put(self, names: Sequence[Name], wrap: Callable[[Name], bytes]) -> dict[Name, bytes]:
        with self.writing():
            return {name: self.live(*name) or self._insert(name, wrap(name)) for name in names}

    def destroy(self, stream: str, scope: str) -> bool:
        with self._held() as connection:
            done = connection.execute(
                "UPDATE data_keys SET destroyed = 1, wrapped = zeroblob(60)"
                " WHERE stream = ? AND scope = ? AND destroyed = 0",
                (stream, scope),
            )
            return done.rowcount > 0

    def _insert(self, name: Name, wrapped: bytes) -> bytes:
        self.change("INSERT INTO data_keys (stream, scope, wrapped) VALUES (?, ?, ?)", (*name, wrapped))
        return wrapped

    def _one(self, query: str, parameters: tuple[str, ...]) -> tuple[Any, ...] | None:
        for row in self.read(query, parameters):
            return row
        return None
