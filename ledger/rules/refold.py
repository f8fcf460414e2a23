"""Fold a participant again after a correction, a voiding or a co-signature, and compare breaches (R10).

A breach that comes out appears at once. One that would vanish stays open and pending until what makes it
vanish names its source and has the investigator's co-signature; the index of that co-signature closes it.
Breaches of the corrections and co-signatures themselves stay as they were: those are not judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ledger.entry import Entry
from ledger.errors import FormatError
from ledger.frozen import changed
from ledger.participant import Breach, Hold, Participant, Pending
from ledger.rules import assurance, departures, general, participants
from ledger.rules.case import Case, IndexOf
from ledger.rules.protocols import version_for
from ledger.rules.quality import has_source
from ledger.rules.record import Record, record_of
from ledger.rules.rule_versions import in_force
from ledger.rules.signing import CHANGES
from ledger.rules.stream import QUALITY, StreamView, needs_cosignature
from ledger.studystate import StudyState


def start(record: Record) -> Participant:
    """Return the participant whom a registration begins."""
    return Participant(id=record.stream.partition("/")[2], site=record.site or "", registered=record.index)


def case_of(record: Record, participant: Participant, study: StudyState, index_of: IndexOf) -> Case:
    """Make the case of a record, with the protocol version in force for the participant at its index."""
    protocol = version_for(participant, study, record.now, record.index)
    return Case(record, participant, study, protocol, index_of)


def advance(case: Case, codes: Iterable[str]) -> Participant:
    """Fold one judged record in, with its breaches and what it tells about earlier records."""
    record, participant, study = case.record, case.participant, case.study
    after = participants.fold(case)
    assured_now = assurance.fold(after.assurance, record)
    if assured_now is not after.assurance:
        after = changed(after, assurance=assured_now)
    found = (Breach(event=record.event, rule=code, index=record.index, found=record.index) for code in codes)
    new = tuple(departures.explain(explain(each, record, study), participant, record) for each in found)
    if new:
        after = changed(after, breaches=assurance.account(after.breaches + new, after.assurance))
    return participants.look_back(case._replace(participant=after), participant)


def explain(breach: Breach, record: Record, study: StudyState) -> Breach:
    """Say which delegation or training, recorded too late, explains a breach of R2b; it stays open."""
    if breach.rule == "NOT_DELEGATED":
        indexes = [_delegated_late(person, record, study) for person in record.performers]
    elif breach.rule == "NOT_TRAINED":
        indexes = [_trained_late(person, record, study) for person in record.performers]
    else:
        return breach
    known = [index for index in indexes if index is not None]
    return breach if len(known) < len(indexes) else replace(breach, explained=max(known))


def _delegated_late(person: str, record: Record, study: StudyState) -> int | None:
    """Return the index that explains a person's part: 0 where it needs no explanation."""
    site = record.site or ""
    if study.delegated(person, record.type, site, record.occurred, record.index):
        return 0
    return study.explained_by(person, record.type, site, record.occurred)


def _trained_late(person: str, record: Record, study: StudyState) -> int | None:
    protocol = study.protocol_for(record.site, record.index, record.now)
    version = record.protocol or (None if protocol is None else protocol.version)
    if version is None:
        return None
    return study.trained(person, version, record.occurred, study.zone(record.site), None)


def replay(view: StreamView, study: StudyState, upto: int) -> Participant | None:
    """Fold a stream from its beginning as it reads now; None where no registration stands in it."""
    participant: Participant | None = None
    indexes: dict[str, int] = {entry.event: entry.index for entry in view.entries}
    for entry in view.entries:
        statement = entry.statement
        if entry.index > upto or statement is None:
            continue
        if statement.type in QUALITY:
            if participant is not None and statement.type != "breach.detected":
                participant = _assured_again(participant, entry, view, study)
            continue
        try:
            record = view.record(entry, study.zone(statement.site))
        except FormatError:
            continue
        if record is None:
            continue
        if participant is None:
            participant = start(record)
        case = case_of(record, participant, study, indexes.get)
        participant = advance(case, tuple(dict.fromkeys(participants.judge(case))))
    return participant


def assured(participant: Participant, record: Record, view: StreamView) -> Participant:
    """Fold in a statement about others of the stream: what is overdue by it, and what it assures."""
    participant = participants.overdue(participant, record)
    after = assurance.fold(participant.assurance, record, view)
    return replace(participant, assurance=after, breaches=assurance.account(participant.breaches, after))


def _assured_again(
    participant: Participant, entry: Entry, view: StreamView, study: StudyState
) -> Participant:
    """Fold such a statement in again, as it was recorded, unless it is voided and changed nothing else."""
    statement = entry.statement
    if statement is None or (entry.event in view.voided and statement.type not in CHANGES):
        return participant
    try:
        record = record_of(entry, study.zone(statement.site))
    except FormatError:
        return participant
    return participant if record is None else assured(participant, record, view)


