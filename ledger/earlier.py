"""What a log goes on from: older epochs, up to the size where the next took over (record-format.md §6).

    index   … -2  -1 |  0   1   2 …
            old epoch  | this log

Entries of an older epoch stand at negative indexes, the last that counts at -1: all of them are earlier than
anything here, and no position of this log moves. Only conduct is folded from them; order, linkage and
authority begin anew with each log. What stands past `size` there is void, and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from ledger.authority import INITIAL
from ledger.authority import evolve as evolve_authority
from ledger.entry import Entry, Index

if TYPE_CHECKING:
    from ledger.conduct import Conduct


_EPOCH = re.compile(r"(.+)/e([1-9][0-9]{0,5})")


LISTS: Final = frozenset(
    {
        "randomization.seed_committed",
        "randomization.parameters_committed",
        "randomization.list_committed",
        "randomization.list_opened",
        "randomization.requested",
        "participant.randomized",
    }
)
"""What lists and allocations rest on: a list committed in one epoch is allocated from in the next (§8)."""


def next_origin(origin: str) -> str:
    """Return the origin of the epoch that follows: `<origin>/e2`, after that `<origin>/e3`."""
    match = _EPOCH.fullmatch(origin)
    if match is None:
        return f"{origin}/e2"
    return f"{match[1]}/e{int(match[2]) + 1}"


class Earlier(Protocol):
    """The older epochs as the newer one reads them; indexes are negative."""

    def entries(self) -> Iterator[Entry]:
        """Yield every entry that counts, the oldest first."""

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries in order."""

    def index_of(self, event: str) -> int | None:
        """Return the index of an event, below 0; None where there is none before `size`."""

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index below 0."""

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""

    def lists(self) -> Sequence[Entry]:
        """Return what was said of randomization, in order (`LISTS`); asked after `entries`."""

    def close(self) -> None:
        """Release what is read from."""


def shifted(entry: Entry, by: int) -> Entry:
    """Return an entry at its place before a newer log: `by` is the old log's size."""
    return replace(entry, index=Index(entry.index - by))


def fold_earlier(earlier: Earlier, conduct: Conduct) -> None:
    """Fold older epochs into a new fold of conduct, each entry under the authority of its own log."""
    authority = INITIAL
    for entry in earlier.entries():
        conduct.evolve(entry, authority)
        authority = evolve_authority(authority, entry)  # each `ledger.opened` begins anew
    conduct.begin_log()


class NoneBefore:
    """A log that continues no other."""

    def entries(self) -> Iterator[Entry]:
        """Yield nothing."""
        return iter(())

    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return nothing."""
        return ()

    def index_of(self, event: str) -> int | None:
        """Return None."""
        return None

    def entry_at(self, index: int) -> Entry | None:
        """Return None."""
        return None

    def attachment(self, sha256: str) -> bytes | None:
        """Return None."""
        return None

    def lists(self) -> Sequence[Entry]:
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing."""


NONE: Final[Earlier] = NoneBefore()
