"""`make bench`: every benchmark in one run, printed; nothing is asserted about time.

    python -m tests.benchmarks [--quick] [--only GROUP]... [--entries N] [--directory DIR]

Ratios are rates of the subject over rates of the baseline, taken within one round of shuffled blocks; their
median is reported with quartiles and extremes, so that other work on the machine shows as spread and not as a
result. `--directory` says which disk is measured; files are made there and removed again. What each row is,
and how to read it, stands in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
from importlib.metadata import version
from pathlib import Path

from api.serve import settle
from tests.benchmarks.groups import FULL, GROUPS, QUICK


def main() -> None:
    """Run all benchmarks, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds over a small log")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument(
        *("--entries", "--events"),
        type=int,
        metavar="N",
        dest="events",
        help="how many events are imported in bulk, and verified",
    )
    parser.add_argument("--directory", type=Path, help="where the files go (default: the system's choice)")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    if arguments.events is not None:
        plan = plan.with_bulk(arguments.events)
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"eventsourcing {version('eventsourcing')}, PyNaCl {version('pynacl')}, {os.cpu_count()} CPUs"
    )
    with tempfile.TemporaryDirectory(prefix="trial-ledger-bench-", dir=arguments.directory) as made:
        settle()  # as the service does
        for name, measure in GROUPS.items():
            if arguments.only is None or name in arguments.only:
                directory = Path(made) / name
                directory.mkdir()
                measure(directory, plan)


if __name__ == "__main__":
    main()