def again(old: Participant, view: StreamView, trigger: Record, study: StudyState) -> Participant:
    """Return the participant after a trigger: folded again, breaches compared, pending matters settled."""
    fresh = replay(view, study, trigger.index) or replace(old, breaches=())
    quality: set[str] = {
        e.event for e in view.entries if e.statement is not None and e.statement.type in QUALITY
    }
    pending = _pending(old, view, trigger)
    found = (*fresh.breaches, *_excused(old, view, trigger, study))
    breaches = compare(old.breaches, found, trigger, quality, view)
    waiting = {breach.pending for breach in breaches if breach.pending is not None}
    shown = view.statements
    kept = tuple(p for p in pending if p.event in waiting or needs_cosignature(shown[p.event], shown))
    breaches = assurance.account(breaches, fresh.assurance)
    holds = (*fresh.holds, *_still_held(old, fresh, breaches))
    return replace(fresh, breaches=breaches, pending=kept, holds=holds)


def _excused(old: Participant, view: StreamView, trigger: Record, study: StudyState) -> Iterator[Breach]:
    """Yield the breaches that are only excused by now, because what they rest on is withheld since.

    They were found when nothing of it was: they do not vanish by the change.
    """
    if not (study.cut or study.partial):
        return
    shown = replay(view, replace(study, cut=frozenset(), partial=False), trigger.index)
    known = {(breach.event, breach.rule) for breach in old.breaches if breach.is_open}
    for breach in () if shown is None else shown.breaches:
        if (breach.event, breach.rule) in known:
            yield breach


def brought_out(old: Participant, view: StreamView, trigger: Record, study: StudyState) -> Participant:
    """Return the participant with breaches that a change outside of the stream brings out, each once.

    None vanishes by it: what makes one vanish has its co-signature in the participant's own stream.
    """
    fresh = replay(view, study, trigger.index)
    if fresh is None:
        return old
    known = {(breach.event, breach.rule) for breach in old.breaches}
    new = tuple(
        replace(breach, found=trigger.index)
        for breach in fresh.breaches
        if breach.is_open and (breach.event, breach.rule) not in known
    )
    return replace(old, breaches=old.breaches + new) if new else old


def _still_held(old: Participant, fresh: Participant, breaches: tuple[Breach, ...]) -> Iterator[Hold]:
    """Yield the holds whose breach only waits to vanish: gates wait with it."""
    unsettled = {(breach.event, breach.rule) for breach in breaches if breach.is_open}
    known = {hold.event for hold in fresh.holds}
    for hold in old.holds:
        if hold.event not in known and (hold.event, hold.rule) in unsettled:
            yield hold


def _pending(old: Participant, view: StreamView, trigger: Record) -> tuple[Pending, ...]:
    """Return what waits for a co-signature: what waited and has none yet, and the trigger itself."""
    waiting = tuple(p for p in old.pending if p.event not in view.cosigned)
    if trigger.type == "record.cosigned":
        return waiting
    added = Pending(
        index=trigger.index,
        event=trigger.event,
        at_us=trigger.at_us,
        author=trigger.statement.actor.id,
    )
    return (*waiting, added)


def times_again(old: Iterable[Breach], view: StreamView, study: StudyState) -> Iterator[Breach]:
    """Yield the breaches of a stream that nobody's state is folded from alone, as its statements read now.

    Times are judged again, what is voided breaks nothing, and all else stands as it was judged.
    """
    for breach in old:
        if breach.rule not in general.OF_TIME and breach.event not in view.voided:
            yield breach
    for entry in view.entries:
        statement = entry.statement
        if statement is None or statement.type in QUALITY:
            continue
        try:
            record = view.record(entry, study.zone(statement.site))
        except FormatError:
            continue
        if record is not None:
            for code in in_force(general.judge_clocks(record, study), study, record.index):
                yield Breach(event=record.event, rule=code, index=record.index, found=record.index)


def compare(
    old: Iterable[Breach], fresh: Iterable[Breach], trigger: Record, quality: set[str], view: StreamView
) -> tuple[Breach, ...]:
    """Return the breaches of a stream after a trigger: what stays, what vanishes or waits to, what comes out.

    `fresh` is what the fold finds now; breaches of the statements in `quality` are not judged again.
    """
    remaining = {(b.event, b.rule): b for b in fresh if b.is_open}
    breaches = []
    for breach in old:
        found = remaining.pop((breach.event, breach.rule), None) if breach.is_open else None
        if not breach.is_open or breach.event in quality:
            breaches.append(breach)
        elif found is not None:
            breaches.append(replace(breach, pending=None, explained=found.explained))
        else:
            breaches.append(_vanish(breach, trigger, view))
    breaches += [replace(breach, found=trigger.index) for breach in remaining.values()]
    return tuple(breaches)


def _vanish(breach: Breach, trigger: Record, view: StreamView) -> Breach:
    """Settle a breach that the fold no longer finds: closed by a co-signature, else pending on it."""
    if trigger.type != "record.cosigned":
        return breach if breach.pending is not None else replace(breach, pending=trigger.event)
    cosigned = trigger.data["statement"]
    cause = view.statements.get(cosigned)
    settles = breach.pending == cosigned or breach.pending is None
    if settles and cause is not None and cosigned in view.cosigned and has_source(cause, view.statements):
        return replace(breach, pending=None, closed=trigger.index)
    return breach
