"""Erase sealed values: record it on two approvals, then destroy it in every place that the ledger owns (§7).

    erased = erase(ledger, approvals)             # recorded once, destroyed however often it is asked
    left = remains(directory, erased.traces)      # files that still hold a trace; none, or an old export

The statement `personal_data.erased` comes first: what its rules refuse is destroyed by nobody, and what was
interrupted after it is finished by asking again (`fsck` names it until then). Destroyed are the ciphertexts
in the database, its write-ahead log with them, and the data key where nothing of its scope is left in the
stream. Projections hold digests alone. Statement bytes stay, so every hash, signature and proof stays valid.

Left out on purpose: backups, which are named until somebody destroys them, and bundles that left.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.committer import Ledger
from ledger.datakeys import DESTROYED, MISSING
from ledger.errors import RefusedError, StoreError
from ledger.rules.erasure import ERASABLE
from ledger.state.people import Backup
from ledger.statement import Statement, parse_statement
from ledger.store.port import NewDisclosure
from ledger.studystate import ErasureApproval

TYPE: Final = "personal_data.erased"
STREAM: Final = "study"
CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased.

    Attributes:
        index: that of the statement that says so.
        approved_by: the two persons.
        keys: streams and scopes whose data key was destroyed now.
        backups: those that hold the values and have not been destroyed.
        corrections: events of corrections of these values; what they seal is erased on approvals of its own.
        traces: bytes that no file may hold any more; none where they had been destroyed before.
    """

    index: int
    statement: str
    paths: tuple[str, ...]
    approved_by: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    backups: tuple[Backup, ...]
    corrections: tuple[str, ...]
    traces: tuple[bytes, ...] = field(repr=False)


def erase(ledger: Ledger, approvals: Sequence[str]) -> Erased:
    """Erase what two recorded approvals both name; asked again, finish what was interrupted.

    Raises:
        RefusedError: `REFERENCE` for what is no approval, `ERASURE_APPROVALS` where they name nothing in
            common, or the rule that is broken.
        FrozenError: the ledger is frozen and no erasure is recorded yet.
        StoreError: STORE_BUSY when an open snapshot keeps remains: ask again.
    """
    first, second = _approvals(ledger, approvals)
    digests = sorted(first.digests & second.digests)
    if first.statement != second.statement or not digests:
        raise RefusedError("ERASURE_APPROVALS", "the approvals name no sealed value in common")
    named = _statement(ledger, first.statement)
    paths = tuple(path for path, digest in named.sealed.items() if digest in digests)
    traces = tuple(_traces(ledger, named.event, paths))
    index = _recorded(ledger, first.statement, digests)
    if index is None:
        data = {"approvals": list(approvals), "digests": digests, "statement": first.statement}
        index = ledger.attest(TYPE, STREAM, data).index
    ledger.store.delete_disclosures(named.event, paths)
    keys = tuple(_destroy_keys(ledger, named.stream))
    people = ledger.refresh().conduct.study.people
    entered = ledger.store.index_of_event(named.event) or 0
    backups = tuple(backup for _, backup in people.backups_between(entered, index, ledger.fold.size))
    return Erased(
        index=index,
        statement=named.event,
        paths=paths,
        approved_by=(first.person, second.person),
        keys=keys,
        backups=backups,
        corrections=tuple(_corrections(ledger, named, paths)),
        traces=traces,
    )


def remains(directory: Path, traces: Sequence[bytes]) -> tuple[Path, ...]:
    """Return the files below a directory that hold one of these byte strings."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return tuple(path for path in files if _holds(path, traces))


def _approvals(ledger: Ledger, approvals: Sequence[str]) -> tuple[ErasureApproval, ErasureApproval]:
    if len(set(approvals)) != 2:
        raise RefusedError("ERASURE_APPROVALS", "expected two approvals")
    known = ledger.refresh().conduct.study.erasures
    if not all(event in known for event in approvals):
        raise RefusedError("REFERENCE", "expected event hashes of two recorded approvals")
    return known[approvals[0]], known[approvals[1]]


def _statement(ledger: Ledger, event: str) -> Statement:
    index = ledger.store.index_of_event(event)
    stored = None if index is None else ledger.store.entry(index)
    if stored is None:
        raise StoreError("STORE_CORRUPT", "an approved statement is not in the store")
    return parse_statement(stored.statement)


def _recorded(ledger: Ledger, statement: str, digests: Iterable[str]) -> int | None:
    """Return the index of the erasure of these values, None before it is recorded."""
    wanted = frozenset(digests)
    for erasure in ledger.fold.conduct.study.people.erasures:
        if erasure.statement == statement and wanted <= erasure.digests:
            return erasure.index
    return None


def _traces(ledger: Ledger, event: str, paths: Sequence[str]) -> Iterator[bytes]:
    """Yield what a value leaves behind: its ciphertext, its disclosure, and what that is made of."""
    for kept in ledger.store.disclosures(event):
        if kept.path not in paths:
            continue
        yield kept.ciphertext
        disclosure = _opened(ledger, kept)
        if disclosure is not None:
            yield disclosure.encode("ascii")
            yield base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4))


def _opened(ledger: Ledger, kept: NewDisclosure) -> str | None:
    keys = ledger.data_keys
    try:
        return keys.open(kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext)
    except StoreError as error:
        if error.code in (DESTROYED, MISSING):
            return None
        raise


def _corrections(ledger: Ledger, named: Statement, paths: Sequence[str]) -> Iterator[str]:
    """Yield the corrections, made or proposed, that still seal an old or new value of what was erased."""
    for stored in ledger.store.stream_entries(named.stream, named.seq + 1):
        if stored.type not in ("correction.made", "correction.proposed"):
            continue
        data = parse_statement(stored.statement).data
        at = data["path"]
        same = any(at == path or at.startswith(f"{path}/") for path in paths)
        kept = {each.path for each in ledger.store.disclosures(stored.event)}
        if data["statement"] == named.event and same and kept & {"/data/old", "/data/new"}:
            yield stored.event


def _destroy_keys(ledger: Ledger, stream: str) -> Iterator[tuple[str, str]]:
    """Destroy the data key of each erasable scope of which the stream holds nothing any more.

    Under the write lock, so that nobody seals under a key that is being destroyed.
    """
    with ledger.store.write() as lock:
        left = {kept.scope for entry in lock.stream_entries(stream) for kept in lock.disclosures(entry.event)}
        for scope in sorted(ERASABLE - left):
            if ledger.data_keys.destroy(stream, scope):
                yield stream, scope


def _holds(path: Path, traces: Sequence[bytes]) -> bool:
    overlap = max((len(trace) for trace in traces), default=1) - 1
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            window = tail + chunk
            if any(trace in window for trace in traces):
                return True
            tail = window[-overlap:] if overlap else b""
    return False
