"""Draws that follow from a public label: the story's small variations, the same on every machine and version.

Python's own generators are not promised to draw the same numbers in every release; SHA-256 is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

HUNDRED: Final = 100


class Dice:
    """Numbers from SHA-256(label ‖ counter). The bias of the modulus is below 2^-50 and of no matter here."""

    __slots__ = ("_count", "_label")

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._count = 0

    def below(self, bound: int) -> int:
        """Draw from 0 to `bound` - 1."""
        digest = hashlib.sha256(self._label + b"\0" + self._count.to_bytes(8, "big")).digest()
        self._count += 1
        return int.from_bytes(digest[:8], "big") % bound

    def between(self, low: int, high: int) -> int:
        """Draw from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Tell yes in so many of a hundred cases."""
        return self.below(HUNDRED) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of several."""
        return choices[self.below(len(choices))]
