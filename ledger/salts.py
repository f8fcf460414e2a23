"""Tag and salt of each stream, also of one that has no event yet (record-format.md §4).

Whoever signs the first statement of a salted stream names its tag, so the salt is given out before there is a
row to keep it in: it is reserved in memory. The oldest reservation goes first; who signed for that one has to
ask again.
"""

from __future__ import annotations

from typing import Final

from ledger.service import new_stream
from ledger.sources import Sources
from ledger.store.port import NewStream, Reads

MAX_RESERVED: Final = 4_096


class Salts:
    """Mutable: what is reserved. Used under the ledger's lock."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._reserved: dict[str, NewStream] = {}

    def stream(self, name: str, reads: Reads) -> NewStream:
        """Return tag and salt of a stream, reserving a salt for one that does not exist yet."""
        known = reads.stream(name)
        if known is not None:
            return known
        reserved = self._reserved.get(name)
        if reserved is None:
            if len(self._reserved) >= MAX_RESERVED:
                del self._reserved[next(iter(self._reserved))]
            reserved = self._reserved[name] = new_stream(name, self._sources)
        return reserved

    def reserve(self, row: NewStream, reads: Reads) -> None:
        """Let a stream that has no event yet begin with this salt, which was signed for already."""
        if reads.stream(row.stream) is None:
            self._reserved[row.stream] = row
