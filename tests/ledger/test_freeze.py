"""An older copy put back, another history, a spoilt tree: frozen, said so, and all but writing goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.committer import Ledger
from ledger.errors import FrozenError, StoreError
from ledger.exports import export_ledger
from ledger.proof import check_receipt
from ledger.recorded import receipt_of
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.behind import altering
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import copy_of, open_stores, refused, register, signed, vitals, vitals_action

STUDY = Scope(kind="study")


def keep(directory: Path, older: Path) -> None:
    """Copy the database as a backup would, with its write-ahead log."""
    older.mkdir()
    for path in directory.glob("ledger.db*"):
        shutil.copy(path, older / path.name)


def put_back(older: Path, directory: Path) -> None:
    """Put an older copy of the database in the present one's place; the checkpoints stay."""
    for path in directory.glob("ledger.db*"):
        path.unlink()
    for path in older.iterdir():
        shutil.copy(path, directory / path.name)


def rolled_back(small: SmallLedger, tmp_path: Path) -> Ledger:
    """Record on after a backup, publish, put the backup back, and open it."""
    register(small)
    small.ledger.publish()
    keep(tmp_path / "small", tmp_path / "older")
    for _ in range(3):
        small.ledger.record(vitals(small))
    small.ledger.close()
    put_back(tmp_path / "older", tmp_path / "small")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    return small.ledger


def test_an_older_copy_is_frozen_and_says_so(small: SmallLedger, tmp_path: Path) -> None:
    """The published checkpoint is ahead of the log: nothing is recorded, by people or by the service."""
    ledger = rolled_back(small, tmp_path)
    assert ledger.startup.frozen
    assert ledger.startup.code == "LOG_BEHIND_CHECKPOINT"
    assert "found" in ledger.startup.message
    size = ledger.store.head().size
    with refused("LOG_BEHIND_CHECKPOINT", FrozenError):
        ledger.record(vitals(small))
    with refused("LOG_BEHIND_CHECKPOINT", FrozenError):
        ledger.record_all([])
    with refused("LOG_BEHIND_CHECKPOINT", FrozenError):
        ledger.attest("export.generated", ledger.access_stream(), {})
    assert ledger.store.head().size == size


def test_a_frozen_ledger_publishes_nothing(small: SmallLedger, tmp_path: Path) -> None:
    """The store of checkpoints stays as it was, also over a clean stop."""
    ledger = rolled_back(small, tmp_path)
    latest = ledger.checkpoints.latest()
    ledger.publish()
    assert ledger.checkpoints.latest() == latest
    ledger.close()
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert small.ledger.checkpoints.latest() == latest
    assert small.ledger.startup.frozen


def test_reading_and_export_go_on(small: SmallLedger, tmp_path: Path) -> None:
    """State, receipts and a bundle that holds up to the newest checkpoint that the log still has."""
    ledger = rolled_back(small, tmp_path)
    assert ledger.refresh().conduct.state(f"{SITE}-001") is not None
    leaf, _ = check_receipt(receipt_of(ledger.store, 3), ledger.signers.verifier_keys)
    assert leaf.index == 3
    size = ledger.store.head().size
    done = export_ledger(ledger, tmp_path / "bundle", scope=STUDY, role="auditor")
    assert done.size == size
    assert ledger.store.head().size == size  # nothing was recorded about it
    policy = small.write_policy(tmp_path / "policy")
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy)]) == 0


def test_an_older_copy_from_between_two_checkpoints_is_exported_up_to_the_earlier(
    small: SmallLedger, tmp_path: Path
) -> None:
    """Entries that no checkpoint ever covered are not shown as if one did."""
    register(small)
    note = small.ledger.publish()
    size = small.ledger.store.head().size
    small.ledger.record(vitals(small))
    keep(tmp_path / "small", tmp_path / "older")
    small.ledger.record(vitals(small))
    small.ledger.close()
    put_back(tmp_path / "older", tmp_path / "small")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert small.ledger.startup.code == "LOG_BEHIND_CHECKPOINT"
    assert small.ledger.publish() == note
    done = export_ledger(small.ledger, tmp_path / "bundle", scope=STUDY, role="auditor")
    assert done.size == size


def test_another_history_is_frozen(template: tuple[SmallLedger, Path], tmp_path: Path) -> None:
    """A log that is longer than what was published, and does not continue it, is not the log."""
    first = copy_of(*template, tmp_path / "first")
    second = copy_of(*template, tmp_path / "second")
    register(first)
    first.ledger.close()
    for number in (1, 2, 3):
        register(second, f"{SITE}-00{number}")
    second.ledger.close()
    shutil.copy(tmp_path / "first" / "checkpoints.db", tmp_path / "second" / "checkpoints.db")
    ledger = open_stores(tmp_path / "second", second.sources)
    assert ledger.startup.frozen
    assert ledger.startup.code == "LOG_INCONSISTENT"
    second.ledger = ledger
    with refused("LOG_INCONSISTENT", FrozenError):
        ledger.record(signed(second, "bchan", vitals_action()))
    assert ledger.publish() is not None  # the last checkpoint that both histories share
    ledger.close()


def test_a_spoilt_tree_is_frozen_and_nothing_false_is_exported(small: SmallLedger, tmp_path: Path) -> None:
    """One changed hash in the stored tree freezes; a checkpoint that the log does not hold is not used."""
    register(small)
    small.ledger.close()
    with altering(tmp_path / "small" / "ledger.db") as store:
        store.execute("UPDATE tile_hashes SET hash = ? WHERE position = 0", (bytes(32),))
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert small.ledger.startup.code == "LOG_INCONSISTENT"
    with refused("LEDGER_EMPTY", StoreError):
        export_ledger(small.ledger, tmp_path / "bundle", scope=STUDY, role="auditor")
    assert not (tmp_path / "bundle").exists()


def test_an_older_copy_that_nothing_was_published_after_goes_on(small: SmallLedger, tmp_path: Path) -> None:
    """What was never published binds nobody: the start-up rule has nothing to hold against the copy."""
    register(small)
    small.ledger.publish()
    keep(tmp_path / "small", tmp_path / "older")
    small.ledger.record(vitals(small))
    small.ledger.store.close()
    put_back(tmp_path / "older", tmp_path / "small")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert not small.ledger.startup.frozen
    assert small.ledger.record(vitals(small)).event


@pytest.mark.parametrize("missing", ["ledger.db", "checkpoints.db", "datakeys.db"])
def test_a_store_that_is_missing_is_not_made_anew(small: SmallLedger, tmp_path: Path, missing: str) -> None:
    """An absent file is an error with its code: a new one in its place would hide the loss."""
    small.ledger.close()
    (tmp_path / "small" / missing).rename(tmp_path / "kept")
    with refused("STORE_MISSING", StoreError):
        open_stores(tmp_path / "small", small.sources)
    assert not (tmp_path / "small" / missing).exists()
