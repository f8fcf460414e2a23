"""A small ledger for each test: one is made, and copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scenario
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.write_path import copy_of, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallLedger, Path]:
    """People, one active site, open enrolment; closed, with the directory that it lies in."""
    directory = tmp_path_factory.mktemp("template")
    return make_template(directory), directory


@pytest.fixture
def small(template: tuple[SmallLedger, Path], tmp_path: Path) -> Iterator[SmallLedger]:
    """A copy of the template, open for writing."""
    made = copy_of(*template, tmp_path / "small")
    yield made
    made.ledger.close()


@pytest.fixture(autouse=True)
def _shown(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold a test to the rules that it says it shows."""
    scenario.TOLD.clear()
    yield
    scenario.check_shown(request.node)
