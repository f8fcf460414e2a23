"""One pass over everything that is stored, in steps, each in a snapshot of its own.

    walk = Walk(data_keys, log_keys, checkpoints)
    while walk.size < reads.head().size:
        walk.step(reads, walk.size + 1_000)
    damage = walk.finish(reads, published)

The log only grows, so a pass may take all day without holding a snapshot that long. What is compared at the
end is compared in one snapshot, up to its head. Where an entry is damaged, what follows from folding it is
not judged any more; that it is damaged was said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.actions.registry import parse_action
from ledger.datakeys import DataKeys
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.fold import LogFold, StoreReader, load_entry
from ledger.note import VerifierKey
from ledger.reread.beside import Line, check_guards, check_strays, check_streams, check_witnessed
from ledger.reread.damage import Checker, Damage, Found
from ledger.reread.sealed import SealedCheck
from ledger.reread.tree import TreeCheck
from ledger.statement import Statement
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Reads, StoredEntry


class Walk:
    """The folds of one pass, and what was found so far. Used by one thread at a time."""

    def __init__(
        self, data_keys: DataKeys, log_keys: Sequence[VerifierKey], checkpoints: CheckpointStore
    ) -> None:
        self.found = Found()
        self._checkpoints = checkpoints
        self._tree = TreeCheck(self.found, log_keys)
        self._sealed = SealedCheck(self.found, data_keys)
        self._fold: LogFold | None = None
        self._newest: dict[str, tuple[int, str]] = {}
        self._guards: dict[tuple[str, str], int] = {}
        self._origin: str | None = None

    @property
    def size(self) -> int:
        """How many entries were read."""
        return self._tree.size

    def step(self, reads: Reads, stop: int) -> None:
        """Read the entries up to `stop`, which is at most the size of the log."""
        start = self.size
        if start == 0:
            self._fold = LogFold(StoreReader(reads))
        if self._fold is not None:
            self._fold.reader.reads = reads
        try:
            rows = {row.index: row for row in reads.entries(start, stop)}
        except LedgerError as error:
            self.found.bad("ENTRY_MISSING", start, "events", f"rows can't be read: {error.message}")
            rows = {}
        for index in range(start, stop):
            row = rows.get(index)
            self._tree.grow(reads, b"" if row is None else row.leaf)
            if row is None:
                self.found.bad("ENTRY_MISSING", index, "events", "no row has this index")
                self._fold = None
            else:
                self._row(reads, row)
        self._tree.published(self._checkpoints, start)

    def finish(
        self,
        reads: Reads,
        published: tuple[int, bytes] | None,
        lines: Sequence[Line] = (),
        checkers: Iterable[Checker] = (),
    ) -> list[Damage]:
        """Read what is left, compare the tables beside, and return everything that was found.

        Args:
            published, lines: the newest checkpoint and the lines of witnesses, as they were before the
                snapshot was taken: later ones may be of a larger log.
        """
        size = reads.head().size
        if self.size < size or self.size == 0:
            self.step(reads, size)
        if self._fold is not None:
            self._fold.reader.reads = reads
        self._tree.finish(reads)
        self._sealed.finish(reads)
        check_streams(self.found, reads, self._newest)
        self._strays(reads)
        if published is not None and published[0] > size:
            detail = f"a checkpoint of {published[0]} events was published, {size} are here"
            self.found.bad("CHECKPOINT", None, "checkpoints", detail)
        if self._origin is not None:
            policy = None if self._fold is None else self._fold.authority.witness_policy
            check_witnessed(self.found, lines, self._origin, self._tree.root_at, policy)
        for checker in checkers:
            self.found.extend(checker(reads))
        return list(self.found)

    def _row(self, reads: Reads, row: StoredEntry) -> None:
        try:
            entry = load_entry(row)
        except LedgerError as error:
            self._unreadable(row, error)
            return
        statement = entry.statement
        assert statement is not None  # noqa: S101  a stored statement is always there
        self._columns(reads, row, entry, statement)
        try:
            parse_action(statement)
        except LedgerError as error:
            self._unreadable(row, error)
            return
        self._origin = self._origin or statement.log
        self._newest[statement.stream] = (statement.seq, statement.event)
        self._advance(entry)
        self._sealed.check(reads, row.index, statement)

    def _unreadable(self, row: StoredEntry, error: LedgerError) -> None:
        self.found.bad("STATEMENT", row.index, "events", f"{error.code}: {error.message}")
        self._fold = None

    def _columns(self, reads: Reads, row: StoredEntry, entry: Entry, statement: Statement) -> None:
        bad, leaf, index = self.found.bad, entry.leaf, row.index
        if statement.event != row.event:
            bad("STATEMENT_HASH", index, "events", "the statement's hash is not the stored event hash")
        if leaf.statement != row.event or leaf.index != index or leaf.at != row.at:
            bad("LEAF", index, "events", "event hash, index or time of the leaf are others")
        labels = (leaf.cls, leaf.site, leaf.stream)
        if labels != (statement.cls, statement.site or "", statement.tag):
            bad("LEAF", index, "events", "class, site or tag of the leaf are not the statement's")
        stored = (row.stream, row.seq, row.type, row.schema, row.id)
        signed = (statement.stream, statement.seq, statement.type, statement.schema, statement.id)
        for name, have, want in zip(("stream", "seq", "type", "schema", "id"), stored, signed, strict=True):
            if have != want:
                bad("COLUMNS", index, f"events.{name}", "differs from the statement")
        if reads.index_of_event(row.event) != index:
            bad("COLUMNS", index, "events.event", "looked up by its hash, another entry is found")
        if reads.index_of_id(row.id) != index:
            bad("COLUMNS", index, "events.id", "looked up by its id, another entry is found")

    def _advance(self, entry: Entry) -> None:
        """Check order and linkage, take down the guards that the entry needs, and fold it in."""
        fold = self._fold
        if fold is None:
            return
        for problem in fold.chain.check(entry, self._tree.root_at):
            self.found.bad("ORDER", entry.index, "events", f"{problem.code}: {problem.message}")
        try:
            for kind, key in fold.conduct.guards(entry):
                self._guards[kind, key] = entry.index
            fold.advance(entry)
        except (LedgerError, LookupError) as error:
            self.found.bad("STATEMENT", entry.index, "events", f"can't be folded: {type(error).__name__}")
            self._fold = None

    def _strays(self, reads: Reads) -> None:
        expected = {"events": self.size, "tile_hashes": self._tree.tile_rows}
        if self._fold is not None:
            expected |= {
                "guards": check_guards(self.found, reads, self._guards),
                "disclosures": self._sealed.rows,
            }
        check_strays(self.found, reads, expected)
