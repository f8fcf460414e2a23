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

from tests.benchmarks import append, reading, verifying
from tests.benchmarks.blocks import run
from tests.benchmarks.library import Library
from tests.benchmarks.memory import peak_mib
from tests.benchmarks.report import compare, heading, table
from tests.benchmarks.trial import open_trial
from tests.ledger.small_ledger import SmallLedger

PARTICIPANTS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: rounds of blocks, entries of the log."""

    appends: int
    verifies: int
    replays: int
    rebuilds: int
    size: int
    memory: tuple[int, ...]


FULL = Plan(appends=40, verifies=9, replays=25, rebuilds=15, size=2_000, memory=(500, 2_000, 8_000))
QUICK = Plan(appends=6, verifies=3, replays=5, rebuilds=3, size=400, memory=(200, 400))


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
        trial = open_trial(directory / "ledger", PARTICIPANTS)
        library = Library(directory / "library.db")
        _appends(directory, trial, library, plan)
        _verifies(directory, plan)
        _reads(directory, plan)
        _memory(directory, plan)
        library.close()
        trial.ledger.close()


def _appends(directory: Path, trial: SmallLedger, library: Library, plan: Plan) -> None:
    heading("Durable append: one typical clinical fact (vital signs of an enrolled participant)")
    measured = append.Append(directory, trial, library)
    for name, settings in measured.settings.items():
        print(f"{name:60} {settings}")
    print()
    found = run(measured.contenders(), plan.appends)
    measured.close()
    table(found.values())
    compare(found[append.SUBJECT], found[append.LIBRARY], target=0.8)
    compare(found[append.GROUP], found[append.LIBRARY])
    compare(found[append.SUBJECT], found[append.RAW])


def _verifies(directory: Path, plan: Plan) -> None:
    trial = open_trial(directory / "verified", 10)
    verifying.grow(trial, plan.size, 10)
    measured = verifying.Verifying(directory, trial)
    heading(f"Verify: a bundle of {measured.events} statements, each signed")
    found = run(measured.contenders(), plan.verifies)
    trial.ledger.close()
    table(found.values())
    compare(found[verifying.SUBJECT], found[verifying.SIGNATURES])


def _reads(directory: Path, plan: Plan) -> None:
    trial = open_trial(directory / "read", 10)
    library = Library(directory / "library-read.db")
    heading("Replay: one participant of 200 events")
    replaying = reading.Replaying(trial, library, 1)
    found = run(replaying.contenders(), plan.replays)
    table(found.values())
    compare(found[reading.REPLAY], found[reading.GET], target=5)
    compare(found[reading.BOOK], found[reading.GET])
    compare(found[reading.VIEW], found[reading.GET])

    verifying.grow(trial, plan.size, 10)
    rebuilding = reading.Rebuilding(directory, trial, library)
    heading(f"Projection rebuild: {rebuilding.events} events")
    found = run(rebuilding.contenders(), plan.rebuilds)
    rebuilding.close()
    table(found.values())
    compare(found[reading.REBUILD], found[reading.DECODE], target=2)
    compare(found[reading.REBUILD_BOOKS], found[reading.DECODE])
    library.close()
    trial.ledger.close()


def _memory(directory: Path, plan: Plan) -> None:
    heading("Peak memory of verifying, a process of its own")
    trial = open_trial(directory / "memory", 10)
    policy = trial.write_policy(directory / "memory.policy")
    print(f"{'statements':>12}{'bundle MiB':>12}{'peak MiB':>12}")
    for size in plan.memory:
        verifying.grow(trial, size, 10)
        bundle = verifying.export(trial, directory / f"memory-{size}")
        bytes_ = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        print(f"{size:>12}{bytes_ / 2**20:>12.1f}{peak_mib(bundle, policy):>12.1f}")
    trial.ledger.close()


if __name__ == "__main__":
    main()
