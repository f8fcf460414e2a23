"""Where a subscriber is, durably: index, tree, order, and what the fold of authority rests on. One file.

    position (name, value)                 format, what was wanted, index, frontier, ledger id …
    lasting  (idx, leaf, statement)        the entries that changed the fold of authority, exact bytes
    heads    (tag, seq, event, stream, site, hidden)     the newest event of each stream
    seen     (key, size)                   the newest tree that each key had seen
    roots    (size, root)                  of the last 65,536 sizes

A SQLite file of the subscriber's own, written in one transaction for each batch that was handed on
(`synchronous=EXTRA`), so after a crash it is as it was before or after that batch. Authority is kept as the
entries that it is folded from: another version of this program folds them again. One subscriber holds the
file at a time.

Codes: `STORE_BUSY` another subscriber holds it, `STORE_CORRUPT` not a position, `STATE_OTHER` a position in
another log or of other wishes, `STORE_IO` the medium failed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from ledger.chain import StreamHead
from ledger.entry import Entry, Index
from ledger.errors import FormatError, ProofError, StoreError
from ledger.leaf import parse_leaf
from ledger.merkle import EMPTY_ROOT, Frontier
from ledger.policy import TrustPolicy
from ledger.statement import parse_statement
from ledger.subscriber.events import Verified, Wanted
from ledger.subscriber.judging import ROOTS, FilteredJudge, Judge, WholeJudge

FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE position (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lasting (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, statement BLOB NOT NULL) STRICT;
CREATE TABLE heads (tag TEXT PRIMARY KEY, seq INTEGER NOT NULL, event TEXT NOT NULL, stream TEXT, site TEXT,
                    hidden INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE seen (key TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE roots (size INTEGER PRIMARY KEY, root BLOB NOT NULL) STRICT;
"""


