"""Try a backup: restore it to an empty place, judge what came out, and record that (21 CFR 11.10(c)).

    files against the manifest → restored → start-up rule → root against the live log → `fsck`, with kept
    projections folded again → export → `verify` up to the checkpoint → `restore.tested` in the live ledger

What is restored here records nothing, publishes nothing and asks nobody: a copy that spoke to witnesses would
be a second ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.backup.copying import open_log
from ledger.backup.manifest import CHECKPOINT, Manifest, check_data_keys, differences, read
from ledger.backup.restoring import check_empty, restore
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.directory import CHECKPOINTS, CONFIG, DATA_KEYS, DATABASE, KEK, KEYS, read_config
from ledger.errors import LedgerError, StoreError
from ledger.export import export_bundle
from ledger.fsck import Checker, fsck
from ledger.keyfile import PASSPHRASE, load_key
from ledger.lines import encode_base64
from ledger.merkle import EMPTY_ROOT, leaf_hash, read_frontier
from ledger.note import VerifierKey, parse_vkey
from ledger.policy import TrustPolicy
from ledger.reread.damage import told
from ledger.sources import SystemSources
from ledger.statement import parse_statement
from ledger.store.checkpoints import CheckpointFile
from ledger.store.port import Head, Store
from ledger.store.startup import check as check_startup
from ledger.tiles import TileHashes
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope

LEDGER: Final = "ledger"
BUNDLE: Final = "bundle"
ROLE: Final = "auditor"
SHOWN: Final = 20
_NOT_OF_THE_BACKUP: Final = frozenset({PASSPHRASE, "STORE_FULL", "STORE_IO"})
"""Codes of who tries, and of the place where it is tried: the files were compared with the manifest."""

Checkers = Callable[[Path], Sequence[Checker]]
"""Returns further checks of what lies in a directory, such as projections against the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a try gave.

    Attributes:
        size, root: of what came out; 0 and the empty tree's where nothing did.
        problems: one sentence each; none where the backup is good.
        recorded: index of `restore.tested`; None where no live ledger was given, or it is frozen.
    """

    manifest: Manifest
    size: int
    root: bytes
    problems: tuple[str, ...]
    recorded: int | None

    @property
    def passed(self) -> bool:
        """Tell whether the backup gives back what it was made of."""
        return not self.problems


def try_restore(
    backup: Path,
    work: Path,
    *,
    data_keys: Path,
    passphrase: str | None,
    checkers: Checkers,
    live: Ledger | None,
) -> Tried:
    """Restore a backup below `work`, which is empty or made, judge it, and record the outcome in the live
    ledger. A passphrase that does not open it, data keys that are not there, or a place without room say
    nothing of the backup: then nothing is recorded.

    Raises:
        LedgerError: `KEY_PASSPHRASE` where the backup is whole, and the passphrase does not open its keys.
        StoreError: `BACKUP_MISSING` without a manifest or the data keys, `BACKUP_CONTINUES` for a log that
            goes on from an older epoch, `BACKUP_OTHER` for a backup of another ledger or one that the live
            ledger does not know, `LEDGER_EXISTS` where `work` is not empty, `STORE_FULL` or `STORE_IO` where
            it takes no more.
        FormatError: `BACKUP`. What is wrong with the copy itself is a problem of the outcome.
    """
    manifest, sha256 = read(backup)
    check_data_keys(data_keys)
    event = None if live is None else _event(live, manifest, sha256)
    head = Head(size=0, root=EMPTY_ROOT, frontier=b"", note=b"")
    problems = list(differences(backup, manifest, data_keys))
    work.mkdir(parents=True, exist_ok=True)
    check_empty(work)
    if not problems:
        check_alone(backup)
        try:
            kek = load_key(backup / KEYS / KEK, passphrase).secret
        except LedgerError as error:
            problems.append(_problem(error))
        else:
            restore(backup, work / LEDGER, data_keys=data_keys, checkpoints=None)
            try:
                head, found = _judge(backup, work, manifest, kek, checkers, live)
                problems += found
            except LedgerError as error:
                problems.append(_problem(error))
    recorded = None
    if live is not None and event is not None and not live.startup.frozen:
        recorded = _record(live, event, head, passed=not problems)
    return Tried(
        manifest=manifest, size=head.size, root=head.root, problems=tuple(problems), recorded=recorded
    )


def check_alone(directory: Path) -> None:
    """Check that a log stands by itself: conduct of one that continues another is judged with both.

    Raises:
        StoreError: `BACKUP_CONTINUES`.
        FormatError: `CONFIG`.
    """
    if (directory / CONFIG).is_file() and read_config(directory).continues is not None:
        raise StoreError(
            "BACKUP_CONTINUES", "the log goes on from an older epoch: restore both, then fsck and verify"
        )


def _event(live: Ledger, manifest: Manifest, sha256: str) -> str:
    """Return the event of `backup.taken` in the live log."""
    first = live.store.entry(0)
    if first is None or leaf_hash(first.leaf).hex() != manifest.ledger_id:
        raise StoreError("BACKUP_OTHER", "the backup is of another ledger")
    for entry in live.store.stream_entries("study"):
        if entry.type == "backup.taken":
            data = parse_statement(entry.statement).data
            if (data["backup"], data["sha256"]) == (manifest.backup, sha256):
                return entry.event
    raise StoreError("BACKUP_OTHER", "the ledger has no record of a backup with this manifest")


def _problem(error: LedgerError) -> str:
    """Say in one sentence what an error tells of the backup; one that tells nothing of it goes on."""
    if error.code in _NOT_OF_THE_BACKUP:
        raise error
    return f"{error.code}: {error.message}"


def _record(live: Ledger, event: str, head: Head, *, passed: bool) -> int:
    data = {
        "outcome": "passed" if passed else "failed",
        "root": encode_base64(head.root),
        "size": max(head.size, 1),
        "statement": event,
    }
    return live.attest("restore.tested", "study", data).index


def _judge(
    backup: Path,
    work: Path,
    manifest: Manifest,
    kek: bytes,
    checkers: Checkers,
    live: Ledger | None,
) -> tuple[Head, list[str]]:
    place = work / LEDGER
    with ExitStack() as opened:
        store = opened.enter_context(closing(open_log(place / DATABASE)))
        checkpoints = opened.enter_context(closing(CheckpointFile(place / CHECKPOINTS)))
        data_keys = opened.enter_context(DataKeys(place / DATA_KEYS, kek, SystemSources().random_bytes))
        log_keys = _log_keys(store) if live is None else live.signers.verifier_keys
        startup = check_startup(store, checkpoints, log_keys)
        problems = [f"{startup.code}: {startup.message}"] if startup.frozen else []
        problems += _of_tree(store, manifest, live)
        damages = fsck(store, checkpoints, data_keys, log_keys, checkers(place))
        problems += islice(told(damages), SHOWN)
        published = checkpoints.latest()
        if published is None:
            problems.append("there is no published checkpoint to verify up to")
        elif not problems:
            export_bundle(store, data_keys, published[1], work / BUNDLE, scope=Scope(kind="study"), role=ROLE)
            problems += _of_bundle(work / BUNDLE, manifest, log_keys, (backup / CHECKPOINT).read_bytes())
        return store.head(), problems


def _log_keys(store: Store) -> tuple[VerifierKey, ...]:
    """Return the keys that the first entry names; it is the one that the manifest's ledger id pins."""
    first = store.entry(0)
    if first is None:
        raise StoreError("LEDGER_EMPTY", "the restored log has no first entry")
    return tuple(parse_vkey(text) for text in json.loads(first.statement)["data"]["log_keys"])


