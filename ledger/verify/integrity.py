"""The second pass, entry by entry: is what stands here what was signed, by whom it says, when it says (§10).

For one entry the order is: leaf canonical, dense, monotone → statement of the hash → canonical, closed, of
this log → labels → seq and prev → `seen` → authority and the signature set. What an entry changes in the
folds is decided at the end: a statement with a finding keeps its place in tree, seq and prev, no more.
"""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

from ledger.actions import parse_action
from ledger.actions.fields import EventRef
from ledger.actions.registry import Action
from ledger.actions.shapes import hints_of, optional
from ledger.authorisation import check_signature_set, judge, signers
from ledger.authority import INITIAL, Authority
from ledger.authority import evolve as evolve_authority
from ledger.chain import Chain
from ledger.entry import Entry, Index
from ledger.envelope import EventHash, event_hash, pae
from ledger.errors import FormatError, LedgerError
from ledger.keys import KeySignature, PublicKey, check_signature
from ledger.leaf import Leaf, parse_leaf
from ledger.statement import Statement, is_restricted, parse_statement
from ledger.tiles import payload_path
from ledger.verify.bundle import Bundle
from ledger.verify.findings import finding
from ledger.verify.tables import KeyTable
from ledger.verify.tree import TILE_WIDTH, Reporter, Roots

