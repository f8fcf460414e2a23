"""Breaches: each rule that a recorded statement breaks, open, or closed by an index (catalogue R6, R10).

The log records that a breach was detected; whether it is still open is a fold of the rules and nobody's
record. So this asks `Conduct`, whose breaches never lose what they were: as of an earlier index a breach is
there when it was found by then, and open until the index that closed it. The projection `breaches` keeps what
was recorded, by stream, for lists that need no judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from ledger.conduct import Conduct
from ledger.participant import Breach
from ledger.rules.codes import RULES
from ledger.store.port import Reads, StoredEntry
from projections.before import own_log
from projections.book import BREACH
from projections.joined import Joined
from projections.moments import Known, known_size
from projections.projection import Projection, State, by_stream
from projections.reader import Reader


def _initial(key: str) -> State:
    return {"stream": key, "site": None, "recorded": []}


def fold(state: State, entry: StoredEntry, statement: Mapping[str, Any]) -> State:
    """Add a recorded breach."""
    data = statement["data"]
    state["site"] = statement.get("site")
    state["recorded"].append({"index": entry.index, "rule": data["rule"], "statement": data["statement"]})
    return state


BREACHES: Final = Projection(
    name="breaches",
    version=1,
    types=frozenset({BREACH}),
    key=by_stream,
    initial=_initial,
    fold=fold,
)


def breaches(
    reads: Reads, conduct: Conduct, *, reader: Reader, known: Known = None, only_open: bool = False
) -> list[dict[str, Any]]:
    """Return the breaches that this reader sees as known at an index, in the order in which they were found.

    `conduct` has folded the log at least up to there.
    """
    size = known_size(reads, known)
    found = []
    for breach in conduct.breaches():
        if breach.found < size and (not only_open or is_open(breach, size)):
            shown = _in_context(reads, breach, size, reader)
            if shown is not None:
                found.append(shown)
    return sorted(found, key=lambda shown: (shown["found"], shown["statement"]["index"], shown["rule"]))


def is_open(breach: Breach, size: int) -> bool:
    """Tell whether a breach was open when the log had `size` leaves."""
    return breach.closed is None or breach.closed >= size


def show_breach(breach: Breach, size: int) -> dict[str, Any]:
    """Show a breach as of the first `size` leaves: its rule, found, recorded, and open or closed by what."""
    rule = RULES.get(breach.rule)
    return {
        "rule": breach.rule,
        "section": rule.section if rule is not None else None,
        "text": rule.text if rule is not None else None,
        "effect": str(rule.effect) if rule is not None else None,
        "statement": {"index": breach.index, "event": breach.event},
        "found": breach.found,
        "recorded": _by(breach.recorded, size),
        "open": is_open(breach, size),
        "closed_by": _by(breach.closed, size),
        "explained_by": _by(breach.explained, size),
        "deviation": _by(breach.deviation, size),
        "pending": breach.pending,
    }


def show_all(found: Iterable[Breach], size: int) -> list[dict[str, Any]]:
    """Show the breaches of one participant that were found by then, in the order of their finding."""
    there = (breach for breach in found if breach.found < size)
    return [show_breach(breach, size) for breach in sorted(there, key=lambda b: (b.found, b.index, b.rule))]


def _by(index: int | None, size: int) -> int | None:
    return index if index is not None and index < size else None


def _in_context(reads: Reads, breach: Breach, size: int, reader: Reader) -> dict[str, Any] | None:
    joined = Joined(reads)
    entry = joined.entry(breach.index)
    if entry is None:
        return None
    statement = orjson.loads(entry.statement)
    if not reader.sees(entry.stream, entry.type, statement):
        return None
    kind, _, name = entry.stream.partition("/")
    shown = show_breach(breach, size)
    shown["statement"] |= {"type": entry.type, "stream": entry.stream, **own_log(entry.index, statement)}
    pending = shown["pending"]
    if pending is not None:
        shown["pending"] = _pending(joined, pending, size)
    return {**shown, "participant": name if kind == "participant" else None, "site": statement.get("site")}


def _pending(joined: Joined, event: str, size: int) -> dict[str, Any] | None:
    """Name the correction or voiding that waits for source or co-signature, once it was there."""
    index = joined.index_of_event(event)
    return None if index is None or index >= size else {"index": index, "event": event}
