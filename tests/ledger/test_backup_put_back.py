"""An older copy put back: frozen beside newer checkpoints; without them shown by whoever kept something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger.backup.restoring import restore
from ledger.backup.taking import data_keys_beside, take
from ledger.committer import Ledger
from ledger.directory import CHECKPOINTS, DATABASE
from ledger.errors import FrozenError, StoreError
from ledger.exports import export_ledger
from ledger.merkle import prove_consistency
from ledger.note import Ed25519Cosigner
from ledger.policy import Witness as Listed
from ledger.sources import SystemSources
from ledger.store.startup import LOG_BEHIND_CHECKPOINT
from ledger.tiles import TileHashes
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.witness.asking import Answered, Post, ask
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness
from tests.ledger.small_ledger import ORIGIN, seed
from tests.ledger.test_backup import directory, opened, template
from tests.ledger.write_path import refused

__all__ = ["directory", "template"]

SIGNER = Ed25519Cosigner("witness.example/w", seed("witness"))
LISTED = Listed(name="W1", key=SIGNER.key, url="http://witness.example")
DRIFT = {"clock": "service", "limit_ms": 1, "offset_ms": 2, "reference": "another"}


@pytest.fixture
def backup(directory: Path, tmp_path: Path) -> Path:
    """A backup, after which the ledger went on and published."""
    with opened(directory) as ledger:
        take(ledger, directory, tmp_path / "b")
        ledger.attest("clock.drifted", "study", DRIFT)
    return tmp_path / "b"


def put_back(backup: Path, place: Path, checkpoints: Path | None) -> Path:
    """Restore a backup."""
    restore(backup, place, data_keys=data_keys_beside(backup), checkpoints=checkpoints)
    return place


def check_frozen(place: Path) -> None:
    """Check that a ledger opens frozen and takes nothing."""
    with opened(place) as ledger:
        assert ledger.startup.code == LOG_BEHIND_CHECKPOINT
        with refused(LOG_BEHIND_CHECKPOINT, FrozenError):
            ledger.attest("clock.drifted", "study", DRIFT)


def test_a_backup_beside_kept_checkpoints_freezes(backup: Path, directory: Path, tmp_path: Path) -> None:
    """Restored with the checkpoints that were kept, a log that lacks what was published takes nothing."""
    check_frozen(put_back(backup, tmp_path / "r", directory / CHECKPOINTS))


def test_older_events_put_back_in_place_freeze(backup: Path, directory: Path) -> None:
    """The same where somebody copies the backup's events over the live ones."""
    for suffix in ("-wal", "-shm"):
        (directory / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    shutil.copy(backup / DATABASE, directory / DATABASE)
    check_frozen(directory)


def gone_on(backup: Path, place: Path) -> Ledger:
    """Restore a backup as if its checkpoints were lost, and record something else than was recorded."""
    put_back(backup, place, None)
    with opened(place) as ledger:
        assert not ledger.startup.frozen
        for _ in range(3):
            ledger.attest("clock.drifted", "study", {**DRIFT, "offset_ms": 7})
        return ledger


def test_a_kept_checkpoint_shows_that_both_were_put_back(
    backup: Path, directory: Path, tmp_path: Path
) -> None:
    """With older events beside older checkpoints the log goes on; who kept a newer checkpoint sees it."""
    with opened(directory) as ledger:
        kept = ledger.checkpoints.latest()
        policy = trust_policy(ledger)
    assert kept is not None
    gone_on(backup, tmp_path / "r")
    with opened(tmp_path / "r") as ledger:
        export_ledger(ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    options = Options(
        policy=policy, ledger_id=None, scope=Scope(kind="study"), role="auditor", previous=kept[1],
        outbox=None, strict_conduct=False, classical=False, post_quantum=False, workers=1,
    )  # fmt: skip
    assert {found.code for found in verify(tmp_path / "bundle", options).problems} == {"PREVIOUS"}


def test_a_receipt_shows_that_both_were_put_back(backup: Path, directory: Path, tmp_path: Path) -> None:
    """A receipt of what was recorded after the backup names an event that the log has no more."""
    with opened(directory) as ledger:
        entry = ledger.store.entry(ledger.store.head().size - 1)
    assert entry is not None
    gone_on(backup, tmp_path / "r")
    with opened(tmp_path / "r") as ledger:
        other = ledger.store.entry(entry.index)
        assert ledger.store.index_of_event(entry.event) is None
    assert other is not None
    assert other.event != entry.event


def post_to(witness: Witness) -> Post:
    """Return a way to post that reaches a witness without a network."""

    def post(url: str, body: bytes) -> Answered:
        answer = witness.add_checkpoint(body)
        return Answered(status=answer.status, media_type=answer.media_type, body=answer.body)

    return post


def test_a_witness_cosigns_no_older_copy(backup: Path, directory: Path, tmp_path: Path) -> None:
    """A witness that saw the log before is ahead of the older copy, and refuses what it goes on with."""
    store = WitnessStore.create(tmp_path / "witness.db")
    witness = Witness(store, SIGNER, SystemSources())

    def asked(ledger: Ledger) -> None:
        hashes = TileHashes(ledger.store.tile_hashes)
        newest = ledger.checkpoints.latest()
        assert newest is not None
        ask(LISTED, newest[1], lambda old, new: prove_consistency(old, new, hashes), post_to(witness))

    with opened(directory) as ledger:
        store.add_log(ORIGIN, ledger.signers.verifier_keys)
        asked(ledger)
    put_back(backup, tmp_path / "r1", None)
    with opened(tmp_path / "r1") as ledger, refused("WITNESS_AHEAD", StoreError):
        asked(ledger)
    gone_on(backup, tmp_path / "r2")
    with opened(tmp_path / "r2") as ledger, refused("WITNESS_REFUSED", StoreError):
        asked(ledger)
    assert len(store.evidence(ORIGIN)) == 1
    store.close()
