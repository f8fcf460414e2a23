"""Locks of forms, participants and the database, and what may pass them (catalogue H; R4, R7).

In a locked participant or database no gate and no ordinary record is taken, except through an unlock. What
is always open (R7) passes, is flagged, and reopens the lock: it is listed there until the participant is
unlocked, signed and locked again. A frozen form is not corrected and not voided.

    database_locked(study, before)      # for who asks elsewhere: a list is opened after the lock
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ledger import canonical
from ledger.participant import Participant
from ledger.rules.about import About, AboutJudge
from ledger.rules.case import StudyCase
from ledger.rules.record import Record
from ledger.rules.seconds import is_pending
from ledger.rules.stream import QUALITY
from ledger.state.assurance import Assurance, Lock
from ledger.studystate import StudyState

_LOCKED_STREAMS: Final = ("participant/", "pharmacy/")
_LOCKING: Final = frozenset({"participant.locked", "participant.unlocked"})
_NOTHING: Final = Assurance()


def database_lock(study: StudyState, before: int) -> Lock | None:
    """Return the lock of the database that was in force before an index."""
    return study.assurance.get("study", _NOTHING).locked(before)


def database_locked(study: StudyState, before: int) -> bool:
    """Tell whether the database was locked before an index."""
    return database_lock(study, before) is not None


def judge_record(record: Record, own: Assurance, study: StudyState) -> Iterator[str]:
    """Judge any record of a participant's or a pharmacy's stream by the locks that stand (R4, R7)."""
    if not record.stream.startswith(_LOCKED_STREAMS):
        return
    locked = own.locked(record.index) is not None and record.type not in _LOCKING
    database = database_locked(study, record.index)
    if not (locked or database):
        return
    if record.spec.always_open:
        yield "LOCK_PASSED"
    elif locked:
        yield "PARTICIPANT_LOCKED"
    else:
        yield "DATABASE_LOCKED"


def judge_frozen(case: About) -> Iterator[str]:
    """Judge a correction or voiding of a statement that may be frozen."""
    named = case.record.data["statement"]
    if any(event == named for event, _ in case.assurance.frozen):
        yield "FORM_FROZEN"


def _form_frozen(case: About) -> Iterator[str]:
    frozen = {event for event, _ in case.assurance.frozen}
    for event in case.record.data["statements"]:
        target = case.view.statements.get(event)
        if target is None or target.type in QUALITY:
            yield "REFERENCE"
        elif event in frozen:
            yield "LOCK_STATE"


def _form_unfrozen(case: About) -> Iterator[str]:
    frozen = {event for event, _ in case.assurance.frozen}
    if not frozen.issuperset(case.record.data["statements"]):
        yield "LOCK_STATE"


def _participant_locked(case: About) -> Iterator[str]:
    """Judge a lock: endorsed, no open query, nobody waited for, safety and pharmacy reconciled."""
    own, participant = case.assurance, case.participant
    if own.locked(case.record.index) is not None:
        yield "LOCK_STATE"
    if not _is_endorsed(own, case.record.data["endorsement"]):
        yield "NOT_ENDORSED"
    if own.open_queries:
        yield "QUERIES_OPEN"
    if own.pending or (participant is not None and participant.pending):
        yield "SECOND_PERSON_MISSING"
    if participant is not None and not _is_safe(participant):
        yield "SAFETY_NOT_RECONCILED"
    if participant is not None and not case.withheld and not _is_accounted(participant, case.study):
        yield "PHARMACY_NOT_RECONCILED"


def _is_safe(participant: Participant) -> bool:
    """Tell whether every serious event is reported and closed, and nothing is due or unacknowledged."""
    cases = (c for c in participant.safety.cases.values() if c.serious and c.nullified is None)
    closed = all(c.reported is not None and c.closed is not None for c in cases)
    alerts = participant.observing.alerts.values()
    return closed and not participant.safety.waiting and all(index is not None for index in alerts)


def _is_accounted(participant: Participant, study: StudyState) -> bool:
    """Tell whether each dose that was prepared for a participant was dispensed or wasted, and is cosigned."""
    for site, pharmacy in study.pharmacies.items():
        own = study.assurance.get(f"pharmacy/{site}", _NOTHING)
        for dose in pharmacy.doses.values():
            if dose.participant != participant.id:
                continue
            if (dose.dispensed is None and dose.wasted is None) or is_pending(own, dose.event):
                return False
    return True


def _is_endorsed(own: Assurance, event: str) -> bool:
    named = (s for s in own.signatures if s.event == event)
    return any(s.scope == "milestone" and s.subject == "final" and s.outdated is None for s in named)


def _participant_unlocked(case: About) -> Iterator[str]:
    if case.assurance.locked(case.record.index) is None:
        yield "LOCK_STATE"


def judge_database(case: StudyCase, participants: Iterable[Participant], *, withheld: bool) -> Iterator[str]:
    """Judge the lock of the database: every participant locked, the trail reviewed up to there, all named."""
    record, own = case.record, case.study.assurance.get("study", _NOTHING)
    if own.locked(record.index) is not None:
        yield "LOCK_STATE"
    if withheld:
        return  # who is locked, what was reviewed and who was unblinded is not known whole here
    locks = [p.assurance.locked(record.index) for p in participants]
    if any(lock is None or lock.reopened is not None for lock in locks):
        yield "PARTICIPANTS_NOT_LOCKED"
    newest = max((lock.index for lock in locks if lock is not None), default=0)
    named = any(review.event == record.data["review"] for review in own.reviews)
    if not named or covered_until(own) < newest:
        yield "TRAIL_NOT_REVIEWED"
    opened = (each.event for each in case.study.unblinding.opened if each.index < record.index)
    if digest_of(opened) != record.data["unblinded_sha256"]:
        yield "UNBLINDED_NOT_LISTED"


def judge_database_unlocked(case: StudyCase) -> Iterator[str]:
    """Judge an unlock of the database: of one that is locked."""
    if not database_locked(case.study, case.record.index):
        yield "LOCK_STATE"


def covered_until(own: Assurance) -> int:
    """Return the last index up to which reviews of the trail follow one another from index 0; -1 for none."""
    end = -1
    for review in sorted(own.reviews, key=lambda review: review.first):
        if review.first > end + 1:
            break
        end = max(end, review.last)
    return end


def digest_of(events: Iterable[str]) -> str:
    """Return the digest of a list of event hashes, as a lock of the database names the unblindings."""
    return hashlib.sha256(canonical.encode(list(events))).hexdigest()


JUDGES: Final[Mapping[str, AboutJudge]] = MappingProxyType(
    {
        "form.frozen": _form_frozen,
        "form.unfrozen": _form_unfrozen,
        "participant.locked": _participant_locked,
        "participant.unlocked": _participant_unlocked,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "form.frozen": "REFERENCE LOCK_STATE",
        "form.unfrozen": "LOCK_STATE",
        "participant.locked": "LOCK_STATE NOT_ENDORSED QUERIES_OPEN SECOND_PERSON_MISSING "
        "SAFETY_NOT_RECONCILED PHARMACY_NOT_RECONCILED DATABASE_LOCKED",
        "participant.unlocked": "LOCK_STATE DATABASE_LOCKED",
        "database.locked": "LOCK_STATE PARTICIPANTS_NOT_LOCKED TRAIL_NOT_REVIEWED UNBLINDED_NOT_LISTED",
        "database.unlocked": "LOCK_STATE",
    }
)
