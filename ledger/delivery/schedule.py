"""When a failed delivery is tried again, and when it is parked.

Waits double from five seconds to twelve hours, and each is drawn at random from the whole of that span (full
jitter), so that endpoints that failed together do not come back together. What has failed for three days is
parked; the entry after it goes on. `Retry-After` of the receiver counts, up to an hour.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

SECOND_US: Final = 1_000_000
MAX_RETRY_AFTER_S: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The figures; all in seconds."""

    first_s: float = 5.0
    longest_s: float = 12 * 3_600.0
    give_up_s: float = 3 * 24 * 3_600.0

    def span_s(self, tries: int) -> float:
        """Return the longest wait after so many failed attempts, 1 for the first."""
        return float(min(self.first_s * 2 ** min(tries - 1, 40), self.longest_s))

    def due_us(self, tries: int, now_us: int, retry_after_s: float) -> int:
        """Return when to try again."""
        # Not a secret: only that senders don't come back together.
        wait_s = random.uniform(0, self.span_s(tries))  # noqa: S311
        return now_us + round(max(wait_s, min(retry_after_s, MAX_RETRY_AFTER_S)) * SECOND_US)

    def spent(self, since_us: int, now_us: int) -> bool:
        """Tell whether a delivery that has failed since then is parked."""
        return now_us - since_us >= self.give_up_s * SECOND_US
