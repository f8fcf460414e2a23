"""The audit trail in the order of any of its columns, and what of it holds a value (FDA 2024 Q12).

    page = chosen(reads, wanted, reader=reader, sort=parse_sort("-name", SORTED), after=None, limit=100)
    lines_at(reads, page.indexes, wanted, reader=reader, known=page.size - 1)

A page is chosen by what the reader sees without stating a purpose: values of which each opening is an event
are never opened to sort or to search by. The cursor is the index of the last line of a page, so that the
next one begins after that line wherever it stands; together with `known` the pages are the whole trail, each
line once. Every entry in the range is looked at for each page: `MOST` bounds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import FormatError
from ledger.store.port import Reads
from projections.audit_trail import Lines, TrailFilter, candidates
from projections.joined import Joined, bounds
from projections.moments import Known, known_size
from projections.ordering import Sort, ordered
from projections.reader import Reader, is_marker
from projections.render import COLUMNS, text_of

MOST: Final = 20_000
"""So many entries are sorted or searched at once; of more, a range or a participant is to be named."""

SORTED: Final[Mapping[str, Any]] = dict(COLUMNS)
"""The columns, as the CSV names them; of a line with several fields the first one counts."""
INDEX: Final = Sort(column="index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The indexes of a page in its order; `next` is the cursor for the page after it, None on the last."""

    indexes: list[int]
    next: int | None
    size: int


def chosen(
    reads: Reads,
    wanted: TrailFilter,
    *,
    reader: Reader,
    sort: Sort = INDEX,
    value: str | None = None,
    after: int | None = None,
    limit: int = 100,
    known: Known = None,
) -> Chosen:
    """Choose a page of the trail.

    Args:
        value: text that an old or new value has in it, in any case.
        after: index of the last line of the page before.

    Raises:
        FormatError: `KNOWN`, `SINCE`, `UNTIL`; `RANGE` for too many entries; `AFTER` for a cursor that is on
            no page.
    """
    size = known_size(reads, known)
    joined = Joined(reads)
    start, stop = bounds(joined, wanted.since, wanted.until, size)
    maker, found = Lines(reads, size, reader), []
    for count, entry in enumerate(candidates(joined, wanted, start, stop, newest_first=False)):
        if count == MOST:
            raise FormatError("RANGE", f"expected a range of {MOST} entries at most", field="since")
        line = maker.line(entry, wanted)
        if line is not None and (value is None or _holds(line, value.casefold())):
            first = line["changes"][0] if line["changes"] else {}
            found.append((entry.index, SORTED[sort.column](line, first)))
    indexes = [index for index, _ in ordered(found, sort, lambda pair: pair[1])]
    begin = 0
    if after is not None:
        if after not in indexes:
            raise FormatError("AFTER", "expected the index of a line of these pages", field="after")
        begin = indexes.index(after) + 1
    page = indexes[begin : begin + limit]
    more = begin + limit < len(indexes)
    return Chosen(indexes=page, next=page[-1] if more else None, size=size)


def lines_at(
    reads: Reads, indexes: Sequence[int], wanted: TrailFilter, *, reader: Reader, known: Known = None
) -> list[dict[str, Any]]:
    """Make the lines of the trail at these indexes, in this order."""
    maker, joined = Lines(reads, known_size(reads, known), reader), Joined(reads)
    entries = (joined.entry(index) for index in indexes)
    lines = (maker.line(entry, wanted) for entry in entries if entry is not None)
    return [line for line in lines if line is not None]


def _holds(line: Mapping[str, Any], value: str) -> bool:
    """Tell whether an old or new value has a text in it; what is sealed has none."""
    return any(
        value in text_of(change[name]).casefold()
        for change in line["changes"]
        for name in ("old", "new")
        if not is_marker(change[name])
    )
