"""A record: one statement as it reads now, with its two clocks.

`at_us` is when the log took it in; `occurred` is the clinical time, corrected where it was corrected, as the
interval that it can mean in the zone of its site (record-format.md §1). Rules read records and never
statements, so that a correction folds again without a special case (catalogue R10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from ledger.actions.registry import ActionSpec, find_spec, spec
from ledger.actions.registry import Effect as ActionEffect
from ledger.entry import Entry
from ledger.envelope import EventHash
from ledger.errors import FormatError
from ledger.statement import Statement
from ledger.times import Interval, interval, parse_instant

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
CLOCK_TOLERANCE_US: Final = 5 * MINUTE_US
"""How far a time may lie ahead of its recording (R1)."""

PERFORMERS: Final = ("consenter", "clinician", "performer")
"""Members of data that name who performed what is recorded: a rater or preparer is its `performer`."""

_WITH_GATES: Final = ("participant/", "pharmacy/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One corrected value: where, the new value, and the correction that says so."""

    path: str
    new: Any
    event: EventHash
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One statement with the corrections that are folded in."""

    index: int
    at_us: int
    event: EventHash
    type: str
    stream: str
    site: str | None
    protocol: str | None
    occurred: Interval
    data: Mapping[str, Any]
    statement: Statement
    changes: tuple[Change, ...] = ()
    """The corrections that are folded in."""
    opened: Mapping[str, Any] | None = field(default=None, repr=False)
    """The values of its sealed paths, where a rule asks for them and the reader opens them; else None."""
    gates: bool = field(init=False, repr=False, compare=False)
    """Whether its type is a gate of a participant's or a pharmacy's stream, wherever passed."""
    _known: ActionSpec | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Rules ask for these again and again.
        known = find_spec(self.type, self.statement.schema)
        gates = (
            known is not None and known.effect is ActionEffect.GATE and self.stream.startswith(_WITH_GATES)
        )
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "gates", gates)

    @property
    def is_gate(self) -> bool:
        """Tell whether it permits something to come: a gate that was not passed outside the system.

        Asked of participants' and pharmacies' streams; every gate elsewhere is of the study or a site.
        """
        return self.gates and "performed_outside" not in self.data

    @property
    def spec(self) -> ActionSpec:
        """Return what the vocabulary says of its type and schema.

        Raises:
            FormatError: `UNKNOWN_TYPE`.
        """
        return self._known or spec(self.type, self.statement.schema)

    @property
    def references(self) -> Iterator[str]:
        """Yield the event hashes that its data names."""
        for name in self.spec.references:
            value = self.data.get(name)
            if isinstance(value, str):
                yield value
            elif value is not None:
                yield from value

    @property
    def performer(self) -> str:
        """Return the person who did it: the first of those named as such, else the signer."""
        return self.performers[0]

    @property
    def performers(self) -> tuple[str, ...]:
        """Return everybody named as having done it (R2b).

        A name replaces the signer, who then only wrote it down.
        """
        named = [self.data[member] for member in PERFORMERS if isinstance(self.data.get(member), str)]
        return tuple(dict.fromkeys(named)) if named else (self.statement.actor.id,)

    @property
    def now(self) -> Interval:
        """Return the instant at which a gate is judged: recording, or when it was passed outside."""
        if self.is_gate:
            return Interval(earliest_us=self.at_us, latest_us=self.at_us)
        return self.occurred

    def precedes(self, time: Interval) -> bool:
        """Tell whether it came before a time for certain: what was at that time says nothing of it.

        Clocks may be apart as far as a time may lie ahead of its recording (R1).
        """
        return time.earliest_us > self.now.latest_us + CLOCK_TOLERANCE_US


@lru_cache(maxsize=8192)
def span(text: str, zone: str) -> Interval:
    """Return the interval that a clinical time can mean in a zone; remembered, because times repeat.

    Raises:
        FormatError: not a clinical time.
    """
    return interval(text, zone)


def record_of(entry: Entry, zone: str, changes: tuple[Change, ...] = ()) -> Record | None:
    """Read an entry with its corrections; None where the statement is withheld.

    Raises:
        FormatError: a corrected time that is none.
    """
    statement = entry.statement
    if statement is None:
        return None
    data: Mapping[str, Any] = statement.data
    protocol, occurred_at = statement.protocol, statement.occurred_at
    for change in changes:
        if change.path == "/occurred_at":
            occurred_at = change.new
        elif change.path == "/protocol":
            protocol = change.new
        elif change.path.startswith("/data/"):
            data = put(data, change.path.split("/")[2:], change.new)
    return Record(
        index=entry.index,
        at_us=parse_instant(entry.leaf.at),
        event=entry.event,
        type=statement.type,
        stream=statement.stream,
        site=statement.site,
        protocol=protocol,
        occurred=span(occurred_at, zone),
        data=data,
        statement=statement,
        changes=changes,
    )


def value_at(statement: Statement, changes: tuple[Change, ...], path: str) -> Any:
    """Return what stands at a pointer after the latest correction; None where nothing does.

    Raises:
        FormatError: `CORRECTION_PATH`, the pointer's parent is not there.
    """
    if path == "/originator":
        newest = [change.new for change in changes if change.path == path]
        return newest[-1] if newest else _originator(statement)
    if path == "/occurred_at":
        return next((c.new for c in reversed(changes) if c.path == path), statement.occurred_at)
    if path == "/protocol":
        return next((c.new for c in reversed(changes) if c.path == path), statement.protocol)
    value: Any = statement.data
    for change in changes:
        if change.path.startswith("/data/"):
            value = put(value, change.path.split("/")[2:], change.new)
    *parents, last = path.split("/")[2:]
    for name in parents:
        value = _child(value, name)
    return _child(value, last, missing=None)


def put(container: Any, path: list[str], new: Any) -> Any:
    """Return a copy of a JSON value with one member replaced; null takes the member out.

    Raises:
        FormatError: `CORRECTION_PATH`, the path leads nowhere.
    """
    name, rest = path[0], path[1:]
    if isinstance(container, Mapping):
        copy = dict(container)
        if rest:
            copy[name] = put(_child(container, name), rest, new)
        elif new is None:
            copy.pop(name, None)
        else:
            copy[name] = new
        return copy
    if isinstance(container, list):
        _child(container, name)
        position = int(name)
        value = put(container[position], rest, new) if rest else new
        return [*container[:position], value, *container[position + 1 :]]
    raise FormatError("CORRECTION_PATH", "the path leads nowhere", field="/data/path")


_NOTHING: Final = object()


def _child(container: Any, name: str, missing: Any = _NOTHING) -> Any:
    if isinstance(container, Mapping) and name in container:
        return container[name]
    if isinstance(container, list) and name.isascii() and name.isdigit() and int(name) < len(container):
        return container[int(name)]
    if isinstance(container, Mapping) and missing is not _NOTHING:
        return missing
    raise FormatError("CORRECTION_PATH", "the path leads nowhere", field="/data/path")


def _originator(statement: Statement) -> dict[str, str] | None:
    originator = statement.originator
    if originator is None:
        return None
    value = {"id": originator.id, "kind": originator.kind}
    return value if originator.source is None else {**value, "source": originator.source}
