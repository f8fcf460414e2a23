"""The demonstration that tests read: played once for all processes of a run, with a copy for each of them.

Where `PLAYED` names a directory, the first process that asks plays it there while others wait. Nobody opens
what lies there afterwards: each process has a copy, and what it leaves in it concerns no other. Without the
name, one `pytest` by itself, it is played for that process.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from ledger.demo import DemoReport, play_demo

PLAYED: Final = "TESTS_OF_TRIAL_LEDGER_DEMONSTRATION"
_SEED: Final = 1


def played(directory: Path) -> DemoReport:
    """Put the finished demonstration into a new directory, and return what it said at its end."""
    shared = os.environ.get(PLAYED)
    if shared is None:
        return _play(directory)
    place = Path(shared)
    report, ledger = place / "report", place / "ledger"
    with (place / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not report.exists():
            shutil.rmtree(ledger, ignore_errors=True)  # of a process that died while it played
            report.write_bytes(pickle.dumps(_play(ledger)))
        said: DemoReport = pickle.loads(report.read_bytes())  # noqa: S301  written above, by this run
        shutil.copytree(ledger, directory)
    return replace(said, directory=directory)


def _play(directory: Path) -> DemoReport:
    return play_demo(directory, seed=_SEED, progress=lambda step, done, total: None)
