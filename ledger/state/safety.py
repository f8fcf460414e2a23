"""State: safety of one participant beside the adverse events themselves: judgements, reports, clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ledger.envelope import EventHash
from ledger.state.clocks import Due


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyCase:
    """What was judged and done about one adverse event, beside its versions.

    Attributes:
        site, sponsor: whether each of them judges it serious; None: not said. Both are kept: the event is
            serious where either says so.
        criterion_death: whether death is a criterion of its seriousness.
        reported, closed, nullified: indexes.
    """

    site: bool
    sponsor: bool | None = None
    criterion_death: bool = False
    reported: int | None = None
    closed: int | None = None
    nullified: int | None = None

    @property
    def serious(self) -> bool:
        """Whether it counts as serious: the sponsor may raise, never lower."""
        return self.site or bool(self.sponsor)


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """State of safety of one participant.

    Attributes:
        cases: by the adverse event's id.
        deaths: indexes of reports of the participant's death.
        pregnancies: id -> the statement that reported it.
        waiting: what is due by a safety clock.
    """

    cases: Mapping[str, SafetyCase] = field(default_factory=_empty)
    deaths: tuple[int, ...] = ()
    pregnancies: Mapping[str, EventHash] = field(default_factory=_empty)
    waiting: tuple[Due, ...] = ()
