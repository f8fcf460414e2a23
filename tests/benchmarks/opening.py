"""Opening: a closed ledger made ready to record, with what it kept and without.

The baseline folds the whole log, as a ledger does that finds nothing kept. Each block opens the same
directory once; nothing is recorded.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ledger.directory import open_ledger
from ledger.savepoint import RECORDING
from ledger.sources import SystemSources
from tests.benchmarks.blocks import Contender, Work

KEPT: Final = "open: what was kept, and what came after"
WHOLE: Final = "open: the whole log folded"


class Opening:
    """The contenders over one ledger, which is closed meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._aside = directory.with_name(directory.name + "-kept")
        _open(directory)
        shutil.copy(directory / RECORDING, self._aside)
        self.events = _open(directory)

    def contenders(self) -> list[Contender]:
        """Return both."""
        return [
            Contender(name=KEPT, events=self.events, prepare=self._with_kept),
            Contender(name=WHOLE, events=self.events, prepare=self._without),
        ]

    def _with_kept(self) -> Work:
        shutil.copy(self._aside, self._directory / RECORDING)
        return lambda: _open(self._directory)

    def _without(self) -> Work:
        (self._directory / RECORDING).unlink(missing_ok=True)
        return lambda: _open(self._directory)


def _open(directory: Path) -> int:
    """Open a ledger until it could record, and close it; return its size. The keeping is part of it."""
    ledger = open_ledger(directory, None, SystemSources())
    try:
        return ledger.refresh().size
    finally:
        ledger.close()
