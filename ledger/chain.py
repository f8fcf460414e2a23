"""Order and linkage: index, `at`, stream labels, seq and prev, and `seen` (record-format.md §2, §4).

A `Chain` remembers, per tag, the newest event of the stream, and per key the newest tree size that it had
seen. It is the same for the committer, which knows every stream's name, and for the verifier, which knows a
withheld statement by its leaf's tag alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ledger.entry import Entry
from ledger.frozen import made
from ledger.leaf import ZERO_SALT, Leaf, is_salted, stream_tag
from ledger.problem import Problem
from ledger.statement import ZERO_HASH, Statement

RootAt = Callable[[int], bytes | None]
"""Root of the tree's first n leaves, or None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHead:
    """The newest event of a stream; `stream` and `site` are None while every statement in it is withheld.

    `site` is what the next statement has as its site: in a participant's stream each transfer changes it.
    `hidden` says that the newest statement is withheld, and so may be a transfer that nobody sees here.
    """

    seq: int
    event: str
    stream: str | None
    site: str | None
    hidden: bool = False

    def takes(self, site: str | None) -> bool:
        """Tell whether the next statement can stand under a site."""
        if self.site is None or site == self.site:
            return True
        return self.hidden and self.stream is not None and self.stream.startswith("participant/")


NO_HEAD: Final = StreamHead(seq=0, event=ZERO_HASH, stream=None, site=None)


class Chain:
    """Mutable fold of the log's order and linkage; `check` changes nothing, `advance` folds an entry in."""

    def __init__(self) -> None:
        self.size = 0
        self.at = ""
        self.heads: dict[str, StreamHead] = {}
        self.tags: dict[str, str] = {}
        self.seen: dict[str, int] = {}

    def saved(self) -> dict[str, Any]:
        """Return what is folded as of now, in values that no later entry changes."""
        return {name: copy(value) for name, value in vars(self).items()}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Chain:
        """Return a fold that goes on from this state, which stays as it is."""
        chain = cls()
        vars(chain).update({name: copy(value) for name, value in state.items()})
        return chain

    def head(self, tag: str) -> StreamHead:
        """Return the newest event under a tag; seq 0 and 64 zeros where there is none."""
        return self.heads.get(tag, NO_HEAD)

    def head_of(self, stream: str) -> StreamHead:
        """Return the newest event of a stream by its name."""
        tag = self.tags.get(stream)
        return NO_HEAD if tag is None else self.heads[tag]

    def check(self, entry: Entry, root_at: RootAt) -> tuple[Problem, ...]:
        """Return what breaks order or linkage at this entry."""
        problems = self._order(entry.leaf)
        if entry.statement is not None:
            problems += self._stream(entry.statement)
            problems += self._seen(entry, entry.statement, root_at)
        return tuple(problems)

    def advance(self, entry: Entry) -> None:
        """Fold an entry in. A refused statement keeps its place here too (§10)."""
        self.size = entry.leaf.index + 1
        self.at = entry.leaf.at
        statement, tag = entry.statement, entry.leaf.stream
        before = self.head(tag)
        if statement is None:
            head = StreamHead(
                seq=before.seq + 1,
                event=entry.event,
                stream=before.stream,
                site=entry.leaf.site if before.site and before.takes(entry.leaf.site) else before.site,
                hidden=True,
            )
        else:
            site = _next_site(statement, before)
            head = made(StreamHead, (before.seq + 1, entry.event, statement.stream, site, False))
            self.tags.setdefault(statement.stream, tag)
            for ref in (statement.key, *statement.with_):
                if statement.seen.size > self.seen.get(ref.id, 0):
                    self.seen[ref.id] = statement.seen.size
        self.heads[tag] = head

    def _order(self, leaf: Leaf) -> list[Problem]:
        problems = []
        if leaf.index != self.size:
            problems.append(Problem(code="INDEX", message=f"expected index {self.size}, got {leaf.index}"))
        if leaf.at < self.at:
            problems.append(Problem(code="AT", message="recorded earlier than the leaf before it"))
        return problems

    def _stream(self, statement: Statement) -> list[Problem]:
        problems = []
        known = self.tags.get(statement.stream)
        head = self.head(statement.tag)
        if known is not None and known != statement.tag:
            problems.append(Problem(code="TWO_TAGS", message="the stream has another tag", field="/tag"))
        if head.stream is not None and head.stream != statement.stream:
            problems.append(Problem(code="TAG", message="the tag is another stream's", field="/tag"))
        if plain_tag(statement.stream) not in (None, statement.tag):
            problems.append(Problem(code="TAG", message="not the tag of an unsalted stream", field="/tag"))
        if statement.seq != head.seq + 1:
            problems.append(
                Problem(code="SEQ", message=f"expected seq {head.seq + 1}, got {statement.seq}", field="/seq")
            )
        if statement.prev != head.event:
            problems.append(
                Problem(code="PREV", message="prev is not the stream's newest event", field="/prev")
            )
        if not head.takes(statement.site):
            problems.append(Problem(code="SITE", message="not the site of the stream", field="/site"))
        return problems

    def _seen(self, entry: Entry, statement: Statement, root_at: RootAt) -> list[Problem]:
        size, root = statement.seen.size, statement.seen.root
        lowest = 0 if entry.index == 0 else 1
        if not lowest <= size <= entry.index:
            return [
                Problem(code="SEEN_SIZE", message=f"expected {lowest} to {entry.index}", field="/seen/size")
            ]
        problems = []
        if root_at(size) != root:
            problems.append(
                Problem(code="SEEN_ROOT", message="not the log's root at that size", field="/seen/root")
            )
        if any(size < self.seen.get(ref.id, 0) for ref in (statement.key, *statement.with_)):
            problems.append(
                Problem(code="SEEN_BACK", message="the key had seen a larger tree before", field="/seen/size")
            )
        return problems


@lru_cache(maxsize=4096)  # few streams have no salt, and these get the most
def plain_tag(stream: str) -> str | None:
    """Return the tag of a stream that has no salt; None where it has one."""
    return None if is_salted(stream) else stream_tag(stream, ZERO_SALT)


def _next_site(statement: Statement, before: StreamHead) -> str | None:
    """Return the site of the statement that comes next in a stream (record-format.md §2, row `site`)."""
    there = statement.data.get("to") if statement.type == "participant.transferred" else None
    if isinstance(there, str):
        return there
    return statement.site if before.takes(statement.site) else before.site
