"""The harness itself: blocks take turns, ratios point the right way, and every contender does its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.append import Append
from tests.benchmarks.blocks import Contender, Sample, Series, cpu_ratio, run, wall_ratio
from tests.benchmarks.library import Library
from tests.benchmarks.trial import open_trial

ROUNDS = 6


def series(name: str, wall_us: list[float]) -> Series:
    """Return a series with these wall times and half of them as CPU times."""
    samples = tuple(Sample(wall_us=each, cpu_us=each / 2) for each in wall_us)
    return Series(name=name, events=1, samples=samples)


def test_every_round_takes_each_contender_once() -> None:
    """Within a round no contender has a second turn, and the order changes from round to round."""
    turns: list[str] = []
    contenders = [
        Contender(name=name, events=1, prepare=lambda name=name: lambda: turns.append(name))  # type: ignore[misc]
        for name in "abc"
    ]
    found = run(contenders, ROUNDS)
    rounds = [tuple(turns[at : at + 3]) for at in range(0, len(turns), 3)]
    assert len(rounds) == ROUNDS + 1
    assert all(set(each) == set("abc") for each in rounds)
    assert len(set(rounds)) > 1
    assert {len(each.samples) for each in found.values()} == {ROUNDS}


def test_ratio_is_above_one_where_the_subject_is_faster() -> None:
    """The ratio is of rates, taken round by round, so that a slow round slows both sides alike."""
    subject, baseline = series("subject", [10, 100, 20]), series("baseline", [20, 200, 40])
    for ratio in (wall_ratio(subject, baseline), cpu_ratio(subject, baseline)):
        assert (ratio.worst, ratio.median, ratio.best) == (2, 2, 2)
    assert wall_ratio(baseline, subject).median == 0.5


@pytest.mark.sqlite_only("asks files for their settings")
def test_baselines_are_as_durable_as_the_ledger(tmp_path: Path) -> None:
    """Write-ahead log and full sync on every side, and every contender does its block."""
    trial, library = open_trial(tmp_path / "ledger", 1), Library(tmp_path / "library.db")
    measured = Append(tmp_path, trial, library)
    try:
        assert {tuple(each.values()) for each in measured.settings.values()} == {("wal", 2)}
        before = trial.ledger.store.head().size
        found = run(measured.contenders(), 1)
        assert all(sample.wall_us > 0 for each in found.values() for sample in each.samples)
        assert trial.ledger.store.head().size == before + 2 * 2 * 50
    finally:
        measured.close()
        library.close()
        trial.ledger.close()
