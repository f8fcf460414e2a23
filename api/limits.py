"""How much of the service anybody may take: requests a second of one reader or address, and requests at once.

A token bucket for each reader, and one for each address whose requests bring no reader (an IPv6 address by
its /64). A reader's requests take nothing from their address, so strangers on one network lock nobody out.

Recording is never turned away for its rate. A statement in an emergency and a stranger's rubbish look the
same until the signature is judged, and judging costs hardly more than refusing would. What bounds it is the
number of requests answered at once, and a quarter of that is for recording alone. Even then nothing is lost:
whoever was turned away holds the signed bytes, and hands them in again after `Retry-After`.

Probes of health are never limited; streams have a bound of their own. In memory, for this process alone.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from api.call import Call
from api.problems import ProblemError

BURST_S: Final = 5
BUCKETS: Final = 20_000
RESERVE: Final = 4
RETRY_S: Final = 1

RECORDING: Final = frozenset({"record", "record-batch"})
FREE: Final = frozenset({"livez", "study-livez", "readyz", "study-readyz", "metrics"})
"""Operations by name; every other one is limited by rate, and shares the places that are not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an application is given; a rate of None is no limit."""

    max_requests: int = 1024
    rate_per_s: int | None = None
    anonymous_rate_per_s: int | None = None


class Rates:
    """Token buckets by name, each of `BURST_S` seconds' worth, filled steadily. Used on one event loop."""

    def __init__(
        self, per_s: int, *, keep: int = BUCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._full = float(per_s * BURST_S)
        self._keep = keep
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take one token; return 0, or the seconds after which there is one."""
        now = self._clock()
        level, since = self._buckets.pop(name, (self._full, now))
        level = min(self._full, level + (now - since) * self._per_s)
        wait_s = 0.0 if level >= 1 else (1 - level) / self._per_s
        self._buckets[name] = (level if wait_s else level - 1, now)
        if len(self._buckets) > self._keep:
            self._buckets.popitem(last=False)  # the one that was asked for longest ago
        return wait_s


class Admission:
    """Who is let in. Used on one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.running = 0
        self.turned_away = {"rate": 0, "busy": 0}
        self._most = limits.max_requests
        self._shared = limits.max_requests - max(1, limits.max_requests // RESERVE)
        self._readers = Rates(limits.rate_per_s) if limits.rate_per_s else None
        self._strangers = Rates(limits.anonymous_rate_per_s) if limits.anonymous_rate_per_s else None

    async def admit(self, request: Request, operation: str, enter: Callable[[], Awaitable[Call]]) -> Call:
        """Let a request in: its place among those running is kept until `leave`.

        Raises:
            ProblemError: `BUSY`, `RATE`, and what `enter` raises.
        """
        if operation not in FREE:
            self._place(request, operation)
        try:
            call = await enter()
        except ProblemError as error:
            if error.status == 401:
                self._check(self._strangers, _network(request))
            raise
        if operation not in FREE and operation not in RECORDING:
            if call.who is None:
                self._check(self._strangers, _network(request))
            else:
                self._check(self._readers, f"{call.who.role}/{call.who.person}")
        return call

    def leave(self, state: dict[str, object]) -> None:
        """Give a request's place back, if it has one."""
        if state.pop("placed", False):
            self.running -= 1

    def _place(self, request: Request, operation: str) -> None:
        if self.running >= (self._most if operation in RECORDING else self._shared):
            self.turned_away["busy"] += 1
            raise ProblemError("BUSY", 503, headers={"Retry-After": str(RETRY_S)})
        self.running += 1
        request.state.placed = True

    def _check(self, rates: Rates | None, name: str) -> None:
        wait_s = rates.take(name) if rates is not None else 0.0
        if wait_s:
            self.turned_away["rate"] += 1
            raise ProblemError("RATE", 429, headers={"Retry-After": str(math.ceil(wait_s))})


def _network(request: Request) -> str:
    """Name who is asking without a reader: an address, or the /64 that an IPv6 address is in."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
