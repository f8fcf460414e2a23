"""A witness's memory in one SQLite file: without it a witness could cosign two histories.

The check of a request against what was cosigned before and the record of what is cosigned now are one
transaction, durable before any signature leaves (c2sp.org/tlog-witness, "add-checkpoint"). The file is made
by an explicit command alone: a witness whose file is lost is retired, not started anew.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledger.note import VerifierKey, format_vkey, parse_vkey
from ledger.store.small_file import SmallFile
from ledger.store.sqlite_files import FileFormat

MAX_EVIDENCE: Final = 1_000
"""Requests that are kept of one log; more of them say nothing new."""

FORM: Final = FileFormat(
    what="a witness's memory",
    application_id=0x544C4757,
    version=1,
    script="witness.sql",
    write_ahead=False,
    package="ledger.witness",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """The newest tree of a log that was cosigned, when (POSIX seconds), and the cosigned note."""

    size: int
    root: bytes
    time_s: int
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A request that the log signed and that was refused: its tree head, exact body, and what answered it."""

    origin: str
    time_s: int
    status: int
    head: str
    request: bytes


class WitnessStore(SmallFile):
    """The memory of one witness; threads and processes may share it."""

    form = FORM

    def add_log(self, origin: str, keys: tuple[VerifierKey, ...]) -> None:
        """Remember a log's keys, in place of those that were known; what was cosigned of it stays."""
        with self.writing() as connection:
            connection.execute(
                "INSERT INTO logs (origin, keys) VALUES (?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET keys = excluded.keys",
                (origin, "\n".join(format_vkey(key) for key in keys)),
            )

    def logs(self) -> dict[str, tuple[VerifierKey, ...]]:
        """Return the keys of every log, by origin."""
        rows = self.read("SELECT origin, keys FROM logs ORDER BY origin")
        return {origin: tuple(parse_vkey(each) for each in keys.split("\n")) for origin, keys in rows}

    def newest(self, origin: str) -> Cosigned | None:
        """Return what was cosigned last of a log."""
        with self._held() as connection:
            return newest_of(connection, origin)

    def evidence(self, origin: str | None = None) -> tuple[Evidence, ...]:
        """Return the refused requests that are kept, of one log or of all, in order."""
        rows = self.read(
            "SELECT origin, time_s, status, head, request FROM evidence "
            "WHERE ?1 IS NULL OR origin = ?1 ORDER BY number",
            (origin,),
        )
        return tuple(Evidence(origin=a, time_s=b, status=c, head=d, request=e) for a, b, c, d, e in rows)

    def keep_evidence(self, kept: Evidence) -> None:
        """Keep one request for each tree head, up to the limit of the log."""
        with self.writing() as connection:
            connection.execute(
                "INSERT INTO evidence (origin, time_s, status, head, request) SELECT ?1, ?2, ?3, ?4, ?5 "
                "WHERE (SELECT count(*) FROM evidence WHERE origin = ?1) < ?6 "
                "ON CONFLICT (head) DO NOTHING",
                (kept.origin, kept.time_s, kept.status, kept.head, kept.request, MAX_EVIDENCE),
            )


def newest_of(connection: sqlite3.Connection, origin: str) -> Cosigned | None:
    """Read what was cosigned last of a log."""
    row = connection.execute(
        "SELECT size, root, time_s, note FROM cosigned WHERE origin = ?", (origin,)
    ).fetchone()
    return None if row is None else Cosigned(size=row[0], root=row[1], time_s=row[2], note=row[3])


def put_newest(connection: sqlite3.Connection, origin: str, cosigned: Cosigned) -> None:
    """Record what is cosigned now, inside the transaction that checked it."""
    connection.execute(
        "INSERT INTO cosigned (origin, size, root, time_s, note) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, "
        "time_s = excluded.time_s, note = excluded.note",
        (origin, cosigned.size, cosigned.root, cosigned.time_s, cosigned.note),
    )
