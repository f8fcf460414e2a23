"""What each type adds to what is assured of a stream: one step for each (catalogue H).

`STEPS` is asked by `assurance.fold`, which does the rest: what a record outdates, passes, and waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.record import Record
from ledger.rules.seconds import may_cosign
from ledger.rules.signing import CHANGES, covers, overlap
from ledger.rules.stream import QUALITY, StreamView
from ledger.state.assurance import (
    Archive,
    Assurance,
    Capa,
    Copy,
    Deviation,
    Discrepancy,
    Lock,
    Proposal,
    Query,
    Retention,
    Review,
    Signature,
    Verified,
    Waiting,
)

# They look at the records of a stream and are none of them: no signature covers them.
OVERSIGHT: Final = frozenset(
    {"capa.opened", "capa.closed", "monitoring_visit.recorded", "archive.sealed",
     "archive.restored_and_read", "certified_copy.received"}
)  # fmt: skip


def outdate_values(assurance: Assurance, statement: str, paths: tuple[str, ...], index: int) -> Assurance:
    """Let a change or a discrepancy outdate what was verified of these values; no paths: of all."""
    verified = tuple(
        replace(v, outdated=index)
        if v.outdated is None and v.statement == statement and _share(v.paths, paths)
        else v
        for v in assurance.verified
    )
    return replace(assurance, verified=verified)


def _share(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two lists of paths name a common value; an empty one names all."""
    return not one or not other or any(overlap(a, b) for a in one for b in other)


def _corrected(assurance: Assurance, record: Record, view: StreamView) -> Assurance:
    """Mark the proposal that a correction takes up."""
    taken = proposal_of(assurance, record, view)
    if taken is None:
        return assurance
    proposals = tuple(replace(p, taken=record.index) if p == taken else p for p in assurance.proposals)
    return replace(assurance, proposals=proposals)


def proposal_of(assurance: Assurance, record: Record, view: StreamView) -> Proposal | None:
    """Return the open proposal that a correction cites, or that asks for exactly what it does."""
    cited = cited_proposal(assurance, record)
    if cited is not None:
        return cited
    for proposal in assurance.proposals:
        proposed = view.statements.get(proposal.event)
        if proposal.taken is None and proposed is not None and same_change(record, proposed.data):
            return proposal
    return None


def cited_proposal(assurance: Assurance, record: Record) -> Proposal | None:
    """Return the proposal whose event hash a correction names as its originator's source."""
    originator = record.statement.originator
    source = None if originator is None else originator.source
    return next((p for p in assurance.proposals if p.event == source), None)


def same_change(record: Record, proposed: Mapping[str, Any]) -> bool:
    """Tell whether a correction does what was proposed; of sealed values only where can be compared."""
    names = ("statement", "path", "old", "new")
    return all(record.data.get(name) == proposed.get(name) for name in names)


