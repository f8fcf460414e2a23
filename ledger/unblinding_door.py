"""An emergency unblinding that comes in signed, over HTTP, while nothing can be recorded (catalogue D).

    prepared = prepare_waiting(ledger, queue, action, opened, have)   # for the place behind what waits
    event = take(ledger, queue, submission)                           # durable in the queue when it returns
    waits_for(ledger, queue, person, role, participant)               # may it be shown to this person already

What is taken is held to all that the log would hold it to: form, signature, authority, its place. Who signed
for another place is told the present one by `StaleError`, and signs again. What the value is, is shown by
the queue's row as it would be by the log's: to the signer and to the people of the study whom they name.

Left out on purpose: signing here (`unblinding`), and how what waits enters the log (`unblinding_queue`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from ledger.checkpoint import check_published
from ledger.committer import Ledger
from ledger.errors import ConflictError, RefusedError
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.prepare import Prepared, prepare
from ledger.statement import Seen, Statement, make_statement
from ledger.store.unblindings import UnblindingQueue, Waiting
from ledger.submission import Submission
from ledger.tiles import TileHashes
from ledger.unblinding_queue import ROLES, STREAM, check_now, place_behind, sealed, unsealed

TYPE: Final = "unblinding.performed"


class StaleError(ConflictError):
    """A statement signed for another place than the one behind what waits; it tells the place."""

    def __init__(self, seq: int, prev: str, field: str) -> None:
        super().__init__("STALE", "expected the place behind what waits", field=field)
        self.seq = seq
        self.prev = prev


class _KnownError(Exception):
    """The same statement waits already."""


def prepare_waiting(
    ledger: Ledger,
    queue: UnblindingQueue,
    action: Mapping[str, Any],
    opened: Mapping[str, Any],
    have: Seen | None = None,
) -> Prepared:
    """Make the statement that would be next behind what waits.

    `seen` is the newest published checkpoint where the log that is here is behind it, so that the log that
    comes back holds it; who has another head, to which this log can prove nothing beyond itself, is given
    this log's.

    Raises:
        FormatError, ProofError: as `prepare`.
    """
    waiting = queue.waiting()
    last = unsealed(ledger, waiting[-1]) if waiting else None
    published = _ahead(ledger)
    if published is not None and (have is None or have.size == published[0].size):
        prepared, changes = prepare(ledger, action, opened), _seen(published[0])
        prepared = replace(prepared, head=published[1])
    else:
        prepared, changes = prepare(ledger, action, opened, have), {}
    if last is not None:
        changes |= {"seq": last.statement.seq + 1, "prev": last.statement.event}
    if not changes:
        return prepared
    body = {**orjson.loads(prepared.statement.body), **changes}
    return replace(prepared, statement=make_statement(body))


def take(ledger: Ledger, queue: UnblindingQueue, submission: Submission) -> str:
    """Put a signed unblinding into the queue, where it is not there yet; return its event.

    Raises:
        StaleError: it is signed for another place.
        RefusedError, FormatError, SignatureError: what the log would have against it.
        StoreError: the log cannot be read, or the queue cannot be written.
    """
    ledger.refresh()

    def admit(before: Sequence[Waiting]) -> Waiting:
        if any(each.event == submission.statement.event for each in before):
            raise _KnownError
        _check(ledger, submission, unsealed(ledger, before[-1]) if before else None)
        return sealed(ledger, submission)

    try:
        return queue.put(admit).event
    except _KnownError:
        return submission.statement.event


def waits_for(ledger: Ledger, queue: UnblindingQueue, person: str, role: str, participant: str) -> bool:
    """Tell whether an unblinding waits that shows a regimen to a person in a role that unblinds.

    Raises:
        StoreError: the queue cannot be read.
    """
    return role in ROLES and any(
        _shows(unsealed(ledger, each).statement, person, participant) for each in queue.waiting()
    )


def _shows(statement: Statement, person: str, participant: str) -> bool:
    data = statement.data
    return bool(
        data["participant"] == participant
        and person in (statement.actor.id, data.get("performer"), *data["disclosed_to"])
    )


def _check(ledger: Ledger, submission: Submission, before: Submission | None) -> None:
    """Hold a statement to what the log would, at the place behind what waits."""
    statement = submission.statement
    if statement.log != ledger.origin:
        raise RefusedError("LOG", "the statement belongs to another log", field="/log")
    if statement.type != TYPE or statement.stream != STREAM:
        raise RefusedError("ROLE_NOT_ALLOWED", "expected an emergency unblinding", field="/type")
    check_now(ledger, submission)
    row = ledger.stream(STREAM)
    seq, prev = place_behind(ledger, row.tag, before)
    if statement.tag != row.tag:
        raise StaleError(seq, prev, "/tag")
    if (statement.seq, statement.prev) != (seq, prev):
        raise StaleError(seq, prev, "/seq" if statement.seq != seq else "/prev")
    _check_seen(ledger, statement)


def _check_seen(ledger: Ledger, statement: Statement) -> None:
    """Require a tree that this log has, or the published one that it is behind (record-format.md §2)."""
    seen, size = statement.seen, ledger.fold.size
    published = _ahead(ledger)
    if published is not None and seen == published[0]:
        return
    if not 1 <= seen.size <= size:
        raise RefusedError("SEEN_SIZE", "expected a tree of this log", field="/seen/size")
    if read_frontier(seen.size, TileHashes(ledger.store.tile_hashes)).root() != seen.root:
        raise RefusedError("SEEN_ROOT", "not the log's root at that size", field="/seen/root")


def _ahead(ledger: Ledger) -> tuple[Seen, bytes] | None:
    """Return the newest published checkpoint, with its note, where this log is behind it."""
    published = ledger.checkpoints.latest()
    if published is None or published[0] <= ledger.store.head().size:
        return None
    found = check_published(published[1], ledger.signers.verifier_keys)
    return Seen(root=found.root, size=found.size), published[1]


def _seen(seen: Seen) -> dict[str, Any]:
    return {"seen": {"root": encode_base64(seen.root), "size": seen.size}}
