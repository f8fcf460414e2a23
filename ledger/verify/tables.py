"""A compact map from fixed-width hashes to log indexes, so that a long log fits in little memory.

Python's own dict of 32-byte keys takes about 150 bytes an entry; this takes the key and about 8 bytes more.
Open addressing, linear probing, at most two thirds full.
"""

from __future__ import annotations

from array import array
from typing import Final

_FREE: Final = 0


class KeyTable:
    """Map keys of one width to the number given with them; a key is added once."""

    def __init__(self, width: int) -> None:
        """Make an empty table for keys of `width` bytes (at least 8)."""
        self._width = width
        self._keys = bytearray()
        self._values = array("Q")
        self._slots = array("I", [_FREE]) * 64

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> int | None:
        """Return the number that a key was added with, or None."""
        place = self._slots[self._find(key)]
        return None if place == _FREE else self._values[place - 1]

    def add(self, key: bytes, value: int) -> bool:
        """Add a key; return False and change nothing when it is there already."""
        slot = self._find(key)
        if self._slots[slot] != _FREE:
            return False
        self._keys += key
        self._values.append(value)
        self._slots[slot] = len(self._values)
        if 3 * len(self._values) > 2 * len(self._slots):
            self._grow()
        return True

    def _find(self, key: bytes) -> int:
        """Return the slot that holds the key, or the free one where it belongs."""
        if len(key) != self._width:
            raise ValueError(f"expected a key of {self._width} bytes, got {len(key)}")
        mask, width, slots = len(self._slots) - 1, self._width, self._slots
        slot = hash(key) & mask
        while (place := slots[slot]) != _FREE and self._keys[(place - 1) * width : place * width] != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        self._slots = array("I", [_FREE]) * (2 * len(self._slots))
        width = self._width
        for place in range(1, len(self._values) + 1):
            slot = self._find(bytes(self._keys[(place - 1) * width : place * width]))
            self._slots[slot] = place
