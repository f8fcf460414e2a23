"""Short versions of what runs for a minute elsewhere: writers and servers that die."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import FrozenError
from ledger.sources import SystemSources
from ledger.store.postgres import PostgresStore
from tests.ledger.on_schema import new_store
from tests.ledger.small_ledger import SITE, make
from tests.ledger.write_path import HOUR, open_stores, refused, register
from tests.postgres_server import PostgresServer, Unavailable, in_memory, running, standby
from tests.soak.replica import take_over
from tests.soak.writers import Plan, soak


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, as it is going to die."""
    try:
        with running(in_memory()) as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


def test_writers_and_a_server_that_die_lose_nothing(server: PostgresServer, tmp_path: Path) -> None:
    """Two writers with eight clients each, one killed, one immediate stop: all that was told is there."""
    plan = Plan(writers=2, clients=8, seconds=2.5, kills=1, stops=1)
    outcome = soak(server, tmp_path / "ledger", plan)
    assert (outcome.kills, outcome.stops) == (1, 1)
    assert outcome.found.acknowledged > plan.writers * plan.clients


def test_a_synchronous_standby_takes_over_without_a_loss(server: PostgresServer, tmp_path: Path) -> None:
    """The primary dies under load; on the promoted standby is all that was told, and the start is clean."""
    plan = Plan(writers=1, clients=8, seconds=1.0, kills=0, stops=0)
    with standby(server, in_memory()) as second:
        outcome = take_over(server, second, tmp_path / "ledger", plan)
    assert outcome.found.acknowledged > plan.clients


def test_a_standby_that_was_behind_is_frozen(server: PostgresServer, tmp_path: Path) -> None:
    """Promoted without what was published meanwhile: the checkpoints apart tell, and nothing is recorded."""
    made = make(tmp_path / "ledger", participants=0, store=new_store(server, "behind"))
    made.sources.advance(2 * HOUR)
    with standby(server, in_memory()) as second:
        second.stop()
        register(made, f"{SITE}-001")
        made.publish()
        made.ledger.close()
        server.stop("immediate")
        second.start()
        second.promote()
        store = PostgresStore.open(second.url("behind"))
        with closing(open_stores(tmp_path / "ledger", SystemSources(), store=store)) as ledger:
            assert ledger.startup.code == "LOG_BEHIND_CHECKPOINT"
            made.ledger = ledger
            with refused("LOG_BEHIND_CHECKPOINT", FrozenError):
                register(made, f"{SITE}-002")
