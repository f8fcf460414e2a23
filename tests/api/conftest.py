"""A small real ledger behind the real application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.answered import held_to_their_shapes
from tests.api.client import Site, app_of
from tests.ledger.small_ledger import make


@pytest.fixture(autouse=True, scope="session")
def _compared() -> Iterator[None]:
    """Hold every answer to its shape in the OpenAPI document."""
    with held_to_their_shapes():
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The coordinator's client, of a ledger that the module's tests share and may add to."""
    made = make(tmp_path_factory.mktemp("shared") / "ledger")
    with app_of(made) as http:
        yield Site(http, made)
    made.ledger.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """The coordinator's client, of a ledger of the test's own."""
    made = make(tmp_path / "ledger", participants=1)
    with app_of(made, demonstration=True) as http:
        yield Site(http, made)
    made.ledger.close()
