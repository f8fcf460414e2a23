"""Bytes changed at random, the same for the same seed: what a disk, a net or a careless attacker does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

INTERESTING: Final = (
    b"\0", b"\xff", b"\n", b"\r\n", b'"', b"{", b"[", b"}", b"-", b"0", b"e9", b"true", b"null", b"=",
    b"/", b"..", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"9007199254740992", b"\x7f\xff\xff\xff",
    b"PK\x01\x02",
)  # fmt: skip
MOST: Final = 4
"""At most so many changes in one case."""

Change = Callable[[random.Random, bytearray], None]


def _flip(dice: random.Random, data: bytearray) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _set(dice: random.Random, data: bytearray) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.randrange(256)


def _insert(dice: random.Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    data[at:at] = dice.choice(INTERESTING)


def _replace(dice: random.Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    piece = dice.choice(INTERESTING)
    data[at : at + len(piece)] = piece


def _delete(dice: random.Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    del data[at : at + dice.choice((1, 2, 32, 300))]


def _cut(dice: random.Random, data: bytearray) -> None:
    del data[dice.randrange(len(data) + 1) :]


def _double(dice: random.Random, data: bytearray) -> None:
    at = dice.randrange(len(data) + 1)
    piece = data[at : at + dice.choice((1, 32, 300, 2_000))]
    data[at:at] = piece


def _exchange(dice: random.Random, data: bytearray) -> None:
    size = dice.choice((1, 8, 32, 64))
    if len(data) > 2 * size:
        first = dice.randrange(len(data) - 2 * size)
        second = dice.randrange(first + size, len(data) - size + 1)
        data[first : first + size], data[second : second + size] = (
            data[second : second + size],
            data[first : first + size],
        )


CHANGES: Final[Sequence[Change]] = (_flip, _flip, _set, _insert, _replace, _delete, _cut, _double, _exchange)


def mutate(dice: random.Random, data: bytes) -> bytes:
    """Change bytes in one place or a few."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, MOST)):
        dice.choice(CHANGES)(dice, changed)
    return bytes(changed)
