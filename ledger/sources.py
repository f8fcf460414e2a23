"""Where time and randomness come from: the one port through which they enter.

`SystemSources` is for real use. `SeededSources` makes a whole run repeatable: the same seed gives the same
identifiers, salts, nonces and times. It is for demonstrations and tests, and whoever has the seed has every
secret made from it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from typing import Protocol


class Sources(Protocol):
    """Clock in microseconds since the epoch (UTC), and random bytes."""

    def now_us(self) -> int:
        """Return the present time."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can foretell (or that a seed determines)."""
        ...


class SystemSources:
    """The machine's clock and the operating system's random generator."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


class SeededSources:
    """A clock that is set by hand and bytes that follow from a public label.

    Bytes are SHA-256(label ‖ counter) in order of demand, so a run is repeatable only when its demands come
    in one order.
    """

    def __init__(self, label: str, start_us: int) -> None:
        self._label = label.encode()
        self._counter = 0
        self._now_us = start_us
        self._lock = threading.Lock()

    def now_us(self) -> int:
        return self._now_us

    def random_bytes(self, count: int) -> bytes:
        with self._lock:
            out = bytearray()
            while len(out) < count:
                out += hashlib.sha256(self._label + b"\0" + self._counter.to_bytes(8, "big")).digest()
                self._counter += 1
            return bytes(out[:count])

    def advance_to(self, now_us: int) -> None:
        """Set the clock forward; it never goes back."""
        self._now_us = max(self._now_us, now_us)

    def advance(self, step_us: int) -> None:
        """Let time pass."""
        self._now_us += step_us


def new_statement_id(sources: Sources) -> str:
    """Make a UUIDv7: 48 bits of milliseconds, then random bits (RFC 9562 §5.7)."""
    milliseconds = sources.now_us() // 1000
    tail = int.from_bytes(sources.random_bytes(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
