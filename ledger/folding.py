"""Fold one judged record into where the study and its participants stand, with the breaches that it brings.

An ordinary record costs one step. A correction, voiding or co-signature folds its participant, or the facts
of its stream, again (R10); a delegation or training that came late explains breaches; every record shows what
is overdue by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from ledger import studyfold
from ledger.entry import Entry
from ledger.envelope import EventHash
from ledger.participant import Breach
from ledger.rules import assurance, participants, pharmacy, refold, safety_desk, stocktaking
from ledger.rules.record import DAY_US, Record, record_of
from ledger.rules.stream import CHANGING, QUALITY, StreamView, view_of
from ledger.standing import PARTICIPANT, Standing
from ledger.state.assurance import Waiting


def fold(standing: Standing, entry: Entry, record: Record, found: tuple[str, ...]) -> tuple[str, ...]:
    """Fold a record in; return the other streams that its correction or voiding was folded into."""
    touched: tuple[str, ...] = ()
    if record.type in QUALITY:
        if not standing.is_cut(record):
            touched = _fold_quality(standing, entry, record, found)
    else:
        _fold_ordinary(standing, record, found)
    if record.stream.startswith(pharmacy.STREAM) and record.type != "breach.detected":
        _look_back(standing, record)
    return touched


def _fold_ordinary(standing: Standing, record: Record, found: tuple[str, ...]) -> None:
    of_participant = record.stream.startswith(PARTICIPANT)
    if standing.is_cut(record):
        standing.add_breaches(record, found)
    elif of_participant:
        name = record.stream[len(PARTICIPANT) :]
        participant = standing.participants.get(name) or refold.start(record)
        standing.participants[name] = refold.advance(standing.case_of(record, participant), found)
    elif found:
        standing.add_breaches(record, found)
    standing.study = studyfold.evolve(standing.study, record, standing.reader.attachment)
    if not of_participant:
        _assure(standing, record)
        known = standing.breaches_of(record.stream)
        late = safety_desk.overdue(standing.study, record, known)
        if late:
            standing.set_breaches(record.stream, (*known, *late))
    if record.type in ("delegation.accepted", "training.recorded"):
        _explain(standing, record)


def _assure(standing: Standing, record: Record, view: StreamView | None = None) -> None:
    """Fold what is assured of a stream that is no participant's, and flag what is overdue there (R9)."""
    stream, own = record.stream, standing.assurance_of(record.stream)
    breaches = standing.breaches_of(stream)
    late = (*assurance.overdue(own, record), *_unsettled(standing, breaches, record))
    flagged = assurance.flag_overdue(breaches, late, record.index)
    if view is not None and record.type in CHANGING and standing.confirmed(record) is None:
        after = assurance.replay(view, standing.study.zone(record.site))
    else:
        after = assurance.fold(own, record, view or assurance.NO_VIEW)
    flagged = assurance.account(flagged, after)
    if flagged != breaches:
        standing.set_breaches(stream, flagged)
    if after != own:
        kept = MappingProxyType({**standing.study.assurance, stream: after})
        standing.study = replace(standing.study, assurance=kept)


def _unsettled(standing: Standing, breaches: tuple[Breach, ...], record: Record) -> Iterator[Waiting]:
    """Yield the changes by which breaches would vanish and that wait for their second person too long."""
    for event in dict.fromkeys(b.pending for b in breaches if b.is_open and b.pending is not None):
        named = standing.earlier(event, before=record.index)
        made = None if named is None or named.statement is None else record_of(named, "UTC")
        if made is not None and record.at_us - made.at_us > DAY_US:
            yield from assurance.waiting_of(made, ("approver",))


def _look_back(standing: Standing, record: Record) -> None:
    """Flag what is overdue in a pharmacy by this record, once."""
    breaches = standing.breaches_of(record.stream)
    known = {(breach.event, breach.rule) for breach in breaches}
    late = pharmacy.look_back(standing.study, record)
    new = tuple(b for b in late if (b.event, b.rule) not in known)
    if new:
        standing.set_breaches(record.stream, (*breaches, *new))


# Statements about others of their stream.


def _fold_quality(
    standing: Standing, entry: Entry, record: Record, found: tuple[str, ...]
) -> tuple[str, ...]:
    if record.type == "breach.detected":
        standing.set_breaches(record.stream, _marked(standing, record))
        return ()
    touched: tuple[str, ...] = ()
    view = standing.view(record, entry)
    if record.stream.startswith(PARTICIPANT):
        _fold_about_participant(standing, record, view)
    else:
        touched = _fold_about_study(standing, record, view)
    standing.add_breaches(record, found)
    return touched


def _fold_about_participant(standing: Standing, record: Record, view: StreamView) -> None:
    participant = standing.participant_of(record.stream)
    if participant is None:
        return
    if record.type in CHANGING:
        participant = participants.overdue(participant, record)
        participant = refold.again(participant, view, record, standing.study)
    else:
        participant = refold.assured(participant, record, view)
    standing.participants[record.stream[len(PARTICIPANT) :]] = participant


