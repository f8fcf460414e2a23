"""Does the clock by which entries are dated step, while the machine's steady clock goes on?

    watch = ClockWatch(sources.now_us, steady_us)
    watch.step_ms()          # by how much it went otherwise since it was asked last, milliseconds

A clock that is led back slowly (NTP's slewing, at most 0.05 %) stays under any sensible limit between two
questions; a step does not. Whether the clock is right is not for this machine alone to say: `doctor` shows
what the kernel knows of its synchronisation (FDA 2024 Q14).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

ASK_EVERY_S: Final = 10.0
CLOCK: Final = "service"
REFERENCE: Final = "steady clock of the service's machine"
_TRIES: Final = 5
_APART_US: Final = 1_000

Clock = Callable[[], int]
"""Microseconds since some beginning."""


def steady_us() -> int:
    """Return the time since the machine started, the time that it slept included where the system tells."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(which) // 1_000


class ClockWatch:
    """Compares two clocks from one question to the next."""

    def __init__(self, wall: Clock, steady: Clock) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_us = self._measure()

    def step_ms(self) -> int:
        """Return by how much the wall clock went otherwise than the steady one since the last question."""
        before, self._offset_us = self._offset_us, self._measure()
        return round((self._offset_us - before) / 1_000)

    def _measure(self) -> int:
        """Read both at one moment; where something came between, again, and the closest of a few counts."""
        closest: tuple[int, int] | None = None
        for _ in range(_TRIES):
            first, wall, last = self._steady(), self._wall(), self._steady()
            read = (last - first, wall - (first + last) // 2)
            closest = read if closest is None else min(closest, read)
            if closest[0] <= _APART_US:
                break
        assert closest is not None  # noqa: S101  it was read at least once
        return closest[1]