class Position:
    """A position that is kept; `restore` gives the judge that goes on from it."""

    def __init__(self, connection: sqlite3.Connection, wanted: Wanted) -> None:
        self._db = connection
        self._wanted = wanted

    @classmethod
    def open(cls, path: Path, wanted: Wanted) -> Position:
        """Open the file, or make it.

        Raises:
            StoreError: `STORE_BUSY`, `STORE_CORRUPT`, `STORE_IO` or `STATE_OTHER`.
        """
        with _failing():
            path.touch(mode=0o600, exist_ok=True)
            db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        position = cls(db, wanted)
        try:
            with _failing():
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("PRAGMA synchronous = EXTRA")
                db.execute("BEGIN EXCLUSIVE")  # held until it is closed, under this locking mode
                if not db.execute("SELECT 1 FROM sqlite_schema").fetchone():
                    _make(db, wanted)
                db.execute("COMMIT")
                position._check()
        except BaseException:
            db.close()
            raise
        return position

    def restore(self, policy: TrustPolicy | None) -> Judge:
        """Return a judge with everything that was folded up to here.

        Raises:
            StoreError: `STATE_OTHER` where the policy is of another ledger, `STORE_CORRUPT`.
        """
        with _failing():
            return self._whole(policy) if self._wanted.whole else self._filtered(policy)

    def keep(self, judge: Judge, handed_on: Sequence[Verified]) -> None:
        """Make the judge's place durable, after the entries since the last time were handed on.

        Raises:
            StoreError: `STORE_IO`, and the file has its last place still.
        """
        with _failing():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if isinstance(judge, WholeJudge):
                    self._keep_whole(judge, handed_on)
                elif isinstance(judge, FilteredJudge):
                    size, root = judge.told
                    self._set(after=judge.passed, at=judge.at, told_size=size, told_root=root)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        if isinstance(judge, WholeJudge):
            judge.lasting.clear()

    def close(self) -> None:
        """Let another subscriber have it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._get("format") != FORMAT:
            raise StoreError("STORE_VERSION", f"expected a position of format {FORMAT}")
        if self._get("wanted") != _wishes(self._wanted):
            raise StoreError("STATE_OTHER", "the position is of a stream with another filter")

    def _get(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM position WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise StoreError("STORE_CORRUPT", "the file is not a subscriber's position")
        return row[0] if name.endswith(("frontier", "root")) else orjson.loads(row[0])

    def _set(self, **values: Any) -> None:
        rows = [
            (name, value if isinstance(value, bytes) else orjson.dumps(value))
            for name, value in values.items()
        ]
        self._db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", rows)

    def _filtered(self, policy: TrustPolicy | None) -> Judge:
        judge = FilteredJudge(policy, self._wanted)
        judge.passed, judge.at = self._get("after"), self._get("at")
        judge.told = (self._get("told_size"), self._get("told_root"))
        return judge

    def _whole(self, policy: TrustPolicy | None) -> Judge:
        judge = WholeJudge(policy)
        try:
            judge.frontier = Frontier.from_bytes(self._get("frontier"))
            for index, leaf, statement in self._db.execute("SELECT * FROM lasting ORDER BY idx"):
                judge.fold_authority(_entry(index, leaf, statement))
        except (FormatError, ProofError) as error:
            raise StoreError("STORE_CORRUPT", "the position contradicts itself") from error
        size, chain = judge.frontier.size, judge.chain
        known = policy.ledger_id if policy is not None else None
        if size and known is not None and self._get("ledger_id") != known:
            raise StoreError("STATE_OTHER", "the position is in another log than the policy's")
        judge.confirmed = self._get("confirmed")
        chain.size, chain.at = size, self._get("at")
        for tag, seq, event, stream, site, hidden in self._db.execute("SELECT * FROM heads"):
            chain.heads[tag] = StreamHead(seq=seq, event=event, stream=stream, site=site, hidden=bool(hidden))
            if stream is not None:
                chain.tags[stream] = tag
        chain.seen.update(self._db.execute("SELECT key, size FROM seen").fetchall())
        judge.roots.update(self._db.execute("SELECT size, root FROM roots ORDER BY size").fetchall())
        if judge.roots.get(size) != judge.frontier.root():
            raise StoreError("STORE_CORRUPT", "the position contradicts itself")
        return judge

    def _keep_whole(self, judge: WholeJudge, handed_on: Sequence[Verified]) -> None:
        chain, size = judge.chain, judge.frontier.size
        db = self._db
        self._set(frontier=judge.frontier.to_bytes(), at=chain.at, confirmed=judge.confirmed)
        if handed_on and handed_on[0].index == 0:
            self._set(ledger_id=judge.ledger_id)
        db.executemany("INSERT INTO lasting VALUES (?, ?, ?)", judge.lasting)
        tags = {each.entry.leaf.stream for each in handed_on}
        heads = [(tag, chain.heads[tag]) for tag in sorted(tags)]
        db.executemany(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?)",
            [(tag, head.seq, head.event, head.stream, head.site, int(head.hidden)) for tag, head in heads],
        )
        keys = {sig.key for each in handed_on for sig in each.entry.leaf.sigs} & chain.seen.keys()
        db.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?, ?)", [(key, chain.seen[key]) for key in sorted(keys)]
        )
        sizes = [each.index + 1 for each in handed_on if each.index + 1 in judge.roots]
        db.executemany("INSERT INTO roots VALUES (?, ?)", [(number, judge.roots[number]) for number in sizes])
        db.execute("DELETE FROM roots WHERE size <= ?", (size - ROOTS,))


def _make(db: sqlite3.Connection, wanted: Wanted) -> None:
    for each in _SCHEMA.split(";"):
        db.execute(each)
    position = Position(db, wanted)
    position._set(format=FORMAT, wanted=_wishes(wanted), at="", confirmed=0, frontier=Frontier().to_bytes())
    position._set(after=-1, told_size=0, told_root=EMPTY_ROOT, ledger_id="")


def _wishes(wanted: Wanted) -> list[Any]:
    return [sorted(wanted.types), wanted.participant]


def _entry(index: int, leaf: bytes, statement: bytes) -> Entry:
    parsed = parse_statement(statement)
    return Entry(index=Index(index), leaf=parse_leaf(leaf), event=parsed.event, statement=parsed)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError("STORE_BUSY", "another subscriber holds the position") from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            raise StoreError("STORE_CORRUPT", "the file is not a subscriber's position") from error
        raise StoreError("STORE_IO", "the position can't be read or kept") from error
    except OSError as error:
        raise StoreError("STORE_IO", f"the position can't be opened: {error.strerror}") from error
