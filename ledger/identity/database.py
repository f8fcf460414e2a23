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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.errors import StoreError
from ledger.store.small_file import SmallFile
from ledger.store.sql import script
from ledger.store.sqlite_files import FileFormat

FILE: Final = "accounts.db"
FORM: Final = FileFormat(
    what="a file of accounts",
    application_id=0x544C4741,
    version=1,
    script="accounts.sql",
    write_ahead=True,
    package="ledger.identity",
)


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


class AccountsDatabase(SmallFile):
    """The file of accounts; threads and processes may share it. `repr` shows the path alone."""

    form = FORM

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


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would commit the transaction that they belong to."""
    held = ""
    for line in text.splitlines():
        held += line + "\n"
        if sqlite3.complete_statement(held):
            yield held
            held = ""
