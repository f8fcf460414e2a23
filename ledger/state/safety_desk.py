"""State: the unblinded steps of safety: reports received, assessments, what is to be expedited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ledger.envelope import EventHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A serious event that the sponsor was told of, and when that was recorded."""

    index: int
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """An assessment, whether it asks for an expedited report, and the instant by which that is due."""

    index: int
    event: EventHash
    asked: bool
    due_us: int | None
    submitted: int | None = None


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyDesk:
    """State of the unblinded steps of safety.

    Attributes:
        receipts: by the event hash of the report to the sponsor.
        assessments: by their own event hash.
    """

    receipts: Mapping[str, Receipt] = field(default_factory=_empty)
    assessments: Mapping[str, Assessment] = field(default_factory=_empty)

    def receipt(self, event: str, before: int) -> Receipt | None:
        """Return a report to the sponsor by its event hash."""
        known = self.receipts.get(event)
        return known if known is not None and known.index < before else None

    def assessment(self, event: str, before: int) -> Assessment | None:
        """Return an assessment by its event hash."""
        known = self.assessments.get(event)
        return known if known is not None and known.index < before else None

    def late(self, at_us: int, before: int) -> Iterator[Assessment]:
        """Yield the assessments whose report was due by an instant of recording and is not there before."""
        for each in self.assessments.values():
            waits = each.submitted is None or each.submitted >= before
            if each.index < before and waits and each.due_us is not None and each.due_us < at_us:
                yield each
