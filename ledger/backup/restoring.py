"""Put a backup back: into an empty directory, after every file was compared with the manifest.

Published checkpoints are not in a backup. Whoever restores brings those that were kept: beside them a log
that lacks what was published opens frozen, and a person has to say what happened (record-format.md §5). Only
where they are lost, and somebody says so, the store begins again with the note in the backup; then what the
log lacks is shown by whoever kept a receipt or a checkpoint, or witnessed one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ledger.backup.copying import copy_bytes, copy_database
from ledger.backup.manifest import CHECKPOINT, Manifest, differences, read
from ledger.directory import ACCOUNTS, CHECKPOINTS, DATA_KEYS, KEYS, UNBLINDINGS
from ledger.errors import StoreError
from ledger.identity.database import AccountsDatabase
from ledger.store.checkpoints import CheckpointStore
from ledger.store.sqlite_files import sync_directory
from ledger.store.unblindings import UnblindingQueue

PARTIAL: Final = ".partial"


def check_whole(backup: Path, data_keys: Path) -> tuple[Manifest, str]:
    """Compare a backup with its manifest; return that with its SHA-256.

    Raises:
        StoreError: `BACKUP_MISSING` without a manifest, `BACKUP_DIFFERS` with the first file that differs.
        FormatError: `BACKUP`.
    """
    manifest, sha256 = read(backup)
    for difference in differences(backup, manifest, data_keys):
        raise StoreError("BACKUP_DIFFERS", difference)
    return manifest, sha256


def restore(backup: Path, directory: Path, *, data_keys: Path, checkpoints: Path | None) -> Manifest:
    """Make a ledger's directory of a backup; it gets its name when all of it is durable.

    Args:
        checkpoints: the store of published checkpoints as it was kept; None where it is lost.

    Raises:
        StoreError: `LEDGER_EXISTS` for a directory that is not empty, what `check_whole` raises,
            STORE_MISSING, STORE_CORRUPT for the checkpoints, STORE_FULL, STORE_IO. Nothing is left behind
            then.
        FormatError: `BACKUP`.
    """
    manifest, _ = check_whole(backup, data_keys)
    partial = directory.with_name(directory.name + PARTIAL)
    check_empty(directory)
    check_empty(partial)
    try:
        (partial / KEYS).mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in manifest.files:
            if part.name != CHECKPOINT:
                copy_bytes(backup / part.name, partial / part.name)
        copy_bytes(data_keys, partial / DATA_KEYS)
        _put_checkpoints(backup, partial, manifest, checkpoints)
        if not (partial / UNBLINDINGS).exists():
            UnblindingQueue.create(partial / UNBLINDINGS).close()
        if not (partial / ACCOUNTS).exists():
            AccountsDatabase.create(partial / ACCOUNTS).close()
        for folder in (partial / KEYS, partial):
            sync_directory(folder)
        partial.rename(directory)  # an empty directory gives way (rename(2))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_directory(directory.parent)
    return manifest


def check_empty(directory: Path) -> None:
    """Check that a directory is not there, or empty.

    Raises:
        StoreError: LEDGER_EXISTS; STORE_MISSING where there is none that it could be made in.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise StoreError("LEDGER_EXISTS", f"{directory.name} is there and is no directory")
    if directory.is_dir() and any(directory.iterdir()):
        raise StoreError(
            "LEDGER_EXISTS", f"{directory.name} is not empty; a backup is restored to a new place"
        )
    if not directory.parent.is_dir():
        raise StoreError("STORE_MISSING", "expected a directory that the ledger's can be made in")


def _put_checkpoints(backup: Path, partial: Path, manifest: Manifest, kept: Path | None) -> None:
    target = partial / CHECKPOINTS
    if kept is not None:
        copy_database(kept, target)
        CheckpointStore.open(target).close()
        return
    store = CheckpointStore.create(target)
    try:
        if manifest.checkpoint:
            store.publish((backup / CHECKPOINT).read_bytes(), manifest.checkpoint, None)
    finally:
        store.close()
