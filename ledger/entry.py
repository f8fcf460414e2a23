"""An entry of the log as every fold sees it: the leaf, and the statement where it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from ledger.envelope import EventHash
from ledger.leaf import Leaf
from ledger.statement import Statement

Index = NewType("Index", int)
"""Position in the log, dense from 0: the only public order (record-format.md §4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One leaf with its statement.

    `statement` is None where a bundle withholds it; the leaf is always there. A candidate that is judged
    before it is committed is an entry too, with the index and the leaf that it would get.
    """

    index: Index
    leaf: Leaf
    event: EventHash
    statement: Statement | None