def _fold_about_study(standing: Standing, record: Record, view: StreamView) -> tuple[str, ...]:
    before = standing.study
    touched: tuple[str, ...] = ()
    if record.type in CHANGING and standing.confirmed(record) is None:
        records = _study_again(standing, record, view)
        if record.stream.startswith(pharmacy.STREAM):
            _pharmacy_again(standing, record, view, records)
        else:
            _times_again(standing, record, view)
    standing.study = studyfold.evolve(standing.study, record, standing.reader.attachment)
    if standing.study != before:
        touched = tuple(_bring_out(standing, record))
    if record.type == "record.cosigned" and record.stream.startswith(pharmacy.STREAM):
        standing.study = pharmacy.fold_cosigned(standing.study, record)
    _assure(standing, record, view)
    return touched


def _bring_out(standing: Standing, record: Record) -> Iterator[str]:
    """Judge participants again by an approval or training that was corrected or voided (R10)."""
    for name, participant in standing.participants.items():
        if record.site is not None and record.site not in participant.sites:
            continue
        stream = PARTICIPANT + name
        view = view_of(standing.reader.entries_of(stream), record.index)
        standing.participants[name] = refold.brought_out(participant, view, record, standing.study)
        yield stream


def _pharmacy_again(
    standing: Standing, record: Record, view: StreamView, records: tuple[Record, ...]
) -> None:
    """Judge a pharmacy again by what was corrected, voided or settled there (R10)."""
    old = standing.breaches_of(record.stream)
    everybody = standing.participants.get
    found = tuple(stocktaking.breaches_of(old, records, standing.study, everybody, standing.arm))
    standing.set_breaches(record.stream, refold.compare(old, found, record, _about(view), view))


def _times_again(standing: Standing, record: Record, view: StreamView) -> None:
    """Judge the times of any other stream again, and nothing of what is voided there (R10)."""
    old = standing.breaches_of(record.stream)
    found = tuple(refold.times_again(old, view, standing.study))
    standing.set_breaches(record.stream, refold.compare(old, found, record, _about(view), view))


def _about(view: StreamView) -> set[str]:
    """Return the events of a stream that are about others of it: these are not judged again."""
    return {e.event for e in view.entries if e.statement is not None and e.statement.type in QUALITY}


def _study_again(standing: Standing, record: Record, view: StreamView) -> tuple[Record, ...]:
    zone = standing.study.zone(record.site)
    facts = (
        standing.open(view.record(entry, zone))
        for entry in view.entries
        if entry.statement is not None and entry.statement.type in studyfold.CORRECTABLE
    )
    records = tuple(fact for fact in facts if fact is not None)
    standing.study = studyfold.again(standing.study, record.stream, records)
    return records


# Breaches that are recorded, and breaches that are explained.


def _marked(standing: Standing, detected: Record) -> tuple[Breach, ...]:
    """Mark a breach as recorded; one that cannot be judged here is believed (§10)."""
    breaches = standing.breaches_of(detected.stream)
    named, rule = detected.data["statement"], detected.data["rule"]
    index = standing.reader.index_of(named)
    known = any(b.event == named and b.rule == rule and b.recorded is None for b in breaches)
    if not known and index is not None and standing.rests_unseen(detected):
        believed = Breach(event=EventHash(named), rule=rule, index=index, found=detected.index)
        breaches = (*breaches, believed)
    return tuple(
        replace(b, recorded=detected.index)
        if b.event == named and b.rule == rule and b.recorded is None
        else b
        for b in breaches
    )


def _explain(standing: Standing, record: Record) -> None:
    """Let a delegation or training that came too late explain the breaches that it covers."""
    rule = "NOT_DELEGATED" if record.type == "delegation.accepted" else "NOT_TRAINED"
    pharmacies = [stream for stream in standing.others if stream.startswith(pharmacy.STREAM)]
    for stream in (*(PARTICIPANT + name for name in standing.participants), *pharmacies):
        found = standing.breaches_of(stream)
        open_ = {b.event for b in found if b.rule == rule and b.is_open and b.explained is None}
        if open_:
            standing.set_breaches(stream, tuple(_explained(standing, stream, record, rule, open_, found)))


def _explained(
    standing: Standing,
    stream: str,
    record: Record,
    rule: str,
    open_: set[EventHash],
    found: tuple[Breach, ...],
) -> Iterator[Breach]:
    view = view_of(standing.reader.entries_of(stream), record.index)
    records: Mapping[str, Record | None] = {
        e.event: view.record(e, standing.study.zone(e.statement.site))
        for e in view.entries
        if e.event in open_ and e.statement is not None
    }
    for breach in found:
        named = records.get(breach.event) if breach.rule == rule else None
        yield breach if named is None else refold.explain(breach, named, standing.study)
