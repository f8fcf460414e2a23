"""What a copy says of the logs that it has, where its log goes on from an older one (docs/epochs.md).

A copy is of one log. Whoever holds a single file of it must not take that for the whole history, so each form
says it: the cover and every page, the readme, ODM's description, and a first row in the listings that stands
where the older log's records would: below 0, under the name of their log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.continued import Continued, continued
from projections.copies.bundled import CopySource

NOT_WHOLE: Final = "NOT THE WHOLE HISTORY"
_NOTHING: Final = dict.fromkeys(
    (
        "performer", "originator", "source", "participant", "site", "protocol", "stream", "type", "about",
        "reason", "signed_at", "meaning", "event",
    )
)  # fmt: skip
_NO_TIME: Final = dict.fromkeys(("utc", "local", "text"))

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A copy's log, and the older one that the copy has nothing of."""

    log: str
    older: Continued

    def __str__(self) -> str:
        """Say it to a person, in sentences."""
        return (
            f"This copy has records of {self.log} alone. That log goes on from {self.older}. "
            f"The records of {self.older.origin}, and of any log before it, are not in this copy: "
            "an export of that log has them."
        )

    def row(self) -> Line:
        """Return a line of the listings that stands for the records that are not there."""
        return {
            **_NOTHING,
            "index": -self.older.size,
            "log": self.older.origin,
            "recorded": _NO_TIME,
            "occurred": _NO_TIME,
            "who": dict.fromkeys(("id", "name", "role", "organisation")),
            "what": f"{NOT_WHOLE}. {self}",
            "changes": [],
            "signatures": [],
            "breaches": [],
        }


def alone(source: CopySource) -> Alone | None:
    """Return what a copy lacks because its log goes on from another; None for a study's first log."""
    older = continued(source.reads)
    return None if older is None else Alone(log=source.checkpoint.origin, older=older)


def listed(source: CopySource, lines: Iterable[Line]) -> list[Line]:
    """Return the lines of a listing: each under its log, after what is missing; a first log's as they are."""
    lacks = alone(source)
    if lacks is None:
        return list(lines)
    return [lacks.row(), *({**line, "log": lacks.log} for line in lines)]


def which_logs(source: CopySource) -> str:
    """Say which logs a copy has, for a readme and a description."""
    lacks = alone(source)
    if lacks is not None:
        return f"{NOT_WHOLE}. {lacks}"
    return f"This copy has records of {source.checkpoint.origin}, the study's first log: none is before it."
