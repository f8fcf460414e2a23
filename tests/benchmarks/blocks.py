"""Blocks: measure things against each other on a machine that does other work meanwhile.

Every contender does the same number of events in each round, in an order that is shuffled anew, so that
whatever slows the machine slows all of them alike. What counts is the ratio within one round; the median over
the rounds is reported with its spread. No time is ever asserted.

    ratio of a round = seconds of the baseline / seconds of the subject      above 1: the subject is faster

Wall time holds what disk and other processes cost; CPU time of this process holds what the code costs.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

SHUFFLE_SEED: Final = 20_240_603

Work = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Something that is measured.

    Attributes:
        prepare: makes one block's work; what it does itself is not measured.
        events: how many events that work holds.
        cpu_s: the clock of CPU time, by default this process's.
        latencies: where the work puts the seconds that single events took; what the first round put is lost.
    """

    name: str
    events: int
    prepare: Callable[[], Work]
    cpu_s: Callable[[], float] = time.process_time
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one block took, in microseconds per event."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Ratios of rates over all rounds: median, quartiles, extremes."""

    median: float
    low: float
    high: float
    worst: float
    best: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All samples of one contender, one for each round."""

    name: str
    events: int
    samples: tuple[Sample, ...]
    latencies: tuple[float, ...] = ()

    def latency_ms(self, percent: int) -> float | None:
        """Return a percentile of what single events took; None where that was not measured."""
        if len(self.latencies) < 2:
            return None
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1] * 1e3

    @property
    def wall_us(self) -> float:
        """Median wall time per event."""
        return statistics.median(sample.wall_us for sample in self.samples)

    @property
    def cpu_us(self) -> float:
        """Median CPU time per event."""
        return statistics.median(sample.cpu_us for sample in self.samples)


def run(contenders: Sequence[Contender], rounds: int) -> dict[str, Series]:
    """Measure contenders in interleaved blocks; the first round warms up and is dropped."""
    shuffled = random.Random(SHUFFLE_SEED)  # noqa: S311  an order, not a secret
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        order = list(contenders)
        shuffled.shuffle(order)
        for contender in order:
            sample = _measure(contender)
            if number:
                samples[contender.name].append(sample)
            else:
                contender.latencies.clear()
    return {
        contender.name: Series(
            name=contender.name,
            events=contender.events,
            samples=tuple(samples[contender.name]),
            latencies=tuple(contender.latencies),
        )
        for contender in contenders
    }


def wall_ratio(subject: Series, baseline: Series) -> Ratio:
    """Compare rates by wall time, round by round."""
    pairs = zip(subject.samples, baseline.samples, strict=True)
    return _spread([theirs.wall_us / ours.wall_us for ours, theirs in pairs])


def cpu_ratio(subject: Series, baseline: Series) -> Ratio:
    """Compare rates by CPU time, round by round."""
    pairs = zip(subject.samples, baseline.samples, strict=True)
    return _spread([theirs.cpu_us / ours.cpu_us for ours, theirs in pairs])


def _measure(contender: Contender) -> Sample:
    work = contender.prepare()
    gc.collect()
    cpu = contender.cpu_s()
    wall = time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    cpu = contender.cpu_s() - cpu
    return Sample(wall_us=wall / contender.events * 1e6, cpu_us=cpu / contender.events * 1e6)


def _spread(ratios: Sequence[float]) -> Ratio:
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(median=median, low=low, high=high, worst=min(ratios), best=max(ratios))
