"""What others say of a ledger's checkpoints, in one small file beside it: `witnessed.db`.

A published checkpoint's own bytes never change; witnesses' lines are kept apart and stand after them
wherever the checkpoint is given out. The first line that a witness gave for a size stays. A note that the
log's own key signed over another tree of a size that this log has is proof of a fork: it is kept for good,
and exported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from ledger.checkpoint import parse_body
from ledger.note import Note, NoteSignature, VerifierKey, format_note, format_signature, parse_note
from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

FILE: Final = "witnessed.db"
FORM: Final = FileFormat(
    what="a store of cosignatures",
    application_id=0x544C4746,
    version=1,
    script="witnessed.sql",
    write_ahead=False,
    package="ledger.witness",
)


class Cosignatures(SmallFile):
    """Lines of witnesses by size and key, and proofs of forks; threads and processes may share the file."""

    form = FORM

    def put(self, size: int, key: VerifierKey, line: NoteSignature) -> None:
        """Keep the line of a witness for a size, unless there is one."""
        self.change(
            "INSERT INTO cosignatures (size, key, line) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (size, _name(key), format_signature(line)),
        )

    def lines(self, size: int, keys: Sequence[VerifierKey]) -> tuple[str, ...]:
        """Return the lines that there are of these keys for a size, in the order of the keys."""
        found = dict(self.read("SELECT key, line FROM cosignatures WHERE size = ?", (size,)))
        return tuple(found[_name(key)] for key in keys if _name(key) in found)

    def all_lines(self) -> tuple[tuple[int, str, str], ...]:
        """Return size, name of the key and line of everything that witnesses gave, by size."""
        rows = self.read("SELECT size, key, line FROM cosignatures ORDER BY size, key")
        return tuple((size, key, line) for size, key, line in rows)

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
        self.change("INSERT INTO forks (sha256, note) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, note))
        return sha256

    def forks(self) -> dict[str, bytes]:
        """Return every note that proves a fork, by its SHA-256."""
        return dict(self.read("SELECT sha256, note FROM forks ORDER BY sha256"))

    def put_stamp(self, size: int, response: bytes) -> None:
        """Keep the time stamp on the checkpoint of a size, unless there is one."""
        self.change(
            "INSERT INTO stamps (size, response) VALUES (?, ?) ON CONFLICT DO NOTHING", (size, response)
        )

    def stamp(self, size: int) -> bytes | None:
        """Return the time stamp on the checkpoint of a size."""
        rows = self.read("SELECT response FROM stamps WHERE size = ?", (size,))
        return bytes(rows[0][0]) if rows else None

    def remember_policy(self, text: str) -> None:
        """Keep the log's policy of witnesses, for who asks before the log was read."""
        if text != self.policy():
            self.change(
                "INSERT INTO policy (one, text) VALUES (1, ?) "
                "ON CONFLICT (one) DO UPDATE SET text = excluded.text",
                (text,),
            )

    def policy(self) -> str | None:
        """Return the policy of witnesses as it was last remembered."""
        rows = self.read("SELECT text FROM policy")
        return str(rows[0][0]) if rows else None


def _name(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"
