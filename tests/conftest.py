"""Fixtures that every package's tests share."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import settings

from ledger.demo import DemoReport, play_demo
from ledger.errors import LedgerError
from tests.ledger.small_ledger import OPENED

# A deadline per example would fail a law on a busy machine, which says nothing about the law.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """Play the whole demonstration, once for all tests: a rich ledger to read.

    Who writes to it copies its directory first.
    """
    directory = tmp_path_factory.mktemp("demo") / "ledger"
    return play_demo(directory, seed=1, progress=lambda step, done, total: None)


@pytest.fixture(scope="session", autouse=True)
def _close_small_ledgers() -> Iterator[None]:
    """Close what tests left open: an open database that is collected is a warning, and so a failure."""
    yield
    for ledger in OPENED:
        with suppress(LedgerError):  # some were broken on purpose
            ledger.close()
