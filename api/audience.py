"""Who gets the same bytes of the stream: readers of one sight, with one filter.

What a subscriber gets of an entry follows from role, sites and wishes alone, and for some roles from who
they are (`ledger.roles`). Subscribers that are equal in these are one audience, for which each entry is
judged once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from api import sight
from api.frames import Frame
from ledger.store.port import Reads
from projections.reader import Reader

MOST_DECIDED: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a subscriber asked for; empty `types` and no participant ask for everything."""

    types: frozenset[str]
    participant: str | None

    @property
    def asked(self) -> bool:
        """Tell whether anything is left out on the subscriber's own wish."""
        return bool(self.types) or self.participant is not None

    def passes(self, frame: Frame) -> bool:
        """Tell whether an entry is among what was asked for."""
        if self.types and frame.entry.type not in self.types:
            return False
        return self.participant is None or frame.entry.stream == f"participant/{self.participant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Readers of one sight with one filter; made by `audience`.

    The table of roles is pure and the reader stays the same, so what it decides without a look into the
    statement follows from stream and type, and is asked for once.
    """

    reader: Reader
    chosen: Filter
    _decided: dict[tuple[str, str], bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def piece(self, frame: Frame, reads: Reads) -> bytes:
        """Return what goes out of one entry, which may be nothing.

        Without a filter an entry that may not be seen stands as its leaf, so that the count stays whole; with
        one it is left out.
        """
        asked = self.chosen.asked
        if asked and not self.chosen.passes(frame):
            return frame.told
        place = (frame.entry.stream, frame.entry.type)
        seen = self._decided.get(place)
        if seen is None:
            seen = self._decide(frame, reads, place)
        shown = frame.whole if seen else b"" if asked else frame.leaf
        return shown + frame.told if frame.told else shown

    def _decide(self, frame: Frame, reads: Reads, place: tuple[str, str]) -> bool:
        """Ask the table of roles; keep what it says of every statement of this stream and type."""
        seen = sight.sees(self.reader, frame.entry, frame.statement, reads)
        if not frame.looked_into:
            if len(self._decided) >= MOST_DECIDED:
                self._decided.clear()
            self._decided[place] = seen
        return seen


def audience(reader: Reader, chosen: Filter) -> Audience:
    """Return the audience of a reader: who it is counts only where the role sees something of its own."""
    person = reader.person if reader.has_own else None
    return Audience(reader=replace(reader, person=person, opener=None, decided=frozenset()), chosen=chosen)


def renderer(reader: Reader, chosen: Filter, reads: Reads) -> Callable[[Sequence[Frame]], bytes]:
    """Return what writes frames as one reader sees them."""
    gets = audience(reader, chosen)
    return lambda frames: b"".join(gets.piece(each, reads) for each in frames)
