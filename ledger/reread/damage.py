"""What reading storage again can find: a closed set of codes, and one thing that is not as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.store.port import Reads

CODES: Final = {
    "ENTRY_MISSING": "an index below the size of the log has no row",
    "STATEMENT_HASH": "the statement's bytes are not those of its event hash",
    "STATEMENT": "a stored statement or leaf can't be parsed",
    "LEAF": "the leaf does not commit to the statement, or its labels are others",
    "COLUMNS": "a column of the event differs from statement or leaf, or an index of the database does",
    "TILE": "a tile hash differs from the leaves below it, or is not there",
    "HEAD": "a head does not verify, or is not of the tree that the leaves give",
    "STREAM": "a stream's salt, tag or newest event are not those of its entries",
    "ORDER": "order, linkage or `seen` of an entry do not fit what stands before it",
    "GUARD": "a guard row is missing, points elsewhere, or belongs to nothing in the log",
    "DISCLOSURE": "a sealed value does not open, or not to its digest",
    "DISCLOSURE_MISSING": "a sealed value is not there and no erasure names it",
    "ERASURE_UNDONE": "a sealed value, or the last key of one, is there that an erasure in the log names",
    "ATTACHMENT": "an attachment is missing or is not of the hash and size that name it",
    "SLOT": "a slot of a randomization list is not in the committed list",
    "STRAY": "a table has more rows than the log accounts for",
    "CHECKPOINT": "a published checkpoint does not verify, or is not of this log",
    "WITNESSED": "a witness's line does not hold over this log, or is of a larger one",
    "PROJECTION": "a stored view differs from the fold of the log",
}
"""Every code that `fsck` reports."""
MOST_SPANS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it must be: code, index where there is one, place, one sentence."""

    code: str
    index: int | None
    where: str
    detail: str

    def __str__(self) -> str:
        at = "" if self.index is None else f" index {self.index}"
        return f"{self.code}{at} in {self.where}: {self.detail}"

    def as_json(self) -> dict[str, str | int]:
        """Return the members as JSON has them; no index where there is none."""
        plain: dict[str, str | int] = {"code": self.code, "where": self.where, "detail": self.detail}
        return plain if self.index is None else {**plain, "index": self.index}


def told(findings: Iterable[Damage]) -> Iterator[str]:
    """Yield a line for each kind of damage, with its indexes: one lost entry spoils every head after it."""
    indexes: dict[tuple[str, str, str], list[int]] = {}
    for each in findings:
        kind = indexes.setdefault((each.code, each.where, each.detail), [])
        if each.index is not None:
            kind.append(each.index)
    for (code, where, detail), of in indexes.items():
        at = f" index {_spans(sorted(set(of)))}" if of else ""
        yield f"{code}{at} in {where}: {detail}"


def _spans(indexes: Sequence[int]) -> str:
    """Write ascending indexes: neighbours as a span, and no more spans than a line holds."""
    spans: list[list[int]] = []
    for index in indexes:
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    written = [str(first) if first == last else f"{first} to {last}" for first, last in spans[:MOST_SPANS]]
    more = sum(last - first + 1 for first, last in spans[MOST_SPANS:])
    return ", ".join(written) + (f" and {more:,} more" if more else "")


Checker = Callable[[Reads], Iterable[Damage]]
"""A further check of one snapshot, such as projections against the log."""


class Found(list[Damage]):
    """What was found so far."""

    def bad(self, code: str, index: int | None, where: str, detail: str) -> None:
        """Take a finding down."""
        self.append(Damage(code=code, index=index, where=where, detail=detail))
