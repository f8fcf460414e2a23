"""State: observations: samples, results, diaries, alerts of suicidality, courses of medication."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from ledger.envelope import EventHash
from ledger.times import Interval

_INDEX: Final = Struct("i")  # below 0 in an older epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryEntry:
    """One day's diary: submitted, when it was entered by the server's clock; else missed."""

    index: int
    event: EventHash
    diary: str
    due: str
    entered: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A medication as it is taken: since when, of which class now, and until when.

    `event` is the statement that set the present class, and brought the hold where that is prohibited.
    """

    index: int
    event: EventHash
    medication_class: str
    started: Interval
    changed: Interval | None = None
    stopped: Interval | None = None


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """State of observations; labels and times, never a value.

    Attributes:
        samples: label -> index of its collection.
        results: the statements that a physician can review: their indexes, ascending, of 4 bytes each and one
            after the other, because there are as many as a participant has measurements.
        alerts: the alerts of suicidality, each with the index of what acknowledged it.
        courses: label of a medication -> how it is taken; the newest under that label.
    """

    samples: Mapping[str, int] = field(default_factory=_empty)
    results: bytes = b""
    diaries: tuple[DiaryEntry, ...] = ()
    alerts: Mapping[str, int | None] = field(default_factory=_empty)
    courses: Mapping[str, Course] = field(default_factory=_empty)


def with_result(results: bytes, index: int) -> bytes:
    """Return the results with one more, of an index above all of them."""
    return results + _INDEX.pack(index)


def is_result(results: bytes, index: int) -> bool:
    """Tell whether an index is among those of the results."""
    indexes = memoryview(results).cast("i")
    at = bisect_left(indexes, index)
    return at < len(indexes) and indexes[at] == index