def _of_tree(store: Store, manifest: Manifest, live: Ledger | None) -> Iterator[str]:
    """Compare the restored tree with the manifest, and with the same size of the live log."""
    head, first = store.head(), store.entry(0)
    if first is None or leaf_hash(first.leaf).hex() != manifest.ledger_id:
        yield "the first entry is not the one that the manifest's ledger id names"
    if (head.size, head.root.hex()) != (manifest.size, manifest.root):
        yield f"size and root are not those of the manifest: {head.size} entries came out"
    if live is None:
        return
    if live.store.head().size < head.size:
        yield "the live log is smaller than the backup"
    elif read_frontier(head.size, TileHashes(live.store.tile_hashes)).root() != head.root:
        yield f"the live log had another root at {head.size} entries"


def _of_bundle(
    bundle: Path, manifest: Manifest, log_keys: Sequence[VerifierKey], previous: bytes
) -> Iterator[str]:
    """Verify what the restored log exports, as an auditor who kept the backup's checkpoint would."""
    policy = TrustPolicy(
        ledger_id=manifest.ledger_id, log_keys=tuple(log_keys), witnesses=(), groups=(), quorum=None
    )
    options = Options(
        policy=policy,
        ledger_id=manifest.ledger_id,
        scope=Scope(kind="study"),
        role=ROLE,
        previous=previous,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    for found in verify(bundle, options).problems[:SHOWN]:
        yield f"{found.code}: {found.detail}"
