"""`make bench`: every benchmark in one run, printed; nothing is asserted about time.

    python -m tests.benchmarks [--quick] [--directory DIR]

Ratios are rates of the subject over rates of the baseline, taken within one round of shuffled blocks; their
median is reported with quartiles and extremes, so that other work on the machine shows as spread and not as a
result. `--directory` says which disk is measured; files are made there and removed again.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from api.serve import settle
from ledger.demo.play import EXPORT, POLICY, play_demo
from ledger.directory import open_ledger
from ledger.sources import SystemSources
from tests.benchmarks import append, growing, reading, verifying
from tests.benchmarks.blocks import run
from tests.benchmarks.library import Library
from tests.benchmarks.report import compare, heading, table
from tests.benchmarks.trial import open_trial

PARTICIPANTS: Final = 30
SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: rounds of blocks, participants of the demonstration, sizes of logs."""

    appends: int
    verifies: int
    replays: int
    rebuilds: int
    participants: int
    memory: tuple[int, ...]


FULL = Plan(appends=40, verifies=9, replays=25, rebuilds=15, participants=34, memory=(500, 2_000, 8_000))
QUICK = Plan(appends=6, verifies=3, replays=5, rebuilds=3, participants=2, memory=(200, 400))


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds over a small log")
    parser.add_argument("--directory", type=Path, help="where the files go (default: the system's choice)")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"eventsourcing {version('eventsourcing')}, PyNaCl {version('pynacl')}, {os.cpu_count()} CPUs"
    )
    with tempfile.TemporaryDirectory(prefix="trial-ledger-bench-", dir=arguments.directory) as made:
        directory = Path(made)
        settle()  # as the service does
        _appends(directory, plan)
        _demonstration(directory, plan)
        _memory(directory, plan)


def _appends(directory: Path, plan: Plan) -> None:
    trial, library = open_trial(directory / "appended", PARTICIPANTS), Library(directory / "library.db")
    heading("Durable append: one typical clinical fact (vital signs of an enrolled participant)")
    measured = append.Append(directory, trial, library)
    for name, settings in measured.settings.items():
        print(f"{name:60} {settings}")
    print()
    found = run(measured.contenders(), plan.appends)
    measured.close()
    library.close()
    trial.ledger.close()
    table(found.values())
    compare(found[append.SUBJECT], found[append.LIBRARY], target=0.8)
    compare(found[append.GROUP], found[append.LIBRARY])
    compare(found[append.SUBJECT], found[append.RAW])


def _demonstration(directory: Path, plan: Plan) -> None:
    """Measure on the demonstration's log, which has every kind of statement in a study's proportions."""
    demo = directory / "demo"
    play_demo(demo, SEED, progress=_silent, participants=plan.participants)
    ledger = open_ledger(demo, None, SystemSources())
    library = Library(directory / "library-read.db")
    try:
        _verifies(verifying.Verifying(ledger, demo / EXPORT, demo / POLICY), plan)
        _replays(reading.Replaying(ledger.store, library), plan)
        _rebuilds(reading.Rebuilding(directory, ledger.store, library), plan)
    finally:
        library.close()
        ledger.close()


def _silent(step: str, done: int, total: int) -> None:
    """Show no progress."""


def _verifies(measured: verifying.Verifying, plan: Plan) -> None:
    heading(
        f"Verify: the demonstration's bundle, {measured.events} statements, {measured.signatures} signatures"
    )
    found = run(measured.contenders(), plan.verifies)
    table(found.values())
    compare(found[verifying.SUBJECT], found[verifying.SIGNATURES])


def _replays(measured: reading.Replaying, plan: Plan) -> None:
    heading(f"Replay: one participant of the demonstration, {measured.events} events")
    found = run(measured.contenders(), plan.replays)
    table(found.values())
    compare(found[reading.REPLAY], found[reading.GET], target=5)
    compare(found[reading.BOOK], found[reading.GET])
    compare(found[reading.VIEW], found[reading.GET])


def _rebuilds(measured: reading.Rebuilding, plan: Plan) -> None:
    heading(f"Projection rebuild: the demonstration's {measured.events} events")
    found = run(measured.contenders(), plan.rebuilds)
    measured.close()
    table(found.values())
    compare(found[reading.REBUILD], found[reading.DECODE], target=2)
    compare(found[reading.REBUILD_BOOKS], found[reading.DECODE])


def _memory(directory: Path, plan: Plan) -> None:
    heading("Peak memory of verifying, a process of its own")
    print(f"{'statements':>12}{'bundle MiB':>12}{'peak MiB':>12}")
    for peak in growing.peaks(directory, plan.memory):
        print(f"{peak.statements:>12}{peak.bundle_mib:>12.1f}{peak.peak_mib:>12.1f}")


if __name__ == "__main__":
    main()
