"""What of emergency unblindings waits to be recorded, and how it enters the log (catalogue D).

A frozen log does not move, so a statement is signed for its place: next in `safety`, or behind what waits
already, with the newest published checkpoint as `seen`. When writing resumes `settle` records what waits
before anything else; it then says SIGNED_AT_APART, which is the truth. Where the log that came back has gone
on in `safety` meanwhile, or does not know the key any more, a signature does not fit its place: the ledger
stays closed for writing (UNBLINDING_QUEUED) until the same words are signed again, by the same person or by
another who may, with the first as performer.

Left out on purpose: what is asked, and what is shown (`unblinding`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from ledger.actions.registry import parse_action
from ledger.admission import open_disclosures, raise_first, raise_form
from ledger.authorisation import check_signatures, judge
from ledger.checkpoint import check_published
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE
from ledger.errors import FrozenError, LedgerError, RefusedError
from ledger.leaf import Leaf, stream_tag
from ledger.lines import encode_base64, parse_base64
from ledger.merkle import read_frontier
from ledger.prepare import Prepared, Signer, prepare
from ledger.recorded import Recorded
from ledger.roles import PHYSICIANS
from ledger.statement import Seen, make_statement
from ledger.store.port import NewStream
from ledger.store.startup import Startup
from ledger.store.unblindings import UnblindingQueue, Waiting
from ledger.submission import Submission, format_submission, parse_submission
from ledger.tiles import TileHashes
from ledger.times import format_instant

STREAM: Final = "safety"
ROLES: Final = ("on_call_unblinding", *PHYSICIANS)
QUEUED: Final = "UNBLINDING_QUEUED"

_KEY: Final = ("unblindings", "safety")  # stream and scope of the data key that seals what waits
_PATH: Final = "/submission"


def role_of(ledger: Ledger, signer: Signer) -> str:
    """Return a role in which a person may unblind.

    Raises:
        RefusedError: `ROLE_NOT_HELD`.
    """
    authority = ledger.refresh().authority
    for role in ROLES:
        if authority.holds(signer.person, role, None):
            return role
    raise RefusedError(
        "ROLE_NOT_HELD", "expected an investigator or the on-call service", field="/actor/role"
    )


def put(
    ledger: Ledger,
    queue: UnblindingQueue,
    signer: Signer,
    value: Mapping[str, Any],
    opened: Mapping[str, Any],
) -> str:
    """Sign a statement for the place behind what waits, and queue it; return its event hash.

    Raises:
        RefusedError: what authority has against the signer.
        StoreError: the queue cannot be written.
    """
    return queue.put(lambda before: _sign_for_queue(ledger, signer, value, opened, before)).event


def settle(ledger: Ledger, queue: UnblindingQueue, signer: Signer | None = None) -> tuple[Recorded, ...]:
    """Record what waits, in order and before anything else; where something has to wait on, freeze.

    With a signer, what does not fit its place any more is signed again.

    Raises:
        StoreError: the queue cannot be read.
        LedgerError: with a signer, whatever keeps the statements out.
    """
    waiting = queue.waiting()
    if ledger.startup.frozen or not waiting:
        return ()
    done: tuple[Recorded, ...] = ()
    try:
        done = _record_ready(ledger, queue, _ready(ledger, queue, waiting, signer))
    except LedgerError:
        if signer is not None:
            raise
    if len(done) < len(waiting):
        _freeze(ledger)
    return done


def sign_again(ledger: Ledger, queue: UnblindingQueue, signer: Signer) -> tuple[Recorded, ...]:
    """Sign again what waits in a ledger that is closed for it, and record it.

    Raises:
        FrozenError: the ledger is frozen for another reason.
        RefusedError: the signer may not unblind; the ledger stays closed.
    """
    if ledger.startup.frozen and ledger.startup.code != QUEUED:
        raise FrozenError(ledger.startup.code or "FROZEN", ledger.startup.message)
    ledger.startup = Startup(frozen=False, code=None, message="what waited is being recorded")
    try:
        return settle(ledger, queue, signer)
    except LedgerError:
        _freeze(ledger)
        raise


def settle_again(ledger: Ledger, queue: UnblindingQueue) -> tuple[Recorded, ...]:
    """Record what waits in a ledger that stays open: also where it was closed for what waits (QUEUED).

    It may fit now, or another process has signed it again and nothing waits any more.

    Raises:
        StoreError: the queue cannot be read.
    """
    waiting = queue.waiting()
    if ledger.startup.code != QUEUED:
        return settle(ledger, queue) if waiting else ()
    if waiting and not _ready(ledger, queue, waiting, None):
        return ()
    ledger.startup = Startup(frozen=False, code=None, message="nothing waits to be recorded first")
    return settle(ledger, queue)


def _ready(
    ledger: Ledger, queue: UnblindingQueue, waiting: Sequence[Waiting], signer: Signer | None
) -> list[Submission]:
    """Return what can be recorded now, from the first on; with a signer all, signed again if need be."""
    ready: list[Submission] = []
    for each in waiting:
        submission, before = unsealed(ledger, each), ready[-1] if ready else None
        if not _fits(ledger, submission, before):
            if signer is None:
                break
            submission = signed_again(ledger, signer, submission, before)
            queue.replace(each.event, sealed(ledger, submission))
        ready.append(submission)
    return ready


def _record_ready(
    ledger: Ledger, queue: UnblindingQueue, ready: Sequence[Submission]
) -> tuple[Recorded, ...]:
    """Record statements in one commit, and take them from the queue once they are durable."""
    done = []
    for submission, outcome in zip(ready, ledger.record_all(ready, breaches_last=True), strict=True):
        if isinstance(outcome, LedgerError):
            raise outcome
        queue.remove(submission.statement.event)
        done.append(outcome)
    return tuple(done)


def _sign_for_queue(
    ledger: Ledger,
    signer: Signer,
    value: Mapping[str, Any],
    opened: Mapping[str, Any],
    before: Sequence[Waiting],
) -> Waiting:
    """Sign for the place behind what waits, judge the statement as the log would, and seal it."""
    last = unsealed(ledger, before[-1]) if before else None  # its stream's salt comes with it
    prepared = prepare(ledger, signer.complete(ledger, value), opened)
    changes: dict[str, Any] = {"seen": _seen(ledger, prepared)}
    if last is not None:
        changes |= {"seq": last.statement.seq + 1, "prev": last.statement.event}
    submission = _signed(signer, prepared, changes)
    check_now(ledger, submission)
    return sealed(ledger, submission)


def _seen(ledger: Ledger, prepared: Prepared) -> dict[str, Any]:
    """Name the newest published checkpoint where it is ahead: the log that comes back will hold it."""
    seen, published = prepared.statement.seen, ledger.checkpoints.latest()
    if published is not None and published[0] > seen.size:
        root = check_published(published[1], ledger.signers.verifier_keys).root
        seen = Seen(root=root, size=published[0])
    return {"root": encode_base64(seen.root), "size": seen.size}


def _signed(signer: Signer, prepared: Prepared, changes: Mapping[str, Any]) -> Submission:
    body = {**orjson.loads(prepared.statement.body), **changes}
    return signer.sign(
        Prepared(
            statement=make_statement(body),
            disclosures=prepared.disclosures,
            head=prepared.head,
            consistency=(),
        )
    )


def check_now(ledger: Ledger, submission: Submission) -> None:
    """Hold a statement to form, signature, authority and the rules of form, as of the log that is there."""
    fold, statement = ledger.fold, submission.statement
    leaf = Leaf(
        at=format_instant(ledger.sources.now_us()),
        cls=statement.cls,
        index=fold.size,
        payload_type=PAYLOAD_TYPE,
        sigs=submission.sigs,
        site="",
        statement=statement.event,
        stream=statement.tag,
        v=1,
    )
    entry = Entry(index=Index(fold.size), leaf=leaf, event=statement.event, statement=statement)
    parse_action(statement, open_disclosures(submission))
    check_signatures(fold.authority, statement, leaf)
    raise_first(judge(fold.authority, entry))
    if fold.is_whole:  # an answer does not wait for it; the log judges it all the same when it takes it in
        raise_form(fold.conduct.judge(entry, fold.authority))


def sealed(ledger: Ledger, submission: Submission) -> Waiting:
    """Seal a submission with the salt of its stream, which the log may not have yet."""
    event = submission.statement.event
    content = {
        "salt": ledger.stream(STREAM).salt.hex(),
        "submission": encode_base64(format_submission(submission)),
    }
    text = encode_base64(orjson.dumps(content))
    nonce, ciphertext = ledger.data_keys.seal(event, _PATH, *_KEY, text)
    return Waiting(event=event, nonce=nonce, ciphertext=ciphertext)


def unsealed(ledger: Ledger, waiting: Waiting) -> Submission:
    """Open what waits; where the log has no `safety` yet, its stream will have the salt that was signed."""
    submission, salt = opened(ledger.data_keys, waiting)
    ledger.reserve(NewStream(stream=STREAM, tag=stream_tag(STREAM, salt), salt=salt))
    return submission


def opened(data_keys: DataKeys, waiting: Waiting) -> tuple[Submission, bytes]:
    """Open what waits under a ledger's data keys; return it and the salt of the stream that it is for."""
    text = data_keys.open(waiting.event, _PATH, *_KEY, waiting.nonce, waiting.ciphertext)
    content = orjson.loads(_decoded(text))
    return parse_submission(_decoded(content["submission"])), bytes.fromhex(content["salt"])


