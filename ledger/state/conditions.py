"""State: what the study as a whole permits: halted, resumed or closed, enrolment paused, urgent measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ledger.envelope import EventHash
from ledger.rules.record import span
from ledger.times import Interval

ALL_SITES: Final = "*"
ZONE: Final = "UTC"  # of the study as a whole, which lies in no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The study halted, resumed or closed from a time on."""

    index: int
    state: Literal["halted", "resumed", "closed"]
    begins: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Enrolment paused at some sites from a time on."""

    index: int
    sites: tuple[str, ...]
    begins: str

    def holds(self, site: str, when: Interval) -> bool:
        """Tell whether it is of a site and had begun by the last instant that a time can mean."""
        of_site = site in self.sites or ALL_SITES in self.sites
        return of_site and span(self.begins, ZONE).earliest_us <= when.latest_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An urgent safety measure, the stream that it stands in, and the sites that it is for."""

    index: int
    event: EventHash
    stream: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What was said about the study as a whole, in order."""

    steps: tuple[Step, ...] = ()
    pauses: tuple[Pause, ...] = ()
    measures: tuple[Measure, ...] = ()

    def standing(self, when: Interval, before: int) -> str | None:
        """Return whether the study is `halted` or `closed` at a time; None where it goes on.

        What has begun by the last instant that a time can mean counts: a doubt is a halt.
        """
        for step in reversed(self.steps):
            if step.index < before and span(step.begins, ZONE).earliest_us <= when.latest_us:
                return None if step.state == "resumed" else step.state
        return None

    def last_standing(self, before: int) -> str | None:
        """Return what the newest step says, whenever it begins."""
        last = next((step.state for step in reversed(self.steps) if step.index < before), None)
        return None if last == "resumed" else last

    def measure(self, event: str, site: str, before: int) -> Measure | None:
        """Return an urgent measure that is for a site, by its event hash."""
        return next(
            (
                m
                for m in self.measures
                if m.event == event and m.index < before and (site in m.sites or ALL_SITES in m.sites)
            ),
            None,
        )
