"""The fold of what people assure of a stream: queries, verification, signatures, deviations, locks (H).

    after = fold(assurance, record, view)      # any record of the stream, as it was recorded

It is the same for a participant's stream, where it is a part of the participant, and for every other, where
the study keeps it by stream. Statements about others of their stream (`stream.QUALITY`) need the stream's
view; an ordinary record needs none: it outdates signatures, passes locks and may wait for a second person.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ledger.errors import FormatError
from ledger.participant import Breach
from ledger.rules.assured import OVERSIGHT, STEPS, outdate_values
from ledger.rules.record import DAY_US, Record, record_of
from ledger.rules.seconds import persons_of
from ledger.rules.signing import CHANGES, changed_path, covers, original
from ledger.rules.stream import QUALITY, StreamView, needs_cosignature
from ledger.state.assurance import Assurance, Lock, Signature, Waiting

EMPTY: Final = Assurance()
NO_VIEW: Final = StreamView({}, (), {}, frozenset(), frozenset())


def fold(assurance: Assurance, record: Record, view: StreamView = NO_VIEW) -> Assurance:
    """Return what is assured of a stream after one record of it."""
    step = STEPS.get(record.type)
    if step is not None:
        assurance = step(assurance, record, view)
    if record.type in CHANGES or not (record.type in QUALITY or record.type in OVERSIGHT):
        assurance = _outdate(assurance, record, view)
    if assurance.locks and record.spec.always_open and record.type != "breach.detected":
        assurance = replace(assurance, locks=tuple(_pass(lock, record.index) for lock in assurance.locks))
    seconds = record.spec.seconds
    if record.type == "record.voided" and record.event not in view.voided:
        seconds = ("approver",) if needs_cosignature(record.statement, view.statements) else ()
    if seconds:
        assurance = replace(assurance, waiting=(*assurance.waiting, *waiting_of(record, seconds)))
    return assurance


def replay(view: StreamView, zone: str) -> Assurance:
    """Fold a stream from its beginning, after something in it was corrected, voided or cosigned (R10)."""
    assurance = EMPTY
    for entry in view.entries:
        statement = entry.statement
        if statement is None or statement.type == "breach.detected":
            continue
        if entry.event in view.voided and statement.type not in CHANGES:
            continue
        try:
            record = record_of(entry, zone)
        except FormatError:
            continue
        if record is not None:
            assurance = fold(assurance, record, view)
    return assurance


def overdue(assurance: Assurance, record: Record) -> tuple[Waiting, ...]:
    """Return what has waited for its second person for more than 24 hours by this record (R9)."""
    return tuple(w for w in assurance.pending if record.at_us - w.at_us > DAY_US)


def flag_overdue(breaches: tuple[Breach, ...], late: tuple[Waiting, ...], index: int) -> tuple[Breach, ...]:
    """Add the breach of what is overdue, once for each statement."""
    if not late:
        return breaches
    known = {breach.event for breach in breaches if breach.rule == "COSIGNATURE_OVERDUE"}
    named = {w.event: w for w in late if w.event not in known}
    new = (
        Breach(event=w.event, rule="COSIGNATURE_OVERDUE", index=w.index, found=index) for w in named.values()
    )
    return (*breaches, *new)


def account(breaches: tuple[Breach, ...], assurance: Assurance) -> tuple[Breach, ...]:
    """Say for each breach which deviation accounts for it, by its index."""
    if not assurance.deviations and all(breach.deviation is None for breach in breaches):
        return breaches

    def deviation_of(breach: Breach) -> int | None:
        found = (d.index for d in assurance.deviations if d.accounts_for(breach.event, breach.rule))
        return next(found, None)

    return tuple(replace(breach, deviation=deviation_of(breach)) for breach in breaches)


def waiting_of(record: Record, seconds: tuple[str, ...]) -> tuple[Waiting, ...]:
    """Return what waits with a record for its second persons."""
    return tuple(
        Waiting(
            index=record.index,
            event=record.event,
            type=record.type,
            at_us=record.at_us,
            second=second,
            persons=persons_of(record.statement),
        )
        for second in seconds
    )


def _pass(lock: Lock, index: int) -> Lock:
    return replace(lock, passed=(*lock.passed, index)) if lock.holds(index) else lock


def _outdate(assurance: Assurance, record: Record, view: StreamView) -> Assurance:
    """Let a record outdate the signatures that cover it, and a change what was verified of it."""
    if record.type in CHANGES:
        assurance = _outdate_verified(assurance, record, view)
    if all(signature.outdated is not None for signature in assurance.signatures):
        return assurance

    def after(signature: Signature) -> Signature:
        if signature.outdated is not None:
            return signature
        covered = covers(signature.scope, signature.subject, record.statement, view.statements)
        return replace(signature, outdated=record.index) if covered else signature

    return replace(assurance, signatures=tuple(after(signature) for signature in assurance.signatures))


def _outdate_verified(assurance: Assurance, record: Record, view: StreamView) -> Assurance:
    root = original(record.statement, view.statements)
    if root is None or not assurance.verified:
        return assurance
    path = changed_path(record.statement, view.statements)
    paths = () if path is None else (path,)
    return outdate_values(assurance, root.event, paths, record.index)