def _decoded(text: str) -> bytes:
    return parse_base64(text, what="what waits", code="STORE_CORRUPT")


def _fits(ledger: Ledger, submission: Submission, before: Submission | None) -> bool:
    """Tell whether a statement fits its place: behind `before`, else next in its stream; its key too."""
    statement, fold = submission.statement, ledger.refresh()
    if ledger.store.index_of_event(statement.event) is not None:
        return True
    seen = statement.seen
    if ledger.stream(STREAM).tag != statement.tag or seen.size > fold.size:
        return False
    if (statement.seq, statement.prev) != place_behind(ledger, statement.tag, before):
        return False
    root = read_frontier(seen.size, TileHashes(ledger.store.tile_hashes)).root()
    if root != seen.root or seen.size < fold.chain.seen.get(statement.key.id, 0):
        return False
    try:
        check_now(ledger, submission)
    except LedgerError:
        return False
    return True


def place_behind(ledger: Ledger, tag: str, before: Submission | None) -> tuple[int, str]:
    """Return `seq` and `prev` of what is next in a stream, behind one that is to be recorded."""
    if before is not None:
        return before.statement.seq + 1, before.statement.event
    last = ledger.refresh().chain.head(tag)
    return last.seq + 1, last.event


def signed_again(
    ledger: Ledger, signer: Signer, submission: Submission, before: Submission | None
) -> Submission:
    """Sign the same words for the place that is next now; id and sealed values stay."""
    row, head = ledger.stream(STREAM), ledger.store.head()
    first = submission.statement.actor
    seq, prev = place_behind(ledger, row.tag, before)
    body = {
        **orjson.loads(submission.statement.body),
        "log": ledger.origin,
        "tag": row.tag,
        "seq": seq,
        "prev": prev,
        "seen": {"root": encode_base64(head.root), "size": head.size},
        "key": {"alg": signer.key.alg, "id": signer.key.id},
        "signed_at": format_instant(ledger.sources.now_us()),
    }
    if signer.person != first.id:
        body["actor"] = signer.actor(role_of(ledger, signer))
        body["data"] = {"performer": first.id, **body["data"]}
    prepared = Prepared(
        statement=make_statement(body), disclosures=submission.disclosures, head=head.note, consistency=()
    )
    return signer.sign(prepared)


def _freeze(ledger: Ledger) -> None:
    message = "an emergency unblinding waits to be recorded first; who signed it signs it again"
    ledger.startup = Startup(frozen=True, code=QUEUED, message=message)
