"""Check a store against itself, its log and its published checkpoints: every row is read again.

    statement → leaf → columns → tile hashes → heads → streams → order and `seen` → guards → disclosures
    → attachments → slots → published checkpoints → further checkers (projections)

`fsck` is the operator's: it finds where storage was damaged or changed and names the index. It believes the
log where the log fits its own signed heads; whether the people's signatures, authority and conduct hold is
judged by `verify`, from a bundle, without the operator.

Left out on purpose: repair. What is damaged is restored from a backup, and `fsck` says what that must give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.actions.registry import parse_action, spec
from ledger.attachments import attachments
from ledger.checkpoint import check_head, check_published
from ledger.committer import Ledger
from ledger.datakeys import DESTROYED, DataKeys
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.fold import LogFold, StoreReader, load_entry
from ledger.leaf import ZERO_SALT, is_salted, stream_tag
from ledger.lines import parse_hash
from ledger.merkle import Frontier, leaf_hash, tree_root
from ledger.note import VerifierKey
from ledger.sealing import check_disclosure
from ledger.statement import Statement, parse_statement
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Guard, Head, NewDisclosure, Reads, Store, StoredEntry
from ledger.study.lists import check_slot
from ledger.tiles import TILE_WIDTH

PAGE: Final = 1_000
HASH_BYTES: Final = 32
GUARD_KINDS: Final = ("study", "protocol", "site", "participant", "list", "allocation", "slot", "enrolment")

CODES: Final = {
    "ENTRY_MISSING": "an index below the size of the log has no row",
    "STATEMENT_HASH": "the statement's bytes are not those of its event hash",
    "STATEMENT": "a stored statement or leaf can't be parsed",
    "LEAF": "the leaf does not commit to the statement, or its labels are others",
    "COLUMNS": "a column of the event differs from statement or leaf, or an index of the database does",
    "TILE": "a tile hash differs from the leaves below it, or is not there",
    "HEAD": "a head does not verify, or is not of the tree that the leaves give",
    "STREAM": "a stream's salt, tag or newest event are not those of its entries",
    "ORDER": "order, linkage or `seen` of an entry do not fit what stands before it",
    "GUARD": "a guard row is missing, points elsewhere, or belongs to nothing in the log",
    "DISCLOSURE": "a sealed value does not open, or not to its digest",
    "DISCLOSURE_MISSING": "a sealed value is not there and no erasure names it",
    "ERASURE_UNDONE": "a sealed value is there that an erasure in the log names",
    "ATTACHMENT": "an attachment is missing or is not of the hash and size that name it",
    "SLOT": "a slot of a randomization list is not in the committed list",
    "CHECKPOINT": "a published checkpoint does not verify, or is not of this log",
    "PROJECTION": "a stored view differs from the fold of the log",
}
"""Every code that `fsck` reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it must be: code, index where there is one, place, one sentence."""

    code: str
    index: int | None
    where: str
    detail: str

    def __str__(self) -> str:
        at = "" if self.index is None else f" index {self.index}"
        return f"{self.code}{at} in {self.where}: {self.detail}"

    def as_json(self) -> dict[str, str | int]:
        """Return the members as JSON has them; no index where there is none."""
        plain: dict[str, str | int] = {"code": self.code, "where": self.where, "detail": self.detail}
        return plain if self.index is None else {**plain, "index": self.index}


Checker = Callable[[Reads], Iterable[Damage]]
"""A further check of the same snapshot, such as projections against the log."""


def fsck(
    store: Store,
    checkpoints: CheckpointStore,
    data_keys: DataKeys,
    log_keys: Sequence[VerifierKey],
    checkers: Iterable[Checker] = (),
) -> list[Damage]:
    """Read everything again and return what is damaged, in the order of the log; empty if nothing is.

    Raises:
        StoreError: the store can't be read at all.
    """
    published = checkpoints.latest()
    with store.snapshot() as reads:
        check = _Check(reads, data_keys, log_keys)
        check.log()
        check.streams()
        check.guards()
        check.published(checkpoints, published)
        for checker in checkers:
            check.found.extend(checker(reads))
    return check.found


def check_storage(ledger: Ledger, checkers: Iterable[Checker] = ()) -> list[Damage]:
    """Run `fsck` on an open ledger, under the keys that its own heads are signed with.

    Raises:
        StoreError: the store can't be read at all.
    """
    keys = ledger.signers.verifier_keys
    return fsck(ledger.store, ledger.checkpoints, ledger.data_keys, keys, checkers)


class _Check:
    """One run: the folds so far, and what was found."""

    def __init__(self, reads: Reads, data_keys: DataKeys, log_keys: Sequence[VerifierKey]) -> None:
        self.found: list[Damage] = []
        self._reads = reads
        self._data_keys = data_keys
        self._log_keys = log_keys
        self._size = reads.head().size
        self._fold: LogFold | None = LogFold(StoreReader(reads))
        self._frontier = Frontier()
        self._head = reads.head_covering(0)
        self._covered = 0
        self._roots = bytearray(self._frontier.root())
        self._pending: list[list[bytes]] = [[]]
        self._closed: list[int] = [0]
        self._newest: dict[str, tuple[int, str]] = {}
        self._guards: dict[tuple[str, str], int] = {}
        self._unopened: list[tuple[int, str, str]] = []
        self._erased: set[str] = set()
        self._erasures: list[tuple[int, str, list[str]]] = []

    def log(self) -> None:
        """Walk the log once, with its tiles and heads; remember what the later checks compare with."""
        for start in range(0, self._size, PAGE):
            stop = min(start + PAGE, self._size)
            try:
                rows = {row.index: row for row in self._reads.entries(start, stop)}
            except LedgerError as error:
                self._bad("ENTRY_MISSING", start, "events", f"rows can't be read: {error.message}")
                rows = {}
            for index in range(start, stop):
                row = rows.get(index)
                if row is None:
                    self._bad("ENTRY_MISSING", index, "events", "no row has this index")
                    self._fold = None
                    self._tree(index, b"")
                else:
                    self._row(row)
        for level, hashes in enumerate(self._pending):
            if hashes:
                self._tile(level, hashes)
        if self._covered != self._size:
            self._bad("HEAD", self._covered, "log_head", "no head follows up to this index")
        for index, path, digest in self._unopened:
            if digest not in self._erased:
                self._bad("DISCLOSURE_MISSING", index, "disclosures", f"the sealed value at {path} is gone")
        for index, event, digests in self._erasures:
            self._erasure(index, event, digests)

    def _bad(self, code: str, index: int | None, where: str, detail: str) -> None:
        self.found.append(Damage(code=code, index=index, where=where, detail=detail))

    def _row(self, row: StoredEntry) -> None:
        self._tree(row.index, row.leaf)
        try:
            entry = load_entry(row)
        except LedgerError as error:
            self._bad("STATEMENT", row.index, "events", f"{error.code}: {error.message}")
            self._fold = None
            return
        statement = entry.statement
        assert statement is not None  # noqa: S101  a stored statement is always there
        self._columns(row, entry, statement)
        try:
            parse_action(statement)
        except LedgerError as error:
            self._bad("STATEMENT", row.index, "events", f"{error.code}: {error.message}")
            self._fold = None
            return
        self._newest[statement.stream] = (statement.seq, statement.event)
        self._advance(entry)
        self._disclosures(row.index, statement)
        self._attachments(row.index, statement)
        if statement.type == "personal_data.erased":
            self._erased.update(statement.data.get("digests", ()))
            self._erasures.append((row.index, statement.data["statement"], statement.data["digests"]))
        if statement.type == "randomization.list_committed":
            self._slots(row.index, statement)

    def _columns(self, row: StoredEntry, entry: Entry, statement: Statement) -> None:
        leaf = entry.leaf
        if statement.event != row.event:
            self._bad(
                "STATEMENT_HASH", row.index, "events", "the statement's hash is not the stored event hash"
            )
        if leaf.statement != row.event or leaf.index != row.index or leaf.at != row.at:
            self._bad("LEAF", row.index, "events", "event hash, index or time of the leaf are others")
        labels = (leaf.cls, leaf.site, leaf.stream)
        if labels != (statement.cls, statement.site or "", statement.tag):
            self._bad("LEAF", row.index, "events", "class, site or tag of the leaf are not the statement's")
        stored = (row.stream, row.seq, row.type, row.schema, row.id)
        signed = (statement.stream, statement.seq, statement.type, statement.schema, statement.id)
        for name, have, want in zip(("stream", "seq", "type", "schema", "id"), stored, signed, strict=True):
            if have != want:
                self._bad("COLUMNS", row.index, f"events.{name}", "differs from the statement")
        if self._reads.index_of_event(row.event) != row.index:
            self._bad("COLUMNS", row.index, "events.event", "looked up by its hash, another entry is found")
        if self._reads.index_of_id(row.id) != row.index:
            self._bad("COLUMNS", row.index, "events.id", "looked up by its id, another entry is found")

    def _advance(self, entry: Entry) -> None:
        """Check order and linkage, take down the guards that the entry needs, and fold it in."""
        fold = self._fold
        if fold is None:
            return
        for problem in fold.chain.check(entry, self._root_at):
            self._bad("ORDER", entry.index, "events", f"{problem.code}: {problem.message}")
        try:
            for kind, key in fold.conduct.guards(entry):
                self._guards[kind, key] = entry.index
            fold.advance(entry)
        except (LedgerError, LookupError) as error:
            self._bad("STATEMENT", entry.index, "events", f"can't be folded: {type(error).__name__}")
            self._fold = None

    def _root_at(self, size: int) -> bytes | None:
        known = 0 <= size <= self._frontier.size
        return bytes(self._roots[size * HASH_BYTES : (size + 1) * HASH_BYTES]) if known else None

    def _tree(self, index: int, leaf: bytes) -> None:
        """Grow the tree by one leaf and compare each tile that it completes."""
        value = leaf_hash(leaf)
        self._frontier.append(value)
        self._roots += self._frontier.root()
        if self._head is not None and self._head.size == index + 1:
            self._check_head(self._head)
            self._covered = index + 1
            self._head = self._reads.head_covering(index + 1)
        for level in range(len(self._pending) + 1):
            if level == len(self._pending):
                self._pending.append([])
                self._closed.append(0)
            hashes = self._pending[level]
            hashes.append(value)
            if len(hashes) < TILE_WIDTH:
                return
            self._tile(level, hashes)
            value = tree_root(hashes)
            hashes.clear()

    def _tile(self, level: int, hashes: Sequence[bytes]) -> None:
        start = self._closed[level]
        self._closed[level] = start + len(hashes)
        try:
            stored = self._reads.tile_hashes(level, start, start + len(hashes))
        except LedgerError as error:
            self._bad("TILE", start * TILE_WIDTH**level, f"tile_hashes level {level}", error.message)
            return
        for at, value in enumerate(hashes):
            if stored[at * HASH_BYTES : (at + 1) * HASH_BYTES] != value:
                index = (start + at) * TILE_WIDTH**level
                self._bad("TILE", index, f"tile_hashes level {level}", f"position {start + at} differs")

    def _check_head(self, head: Head) -> None:
        """Check a commit's head: its root, its frontier, its note. The tree is of exactly its size."""
        index, root = head.size - 1, self._frontier.root()
        if (head.root, head.frontier) != (root, self._frontier.to_bytes()):
            self._bad("HEAD", index, "log_head", "root or frontier are not those of the leaves")
        try:
            checkpoint = check_head(head.note, self._log_keys)
        except LedgerError as error:
            self._bad("HEAD", index, "log_head", f"{error.code}: {error.message}")
            return
        if (checkpoint.size, checkpoint.root) != (head.size, root):
            self._bad("HEAD", index, "log_head", "the note is of another tree")

    def streams(self) -> None:
        """Compare salts and tags with the streams of the log, and each stream's newest event."""
        rows = {row.stream: row for row in self._reads.streams()}
        for stream in sorted(rows.keys() | self._newest.keys()):
            newest = self._newest.get(stream)
            row = rows.get(stream)
            index = None if newest is None else self._reads.index_of_event(newest[1])
            if row is None or newest is None:
                self._bad("STREAM", index, "streams", f"{stream} is not in both log and table")
                continue
            if self._reads.stream_head(stream) != newest:
                self._bad("STREAM", index, "streams", f"the newest event of {stream} is another")
            self._salt(stream, row.tag, row.salt, index)

    def _salt(self, stream: str, tag: str, salt: bytes, index: int | None) -> None:
        entry = None if index is None else self._reads.entry(index)
        try:
            good = is_salted(stream) == (salt != ZERO_SALT) and stream_tag(stream, salt) == tag
            good = good and entry is not None and load_entry(entry).leaf.stream == tag
        except LedgerError:
            good = False
        if not good:
            self._bad("STREAM", index, "streams", f"salt and tag of {stream} are not those of its leaves")

    def guards(self) -> None:
        """Compare the guard rows with those that the log gives."""
        if self._fold is None:
            return  # the log itself is damaged, and that was said
        kinds = {kind for kind, _ in self._guards} | set(GUARD_KINDS)
        stored: dict[tuple[str, str], Guard] = {
            (guard.kind, guard.key): guard for kind in sorted(kinds) for guard in self._reads.guards(kind)
        }
        for name in sorted(stored.keys() | self._guards.keys()):
            index = self._guards.get(name)
            have = stored.get(name)
            if have is None or index != have.index:
                at = index if index is not None or have is None else have.index
                self._bad("GUARD", at, "guards", f"{name[0]} {name[1]} is not as the log gives it")

    def _disclosures(self, index: int, statement: Statement) -> None:
        kept = {row.path: row for row in self._reads.disclosures(statement.event)}
        for path in kept.keys() - statement.sealed.keys():
            self._bad("DISCLOSURE", index, "disclosures", f"{path} is not sealed in this statement")
        for path, digest in statement.sealed.items():
            row = kept.get(path)
            if row is None:
                self._unopened.append((index, path, digest))
            else:
                self._open(index, statement, row, digest)

    def _open(self, index: int, statement: Statement, row: NewDisclosure, digest: str) -> None:
        scope = self._scope(statement, row.path)
        if row.stream != statement.stream or (scope is not None and scope != row.scope):
            self._bad("DISCLOSURE", index, "disclosures", f"stream or scope of {row.path} are others")
        try:
            text = self._data_keys.open(row.event, row.path, row.stream, row.scope, row.nonce, row.ciphertext)
            check_disclosure(text, statement_id=statement.id, path=row.path, expected=digest)
        except LedgerError as error:
            if error.code == DESTROYED:
                self._unopened.append((index, row.path, digest))
            else:
                self._bad("DISCLOSURE", index, "disclosures", f"{row.path}: {error.code}")

    def _scope(self, statement: Statement, path: str) -> str | None:
        """Return the scope that the type gives a path; None where it is that of a corrected value."""
        try:
            scope = spec(statement.type, statement.schema).scope_at(path)
        except LedgerError:
            return None
        return None if scope == "target" else scope

    def _erasure(self, index: int, event: str, digests: Sequence[str]) -> None:
        """Check that what an erasure names is gone: one that was interrupted is finished by asking again."""
        named = self._reads.index_of_event(event)
        stored = None if named is None else self._reads.entry(named)
        sealed = parse_statement(stored.statement).sealed if stored is not None else {}
        for kept in self._reads.disclosures(event):
            if sealed.get(kept.path) in digests:
                self._bad("ERASURE_UNDONE", index, "disclosures", f"the value at {kept.path} is still there")

    def _attachments(self, index: int, statement: Statement) -> None:
        for named in attachments(statement.data):
            kept = self._reads.attachment(named["sha256"])
            if kept is None:
                self._bad("ATTACHMENT", index, "attachments", "the bytes that it names are not there")
            elif hashlib.sha256(kept.data).hexdigest() != named["sha256"] or len(kept.data) != named["size"]:
                self._bad("ATTACHMENT", index, "attachments", "the bytes are not of the hash that names them")

    def _slots(self, index: int, statement: Statement) -> None:
        """Check that every slot kept for a list is in the list that was committed."""
        name, size = statement.data["list"], statement.data["size"]
        root = parse_hash(statement.data["root"], what="the list's root", code="SLOT")
        for number in range(size):
            slot = self._reads.slot(name, number)
            if slot is None:
                continue  # erased after use, or kept elsewhere
            proof = [slot.proof[at : at + HASH_BYTES] for at in range(0, len(slot.proof), HASH_BYTES)]
            try:
                check_slot(slot.commitment, number, size, root, proof)
            except LedgerError as error:
                self._bad("SLOT", index, "slots", f"list {name} slot {number}: {error.message}")

    def published(self, checkpoints: CheckpointStore, latest: tuple[int, bytes] | None) -> None:
        """Check the published checkpoints of every head, and that the log is not behind the newest."""
        if latest is not None and latest[0] > self._size:
            detail = f"a checkpoint of {latest[0]} events was published, {self._size} are here"
            self._bad("CHECKPOINT", None, "checkpoints", detail)
        for size in range(1, self._size + 1):
            note = checkpoints.get(size)
            if note is None:
                continue
            try:
                checkpoint = check_published(note, self._log_keys)
            except LedgerError as error:
                self._bad("CHECKPOINT", size - 1, "checkpoints", f"{error.code}: {error.message}")
                continue
            if (checkpoint.size, checkpoint.root) != (size, self._root_at(size)):
                self._bad("CHECKPOINT", size - 1, "checkpoints", "it is of another history than this log")
