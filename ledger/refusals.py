"""How many refusals are recorded, and what of the refused payload is kept (interfaces.md, POST /statements).

At most 20 refusals an hour are recorded for each person; those beyond are only counted, so that nobody can
fill the log with them, and summed up in one statement before the next that is recorded, or at a clean stop
(catalogue A). The limit is a fold of the log, so that it holds across processes and restarts. The
payload itself is not kept: an HMAC under a secret of the service lets someone who has the refused bytes show
that it was these.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

from ledger.entry import Entry
from ledger.times import parse_instant

PER_HOUR: Final = 20
HOUR_US: Final = 3_600_000_000


class Refusals:
    """Mutable fold of the recorded refusals: of each person the times of the newest twenty, the last index."""

    def __init__(self) -> None:
        self._newest: dict[str, deque[int]] = {}
        self._last: dict[str, int] = {}

    def advance(self, entry: Entry) -> None:
        """Fold an entry in; only a single refusal changes anything, not a sum of those beyond."""
        statement = entry.statement
        if statement is None or statement.type != "command.refused" or statement.schema != 1:
            return
        self._last[statement.data["who"]] = entry.index
        times = self._newest.setdefault(statement.data["who"], deque(maxlen=PER_HOUR))
        times.append(parse_instant(entry.leaf.at))

    def last(self, person: str) -> int | None:
        """Return the index of the newest recorded refusal of a person."""
        return self._last.get(person)

    def admits(self, person: str, at_us: int) -> bool:
        """Tell whether a refusal of this person at this time is to be recorded."""
        times = self._newest.get(person)
        return times is None or len(times) < PER_HOUR or times[0] <= at_us - HOUR_US


def payload_hmac(secret: bytes, payload: bytes) -> str:
    """Return the payload's HMAC-SHA256 under a key made from the service's secret, 64 hex digits."""
    key = hmac.digest(secret, b"trial-ledger/payload-hmac/v1", "sha256")
    return hmac.new(key, payload, hashlib.sha256).hexdigest()
