"""One small ledger for all attacks, its real bundle in memory, and a way to judge what was made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.verify.report import Report
from tests.attacks.mutators_log import copied
from tests.attacks.two_epochs import bundles, epochs, forge
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.verifying import judge

__all__ = ["bundles", "epochs", "forge"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """The ledger that is attacked; nobody writes to it."""
    return make(tmp_path_factory.mktemp("attacked") / "d")


@pytest.fixture(scope="session")
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """Its bundle for an auditor of the study."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def forged(real: Forgery) -> Forgery:
    """A copy to change."""
    return copied(real)


@pytest.fixture(scope="session")
def previous(real: Forgery, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint that an auditor has kept from before."""
    written = copied(real).write(tmp_path_factory.mktemp("before") / "b")
    return (written / "checkpoint").read_bytes()


@pytest.fixture
def check(made: SmallLedger, tmp_path: Path) -> Callable[..., Report]:
    """Write a forged bundle and verify it under the real policy, or another one."""
    written = 0

    def run(forged: Forgery, **options: object) -> Report:
        nonlocal written
        written += 1
        policy = options.pop("policy", made.policy)
        return judge(forged.write(tmp_path / f"forged{written}"), policy, **options)  # type: ignore[arg-type]

    return run
