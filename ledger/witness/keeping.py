"""What others say of a ledger's checkpoints, in one small file beside it: `witnessed.db`.

A published checkpoint's own bytes never change; witnesses' lines are kept apart and stand after them
wherever the checkpoint is given out. The first line that a witness gave for a size stays. A note that the
log's own key signed over another tree of a size that this log has is proof of a fork: it is kept for good,
and exported.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from ledger.checkpoint import parse_body
from ledger.errors import StoreError
from ledger.note import Note, NoteSignature, VerifierKey, format_note, format_signature, parse_note
from ledger.store.sqlite import BUSY_TIMEOUT_S
from ledger.store.sqlite_errors import translate
from ledger.store.sqlite_files import FileFormat, make_file, open_file

FILE: Final = "witnessed.db"
FORM: Final = FileFormat(
    what="a store of cosignatures",
    application_id=0x544C4746,
    version=1,
    script="witnessed.sql",
    write_ahead=False,
    package="ledger.witness",
)


class Cosignatures:
    """Lines of witnesses by size and key, and proofs of forks; threads and processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Open an existing file.

        Raises:
            StoreError: STORE_MISSING, STORE_CORRUPT, STORE_VERSION, STORE_BUSY, STORE_IO.
        """
        self.path = path
        self._lock = threading.Lock()
        self._connection = open_file(path, FORM, BUSY_TIMEOUT_S)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new, empty file.

        Raises:
            StoreError: STORE_EXISTS, STORE_MISSING for its directory, STORE_FULL, STORE_IO.
        """
        make_file(path, FORM, BUSY_TIMEOUT_S)
        return cls(path)

    def close(self) -> None:
        """Release the file; closing twice is allowed."""
        with self._lock:
            self._connection.close()

    def put(self, size: int, key: VerifierKey, line: NoteSignature) -> None:
        """Keep the line of a witness for a size, unless there is one."""
        self._write(
            "INSERT INTO cosignatures (size, key, line) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (size, _name(key), format_signature(line)),
        )

    def lines(self, size: int, keys: Sequence[VerifierKey]) -> tuple[str, ...]:
        """Return the lines that there are of these keys for a size, in the order of the keys."""
        with self._reading() as connection:
            rows = connection.execute("SELECT key, line FROM cosignatures WHERE size = ?", (size,))
            found = dict(rows.fetchall())
        return tuple(found[_name(key)] for key in keys if _name(key) in found)

    def all_lines(self) -> tuple[tuple[int, str, str], ...]:
        """Return size, name of the key and line of everything that witnesses gave, by size."""
        with self._reading() as connection:
            return tuple(connection.execute("SELECT size, key, line FROM cosignatures ORDER BY size, key"))

    def cosigned(self, note: bytes, keys: Sequence[VerifierKey]) -> bytes:
        """Return a published checkpoint with the lines that these witnesses gave for its size."""
        parsed = parse_note(note)
        there = {(line.name, line.id) for line in parsed.signatures}
        size = parse_body(parsed.text).size
        added = [
            line
            for text in self.lines(size, keys)
            for line in parse_note(f"{parsed.text}\n{text}".encode()).signatures
            if (line.name, line.id) not in there
        ]
        return format_note(Note(text=parsed.text, signatures=(*parsed.signatures, *added))) if added else note

    def put_fork(self, note: bytes) -> str:
        """Keep a note that proves a fork; return its SHA-256, hex."""
        sha256 = hashlib.sha256(note).hexdigest()
        self._write("INSERT INTO forks (sha256, note) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, note))
        return sha256

    def forks(self) -> dict[str, bytes]:
        """Return every note that proves a fork, by its SHA-256."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT sha256, note FROM forks ORDER BY sha256").fetchall())

    def put_stamp(self, size: int, response: bytes) -> None:
        """Keep the time stamp on the checkpoint of a size, unless there is one."""
        self._write(
            "INSERT INTO stamps (size, response) VALUES (?, ?) ON CONFLICT DO NOTHING", (size, response)
        )

    def stamp(self, size: int) -> bytes | None:
        """Return the time stamp on the checkpoint of a size."""
        with self._reading() as connection:
            row = connection.execute("SELECT response FROM stamps WHERE size = ?", (size,)).fetchone()
        return None if row is None else bytes(row[0])

    def remember_policy(self, text: str) -> None:
        """Keep the log's policy of witnesses, for who asks before the log was read."""
        if text != self.policy():
            self._write(
                "INSERT INTO policy (one, text) VALUES (1, ?) "
                "ON CONFLICT (one) DO UPDATE SET text = excluded.text",
                (text,),
            )

    def policy(self) -> str | None:
        """Return the policy of witnesses as it was last remembered."""
        with self._reading() as connection:
            row = connection.execute("SELECT text FROM policy").fetchone()
        return None if row is None else str(row[0])

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with self._reading() as connection:
            connection.execute(statement, values)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.ProgrammingError as error:
                raise StoreError("STORE_CLOSED", "the store of cosignatures is closed") from error
            except sqlite3.Error as error:
                raise translate(error) from error


def _name(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"
