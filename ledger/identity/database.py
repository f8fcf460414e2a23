"""The file `accounts.db`: what identifies people to the service, apart from the log like `datakeys.db`.

    database = AccountsDatabase(directory / "accounts.db")
    database.add(PART)                                       # its tables, once
    with database.writing() as connection: …                 # one transaction, begun with the write lock
    rows = database.read(QUERIES["…"], (…,))

Each module that keeps something here has its tables in a `.sql` file of its own, a `Part`, so that sessions,
password verifiers and wrapped keys are one file with one set of permissions. Several processes may open it.
Write-ahead log, so that who asks for a session does not wait for who logs in; `secure_delete`, so that what
was overwritten is in no free page; mode 0600, also of the files beside it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from ledger.errors import StoreError
from ledger.store.sql import script
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

FILE: Final = "accounts.db"
FORM: Final = FileFormat(
    what="a file of accounts",
    application_id=0x544C4741,
    version=1,
    script="accounts.sql",
    write_ahead=True,
    package="ledger.identity",
)
BUSY_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Tables that one module keeps in the file: a script of CREATE statements in a package."""

    name: str
    script: str
    package: str

    @property
    def text(self) -> str:
        """The script."""
        return script(self.script, self.package)


class AccountsDatabase:
    """The file of accounts; threads and processes may share it. `repr` shows the path alone."""

    def __init__(self, path: Path) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        self.path = path
        self._lock = threading.RLock()
        self._connection = open_file(path, FORM, BUSY_TIMEOUT_S)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new, empty file.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, FORM, BUSY_TIMEOUT_S)
        return cls(path)

    def __repr__(self) -> str:
        return f"<AccountsDatabase {self.path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def add(self, part: Part) -> None:
        """Make the tables of a part where they are not there yet.

        Raises:
            StoreError: STORE_VERSION where they were made by another script; as `writing`.
        """
        text = part.text
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self.read("SELECT script FROM parts WHERE name = ?", (part.name,))
        if not known:
            with self.writing() as connection:
                known = connection.execute("SELECT script FROM parts WHERE name = ?", (part.name,)).fetchall()
                if not known:
                    for statement in _statements(text):
                        connection.execute(statement)
                    connection.execute("INSERT INTO parts (name, script) VALUES (?, ?)", (part.name, digest))
                    return
        if known[0][0] != digest:
            raise StoreError("STORE_VERSION", f"expected the tables of this version for {part.name}")

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            StoreError: STORE_BUSY, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
        """
        with self._lock:
            try:
                return self._connection.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                raise translate(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the file; commit at the end, or undo everything on an error.

        Raises:
            StoreError: STORE_BUSY, STORE_FULL, STORE_IO, STORE_CORRUPT, STORE_CLOSED.
            ConflictError: DUPLICATE.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # the first failure is the one to tell
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise translate(error) from error

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would commit the transaction that they belong to."""
    held = ""
    for line in text.splitlines():
        held += line + "\n"
        if sqlite3.complete_statement(held):
            yield held
            held = ""
