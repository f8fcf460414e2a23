"""What was folded is kept beside the ledger: the next one opens sooner, and knows the same (ADR 0026)."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from api.reading import Reading
from ledger.committer import Ledger
from ledger.demo.report import DemoReport
from ledger.directory import open_ledger, open_store
from ledger.fold import FoldState, LogFold, StoreReader
from ledger.savepoint import LEAST, READING, RECORDING, Savepoint, fingerprint
from ledger.sealing import open_disclosure
from ledger.sources import SystemSources
from ledger.store.port import Snapshot
from ledger.store.startup import Startup
from projections.projection import encode_state
from tests import behind
from tests.twins import Twin

SECRET = bytes(32)
ORIGIN = "ledger.example/savepoint"


@pytest.fixture
def directory(demo: DemoReport, tmp_path: Path) -> Path:
    """A copy of the demonstration that may be written to, with what it keeps."""
    place = tmp_path / "ledger"
    shutil.copytree(demo.directory, place, ignore=shutil.ignore_patterns("export"))
    return place


@contextmanager
def opened(directory: Path) -> Iterator[Ledger]:
    """Open a ledger whose keys have no passphrase."""
    ledger = open_ledger(directory, None, SystemSources())
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def snapshot_of(directory: Path) -> Iterator[Snapshot]:
    """Hold a snapshot of a ledger's store."""
    with closing(open_store(directory)) as store, store.snapshot() as reads:
        yield reads


@pytest.fixture(scope="module")
def reads(demo: DemoReport) -> Iterator[Snapshot]:
    """A snapshot of the demonstration."""
    with snapshot_of(demo.directory) as found:
        yield found


@pytest.fixture(scope="module")
def begun(reads: Snapshot) -> FoldState:
    """Its beginning, folded: enough to be worth keeping."""
    return folded(reads, LEAST).saved()


def of_ledger(kept: Path) -> Savepoint:
    """Return what a process opens a savepoint by."""
    return Savepoint(kept, SECRET, ORIGIN, "ledger")


def folded(reads: Snapshot, size: int) -> LogFold:
    """Fold a log up to a size, from its first entry."""
    fold = LogFold(StoreReader(reads))
    fold.catch_up(reads, size)
    return fold


def kept_size(directory: Path) -> int:
    """Return the size of what a ledger finds kept when it is opened; 0 where it takes nothing."""
    with opened(directory) as ledger:
        assert ledger.refresh().size == ledger.store.head().size
        assert ledger.savepoint is not None
        return ledger.savepoint.size


def test_what_is_kept_and_folded_on_is_what_the_whole_log_gives(reads: Snapshot, tmp_path: Path) -> None:
    """At every size: a fold that stopped, was kept, and went on is no other than one that did not."""
    going, whole, kept = LogFold(StoreReader(reads)), folded(reads, reads.size), tmp_path / "kept"
    for size in (1, 10, 100, 777, 2_500, 6_000, 9_999, reads.size - 1, reads.size):
        going.catch_up(reads, size)
        of_ledger(kept).save(going.saved(), size, reads)
        state = of_ledger(kept).load(reads, reads.size)
        assert isinstance(state, FoldState)
        assert state == going.saved()
        going = LogFold.of(StoreReader(reads), state)
    assert going.saved() == whole.saved()
    assert going.conduct.unrecorded() == whole.conduct.unrecorded()


def test_a_saved_state_is_apart_from_the_fold_that_goes_on(reads: Snapshot) -> None:
    """It is written while others record."""
    fold = folded(reads, 3_000)
    saved, then = fold.saved(), folded(reads, 3_000).saved()
    fold.catch_up(reads, 9_000)
    assert saved == then


def test_a_ledger_that_was_closed_opens_with_what_it_kept(directory: Path) -> None:
    """What is recorded after that is judged as ever: without the file the log gives the same."""
    size = kept_size(directory)
    assert size > 10_000
    with opened(directory) as ledger:
        view = {"kind": "study", "opened": [], "size": size}
        who = min(ledger.refresh().authority.persons)
        data = {"purpose": "review", "role": "auditor", "view": view, "who": who}
        ledger.attest("record.viewed", ledger.access_stream(), data)
        state = ledger.refresh().saved()
    assert state.size == size + 1
    (directory / RECORDING).unlink()
    with opened(directory) as ledger:
        assert ledger.refresh().saved() == state