MAX_PAYLOADS_BYTES: Final = TILE_WIDTH * (32_768 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """One position of the log, parsed as far as its form allows.

    `error` says why there is no statement although one is shown; `shown` is False for an empty line.
    """

    index: int
    leaf: Leaf
    statement: Statement | None
    error: LedgerError | None
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEntry:
    """An entry after its own checks; `counts`: it may change a fold; `action`: its parsed data."""

    entry: Entry
    action: Action | None
    counts: bool


def read_payloads(bundle: Bundle, number: int, width: int, report: Reporter) -> list[bytes | None]:
    """Read the statements of one payload file: exact bytes, b"" for an empty line, None if unreadable."""
    path = payload_path(number, width)
    start = number * TILE_WIDTH
    try:
        data = bundle.read(path, max_bytes=MAX_PAYLOADS_BYTES)
    except FormatError as error:
        report(finding(error.code, error.message, index=start, file=path))
        return [None] * width
    lines: list[bytes | None] = list(data.split(b"\n"))
    if lines.pop() or len(lines) != width:
        report(finding("PAYLOAD_LINES", f"expected {width} lines, each with LF", index=start, file=path))
        return [*lines, *[None] * width][:width]
    return lines


def parse_entry(index: int, leaf_bytes: bytes, payload: bytes | None) -> ParsedEntry:
    """Parse one position: its leaf, and its statement if one is shown and the leaf commits to it.

    Raises:
        FormatError: when the leaf has no form to go on with.
    """
    leaf = parse_leaf(leaf_bytes)
    statement: Statement | None = None
    error: LedgerError | None = None
    if payload is None:
        error = FormatError("PAYLOAD_LINES", "the statement can't be read")
    elif payload and event_hash(payload) != leaf.statement:
        error = FormatError("STATEMENT_HASH", "the leaf commits to another statement")
    elif payload:
        try:
            statement = parse_statement(payload)
        except LedgerError as caught:
            error = caught
    return ParsedEntry(index=index, leaf=leaf, statement=statement, error=error, shown=payload != b"")


class IntegrityJudge:
    """The folds of order, identity and authority, and the checks against them."""

    def __init__(
        self, origin: str, roots: Roots, report: Reporter, pool: Executor | None, workers: int
    ) -> None:
        """Begin before index 0."""
        self.authority: Authority = INITIAL
        self.chain = Chain()
        self.events = KeyTable(32)
        self.grades: dict[str, int] = {}
        self.signed: dict[str, array[int]] = {}
        self._origin = origin
        self._roots = roots
        self._report = report
        self._ids = KeyTable(16)
        self._clean = True
        self._pool = pool
        self._workers = workers
        self._known: dict[int, LedgerError | None] = {}
        self._restricted: set[str] = set()

    def look_ahead(self, parsed: list[ParsedEntry]) -> None:
        """Check signatures of coming entries side by side, as far as their keys are known already.

        A key id names its key for ever, so what holds under it now holds at the entry's index too; whether
        the key may sign there is judged there.
        """
        self._known = {}
        if self._pool is None:
            return
        ready = [
            each
            for each in parsed
            if each.statement is not None and all(sig.key in self.authority.keys for sig in each.leaf.sigs)
        ]
        slices = [ready[start :: self._workers] for start in range(self._workers)]
        authority = self.authority
        for part, results in zip(
            slices, self._pool.map(lambda part: _check_many(authority, part), slices), strict=True
        ):
            self._known.update(zip((each.index for each in part), results, strict=True))

    def judge(self, parsed: ParsedEntry) -> JudgedEntry:
        """Check one entry against everything before it."""
        self._clean = True
        statement = parsed.statement
        entry = Entry(
            index=Index(parsed.index),
            leaf=parsed.leaf,
            event=EventHash(parsed.leaf.statement),
            statement=statement,
        )
        action: Action | None = None
        for problem in self.chain.check(entry, self._root_at):
            self._bad(problem.code, _at(problem.message, problem.field), parsed.index)
        if parsed.error is not None and parsed.error.code != "PAYLOAD_LINES":
            self._bad(parsed.error.code, _at(parsed.error.message, parsed.error.field), parsed.index)
        if not parsed.shown:
            self._withheld_keys(parsed.index, parsed.leaf)
            self._withheld_labels(parsed.index, parsed.leaf)
        if statement is not None:
            if statement.tag in self._restricted and not is_restricted(statement.stream):
                self._bad("LABELS", "withheld leaves have a class that the stream lacks", parsed.index)
            if statement.log != self._origin:
                self._bad("LOG", "signed for another log", parsed.index)
            action = self._action(entry, statement)
            self._identity(entry, statement)
            if action is not None:
                self._references(entry, action)
                self._authority(entry, statement)
        return JudgedEntry(entry=entry, action=action, counts=statement is not None and self._clean)

    def skip(self, index: int) -> None:
        """Pass a leaf that has no form: its position is taken, its stream's next entry will not fit."""
        self.chain.size = index + 1

    def advance(self, judged: JudgedEntry, *, folds: bool) -> None:
        """Take the entry's place in order and linkage, and fold authority if it may."""
        entry = judged.entry
        self.chain.advance(entry)
        self.events.add(bytes.fromhex(entry.event), entry.index)
        if folds:
            self.authority = evolve_authority(self.authority, entry)
            statement = entry.statement
            if statement is not None:
                grade = self.authority.grade(statement.key.id) or "unknown"
                self.grades[grade] = self.grades.get(grade, 0) + 1
                for sig in entry.leaf.sigs:
                    self.signed.setdefault(sig.key, array("Q")).append(entry.index)

    def _bad(self, code: str, detail: str, index: int) -> None:
        self._clean = False
        self._report(finding(code, detail, index=index))

    def _root_at(self, size: int) -> bytes | None:
        return self._roots.at(size) if 0 <= size <= self._roots.size else None

    def _action(self, entry: Entry, statement: Statement) -> Action | None:
        try:
            return parse_action(statement)
        except LedgerError as error:
            self._bad(error.code, _at(error.message, error.field), entry.index)
            return None

    def _identity(self, entry: Entry, statement: Statement) -> None:
        if not self._ids.add(uuid.UUID(statement.id).bytes, entry.index):
            self._bad("ID_REUSED", "the id stands in an earlier statement", entry.index)
        if self.events.get(bytes.fromhex(entry.event)) is not None:
            self._bad("ID_REUSED", "the same statement stands in the log twice", entry.index)

    def _references(self, entry: Entry, action: Action) -> None:
        for name, event in references(action):
            if self.events.get(bytes.fromhex(event)) is None:
                self._bad("REFERENCE", f"/data/{name} does not name an earlier statement", entry.index)

    def _withheld_keys(self, index: int, leaf: Leaf) -> None:
        """Check what a leaf alone tells of its signers: what enrols a key is always shown."""
        for sig in leaf.sigs:
            key = self.authority.keys.get(sig.key)
            if key is None:
                self._bad("KEY_UNKNOWN", "withheld, and signed by a key that the log does not know", index)
            elif not self.authority.live(sig.key, index):
                self._bad("KEY_REVOKED", "withheld, and signed by a key that does not count here", index)
            elif key.public.alg != sig.alg:
                self._bad("KEY_ALG", "withheld, and signed by a key of another algorithm", index)

    def _withheld_labels(self, index: int, leaf: Leaf) -> None:
        """Check a withheld leaf against its stream, where another statement shows which one that is.

        Else a leaf labelled `restricted` could hide a breach in a stream that everyone reads.
        """
        head = self.chain.head(leaf.stream)
        if leaf.cls == "restricted" and head.stream is None:
            self._restricted.add(leaf.stream)
        elif head.stream is not None and (leaf.cls == "restricted") != is_restricted(head.stream):
            self._bad("LABELS", "withheld, and of a class that its stream does not have", index)
        if not head.takes(leaf.site):
            self._bad("LABELS", "withheld, and of a site that is not its stream's", index)
        if leaf.cls == "open" and not leaf.site and head.stream is None:
            # A participant's statement has a site; any other open one follows a control one in its stream.
            self._bad("LABELS", "withheld, without a site, and of no stream that can be so", index)

    def _authority(self, entry: Entry, statement: Statement) -> None:
        for problem in judge(self.authority, entry):
            self._bad(problem.code, _at(problem.message, problem.field), entry.index)
        if entry.index in self._known:
            error = self._known[entry.index]
        else:
            error = check_set(self.authority, statement, entry.leaf)
        if error is not None:
            self._bad(error.code, error.message, entry.index)


def _at(message: str, where: str | None) -> str:
    return message if where is None else f"{message} at {where}"


def references(action: Action) -> Iterator[tuple[str, str]]:
    """Yield the name and value of every member of an action that names an event."""
    for name, many in _reference_members(type(action)):
        value = getattr(action, name)
        if value is None:
            continue
        for event in value if many else (value,):
            yield name.rstrip("_"), event


@cache
def _reference_members(cls: type[Action]) -> tuple[tuple[str, bool], ...]:
    members = []
    for name, hint in hints_of(cls).items():
        plain = optional(hint) or hint
        if plain == EventRef:
            members.append((name, False))
        elif _holds_references(plain):
            members.append((name, True))
    return tuple(members)


def _holds_references(hint: Any) -> bool:
    return any(arg == EventRef or _holds_references(arg) for arg in get_args(hint))


def _check_many(authority: Authority, parsed: list[ParsedEntry]) -> list[LedgerError | None]:
    return [check_set(authority, each.statement, each.leaf) for each in parsed if each.statement is not None]


def check_set(authority: Authority, statement: Statement, leaf: Leaf) -> LedgerError | None:
    """Check the whole signature set; return what is wrong with it."""
    try:
        check_signature_set(statement, leaf)
        return _check_all(signers(authority, statement), statement, leaf.sigs)
    except LedgerError as error:
        return error


def _check_all(
    keys: tuple[PublicKey, ...], statement: Statement, sigs: tuple[KeySignature, ...]
) -> LedgerError | None:
    body = pae(statement.body)
    try:
        for key, sig in zip(keys, sigs, strict=True):
            check_signature(key, body, statement.event, sig)
    except LedgerError as error:
        return error
    return None
