"""Ledgers that several tests of projections read and none of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ledger.store.sqlite import SqliteStore
from projections.reader import Reader
from tests.ledger import small_ledger
from tests.projections.ledgers import eventful, store_of
from tests.scenario import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story and the store that holds it."""

    story: Story
    store: SqliteStore


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A participant to whom nearly everything happens."""
    story = eventful()
    store = store_of(story, tmp_path_factory.mktemp("told") / "ledger.db")
    yield Told(story=story, store=store)
    store.close()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[small_ledger.SmallLedger]:
    """A small signed ledger with sealed values, made through the one write path."""
    made = small_ledger.make(tmp_path_factory.mktemp("small"))
    yield made
    made.ledger.close()


@pytest.fixture
def auditor() -> Reader:
    """An auditor of every site, who opens nothing."""
    return Reader(role="auditor")
