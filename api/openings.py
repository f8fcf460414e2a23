"""Values of which every opening is an event: sealed `treatment` and `identity` (catalogue, "Roles").

    with call.study.reading.folded() as folded:
        looked = Looked(scope=scope, projection="participant", size=size)
        value, noted = read(call, folded.reads, looked, lambda reader: participant_view(…, reader=reader))

They are opened for who asks with a `purpose`, by a role of the log that sees them, and only after a
`record.viewed` that names reader, role, purpose, scope and statements is durable. A view is made twice: with
the values closed, which says what it would show, and again with exactly those open. Where the view can't be
recorded the first one is the answer, and the markers stay. Nothing of this is asked of a reader who sees
neither scope: their answer is the same with a purpose and without.

An answer with such a value is kept by nobody, browser or proxy: there is none to compare with, so each read
is a view of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from api import sight
from api.call import Call
from ledger.authority import Authority
from ledger.committer import Ledger
from ledger.errors import LedgerError, RefusedError
from ledger.store.port import NewDisclosure, Reads
from ledger.studystate import StudyState
from ledger.unblinding import sees_arm
from ledger.verify.options import Scope
from ledger.views import ALWAYS, View, note_view
from projections.authorization import Sealed, allowed
from projections.reader import ERASED, Reader, is_marker, sealed

MAX_NAMED: Final = 64  # statements that a view names one by one; of more it tells the range
_TREATMENT: Final = "treatment"
_PARTICIPANT: Final = "participant/"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What an answer is of: a scope, through a projection, up to a tree size."""

    scope: Scope
    projection: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What became of the values: the index of the `record.viewed`, or the code for which they stay sealed."""

    viewed: int | None = None
    kept_sealed: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer says of it."""
        if self.viewed is not None:
            return {"Ledger-Viewed": str(self.viewed), "Cache-Control": "private, no-store"}
        return {} if self.kept_sealed is None else {"Ledger-Sealed": self.kept_sealed}


NOTHING: Final = Noted()


def read(
    call: Call,
    reads: Reads,
    looked: Looked,
    make: Callable[[Reader], T],
    *,
    shown: Callable[[T], Any] | None = lambda value: value,
) -> tuple[T, Noted]:
    """Make an answer, opening what its reader sees and asks for by a purpose.

    Args:
        make: makes the answer for a reader, whole, the same each time.
        shown: finds what of the answer has a marker for each value that stays sealed; where there is none,
            nothing of what was looked up is shown, and nothing is opened. None for an answer without markers.
    """
    ledger = call.study.ledger
    purpose = call.purpose()
    if purpose is None:
        return make(sight.with_openings(call.reader, ledger, reads)), NOTHING
    asked = _Asked(call.reader, ledger, reads)
    closed = make(asked.reader)
    if not asked.wanted or (shown is not None and not _has_marker(shown(closed))):
        return closed, NOTHING
    try:
        viewed = asked.note(looked, purpose)
    except LedgerError as error:
        return closed, Noted(kept_sealed=error.code)
    asked.opened = True
    return make(asked.reader), Noted(viewed=viewed)


def require_standing(authority: Authority, reader: Reader) -> str:
    """Return who reads, where the log has them in the role of their token: a token alone opens nothing.

    Raises:
        RefusedError: `PERSON_UNKNOWN`, `ACCOUNT_INACTIVE`, `ROLE_NOT_HELD`.
    """
    person = authority.person(reader.person or "")
    if person is None:
        raise RefusedError("PERSON_UNKNOWN", "expected a person whom the log knows")
    if not person.active:
        raise RefusedError("ACCOUNT_INACTIVE", "expected an active account")
    if not authority.holds(person.id, reader.role, None):
        raise RefusedError("ROLE_NOT_HELD", "expected a role that the person holds")
    return person.id


class _Asked:
    """One answer in the making: which values its reader sees, and whether they are open yet."""

    def __init__(self, reader: Reader, ledger: Ledger, reads: Reads) -> None:
        self._ledger, self._reads = ledger, reads
        self._plain = reader
        self.reader = replace(reader, opener=self._open, decided=ALWAYS)
        self.wanted: dict[tuple[str, str], str] = {}
        self.opened = False
        fold = ledger.refresh()
        self._study: StudyState = fold.conduct.study
        self._authority, self._size = fold.authority, fold.size

    def note(self, looked: Looked, purpose: str) -> int:
        """Record the view; return its index. What was wanted may be opened then.

        Raises:
            LedgerError: it can't be recorded.
        """
        who = require_standing(self._authority, self._plain)
        indexes = {event: self._reads.index_of_event(event) for event, _ in self.wanted}
        few = len(indexes) <= MAX_NAMED
        view = View(
            who=who,
            role=self._plain.role,
            scope=looked.scope,
            size=looked.size,
            purpose=purpose,
            opened=tuple(sorted(set(self.wanted.values()))),
            since=min(index for index in indexes.values() if index is not None),
            statements=tuple(indexes) if few else (),
            projection=looked.projection,
        )
        recorded = note_view(self._ledger, view)
        if recorded is None:
            raise RefusedError(self._ledger.startup.code or "FROZEN", "nothing can be recorded now")
        return recorded.index

    def _open(self, event: str, path: str) -> Any:
        """Return a value, `ERASED`, or its marker as long as it has to stay sealed."""
        kept = next((each for each in self._reads.disclosures(event) if each.path == path), None)
        if kept is None:
            return ERASED
        if kept.scope not in ALWAYS:
            shown = kept.scope in sight.OPENED_HERE and self._plain.sees_scope(kept.scope)
            return sight.value_of(self._ledger, kept) if shown else sealed(kept.scope)
        if self.opened:
            wanted = (event, path) in self.wanted
            return sight.value_of(self._ledger, kept) if wanted else sealed(kept.scope)
        if self._sees(kept):
            self.wanted[event, path] = kept.scope
        return sealed(kept.scope)

    def _sees(self, kept: NewDisclosure) -> bool:
        reader = self._plain
        shown = (
            kept.scope == _TREATMENT
            and kept.stream.startswith(_PARTICIPANT)
            and not reader.sees_scope(_TREATMENT)
            and sees_arm(
                self._study, reader.role, reader.person or "", kept.stream[len(_PARTICIPANT) :], self._size
            )
        )
        return bool(allowed(reader, None, Sealed(scope=kept.scope, shown=shown)))


def _has_marker(shown: Any) -> bool:
    """Tell whether an answer shows that a value of these scopes stays sealed."""
    if is_marker(shown):
        return shown.get("sealed") in ALWAYS
    if isinstance(shown, Mapping):
        return any(map(_has_marker, shown.values()))
    return isinstance(shown, list | tuple) and any(map(_has_marker, shown))
