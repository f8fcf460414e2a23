"""Epochs: freeze a ledger for good, and open the log that goes on from it (record-format.md §6).

    freeze    frozen.json in the ledger's directory, written under the write lock and looked at under it: from
              then on nothing is recorded. Reading, export and emergency unblinding go on
    open      <origin>/e2 in a directory of its own, with `continues`, signed by root keys of the old log

What the new log goes on from is read in the old directory's store for as long as the new one is in use.
A freeze is never taken back: what an operator could undo would be worth nothing to an auditor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.actions.ledger_policy import Continues, RootKey
from ledger.authority import INITIAL, Authority
from ledger.authority import evolve as evolve_authority
from ledger.committer import Ledger
from ledger.earlier import next_origin
from ledger.earlier_store import EarlierStore, entries_before, root_at
from ledger.errors import FormatError, RefusedError, StoreError
from ledger.fold import load_entry
from ledger.genesis import key_of
from ledger.keys import SigningKey
from ledger.lines import encode_base64
from ledger.merkle import leaf_hash
from ledger.note import format_vkey
from ledger.prepare import Signer
from ledger.publishing import newest_held, publish_newest
from ledger.store.port import Reads, Store
from ledger.store.startup import Startup
from ledger.times import format_instant

MARKER: Final = "frozen.json"
FROZEN: Final = "EPOCH_FROZEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Why, when and at what size a ledger was frozen for good."""

    at: str
    size: int
    why: str


def read_marker(directory: Path) -> Frozen | None:
    """Return what a directory says of its freeze; None where it is not frozen.

    Raises:
        FormatError: `CONFIG`: it is there and says nothing; the ledger stays frozen all the same.
    """
    path = directory / MARKER
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Frozen(at=str(value["at"]), size=int(value["size"]), why=str(value["why"]))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise FormatError("CONFIG", f"{MARKER} cannot be read: the ledger is frozen", field=MARKER) from error


def stopped(directory: Path) -> Startup | None:
    """Tell a ledger whether it is frozen for good; asked before each commit, under the write lock."""
    if not (directory / MARKER).exists():
        return None
    return Startup(
        frozen=True, code=FROZEN, message="this epoch is frozen for good; another one goes on from it"
    )


def freeze(directory: Path, ledger: Ledger, why: str) -> Frozen:
    """Freeze a ledger for good, and publish its last checkpoint, where its log still holds.

    Raises:
        RefusedError: `EPOCH_FROZEN` when it is frozen already.
        FormatError: `WHY`.
    """
    if not why.strip() or len(why) > 200:
        raise FormatError("WHY", "expected a reason of 1 to 200 characters", field="--why")
    with ledger.store.write() as tx:
        found = Frozen(at=format_instant(ledger.sources.now_us()), size=tx.head().size, why=why)
        _write_marker(directory, found)
    if not ledger.startup.frozen:
        publish_newest(ledger.store, ledger.checkpoints, ledger.signers, ledger.sources)
        ledger.startup = stopped(directory) or ledger.startup
    return found


def _write_marker(directory: Path, found: Frozen) -> None:
    text = json.dumps({"at": found.at, "size": found.size, "why": found.why}, ensure_ascii=False)
    try:
        with (directory / MARKER).open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise RefusedError(FROZEN, "this epoch is frozen already") from error


def authority_at(reads: Reads, size: int) -> Authority:
    """Return the authority of a log at a size."""
    authority = INITIAL
    for entry in entries_before(reads, size):
        authority = evolve_authority(authority, entry)
    return authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What the next epoch takes over from a frozen one: what `ledger.opened` names, and who may sign it."""

    continues: Continues
    roots: tuple[RootKey, ...]
    threshold: int
    study: str
    log_keys: tuple[str, ...]

    @property
    def origin(self) -> str:
        """The origin of the next epoch."""
        return next_origin(self.continues.origin)

    def signers(self, keys: Sequence[SigningKey]) -> list[Signer]:
        """Return the root persons of these keys, of whom there must be as many as the threshold asks for.

        Raises:
            RefusedError: `KEY_UNKNOWN` for a key that is no root key at that size; `THRESHOLD`.
        """
        by_id = {root.key.id: root for root in self.roots}
        found: dict[str, Signer] = {}
        for key in keys:
            root = by_id.get(key.id)
            if root is None:
                raise RefusedError("KEY_UNKNOWN", "expected root keys of the old epoch as of its size")
            found[root.key.person] = Signer(key, root.key.person, root.name, root.organisation)
        if len(found) < self.threshold:
            detail = f"expected keys of {self.threshold} root persons, got {len(found)}"
            raise RefusedError("THRESHOLD", detail)
        return list(found.values())


def hand_over(ledger: Ledger, why: str, size: int | None = None) -> Handover:
    """Say what goes on from a frozen ledger at a size, by default that of its newest checkpoint that holds.

    Raises:
        RefusedError: `NOT_FROZEN`; `EPOCH_SIZE` for a size without a published checkpoint that the log holds.
        FormatError: `WHY`.
    """
    if not ledger.startup.frozen:
        raise RefusedError("NOT_FROZEN", "freeze the old epoch first: `epoch freeze`")
    store = ledger.store
    note = newest_held(store, ledger.checkpoints, ledger.signers)
    newest = 0 if note is None else int(note.split(b"\n")[1])
    size = newest if size is None else size
    if not 1 <= size <= newest:
        raise RefusedError("EPOCH_SIZE", f"expected a size of 1 to {newest}, which was published and holds")
    authority = authority_at(store, size)
    first = store.entry(0)
    if first is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no first entry; it was not opened")
    continues = Continues(
        ledger_id=leaf_hash(first.leaf).hex(),
        origin=ledger.origin,
        root=encode_base64(root_at(store, size)),
        size=size,
        why=why,
    )
    return Handover(
        continues=continues,
        roots=tuple(_root_keys(authority)),
        threshold=authority.threshold,
        study=authority.study,
        log_keys=tuple(format_vkey(key) for key in ledger.signers.verifier_keys),
    )


def _root_keys(authority: Authority) -> Iterator[RootKey]:
    for key_id in sorted(authority.root_key_ids):
        enrolled = authority.keys[key_id]
        person = authority.roots.get(enrolled.person)
        if person is not None and enrolled.until is None:
            yield RootKey(key=key_of(enrolled), name=person.name, organisation=person.organisation)


def check_continues(store: Store) -> None:
    """Check that a log's first entry continues what its directory names (asked at each opening).

    Raises:
        StoreError: `EPOCH_MISMATCH`.
    """
    first, earlier = store.entry(0), store.earlier
    if first is None or not isinstance(earlier, EarlierStore):
        return
    statement = load_entry(first).statement
    said: dict[str, Any] = {} if statement is None else statement.data.get("continues", {})
    if (said.get("ledger_id"), said.get("root")) != (earlier.ledger_id, encode_base64(earlier.root)):
        raise StoreError(
            "EPOCH_MISMATCH", "the directory that this log goes on from is not what leaf 0 names"
        )
