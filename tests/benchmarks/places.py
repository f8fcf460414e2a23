"""The two kinds of store that a benchmark runs over, each with the bare library over the same kind.

PostgreSQL is a server of the run's own with its settings as they come (fsync and synchronous_commit on);
where none can be had the run goes on with SQLite and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.store.postgres import PostgresStore
from tests.benchmarks.library import Library
from tests.benchmarks.trial import open_trial
from tests.ledger.small_ledger import SmallLedger
from tests.postgres_server import DATABASE, OWNER, PostgresServer, Unavailable, running

SQLITE: Final = "SQLite"
POSTGRES: Final = "PostgreSQL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A trial over one kind of store, and the library over the same; `url` is None for SQLite."""

    kind: str
    directory: Path
    trial: SmallLedger
    library: Library
    url: str | None


@contextmanager
def places(directory: Path, participants: int, name: str) -> Iterator[list[Place]]:
    """Make a trial with participants over each kind of store that there is."""
    with ExitStack() as stack:
        found = [stack.enter_context(_sqlite(directory / f"{name}-sqlite", participants))]
        try:
            server = stack.enter_context(running())
        except Unavailable as error:
            print(f"\nSKIPPED: PostgreSQL: {error}")
        else:
            found.append(stack.enter_context(_postgres(directory / f"{name}-postgres", participants, server)))
        yield found


@contextmanager
def _sqlite(directory: Path, participants: int) -> Iterator[Place]:
    trial = open_trial(directory, participants)
    library = Library(directory / "library.db")
    try:
        yield Place(kind=SQLITE, directory=directory, trial=trial, library=library, url=None)
    finally:
        library.close()
        trial.ledger.close()


@contextmanager
def _postgres(directory: Path, participants: int, server: PostgresServer) -> Iterator[Place]:
    url = server.url("bench")
    store = PostgresStore.create(url, server.url("bench", OWNER))
    trial = open_trial(directory, participants, store)
    library = Library(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": DATABASE,
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(server.port),
            "POSTGRES_USER": OWNER,
            "POSTGRES_PASSWORD": "unused",  # the server trusts the loopback of its own run
            "POSTGRES_SCHEMA": "public",
        }
    )
    try:
        yield Place(kind=POSTGRES, directory=directory, trial=trial, library=library, url=url)
    finally:
        library.close()
        trial.ledger.close()
