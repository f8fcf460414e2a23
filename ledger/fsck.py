"""Check a store against itself, its log and its published checkpoints: every row is read again.

    statement → leaf → columns → tile hashes → heads → order and `seen` → disclosures, data keys, attachments,
    slots → published checkpoints → streams → guards → rows too many → lines of witnesses → projections

`fsck` is the operator's: it finds where storage was damaged or changed and names the index. It believes the
log where the log fits its own signed heads; whether the people's signatures, authority and conduct hold is
judged by `verify`, from a bundle, without the operator. The service does the same all day, in steps
(`reread.walk`, `api.audit`).

Left out on purpose: repair. What is damaged is restored from a backup, and `fsck` says what that must give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.note import VerifierKey
from ledger.reread.damage import CODES, Checker, Damage
from ledger.reread.walk import Walk
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Store
from ledger.witness.keeping import Cosignatures

__all__ = ["CODES", "Checker", "Damage", "check_storage", "fsck"]

PAGE: Final = 1_000


def fsck(
    store: Store,
    checkpoints: CheckpointStore,
    data_keys: DataKeys,
    log_keys: Sequence[VerifierKey],
    checkers: Iterable[Checker] = (),
    witnessed: Cosignatures | None = None,
) -> list[Damage]:
    """Read everything again, in one snapshot, and return what is damaged; empty if nothing is.

    Raises:
        StoreError: the store can't be read at all.
    """
    published = checkpoints.latest()
    lines = () if witnessed is None else witnessed.all_lines()
    walk = Walk(data_keys, log_keys, checkpoints)
    with store.snapshot() as reads:
        size = reads.head().size
        while walk.size < size:
            walk.step(reads, min(walk.size + PAGE, size))
        return walk.finish(reads, published, lines, checkers)


def check_storage(ledger: Ledger, checkers: Iterable[Checker] = ()) -> list[Damage]:
    """Run `fsck` on an open ledger, under the keys that its own heads are signed with.

    Raises:
        StoreError: the store can't be read at all.
    """
    witnessed = None if ledger.gathering is None else ledger.gathering.kept
    keys = ledger.signers.verifier_keys
    return fsck(ledger.store, ledger.checkpoints, ledger.data_keys, keys, checkers, witnessed)