@pytest.mark.parametrize(
    "alter",
    [
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b'"v":1', b'"v":2', 1),
        lambda content: content.replace(b'"size":1000', b'"size":1001', 1),
        lambda content: content.replace(b'"size":1000', b'"size":"1000"', 1),
        lambda content: content.replace(b'"nonce":"', b'"nonce":"\xff', 1),
        lambda content: content.replace(b'"nonce":"', b'"nonce":"AAAA', 1),
        lambda content: b"{}\n" + content,
        lambda content: b'[1,"size"]\n',
        lambda content: b"\n",
        lambda content: b"",
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_passed_over(
    reads: Snapshot, begun: FoldState, tmp_path: Path, alter: Callable[[bytes], bytes]
) -> None:
    """A log is folded from its first entry then, and a good one is written in its place."""
    kept = tmp_path / "kept"
    of_ledger(kept).save(begun, begun.size, reads)
    assert of_ledger(kept).load(reads, reads.size) == begun
    kept.write_bytes(alter(kept.read_bytes()))
    savepoint = of_ledger(kept)
    assert savepoint.load(reads, reads.size) is None
    assert savepoint.is_due(begun.size, ending=True)
    savepoint.save(begun, begun.size, reads)
    assert not savepoint.is_due(begun.size, ending=True)
    assert of_ledger(kept).load(reads, reads.size) == begun


def test_one_of_another_log_another_key_or_other_code_is_passed_over(
    reads: Snapshot, begun: FoldState, tmp_path: Path
) -> None:
    """Each alone is enough."""
    kept, size = tmp_path / "kept", begun.size
    of_ledger(kept).save(begun, size, reads)
    assert of_ledger(kept).load(reads, size) == begun
    assert of_ledger(kept).load(reads, size - 1) is None
    assert Savepoint(kept, b"another".ljust(32), ORIGIN, "ledger").load(reads, size) is None
    assert Savepoint(kept, SECRET, "ledger.example/other", "ledger").load(reads, size) is None
    assert Savepoint(kept, SECRET, ORIGIN, "ledger", "projections").load(reads, size) is None


def test_one_of_a_log_that_is_another_at_its_size_is_passed_over(
    reads: Snapshot, twins: tuple[Twin, ...], tmp_path: Path
) -> None:
    """Two logs that begin alike, as one that was written again does."""
    kept = tmp_path / "kept"
    with twins[0].ledger.store.snapshot() as one, twins[1].ledger.store.snapshot() as other:
        size = min(one.size, other.size)
        state = folded(one, size).saved()
        of_ledger(kept).save(state, size, one)
        assert of_ledger(kept).load(one, one.size) == state
        assert of_ledger(kept).load(other, other.size) is None


def test_code_is_known_by_every_line_of_it() -> None:
    """Other packages are other code."""
    assert fingerprint("ledger") != fingerprint("ledger", "projections")
    assert len(fingerprint("ledger")) == 64


class Harmful:
    """What a pickle can do to who opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize("harm", [Harmful(), Savepoint, pickle.loads, behind.schema_of])
def test_nothing_but_values_is_made_of_a_file(
    harm: Any, reads: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where it is sealed with the right key."""
    monkeypatch.chdir(tmp_path)
    of_ledger(tmp_path / "kept").save(harm, 10, reads)
    assert of_ledger(tmp_path / "kept").load(reads, 10) is None
    assert not (tmp_path / "harmed").exists()


def test_no_sealed_value_is_kept(directory: Path) -> None:
    """What is erased later must not lie in another file, not even under a key."""
    with opened(directory) as ledger, ledger.store.snapshot() as reads:
        state = repr(ledger.refresh().saved())
        sealed = [
            open_disclosure(
                ledger.data_keys.open(d.event, d.path, d.stream, d.scope, d.nonce, d.ciphertext)
            ).value
            for entry in reads.entries(0, reads.size)
            for d in reads.disclosures(entry.event)
        ]
    protocol = resources.files("ledger.study").joinpath("definitions/nct06414356.json").read_text()
    said = {value for value in sealed if isinstance(value, str) and " " in value}
    texts = {text for text in said if text not in protocol}  # a disease has the name that is studied
    assert len(texts) > 100
    assert not [text for text in texts if text in state]


def test_a_place_that_takes_no_file_keeps_nothing_and_stops_nothing(directory: Path) -> None:
    """A savepoint is a convenience."""
    (directory / RECORDING).unlink()
    (directory / RECORDING).mkdir()
    with opened(directory) as ledger:
        ledger.refresh()
    assert not list((directory / RECORDING).iterdir())


def test_a_frozen_ledger_keeps_nothing(directory: Path) -> None:
    """What it found is doubtful."""
    (directory / RECORDING).unlink()
    with opened(directory) as ledger:
        ledger.startup = Startup(frozen=True, code="LOG_INCONSISTENT", message="not what was published")
        ledger.refresh()
    assert not (directory / RECORDING).exists()


def test_readers_know_the_same_with_and_without(directory: Path) -> None:
    """The fold, the states of participants, and where control statements stand."""
    with opened(directory) as ledger:
        assert ledger.savepoint is not None
        packages = (READING, "ledger", "projections", "api")
        fresh = Reading(ledger.store, ledger.savepoint.beside(*packages))
        fresh.catch_up()
        fresh.keep(ending=True)
        kept = ledger.savepoint.beside(*packages)
        restored = Reading(ledger.store, kept)
        with fresh.folded() as one, restored.folded() as other:
            assert kept.size == one.fold.size == ledger.store.head().size
            assert one.fold.saved() == other.fold.saved()
            assert one.controls == other.controls
            assert written(one.participants) == written(other.participants)


def written(states: dict[str, Any]) -> dict[str, bytes]:
    """Return states as they are kept elsewhere."""
    return {key: encode_state(state) for key, state in states.items()}
