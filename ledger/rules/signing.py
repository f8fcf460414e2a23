"""What a signature covers, and the digest that it signs (catalogue H, `record.signed`).

A scope is a set of statements of one stream: a form is one statement, a visit what names that visit, each
with the corrections and voidings of these; a participant and a milestone are the whole stream. The digest is
SHA-256 over the canonical JSON (record-format.md §1) of `[[index, "<event hash>"], …]`, in order of the
index, of the scope's statements with an index below `upto`. Who has the stream's leaves can compute it; that
of a form or visit needs its statements too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from ledger import canonical
from ledger.entry import Entry
from ledger.statement import Statement

WHOLE: Final = frozenset({"participant", "milestone"})
CHANGES: Final = frozenset({"correction.made", "record.voided"})

Shown = Mapping[str, Statement]


def signed_digest(entries: Iterable[Entry], scope: str, subject: str | None, upto: int) -> str | None:
    """Return the digest of a scope below an index, None where it is empty; `subject`: event or visit."""
    found = covered(entries, scope, subject, upto)
    return digest_of((int(entry.index), entry.event) for entry in found) if found else None


def covered(entries: Iterable[Entry], scope: str, subject: str | None, upto: int) -> list[Entry]:
    """Return the statements of a scope below an index."""
    kept = [entry for entry in entries if entry.index < upto]
    shown: dict[str, Statement] = {e.event: e.statement for e in kept if e.statement is not None}
    return [
        entry
        for entry in kept
        if scope in WHOLE or (entry.event in shown and covers(scope, subject, shown[entry.event], shown))
    ]


def digest_of(statements: Iterable[tuple[int, str]]) -> str:
    """Return the digest over indexes and event hashes."""
    return hashlib.sha256(canonical.encode([[index, str(event)] for index, event in statements])).hexdigest()


def covers(scope: str, subject: str | None, statement: Statement, shown: Shown) -> bool:
    """Tell whether a statement, or the original that it changes, is in a scope."""
    if scope in WHOLE:
        return True
    root = original(statement, shown)
    if root is None:
        return False
    if scope == "form":
        return root.event == subject
    return subject in _visits(root, statement)


def original(statement: Statement, shown: Shown) -> Statement | None:
    """Return the original that a correction or voiding leads to; any other statement is its own."""
    found: Statement | None = statement
    while found is not None and found.type in CHANGES:
        found = shown.get(found.data["statement"])
    return found


def changed_path(statement: Statement, shown: Shown) -> str | None:
    """Return the path that a correction changes, or the one whose correction is voided; None: all of it."""
    found: Statement | None = statement
    while found is not None and found.type in CHANGES:
        if found.type == "correction.made":
            path = found.data["path"]
            return path if isinstance(path, str) else None
        found = shown.get(found.data["statement"])
    return None


def overlap(one: str, other: str) -> bool:
    """Tell whether two paths name a value and it or a part of it."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _visits(root: Statement, change: Statement) -> frozenset[object]:
    """Return the visits that a statement names, and those that a correction of it takes it from and to."""
    visits = {root.data.get("visit")}
    if change.data.get("path") == "/data/visit":
        visits |= {change.data.get("old"), change.data.get("new")}
    return frozenset(visits)
