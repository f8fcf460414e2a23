"""How many refusals and prompts are recorded, and what of a refused payload is kept (interfaces.md).

At most 20 refusals an hour are recorded for each person, and as many checks that prompted them; those beyond
are only counted, so that nobody can fill the log with them, and summed up in one statement before the next
that is recorded, or at a clean stop (catalogue A). The limit is a fold of the log, so that it holds across
processes and restarts. The payload itself is not kept: an HMAC under a secret of the service lets someone who
has the refused bytes show that it was these.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Final

from ledger.entry import Entry
from ledger.times import parse_instant

PER_HOUR: Final = 20
HOUR_US: Final = 3_600_000_000
REFUSED: Final = "command.refused"
PROMPTED: Final = "edit_check.fired"
LIMITED: Final = frozenset({REFUSED, PROMPTED})
SUMMED_UP: Final = MappingProxyType({REFUSED: 2, PROMPTED: 3})
"""The schema in which what lies beyond the limit is summed up."""


class Refusals:
    """Mutable fold of what is limited: of each person the times of the newest twenty, and the last index."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], deque[int]] = {}
        self._last: dict[tuple[str, str], int] = {}

    def saved(self) -> dict[str, Any]:
        """Return what is folded as of now, in values that no later entry changes."""
        return deepcopy(vars(self))

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Refusals:
        """Return a fold that goes on from this state, which stays as it is."""
        refusals = cls()
        vars(refusals).update(deepcopy(dict(state)))
        return refusals

    def advance(self, entry: Entry) -> None:
        """Fold an entry in; only a single refusal changes anything, not a sum of those beyond."""
        statement = entry.statement
        if statement is None or statement.type not in LIMITED or "count" in statement.data:
            return
        place = statement.type, statement.data["who"]
        self._last[place] = entry.index
        times = self._newest.setdefault(place, deque(maxlen=PER_HOUR))
        times.append(parse_instant(entry.leaf.at))

    def last(self, person: str, type_: str = REFUSED) -> int | None:
        """Return the index of the newest recorded refusal, or prompt, of a person."""
        return self._last.get((type_, person))

    def admits(self, person: str, at_us: int, type_: str = REFUSED) -> bool:
        """Tell whether a refusal, or prompt, of this person at this time is to be recorded."""
        times = self._newest.get((type_, person))
        return times is None or len(times) < PER_HOUR or times[0] <= at_us - HOUR_US


def payload_hmac(secret: bytes, payload: bytes) -> str:
    """Return the payload's HMAC-SHA256 under a key made from the service's secret, 64 hex digits."""
    key = hmac.digest(secret, b"trial-ledger/payload-hmac/v1", "sha256")
    return hmac.new(key, payload, hashlib.sha256).hexdigest()
