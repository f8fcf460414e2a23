"""Take a backup of a ledger that is open, while whoever serves it goes on writing, wherever its events lie.

    publish → what may be older than the events → events → data keys → what may be newer → manifest
            → `backup.taken` → the names under which both parts are found

The order is what makes the parts fit. Lines of witnesses and kept projections are never of a larger log than
the events beside them. An unblinding that waits is in the copy of the queue or of the log, or in both. The
key of every value in the events is in the data keys, which are copied after them; where an erasure came
between, both are copied again. Until everything is durable it lies under names that end in `.partial`: a
backup that was killed is none. It is recorded before it gets its name, so every backup that there is, is in
the log, and an erasure can ask for it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ledger.backup import manifest as manifests
from ledger.backup.copying import copy_bytes, copy_database, copy_keys, copy_log, write_bytes
from ledger.backup.manifest import APART, CHECKPOINT, FORM, Manifest, describe
from ledger.committer import Ledger
from ledger.delivery.book import FILE as DELIVERIES
from ledger.directory import (
    ACCOUNTS,
    CONFIG,
    DATABASE,
    KEK,
    KEYS,
    LOG_KEY,
    LOG_PQ_KEY,
    SERVICE_KEY,
    UNBLINDINGS,
    WITNESSED,
    read_config,
)
from ledger.doctor.examine import PROJECTIONS
from ledger.epochs import MARKER
from ledger.errors import StoreError
from ledger.store.port import Head
from ledger.store.sqlite_files import sync_directory
from ledger.times import format_instant
from ledger.trust import ledger_id

PARTIAL: Final = ".partial"
BEFORE: Final = (PROJECTIONS, WITNESSED, UNBLINDINGS)
AFTER: Final = (ACCOUNTS, DELIVERIES)
KEY_FILES: Final = (LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK)
"""Keys of log and service; those of persons, where some lie beside them, are their owners' to keep."""
TRIES: Final = 5
ERASED: Final = ("personal_data.erased",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup that was taken, its manifest's hash, and the index of `backup.taken`; None while frozen."""

    manifest: Manifest
    sha256: str
    index: int | None


def data_keys_beside(backup: Path) -> Path:
    """Return where the data keys of a backup lie unless somebody says otherwise."""
    return backup.with_name(f"{backup.name}.{APART}")


def take(
    ledger: Ledger,
    directory: Path,
    out: Path,
    *,
    data_keys: Path | None = None,
    location: str | None = None,
    destroyed: Sequence[str] = (),
) -> Taken:
    """Copy a ledger's directory to a new one, its data keys to a file apart, and record that.

    Args:
        location: where the backup is kept, for whoever has to find or destroy it; the path where it is None.
        destroyed: events of earlier backups that were destroyed for it.

    Raises:
        StoreError: `BACKUP_PLACE` for a place inside of the ledger's directory, `BACKUP_EXISTS` where
            something is there already, `LEDGER_EMPTY`, and what copying and recording raise. Nothing is left
            behind then.
    """
    apart = data_keys_beside(out) if data_keys is None else data_keys
    _check_places(directory, out, apart)
    config = read_config(directory)
    if not ledger.startup.frozen:
        ledger.publish()
    partial, partial_apart = _partial(out), _partial(apart)
    try:
        head, checkpoint = _copy(ledger, directory, partial, partial_apart)
        made = _manifest(ledger, config.study, head, checkpoint, partial, partial_apart)
        data = manifests.encode(made)
        write_bytes(partial / manifests.FILE, data)
        for folder in (partial / KEYS, partial, apart.parent):
            sync_directory(folder)
        sha256 = hashlib.sha256(data).hexdigest()
        recorded = (
            None if ledger.startup.frozen else _record(ledger, made, sha256, location or str(out), destroyed)
        )
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        partial_apart.unlink(missing_ok=True)
        raise
    partial_apart.rename(apart)
    sync_directory(apart.parent)
    partial.rename(out)
    sync_directory(out.parent)
    return Taken(manifest=made, sha256=sha256, index=recorded)


def _check_places(directory: Path, out: Path, apart: Path) -> None:
    inside = directory.resolve()
    for place in (out, apart):
        if inside == place.resolve() or inside in place.resolve().parents:
            raise StoreError("BACKUP_PLACE", "expected a place outside of the ledger's directory")
        if not place.parent.is_dir():
            raise StoreError("BACKUP_PLACE", f"expected a directory that {place.name} can be made in")
        for path in (place, _partial(place)):
            if path.exists() or path.is_symlink():
                raise StoreError(
                    "BACKUP_EXISTS", f"{path.name} is there already; what ends in {PARTIAL} was interrupted"
                )
    if out.resolve() in apart.resolve().parents:
        raise StoreError("BACKUP_PLACE", "expected the data keys apart from the backup")


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def _copy(ledger: Ledger, directory: Path, partial: Path, apart: Path) -> tuple[Head, int]:
    """Copy everything but the manifest; return the head of the events' copy, and the checkpoint's size."""
    (partial / KEYS).mkdir(mode=0o700, parents=True)
    partial.chmod(0o700)
    _copy_databases(BEFORE, directory, partial)
    head = _copy_events(ledger, partial, apart)
    _copy_databases(AFTER, directory, partial)
    for name in (CONFIG, MARKER):  # without the marker an epoch that ended would be written to again
        if (directory / name).exists():
            copy_bytes(directory / name, partial / name)
    for name in KEY_FILES:
        if (directory / KEYS / name).exists():  # a key in a token is nowhere here
            copy_bytes(directory / KEYS / name, partial / KEYS / name)
    published = ledger.checkpoints.newest_within(head.size)
    if published is None:
        return head, 0
    write_bytes(partial / CHECKPOINT, published[1])
    return head, published[0]


def _copy_databases(names: Sequence[str], directory: Path, partial: Path) -> None:
    for name in names:
        if (directory / name).exists():
            copy_database(directory / name, partial / name)


def _copy_events(ledger: Ledger, partial: Path, apart: Path) -> Head:
    for _ in range(TRIES):
        head = copy_log(ledger.store, partial / DATABASE)
        copy_keys(ledger.data_keys.wrapped, apart)
        if not ledger.store.entries(head.size, ledger.store.head().size, ERASED):
            return head
        (partial / DATABASE).unlink()
        apart.unlink()
    raise StoreError("STORE_BUSY", "values are being erased; take the backup after that")


def _manifest(
    ledger: Ledger, study: str, head: Head, checkpoint: int, partial: Path, apart: Path
) -> Manifest:
    if head.size == 0:
        raise StoreError("LEDGER_EMPTY", "the ledger has no first entry; it was not opened")
    names = sorted(path.relative_to(partial).as_posix() for path in partial.rglob("*") if path.is_file())
    taken_us = ledger.sources.now_us()
    made = Manifest(
        form=FORM,
        backup="unnamed",
        taken_at=format_instant(taken_us),
        origin=ledger.origin,
        study=study,
        ledger_id=ledger_id(ledger),
        size=head.size,
        root=head.root.hex(),
        checkpoint=checkpoint,
        files=tuple(describe(partial / name, name) for name in names),
        data_keys=describe(apart, APART),
    )
    # Two backups of one moment are told apart by what they hold.
    digest = hashlib.sha256(manifests.encode(made)).hexdigest()
    return replace(made, backup=f"{made.taken_at[:19].replace(':', '')}Z-{digest[:12]}")


def _record(ledger: Ledger, made: Manifest, sha256: str, location: str, destroyed: Sequence[str]) -> int:
    stores = ["data_keys", "events", "keys"]
    if any(part.name == PROJECTIONS for part in made.files):
        stores.append("projections")
    data: dict[str, Any] = {
        "backup": made.backup,
        "location": location,
        "sha256": sha256,
        "size": made.size,
        "stores": stores,
    }
    if destroyed:
        data["destroyed"] = list(destroyed)
    return ledger.attest("backup.taken", "study", data).index
