"""Put a backup back: into an empty directory, after every file was compared with the manifest.

Published checkpoints are not in a backup. Whoever restores brings those that were kept: beside them a log
that lacks what was published opens frozen, and a person has to say what happened (record-format.md §5). Only
where they are lost, and somebody says so, the store begins again with the note in the backup; then what the
log lacks is shown by whoever kept a receipt or a checkpoint, or witnessed one.

A backup is files, wherever it was taken of. Put back it is files again, or schemas of PostgreSQL where `Into`
names them; `ledger.toml` always says where it went, and never where it came from.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from os.path import samestat
from pathlib import Path
from typing import Final

from ledger.backup.copying import copy_bytes, copy_database, open_log, sync
from ledger.backup.manifest import CHECKPOINT, Manifest, check_data_keys, differences, read
from ledger.directory import (
    ACCOUNTS,
    CHECKPOINTS,
    CONFIG,
    DATA_KEYS,
    DATABASE,
    KEYS,
    UNBLINDINGS,
    read_config,
    write_config,
)
from ledger.errors import StoreError
from ledger.identity.database import AccountsDatabase
from ledger.new_directory import alone_in
from ledger.places import NOBODY, Owners, check_apart, fill_data_keys, open_checkpoints
from ledger.store.checkpoints import CheckpointFile
from ledger.store.moving import move_log
from ledger.store.sqlite_files import sync_directory
from ledger.store.unblindings import UnblindingQueue
from ledger.store.urls import SQLITE, create_store, open_store
from ledger.store.wrapped_keys import KeyFile
from ledger.undoing import undone_on_failure

PARTIAL: Final = ".partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Into:
    """Where a backup is put back: files of the directory, or schemas of PostgreSQL by their URLs.

    Attributes:
        checkpoints: a schema that keeps what was published, which is opened as it is.
        owners: who makes the schemas of events and data keys. Without an owner's URL the schema of the events
            has to be there and empty.
    """

    store: str = SQLITE
    checkpoints: str = SQLITE
    data_keys: str = SQLITE
    owners: Owners = NOBODY


FILES: Final = Into()


def check_whole(backup: Path, data_keys: Path) -> tuple[Manifest, str]:
    """Compare a backup with its manifest; return that with its SHA-256.

    Raises:
        StoreError: `BACKUP_MISSING` without a manifest or the data keys, `BACKUP_DIFFERS` with the first file
            that differs.
        FormatError: `BACKUP`.
    """
    manifest, sha256 = read(backup)
    check_data_keys(data_keys)
    for difference in differences(backup, manifest, data_keys):
        raise StoreError("BACKUP_DIFFERS", difference)
    return manifest, sha256


def restore(
    backup: Path, directory: Path, *, data_keys: Path, checkpoints: Path | None, into: Into = FILES
) -> Manifest:
    """Make a ledger's directory of a backup; it gets its name when all of it is durable.

    Args:
        checkpoints: the file of published checkpoints as it was kept; None where it is lost, or `into` names
            a schema.

    Raises:
        StoreError: `LEDGER_EXISTS` for a directory that is not empty, what `check_whole` raises,
            STORE_MISSING, STORE_CORRUPT for the checkpoints, STORE_SHARED, STORE_EXISTS for a schema,
            STORE_FULL, STORE_IO. No file is left behind then, and no schema that was made; one that was
            there and empty holds all of it or nothing.
        ConflictError: `HEAD_STALE` for a schema that holds events.
        FormatError: `BACKUP`, `STORE_URL`.
    """
    manifest, _ = check_whole(backup, data_keys)
    partial = directory.with_name(directory.name + PARTIAL)
    check_empty(directory)
    check_empty(partial)
    check_apart(into.store, (into.checkpoints, into.data_keys))
    partial.mkdir(exist_ok=True)
    with alone_in(partial, "LEDGER_EXISTS"):
        check_empty(partial)
        ours = partial.stat()
        try:
            with undone_on_failure():
                _put_back(backup, partial, manifest, data_keys, checkpoints, into)
                partial.rename(directory)  # an empty directory gives way (rename(2))
        except BaseException:
            for each in (partial, directory):  # who interrupts may do so when it just got its name
                if each.exists() and samestat(each.stat(), ours):
                    shutil.rmtree(each, ignore_errors=True)
            raise
    sync_directory(directory.parent)
    return manifest


def _put_back(
    backup: Path, partial: Path, manifest: Manifest, data_keys: Path, checkpoints: Path | None, into: Into
) -> None:
    """Fill a directory, and the schemas that are named, with all that a ledger has."""
    (partial / KEYS).mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in manifest.files:
        if part.name != CHECKPOINT:
            copy_bytes(backup / part.name, partial / part.name)
    copy_bytes(data_keys, partial / DATA_KEYS)
    if into.checkpoints != SQLITE:
        open_checkpoints(into.checkpoints, partial / CHECKPOINTS).close()
    else:
        _put_checkpoints(backup, partial, manifest, checkpoints)
    _put_in_schemas(partial, into)
    _say_where(partial, into)
    if not (partial / UNBLINDINGS).exists():
        UnblindingQueue.create(partial / UNBLINDINGS).close()
    if not (partial / ACCOUNTS).exists():
        AccountsDatabase.create(partial / ACCOUNTS).close()
    for folder in (partial / KEYS, partial):
        sync_directory(folder)


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


def _put_in_schemas(partial: Path, into: Into) -> None:
    """Move events and data keys from their files to the schemas that are named."""
    if into.store != SQLITE:
        file, owner = partial / DATABASE, into.owners.store
        target = open_store(into.store, file) if owner is None else create_store(into.store, file, owner)
        with closing(target), closing(open_log(file)) as source:
            move_log(source, target, at_once=True)
        file.unlink()
    if into.data_keys != SQLITE:
        with closing(KeyFile(partial / DATA_KEYS)) as keys:
            fill_data_keys(into.data_keys, into.owners.data_keys, keys.check(), keys.rows())
        (partial / DATA_KEYS).unlink()


def _say_where(partial: Path, into: Into) -> None:
    """Let the configuration name the places of this copy: the backup's are those of the live ledger."""
    config = read_config(partial)
    here = replace(config, store=into.store, checkpoints=into.checkpoints, data_keys=into.data_keys)
    if here != config:
        (partial / CONFIG).unlink()
        write_config(partial, here)
        sync(partial / CONFIG)


def _put_checkpoints(backup: Path, partial: Path, manifest: Manifest, kept: Path | None) -> None:
    target = partial / CHECKPOINTS
    if kept is not None:
        copy_database(kept, target)
        try:
            CheckpointFile(target).close()
        except StoreError as error:
            if error.code != "STORE_CORRUPT":
                raise
            message = f"expected a file of published checkpoints, {kept.name} is none: {error.message}"
            raise StoreError(error.code, message) from error
        return
    store = CheckpointFile.create(target)
    try:
        if manifest.checkpoint:
            store.publish((backup / CHECKPOINT).read_bytes(), manifest.checkpoint, None)
    finally:
        store.close()
