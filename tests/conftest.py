"""Fixtures that every package's tests share."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from hypothesis import settings

from ledger.demo import DemoReport
from ledger.errors import LedgerError
from tests.demonstration import played
from tests.ledger.small_ledger import OPENED
from tests.postgres_server import PostgresServer, Unavailable, in_memory, running
from tests.twin_story import play_half
from tests.twins import Twin

# A deadline per example would fail a law on a busy machine, which says nothing about the law.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# A shell starts what runs in the background with this signal ignored, and a command that a test interrupts
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """Play the whole demonstration, once for all tests: a rich ledger to read.

    Who writes to it copies its directory first.
    """
    return played(tmp_path_factory.mktemp("demo") / "ledger")


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Twin, ...]]:
    """Half a study played with three randomization lists: ledgers that differ in the arms alone.

    Who writes to one copies it first (`tests.twin_story.copy_of`).
    """
    labels = ("one", "two", "three")
    found = tuple(play_half(tmp_path_factory.mktemp("twin") / "ledger", label) for label in labels)
    yield found
    for twin in found:
        twin.ledger.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this run alone; where none can be had, the tests that need it are skipped."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except Unavailable as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture(scope="session")
def apart() -> Iterator[PostgresServer]:
    """A second PostgreSQL server, for what may not lie with the events."""
    try:
        with running(in_memory()) as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", autouse=True)
def _close_small_ledgers() -> Iterator[None]:
    """Close what tests left open: an open database that is collected is a warning, and so a failure."""
    yield
    for ledger in OPENED:
        with suppress(LedgerError):  # some were broken on purpose
            ledger.close()
