"""Judge what a stream carries, entry by entry, against folds of the subscriber's own.

For a whole stream the order is that of `verify` (record-format.md §10): leaf canonical, dense, monotone →
statement of the hash → canonical, closed → labels → seq and prev → `seen` → authority and the signature set.
Each leaf is hashed into a tree, and each published checkpoint must be well signed over that tree's root at
its size. An entry is *verified* once it has passed, and *confirmed* once a checkpoint at or above it fits.

A filtered stream leaves entries out, so no tree and no fold can be built of it: there, statement and leaf are
checked against each other, and order, and checkpoints against the log's keys and each other. It says so.

Codes beside the verifier's: `EVENT_FORM` (an event that is not one, or whose members contradict each other),
`COUNT` (the server says caught up, and entries are missing), `FILTER` (an entry that was not asked for),
`CURSOR_AHEAD` (the server's log is shorter than what was verified), `ERASED` (an erasure that no signed
statement orders), `CHECKPOINT` (a checkpoint whose members contradict its note).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from ledger.actions import parse_action
from ledger.authorisation import judge
from ledger.authority import INITIAL, Authority, evolve
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint, check_published
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE, EventHash
from ledger.errors import LedgerError
from ledger.lines import encode_base64
from ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from ledger.note import format_vkey, parse_vkey
from ledger.policy import TrustPolicy, check_quorum
from ledger.statement import Statement, is_restricted
from ledger.subscriber.events import (
    APART,
    LEAF_ONLY,
    WHOLE,
    FindingError,
    Received,
    Verified,
    Wanted,
    check_outside,
)
from ledger.verify.form import check_set, parse_entry

ROOTS: Final = 65_536
"""Roots of so many sizes are kept, for checkpoints that come late and for what signers had `seen`."""

ERASURE: Final = "personal_data.erased"
_NOTE_CODES: Final = frozenset({"NOTE", "CHECKPOINT", "LOG_UNKNOWN"})


class Judge(ABC):
    """What both kinds of stream share: checkpoints, and how far they were confirmed."""

    def __init__(self, policy: TrustPolicy | None) -> None:
        self.policy = policy
        self.confirmed = 0

    @property
    def pinned(self) -> bool:
        """Tell whether the subscriber brought the ledger id and keys, and so knows which log this is."""
        return self.policy is not None and self.policy.ledger_id is not None

    @property
    @abstractmethod
    def after(self) -> int:
        """The index after which to read on; -1 before the first."""

    @abstractmethod
    def take(self, got: Received) -> Verified:
        """Judge an entry and fold it in.

        Raises:
            FindingError: with the first thing that does not hold; nothing is folded then.
        """

    @abstractmethod
    def checkpoint(self, data: Mapping[str, Any]) -> bool:
        """Check a published checkpoint; tell whether it fits the subscriber's own tree at its size.

        Raises:
            FindingError: `ROOT`, or as `check_note`.
        """

    def check_note(self, data: Mapping[str, Any], policy: TrustPolicy) -> Checkpoint:
        """Check the signatures of a `checkpoint` event.

        Raises:
            FindingError: `NOTE`, `LOG_SIGNATURE`, `QUORUM` or `CHECKPOINT`.
        """
        at = self.after + 1
        note = data.get("note")
        if not isinstance(note, str):
            raise FindingError("EVENT_FORM", "expected a checkpoint with its note", index=at)
        try:
            checkpoint = check_published(note.encode("utf-8", "surrogatepass"), policy.log_keys)
        except LedgerError as error:
            code = "NOTE" if error.code in _NOTE_CODES else "LOG_SIGNATURE"
            raise FindingError(code, error.message, index=at) from error
        try:
            check_quorum(note.encode(), policy)
        except LedgerError as error:
            raise FindingError("QUORUM", error.message, index=at) from error
        stated = (data.get("size"), data.get("root"))
        if stated != (checkpoint.size, encode_base64(checkpoint.root)):
            raise FindingError("CHECKPOINT", "size or root are not the note's", index=at)
        return checkpoint


class WholeJudge(Judge):
    """The folds of a whole stream: tree, order and linkage, authority.

    `lasting` has index, leaf and statement of those that changed the fold of authority, or order an erasure,
    since whoever keeps the position took them away.
    """

    def __init__(self, policy: TrustPolicy | None) -> None:
        super().__init__(policy)
        self.frontier = Frontier()
        self.chain = Chain()
        self.authority: Authority = INITIAL
        self.roots: OrderedDict[int, bytes] = OrderedDict({0: EMPTY_ROOT})
        self.erasures: dict[int, tuple[str, tuple[str, ...]]] = {}
        self.lasting: list[tuple[int, bytes, bytes]] = []
        self.ledger_id = ""
        self._waiting: Checkpoint | None = None

    @property
    def after(self) -> int:
        """The index of the last entry."""
        return self.frontier.size - 1

    def take(self, got: Received) -> Verified:
        """Judge an entry against everything before it."""
        at = self.frontier.size
        entry = _entry(got, at)
        statement = entry.statement
        for problem in self.chain.check(entry, self._root_at(statement)):
            raise FindingError(problem.code, problem.message, index=entry.index)
        check_outside(got, entry)
        if statement is None:
            self._withheld(entry)
        else:
            self._signed(entry, statement)
        hashed = leaf_hash(got.leaf)
        if at == 0:
            self._first(entry, hashed)
            self.ledger_id = hashed.hex()
        grown = self.frontier.copy()
        grown.append(hashed)
        root = grown.root()
        if self._waiting is not None and self._waiting.size == grown.size:
            self._fits(self._waiting, root)
        self.frontier = grown
        self.roots[grown.size] = root
        if len(self.roots) > ROOTS:
            self.roots.popitem(last=False)
        self.chain.advance(entry)
        if self.fold_authority(entry):
            self.lasting.append((at, got.leaf, got.statement))
        return Verified(entry=entry, leaf=got.leaf, verified=LEAF_ONLY if statement is None else WHOLE)

    def fold_authority(self, entry: Entry) -> bool:
        """Fold what an entry says of persons, keys and policy, and of erasures; tell whether it does."""
        before, statement = self.authority, entry.statement
        self.authority = evolve(before, entry)
        if statement is not None and statement.type == ERASURE:
            digests = tuple(str(each) for each in statement.data["digests"])
            self.erasures[entry.index] = (str(statement.data["statement"]), digests)
            return True
        return self.authority is not before

    def checkpoint(self, data: Mapping[str, Any]) -> bool:
        """Compare a published checkpoint with the tree.

        One whose size is not kept any more, or not reached yet, is not confirmed now.
        """
        checkpoint = self.check_note(data, self.policy or self._stated_policy())
        if checkpoint.origin != self.authority.origin:
            raise FindingError("NOTE", "the checkpoint is of another log", index=self.after + 1)
        if checkpoint.size > self.frontier.size:
            self._waiting = checkpoint
            return False
        return self._fits(checkpoint, self.roots.get(checkpoint.size))

    def caught_up(self, data: Mapping[str, Any]) -> None:
        """Require that nothing is missing where the server says that this is all.

        Raises:
            FindingError: `COUNT`.
        """
        if data.get("size") != self.frontier.size:
            raise FindingError(
                "COUNT", "the server has sent all of another number of entries", index=self.frontier.size
            )

    def erased(self, data: Mapping[str, Any]) -> None:
        """Require that a signed statement orders what the server says to destroy.

        Raises:
            FindingError: `ERASED`.
        """
        index, named, digests = data.get("index"), data.get("statement"), data.get("digests")
        ordered = self.erasures.get(index) if isinstance(index, int) else None
        if ordered is None or not isinstance(digests, list) or ordered != (named, tuple(digests)):
            raise FindingError("ERASED", "no signed statement orders this erasure", index=self.after + 1)

    def _fits(self, checkpoint: Checkpoint, root: bytes | None) -> bool:
        if root is None:
            return False
        if root != checkpoint.root:
            detail = f"the leaves that came do not hash to the log's root of size {checkpoint.size}"
            raise FindingError("ROOT", detail, index=checkpoint.size)
        self.confirmed = max(self.confirmed, checkpoint.size)
        return True

    def _root_at(self, statement: Statement | None) -> Any:
        """Return what finds the root of a size; where it is not kept any more, what the statement says."""
        return lambda size: self.roots.get(size, statement.seen.root if statement else None)

    def _stated_policy(self) -> TrustPolicy:
        """Return the keys that index 0 names: what an unpinned subscriber has to go by."""
        keys = tuple(parse_vkey(text) for text in self.authority.log_keys)
        return TrustPolicy(ledger_id=None, log_keys=keys, witnesses=(), groups=(), quorum=None)

    def _first(self, entry: Entry, hashed: bytes) -> None:
        """Compare leaf 0 with the policy: its hash is the ledger id, and it names the log's keys."""
        policy, statement = self.policy, entry.statement
        if policy is None or statement is None:
            return
        if policy.ledger_id is not None and hashed.hex() != policy.ledger_id:
            raise FindingError("LEDGER_ID", "leaf 0 has another hash than the ledger id", index=0)
        named = statement.data.get("log_keys")
        if not isinstance(named, list) or set(named) != {
            format_vkey(key) for key in policy.keys_of(statement.log)
        }:
            raise FindingError("LOG_KEYS", "leaf 0 names other log keys than the policy", index=0)

    def _signed(self, entry: Entry, statement: Statement) -> None:
        """Judge a shown statement: its action's form, authority as of this index, its signatures."""
        try:
            parse_action(statement)
        except LedgerError as error:
            raise FindingError(error.code, error.message, index=entry.index) from error
        for problem in judge(self.authority, entry):
            raise FindingError(problem.code, problem.message, index=entry.index)
        wrong = check_set(self.authority, statement, entry.leaf)
        if wrong is not None:
            raise FindingError(wrong.code, wrong.message, index=entry.index)

    def _withheld(self, entry: Entry) -> None:
        """Check what a leaf alone tells: it is not `control`, and its signers' keys count here."""
        leaf = entry.leaf
        if leaf.cls == "control":
            raise FindingError("CONTROL_WITHHELD", "what all may see is withheld", index=entry.index)
        head = self.chain.head(leaf.stream)
        if head.stream is not None and (leaf.cls == "restricted") != is_restricted(head.stream):
            raise FindingError("LABELS", "withheld, of a class that its stream lacks", index=entry.index)
        if not head.takes(leaf.site):
            raise FindingError(
                "LABELS", "withheld, and of a site that is not its stream's", index=entry.index
            )
        for sig in leaf.sigs:
            key = self.authority.keys.get(sig.key)
            if key is None:
                raise FindingError("KEY_UNKNOWN", "signed by a key that the log lacks", index=entry.index)
            if not self.authority.live(sig.key, entry.index):
                raise FindingError("KEY_REVOKED", "signed by a key that counts no more", index=entry.index)
            if key.public.alg != sig.alg:
                raise FindingError("KEY_ALG", "signed by a key of another algorithm", index=entry.index)


