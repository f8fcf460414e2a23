"""Every benchmark runs: each module is imported, and each contender does one block over the smallest data."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ledger.demo.report import DemoReport
from tests import benchmarks
from tests.benchmarks import bulk, concurrent, growing, http, opening, reading, verifying
from tests.benchmarks.blocks import Contender
from tests.benchmarks.groups import GROUPS
from tests.benchmarks.library import Library
from tests.benchmarks.served import serving
from tests.benchmarks.trial import open_trial
from tests.ledger.small_ledger import SmallLedger, make

MODULES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The bare library over a file of its own."""
    found = Library(tmp_path_factory.mktemp("library") / "library.db")
    yield found
    found.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger, read only."""
    made = make(tmp_path_factory.mktemp("read") / "ledger", participants=2)
    yield made
    made.ledger.close()


def once(contenders: Sequence[Contender]) -> None:
    """Do one block of each."""
    for contender in contenders:
        contender.prepare()()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_imported(name: str) -> None:
    """What a benchmark imports is there: no module rots unseen because the suite does not measure."""
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__


def test_reading_and_rebuilding_run(template: SmallLedger, library: Library, tmp_path: Path) -> None:
    """Replays reach a status, and rebuilds fold the whole log."""
    store = template.ledger.store
    once(reading.Replaying(store, library).contenders())
    rebuilding = reading.Rebuilding(tmp_path, store, library)
    try:
        once(rebuilding.contenders())
    finally:
        rebuilding.close()


def test_verifying_runs(template: SmallLedger, tmp_path: Path) -> None:
    """A bundle verifies, its signatures hold one by one, and its entries are judged."""
    bundle = growing.export(template, tmp_path / "bundle")
    policy = template.write_policy(tmp_path / "policy")
    once(verifying.Verifying(bundle, policy).contenders())
    once([verifying.Rules(template.ledger).contender()])


def test_opening_runs(demo: DemoReport, tmp_path: Path) -> None:
    """A ledger takes what it kept, and folds its log where that is gone."""
    shutil.copytree(demo.directory, tmp_path / "ledger", ignore=shutil.ignore_patterns("export"))
    measured = opening.Opening(tmp_path / "ledger")
    assert measured.events == demo.events
    once(measured.contenders())


def test_peak_memory_is_of_a_verification(tmp_path: Path) -> None:
    """A ledger of the size asked for is exported and verified in a process of its own."""
    (peak,) = growing.peaks(tmp_path, (160,))
    assert peak.statements == 160
    assert peak.peak_mib > 10


def test_clients_at_once_run_in_process(tmp_path: Path) -> None:
    """Every client of every row gets its receipts; the library saves as many."""
    trial, library = open_trial(tmp_path / "ledger", 16), Library(tmp_path / "library.db")
    measured = concurrent.Concurrent(trial, library, (1, 16))
    before = trial.ledger.store.head().size
    try:
        contenders = measured.contenders()
        once(contenders)
        assert trial.ledger.store.head().size == before + sum(each.events for each in contenders[:2])
        assert all(len(each.latencies) == each.events for each in contenders)
    finally:
        measured.close()
        library.close()
        trial.ledger.close()


def test_clients_at_once_run_over_http(tmp_path: Path) -> None:
    """A real server records every body, and the route that does nothing records none."""
    trial = open_trial(tmp_path / "ledger", 2)
    before = trial.ledger.store.head().size
    with serving(tmp_path / "ledger", trial.sources.now_us(), None) as (pid, port):
        measured = http.Http(trial, pid, port, (1,))
        contenders = measured.contenders()
        once(contenders)
        measured.close()
        assert trial.ledger.store.head().size == before + contenders[0].events
    trial.ledger.close()


@pytest.mark.sqlite_only("tells the stages of a commit to SQLite by the names of its methods")
def test_bulk_import_runs(tmp_path: Path) -> None:
    """Every page is recorded without a breach, and the stages of the pages that are timed are told."""
    imported = bulk.import_events(tmp_path / "ledger", 2 * bulk.PAGE, profiled=2)
    assert len(imported.pages_s) == 1
    assert imported.rate(0, 1) > 0
    whole, rules = imported.stages["the whole transaction"], imported.stages["rules: judging"]
    assert whole.wall_us > rules.wall_us > 0
    assert bulk.save_events(tmp_path, bulk.PAGE) > 0


def test_every_group_is_described() -> None:
    """What `--only` can name has its section in docs/benchmarks.md."""
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert [name for name in GROUPS if f"## `{name}`" not in text] == []
