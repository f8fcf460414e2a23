"""How many refusals are recorded, and what of the refused payload is kept (interfaces.md, POST /statements).

At most 20 refusals an hour are recorded for each person; those beyond are only counted, so that nobody can
fill the log with them. The payload itself is not kept: an HMAC under a secret of the service lets someone who
has the refused bytes show that it was these.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

PER_HOUR: Final = 20
HOUR_US: Final = 3_600_000_000


class Refusals:
    """Counts refusals by person over the last hour of recording time."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"trial-ledger/payload-hmac/v1", "sha256")
        self._recorded: dict[str, deque[int]] = {}
        self.beyond: dict[str, int] = {}

    def admit(self, person: str, at_us: int) -> bool:
        """Tell whether a refusal of this person is to be recorded now; counts it either way."""
        times = self._recorded.setdefault(person, deque())
        while times and times[0] <= at_us - HOUR_US:
            times.popleft()
        if len(times) >= PER_HOUR:
            self.beyond[person] = self.beyond.get(person, 0) + 1
            return False
        times.append(at_us)
        return True

    def hmac(self, payload: bytes) -> str:
        """Return the payload's HMAC-SHA256, 64 hex digits."""
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
