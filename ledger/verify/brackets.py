"""Between which times each event was signed: what the log proves of it, one JSON object a line (`--times`).

    {"index":41,"recorded":"2026-01-05T14:00:01.000000Z","seen":"2026-01-05T13:58:20.000000Z",
     "witnessed":"2026-01-05T15:00:00.000000Z"}

A statement commits to the root of a tree that its signer had verified (`seen`). Nobody knows such a root
before its last leaf is there, so it was signed after that leaf was recorded: `seen` is that leaf's `at`. It
was signed before it was recorded, and `recorded` is not later than the next leaf's. Both are the log's own
clock, which only moves forward. What does not rest on it is `witnessed`: by then the witnesses of the
auditor's policy, or a time-stamping authority, had vouched for the checkpoint that all events here lie below.
`seen` is left out where no tree was there to see and where the statement is withheld.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ledger.checkpoint import check_timed
from ledger.errors import StoreError
from ledger.leaf import Leaf
from ledger.note import parse_note
from ledger.policy import TrustPolicy
from ledger.statement import Statement
from ledger.times import format_instant
from ledger.verify.tables import Spool

AT_BYTES: Final = len("2026-01-05T14:00:00.000000Z")
_UNREADABLE: Final = b" " * AT_BYTES
_SECOND_US: Final = 1_000_000


class TimesError(StoreError):
    """The auditor's own file can't be written: this says nothing of the bundle."""


class Brackets:
    """Writes the line of every entry, in index order; keeps of each leaf when it was recorded, on disk."""

    def __init__(self, path: Path | None, witnessed: str | None) -> None:
        """Open the file; None: nothing is written.

        Raises:
            TimesError: it can't be written.
        """
        self._name = "" if path is None else path.name
        with self._told():
            self._out: IO[str] | None = (
                None if path is None else path.open("w", encoding="ascii", newline="\n")
            )
        self._witnessed = witnessed
        self._ats = Spool()
        self._size = 0

    @property
    def wanted(self) -> bool:
        """Whether anything is written."""
        return self._out is not None

    def add(self, leaf: Leaf, index: int, statement: Statement | None) -> None:
        """Write the line of the entry at an index."""
        if self._out is None:
            return
        self._ats.append(_UNREADABLE * (index - self._size) + leaf.at.encode())
        self._size = index + 1
        row = {"index": index, "recorded": leaf.at}
        if statement is not None and 1 <= statement.seen.size <= index:
            seen = self._ats.read((statement.seen.size - 1) * AT_BYTES, AT_BYTES)
            if seen != _UNREADABLE:
                row["seen"] = seen.decode()
        if self._witnessed is not None:
            row["witnessed"] = self._witnessed
        with self._told():
            self._out.write(json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            with self._told():
                self._out.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            detail = f"{self._name} can't be written: {error.strerror}"
            raise TimesError("STORE_IO", detail, field="--times") from error


def witnessed_at(note: bytes, policy: TrustPolicy) -> str | None:
    """Return by when the witnesses of the policy had signed a note whose quorum was checked.

    That is the latest time that one of them states: a single witness that sets its clock back moves nothing.
    """
    parsed = parse_note(note)
    lines = {(line.name, line.id) for line in parsed.signatures}
    keys = [each.key for each in policy.witnesses if (each.key.name, each.key.id) in lines]
    times = [signed.time_s for signed in check_timed(parsed, keys)] if keys else []
    latest = max((time_s for time_s in times if time_s is not None), default=None)
    return None if latest is None else format_instant(latest * _SECOND_US)
