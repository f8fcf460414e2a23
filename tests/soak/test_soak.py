"""Short versions of what runs for a minute elsewhere: writers and servers that die."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer, Unavailable, in_memory, running
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
    plan = Plan(writers=2, clients=8, seconds=4.0, kills=1, stops=1)
    outcome = soak(server, tmp_path / "ledger", plan)
    assert (outcome.kills, outcome.stops) == (1, 1)
    assert outcome.found.acknowledged > plan.writers * plan.clients