def _proposed(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    proposal = Proposal(
        index=record.index, event=record.event, statement=record.data["statement"], path=record.data["path"]
    )
    return replace(assurance, proposals=(*assurance.proposals, proposal))


def _cosigned(assurance: Assurance, record: Record, view: StreamView) -> Assurance:
    """Let the second signature end the wait, if this role may give it and this person is another one.

    A statement that has all its second persons waits no more and is not kept here.
    """
    actor, second = record.statement.actor, record.data["as"]
    target = view.statements.get(record.data["statement"])
    if target is None or not may_cosign(target, second, actor):
        return assurance

    def after(waiting: Waiting) -> Waiting:
        if waiting.event != target.event or actor.id in waiting.persons:
            return waiting
        ends = waiting.cosigned is None and (waiting.second == second or waiting.type in CHANGES)
        cosigned = record.index if ends else waiting.cosigned
        return replace(waiting, persons=waiting.persons | {actor.id}, cosigned=cosigned)

    signed = tuple(after(waiting) for waiting in assurance.waiting)
    open_ = {waiting.event for waiting in signed if waiting.cosigned is None}
    return replace(assurance, waiting=tuple(w for w in signed if w.event in open_))


def _query_opened(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    actor = record.statement.actor
    query = Query(
        index=record.index,
        event=record.event,
        statement=record.data["statement"],
        person=actor.id,
        role=actor.role,
        due=record.data.get("due"),
        state="open",
        changed=record.index,
    )
    return replace(assurance, queries=(*assurance.queries, query))


def _query_step(state: str) -> Callable[[Assurance, Record, StreamView], Assurance]:
    def step(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
        changes: dict[str, Any] = {"state": state, "changed": record.index}
        if "due" in record.data:
            changes["due"] = record.data["due"]
        queries = tuple(
            replace(q, **changes) if q.event == record.data["statement"] else q for q in assurance.queries
        )
        return replace(assurance, queries=queries)

    return step


def _verified(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    """Add what was verified; a difference from source that was found there is settled by it."""
    person = record.statement.actor.id
    new = tuple(
        Verified(
            index=record.index,
            event=record.event,
            statement=item["statement"],
            paths=tuple(item["paths"]),
            person=person,
        )
        for item in record.data["items"]
    )

    def after(found: Discrepancy) -> Discrepancy:
        again = any(v.statement == found.statement and _share(v.paths, found.paths) for v in new)
        return replace(found, settled=record.index) if again and found.settled is None else found

    discrepancies = tuple(after(found) for found in assurance.discrepancies)
    return replace(assurance, verified=(*assurance.verified, *new), discrepancies=discrepancies)


def _discrepancy(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    data = record.data
    found = Discrepancy(
        index=record.index, event=record.event, statement=data["statement"], paths=tuple(data["paths"])
    )
    assurance = outdate_values(assurance, found.statement, found.paths, record.index)
    return replace(assurance, discrepancies=(*assurance.discrepancies, found))


def _deviation_reported(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    deviation = Deviation(
        index=record.index,
        event=record.event,
        author=record.statement.actor.id,
        statements=frozenset(record.data["statements"]),
        rules=frozenset(record.data["rules"]),
    )
    return replace(assurance, deviations=(*assurance.deviations, deviation))


def _deviation_classified(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    named, to = record.data["statement"], record.data["classification"]
    deviations = tuple(
        replace(d, classification=to, classified=record.index) if d.event == named else d
        for d in assurance.deviations
    )
    return replace(assurance, deviations=deviations)


def _signed(assurance: Assurance, record: Record, view: StreamView) -> Assurance:
    """Add a signature; what entered its scope since the index that it is over outdates it at once."""
    data, actor = record.data, record.statement.actor
    signature = Signature(
        index=record.index,
        event=record.event,
        scope=data["scope"],
        subject=subject_of(data),
        upto=data["upto"],
        person=actor.id,
        role=actor.role,
        meaning=record.statement.meaning,
    )
    since = (
        entry.index
        for entry in view.entries
        if signature.upto <= entry.index < record.index
        and entry.statement is not None
        and (entry.statement.type in CHANGES or entry.statement.type not in QUALITY | OVERSIGHT)
        and covers(signature.scope, signature.subject, entry.statement, view.statements)
    )
    signature = replace(signature, outdated=next(since, None))
    return replace(assurance, signatures=(*assurance.signatures, signature))


def subject_of(data: Mapping[str, Any]) -> str | None:
    """Return what names the scope of a signature: an event, a visit, a milestone, or nothing."""
    for member in ("statement", "visit", "milestone"):
        if member in data:
            return str(data[member])
    return None


def _frozen(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    known = {event for event, _ in assurance.frozen}
    new = tuple((event, record.index) for event in record.data["statements"] if event not in known)
    return replace(assurance, frozen=assurance.frozen + new)


def _unfrozen(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    free = frozenset(record.data["statements"])
    return replace(assurance, frozen=tuple(pair for pair in assurance.frozen if pair[0] not in free))


def _locked(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    return replace(assurance, locks=(*assurance.locks, Lock(index=record.index, event=record.event)))


def _unlocked(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    locks = tuple(
        replace(lock, unlocked=record.index) if lock.unlocked is None else lock for lock in assurance.locks
    )
    return replace(assurance, locks=locks)


def _reviewed(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    data = record.data
    review = Review(
        index=record.index,
        event=record.event,
        first=data["first"],
        last=data["last"],
        person=record.statement.actor.id,
    )
    return replace(assurance, reviews=(*assurance.reviews, review))


def _capa_opened(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    data = record.data
    capa = Capa(index=record.index, event=record.event, owner=data["owner"], due=data["due"])
    return replace(assurance, capas=(*assurance.capas, capa))


def _capa_closed(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    named = record.data["statement"]
    capas = tuple(
        replace(c, closed=record.index) if c.event == named and c.closed is None else c
        for c in assurance.capas
    )
    return replace(assurance, capas=capas)


def _archive_sealed(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    archive = Archive(index=record.index, event=record.event, sha256=record.data["sha256"])
    return replace(assurance, archives=(*assurance.archives, archive))


def _archive_read(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    data = record.data
    archives = tuple(
        replace(a, read=record.index)
        if a.event == data["statement"] and a.sha256 == data["sha256"] and data["readable"]
        else a
        for a in assurance.archives
    )
    return replace(assurance, archives=archives)


def _retention_set(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    rule = Retention(index=record.index, until=record.data.get("until"))
    return replace(assurance, retentions=(*assurance.retentions, rule))


def _copy_received(assurance: Assurance, record: Record, _: StreamView) -> Assurance:
    data, actor = record.data, record.statement.actor
    copy = Copy(
        index=record.index,
        event=record.event,
        person=actor.id,
        role=actor.role,
        size=data["size"],
        equal=data["equal"],
    )
    return replace(assurance, copies=(*assurance.copies, copy))


STEPS: Final[Mapping[str, Callable[[Assurance, Record, StreamView], Assurance]]] = MappingProxyType(
    {
        "correction.made": _corrected,
        "correction.proposed": _proposed,
        "record.cosigned": _cosigned,
        "query.opened": _query_opened,
        "query.answered": _query_step("answered"),
        "query.reopened": _query_step("open"),
        "query.closed": _query_step("closed"),
        "query.cancelled": _query_step("cancelled"),
        "source.verified": _verified,
        "source.discrepancy_found": _discrepancy,
        "deviation.reported": _deviation_reported,
        "deviation.classified": _deviation_classified,
        "record.signed": _signed,
        "form.frozen": _frozen,
        "form.unfrozen": _unfrozen,
        "participant.locked": _locked,
        "participant.unlocked": _unlocked,
        "database.locked": _locked,
        "database.unlocked": _unlocked,
        "trail.reviewed": _reviewed,
        "capa.opened": _capa_opened,
        "capa.closed": _capa_closed,
        "archive.sealed": _archive_sealed,
        "archive.restored_and_read": _archive_read,
        "retention.rule_set": _retention_set,
        "certified_copy.received": _copy_received,
    }
)
"""What to do at each type; every other one adds nothing of its own."""
