"""The printed report: a table of times, and under it each ratio with its spread and what was aimed at."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmarks.blocks import Ratio, Series, cpu_ratio, wall_ratio

_WIDTH = 62


def heading(title: str) -> None:
    """Print a section's title."""
    print(f"\n{title}\n{'-' * len(title)}")


def table(series: Iterable[Series]) -> None:
    """Print what each contender took, medians over all blocks."""
    rows = list(series)
    timed = any(each.latencies for each in rows)
    heads = f"{'p50 ms':>10}{'p99 ms':>10}" if timed else ""
    print(f"{'':{_WIDTH}}{'wall µs':>10}{'CPU µs':>10}{'events/s':>12}{heads}")
    for each in rows:
        rate = 1e6 / each.wall_us
        latency = "".join(_milliseconds(each.latency_ms(percent)) for percent in (50, 99)) if timed else ""
        print(f"{each.name:{_WIDTH}}{each.wall_us:>10.1f}{each.cpu_us:>10.1f}{rate:>12,.0f}{latency}")
    print()


def compare(subject: Series, baseline: Series, *, target: float | None = None) -> None:
    """Print how the subject's rate compares with the baseline's."""
    aim = "" if target is None else f"   (target: at least {target:g} by wall time)"
    print(f"  {subject.name}\n    against {baseline.name}{aim}")
    print(f"      wall {_text(wall_ratio(subject, baseline))}")
    print(f"      CPU  {_text(cpu_ratio(subject, baseline))}")


def _milliseconds(value: float | None) -> str:
    return f"{'':>10}" if value is None else f"{value:>10.2f}"


def _text(ratio: Ratio) -> str:
    return (
        f"{ratio.median:6.2f} x   quartiles {ratio.low:.2f} to {ratio.high:.2f}, "
        f"extremes {ratio.worst:.2f} to {ratio.best:.2f}"
    )
