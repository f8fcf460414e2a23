"""Attempts that were refused: how many requests of each operation brought nobody, or somebody who may not.

A refused read is no event: the catalogue has a type for refused statements and one for failed logins, and
none for this. So each is a line of the log, without anybody's id, address or input, and is counted here. The
counts are bounded by the declared operations, start anew with the process, and are shown to who sees the
access log of everybody.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

import structlog

from api.problems import ProblemError
from ledger.errors import LedgerError

STATUSES: Final = (401, 403)

_log = structlog.get_logger("api")


class Attempts:
    """The counts of one study. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def note(self, operation: str, error: LedgerError) -> None:
        """Count and log a refusal; anything else that went wrong is none."""
        if not isinstance(error, ProblemError) or error.status not in STATUSES:
            return
        with self._lock:
            self._counts[operation, error.status] += 1
        _log.warning("refused", operation=operation, status=error.status, code=error.code)

    def rows(self) -> list[dict[str, str | int]]:
        """Return the counts by operation and status."""
        with self._lock:
            found = sorted(self._counts.items())
        return [{"operation": name, "status": status, "count": count} for (name, status), count in found]
