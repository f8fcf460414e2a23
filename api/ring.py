"""The newest pieces of the stream, for one audience: subscribers read them by cursor, and nobody queues.

    index      start                         stop
                 | piece | piece | … | piece |
    cursors              ^       ^           ^ caught up

A piece is what the audience gets of one entry, perhaps nothing. Pieces are references to frames that all
audiences share. What lies between a cursor and the end is joined into one write, and joined once for all
subscribers at that cursor, which those who keep up are. Bounded in entries and in bytes; a cursor before
`start` is read from the store (`shelf`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PIECES: Final = 4_096
RING_BYTES: Final = 33_554_432
WRITE_BYTES: Final = 262_144
JOINED: Final = 16
"""So many joined writes are kept until the next entry; who is elsewhere has their own joined."""


class Ring:
    """Pieces of the entries from `start` to `stop`, half open. Lives on one event loop."""

    def __init__(self, size: int, *, pieces: int = PIECES, limit_bytes: int = RING_BYTES) -> None:
        self.stop = size
        self.since = size
        self._pieces: list[bytes] = []
        self._most = pieces
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._joined: dict[int, tuple[int, bytes]] = {}

    @property
    def start(self) -> int:
        """The index of the oldest piece."""
        return self.stop - len(self._pieces)

    def dropped(self, cursor: int) -> bool:
        """Tell whether the piece at a cursor was here, and is no more."""
        return self.since <= cursor < self.start

    def extend(self, pieces: Sequence[bytes]) -> None:
        """Put the next entries' pieces at the end."""
        self._pieces += pieces
        self.stop += len(pieces)
        self._bytes += sum(map(len, pieces))
        self._joined.clear()
        # Cut off at the front by quarters: taking one off a list moves all others.
        if len(self._pieces) > self._most + self._most // 4 or self._bytes > self._limit_bytes:
            self._trim()

    def skip(self, size: int) -> None:
        """Begin again at a size: what came before was not made for this audience."""
        self._pieces.clear()
        self._joined.clear()
        self._bytes = 0
        self.stop = self.since = size

    def read(self, cursor: int) -> tuple[int, bytes]:
        """Return the next cursor, and what to write to get there; `start` <= cursor, the same at the end."""
        if cursor >= self.stop:
            return cursor, b""
        found = self._joined.get(cursor)
        if found is None:
            found = self._join(cursor)
            if len(self._joined) < JOINED:
                self._joined[cursor] = found
        return found

    def _join(self, cursor: int) -> tuple[int, bytes]:
        at = cursor - self.start
        stop, held = at, 0
        while stop < len(self._pieces) and held < WRITE_BYTES:
            held += len(self._pieces[stop])
            stop += 1
        return self.start + stop, b"".join(self._pieces[at:stop])

    def _trim(self) -> None:
        drop = max(len(self._pieces) - self._most, 0)
        left = self._bytes - sum(map(len, self._pieces[:drop]))
        while left > self._limit_bytes * 3 // 4 and drop < len(self._pieces) - 1:
            left -= len(self._pieces[drop])
            drop += 1
        del self._pieces[:drop]
        self._bytes = left