class FilteredJudge(Judge):
    """What can be said of a stream that leaves entries out."""

    def __init__(self, policy: TrustPolicy | None, wanted: Wanted) -> None:
        super().__init__(policy)
        self.wanted = wanted
        self.passed = -1
        self.at = ""
        self.told: tuple[int, bytes] = (0, EMPTY_ROOT)

    @property
    def after(self) -> int:
        """The index up to which the server says to have looked."""
        return self.passed

    def take(self, got: Received) -> Verified:
        """Check statement and leaf against each other, against the order, and against what was asked for."""
        entry = _entry(got, self.passed + 1)
        check_outside(got, entry)
        statement, leaf = entry.statement, entry.leaf
        if statement is None or not _wants(self.wanted, statement):
            raise FindingError("FILTER", "an entry that was not asked for", index=entry.index)
        if entry.index <= self.passed:
            raise FindingError("INDEX", "an index that is not above the one before", index=entry.index)
        if leaf.at < self.at:
            raise FindingError("AT", "recorded earlier than the leaf before it", index=entry.index)
        if (leaf.cls, leaf.site, leaf.stream) != (statement.cls, statement.site or "", statement.tag):
            raise FindingError("LABELS", "the leaf's labels are not the statement's", index=entry.index)
        if leaf.payload_type != PAYLOAD_TYPE:
            raise FindingError("LABELS", "the leaf names another payload type", index=entry.index)
        try:
            parse_action(statement)
        except LedgerError as error:
            raise FindingError(error.code, error.message, index=entry.index) from error
        self.passed, self.at = entry.index, leaf.at
        return Verified(entry=entry, leaf=got.leaf, verified=APART)

    def checkpoint(self, data: Mapping[str, Any]) -> bool:
        """Check a checkpoint against the policy's keys, and against the one before of the same size."""
        if self.policy is None:
            return False
        checkpoint = self.check_note(data, self.policy)
        size, root = self.told
        if checkpoint.size == size and checkpoint.root != root:
            raise FindingError("ROOT", f"two roots of the size {size}", index=size)
        self.told = (checkpoint.size, checkpoint.root)
        return False

    def passed_over(self, after: object) -> None:
        """Go on later from where the server says to have looked, even where nothing passed the filter."""
        if isinstance(after, int) and after > self.passed:
            self.passed = after


def _entry(got: Received, at: int) -> Entry:
    """Parse leaf and statement as far as their form goes.

    Raises:
        FindingError: `LEAF`, `INDEX`, `STATEMENT_HASH`, or what `parse_statement` raises.
    """
    try:
        parsed = parse_entry(got.index, got.leaf, got.statement)
    except LedgerError as error:
        raise FindingError("LEAF", error.message, index=at) from error
    if parsed.error is not None:
        raise FindingError(parsed.error.code, parsed.error.message, index=got.index)
    return Entry(
        index=Index(parsed.leaf.index),
        leaf=parsed.leaf,
        event=EventHash(parsed.leaf.statement),
        statement=parsed.statement,
    )


def _wants(wanted: Wanted, statement: Statement) -> bool:
    if wanted.types and statement.type not in wanted.types:
        return False
    return wanted.participant is None or statement.stream == f"participant/{wanted.participant}"
