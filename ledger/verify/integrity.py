"""The second pass, entry by entry: is what stands here what was signed, by whom it says, when it says (§10).

For one entry the order is: leaf canonical, dense, monotone → statement of the hash → canonical, closed, of
this log → labels → seq and prev → `seen` → authority and the signature set. What an entry changes in the
folds is decided at the end: a statement with a finding keeps its place in tree, seq and prev, no more.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import Final, NamedTuple, Protocol

from ledger.authorisation import BEFORE_ACKNOWLEDGEMENT, HOLDER_ONLY, judge
from ledger.authority import INITIAL, TYPES, Authority
from ledger.authority import evolve as evolve_authority
from ledger.chain import NO_HEAD, Chain, StreamHead, plain_tag
from ledger.control import FIXED_LINES
from ledger.earlier import NONE, Earlier
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE, EventHash
from ledger.errors import LedgerError
from ledger.frozen import made
from ledger.leaf import Leaf
from ledger.problem import Problem, Problems
from ledger.rules import sealed
from ledger.statement import Statement, is_restricted
from ledger.verify.findings import finding
from ledger.verify.form import Examined, check_set
from ledger.verify.hidden import is_by_stranger
from ledger.verify.randomization import RandomizationJudge
from ledger.verify.rows import Right
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Reporter, Roots

FOUNDING: Final = 3
"""Up to this index stands what a log begins with."""
PLAIN_STREAMS: Final = frozenset({"study", "site", "participant", "pharmacy", "safety"})
JUDGED_BY_DATA: Final = FIXED_LINES.keys() | HOLDER_ONLY | BEFORE_ACKNOWLEDGEMENT | {"ledger.opened"}
LONG_WAY: Final = (
    TYPES
    | sealed.OPENED
    | RandomizationJudge.TYPES
    | {"participant.transferred", "correction.made", "correction.proposed"}
)
"""Types of which more is asked than of others, or which change what others are asked."""
MOST_ALLOWED: Final = 4_096


class Judged(Protocol):
    """A position after its own checks, for those who ask for its entry."""

    @property
    def entry(self) -> Entry:
        """The leaf and the statement."""
        ...


class JudgedEntry(NamedTuple):
    """An entry after its own checks; `counts`: it may change a fold; `formed`: its data have their form."""

    entry: Entry
    formed: bool
    counts: bool


class IntegrityJudge:
    """The folds of order, identity and authority, and the checks against them."""

    def __init__(self, origin: str, roots: Roots, report: Reporter, earlier: Earlier = NONE) -> None:
        """Begin before index 0; statements may name what the log goes on from."""
        self._earlier = earlier
        self.authority: Authority = INITIAL
        self.chain = Chain()
        self.events = KeyTable(32, roots.size)
        self.grades: dict[str, int] = {}
        self.signed: dict[str, array[int]] = defaultdict(lambda: array("I"))
        self._origin = origin
        self._roots = roots
        self._report = report
        self._ids = KeyTable(16, roots.size)
        self._clean = True
        self._restricted: set[str] = set()
        self._allowed: set[tuple[object, ...]] = set()
        self._allowed_by: Authority = INITIAL

    def judge(self, examined: Examined) -> JudgedEntry:
        """Check one entry against everything before it."""
        self._clean = True
        parsed = examined.parsed
        statement = parsed.statement
        entry = made(Entry, (Index(parsed.index), parsed.leaf, EventHash(parsed.leaf.statement), statement))
        fresh = self.events.add(bytes.fromhex(entry.event), entry.index)
        for problem in self.chain.check(entry, self._root_at):
            self._problem(problem, parsed.index)
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
            if examined.misformed is not None:
                self._problem(examined.misformed, parsed.index)
            self._identity(entry, statement, fresh=fresh)
            if examined.formed:
                self._references(entry, examined)
                self._authority(entry, statement, examined)
        return JudgedEntry(entry=entry, formed=examined.formed, counts=statement is not None and self._clean)

    def follow(self, right: Right) -> bool:
        """Take in a position in which nothing is wrong, by itself or after those before it.

        False, and nothing is changed, where something may be wrong: `judge` then says what. What is asked is
        what `judge` asks, of one whose question was found in order and whose stream goes on.
        """
        at, event, id_, seq, prev, size, root, _, names, _, _ = right.row
        index, question, chain = right.index, right.question, self.chain
        if self._allowed_by is not self.authority or question not in self._allowed:
            return False
        type_, key = question[0], question[11]
        if type_ in LONG_WAY or question[5] != self._origin:
            return False
        stream, tag, _, site = right.place
        head = chain.heads.get(tag, NO_HEAD)
        if index != chain.size or at < chain.at or seq != head.seq + 1 or prev != head.event:
            return False
        if head.stream != stream or head.site != site or chain.tags.get(stream) != tag:
            return False
        if plain_tag(stream) not in (None, tag) or tag in self._restricted:
            return False
        seen = chain.seen.get(key, 0)
        if not (1 <= size <= index and seen <= size) or self._roots.at(size) != root:
            return False
        if names and not all(self._is_known(named) for _, named in names):
            return False
        event_, id_key = bytes.fromhex(event), bytes.fromhex(id_.replace("-", ""))
        of_event, of_id = self.events.place(event_), self._ids.place(id_key)
        if of_event is None or of_id is None:
            return False
        self.events.put(of_event, event_, index)
        self._ids.put(of_id, id_key, index)
        chain.size, chain.at = index + 1, at
        chain.heads[tag] = made(StreamHead, (seq, event, stream, site, False))
        chain.seen[key] = size
        return True

    def settle(self, right: Right) -> None:
        """Count a position that `follow` took in and that may be folded; it changes no authority."""
        key = right.question[11]
        grade = self.authority.keys[key].grade
        self.grades[grade] = self.grades.get(grade, 0) + 1
        self.signed[key].append(right.index)

    def skip(self, index: int) -> None:
        """Pass a leaf that has no form: its position is taken, its stream's next entry will not fit."""
        self.chain.size = index + 1

    def advance(self, judged: JudgedEntry, *, folds: bool) -> None:
        """Take the entry's place in order and linkage, and fold authority if it may."""
        entry = judged.entry
        self.chain.advance(entry)
        if folds:
            self.authority = evolve_authority(self.authority, entry)
            statement = entry.statement
            if statement is not None:
                grade = self.authority.grade(statement.key.id) or "unknown"
                self.grades[grade] = self.grades.get(grade, 0) + 1
                for sig in entry.leaf.sigs:
                    self.signed[sig.key].append(entry.index)

    def _bad(self, code: str, detail: str, index: int) -> None:
        self._clean = False
        self._report(finding(code, detail, index=index))

    def _root_at(self, size: int) -> bytes | None:
        return self._roots.at(size) if 0 <= size <= self._roots.size else None

    def _problem(self, problem: Problem, index: int) -> None:
        self._bad(problem.code, _at(problem.message, problem.field), index)

    def _identity(self, entry: Entry, statement: Statement, *, fresh: bool) -> None:
        if not self._ids.add(bytes.fromhex(statement.id.replace("-", "")), entry.index):
            self._bad("ID_REUSED", "the id stands in an earlier statement", entry.index)
        if not fresh:
            self._bad("ID_REUSED", "the same statement stands in the log twice", entry.index)

    def _references(self, entry: Entry, examined: Examined) -> None:
        for name, event in examined.names:
            if not self._is_known(event):
                self._bad("REFERENCE", f"/data/{name} does not name an earlier statement", entry.index)

    def _is_known(self, event: str) -> bool:
        return bytes.fromhex(event) in self.events or self._earlier.index_of(event) is not None

    def _withheld_keys(self, index: int, leaf: Leaf) -> None:
        """Check what a leaf alone tells of its signers: what enrols a key is always shown."""
        if is_by_stranger(self.authority, leaf):
            self._bad("ROLE_NOT_ALLOWED", "withheld, by somebody who signs nothing of its class", index)
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

    def _authority(self, entry: Entry, statement: Statement, examined: Examined) -> None:
        for problem in self._judge(entry, statement):
            if problem.code != "LOG" or statement.log == self._origin:  # else `judge` has said so
                self._problem(problem, entry.index)
        if examined.checked:
            wrong: Problem | LedgerError | None = examined.unsigned
        else:
            wrong = check_set(self.authority, statement, entry.leaf)
        if wrong is not None:
            self._bad(wrong.code, wrong.message, entry.index)

    def _judge(self, entry: Entry, statement: Statement) -> Problems:
        """Ask authority, or recall that it had nothing against the same question before.

        Asked is whether a person may sign a type so, with a key, in a kind of stream, on a site: nothing else
        does `authorisation.judge` look at where no rule of its own judges a type, one key signs, the kind of
        stream is no person's, list's or month's, and the labels are right. A key that ends at an index is
        ended by a change of authority, so the index is no part of the question.
        """
        kind = statement.stream.partition("/")[0]
        if (
            kind not in PLAIN_STREAMS
            or statement.type in JUDGED_BY_DATA
            or statement.with_
            or entry.index < FOUNDING
            or not _is_labelled(entry.leaf, statement)
        ):
            return judge(self.authority, entry)
        if self._allowed_by is not self.authority:
            self._allowed_by = self.authority
            self._allowed.clear()
        actor, key = statement.actor, statement.key
        question = (
            statement.type, statement.schema, kind, statement.site, statement.meaning, statement.log,
            actor.id, actor.name, actor.organisation, actor.role, key.alg, key.id,
        )  # fmt: skip
        if question in self._allowed:
            return ()
        problems = judge(self.authority, entry)
        if not problems:
            if len(self._allowed) >= MOST_ALLOWED:
                self._allowed.clear()
            self._allowed.add(question)
        return problems


def _is_labelled(leaf: Leaf, statement: Statement) -> bool:
    """Tell whether a leaf's labels are its statement's."""
    return (
        leaf.stream == statement.tag
        and leaf.cls == statement.cls
        and leaf.site == (statement.site or "")
        and leaf.statement == statement.event
        and leaf.payload_type == PAYLOAD_TYPE
    )


def _at(message: str, where: str | None) -> str:
    return message if where is None else f"{message} at {where}"
