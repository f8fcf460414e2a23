"""Prepare, hand in, attach: how statements come into the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import unblindings
from api.answers import PRIVATE, answer, head_header
from api.body import (
    JSON,
    JSON_LINES,
    MAX_JSON_BYTES,
    check_content_type,
    media_type,
    read_body,
    require_members,
)
from api.call import Call
from api.operations import Operation, path
from api.problems import ProblemError, problem_members
from api.prompts import prompts_of
from api.recorder import Settled
from api.unblindings import Waits
from ledger.actions.registry import parse_action
from ledger.attachments import MAX_ATTACHMENT_BYTES
from ledger.committer import Ledger
from ledger.errors import ConflictError, FormatError, FrozenError, LedgerError
from ledger.lines import encode_base64, parse_hash
from ledger.merkle import MAX_SIZE
from ledger.prepare import Prepared
from ledger.recorded import Recorded
from ledger.statement import Seen
from ledger.store.port import Head
from ledger.submission import Submission, parse_body, parse_submission
from ledger.unblinding_door import StaleError
from projections.authorization import Place, allowed
from projections.reader import Reader

MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_BATCH_LINES: Final = 1_000

Parsed = Submission | LedgerError

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,62}/[a-z0-9][a-z0-9.+_-]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def record(call: Call) -> Response:
    """Record a signed statement; the signature is all the authentication that it needs."""
    check_content_type(call.request, JSON)
    body = await read_body(call.request, MAX_JSON_BYTES)
    return await recorded(call, parse_submission(body))


async def recorded(call: Call, submission: Submission) -> Response:
    """Record what is signed, and answer with its receipt.

    Raises:
        ProblemError: `STALE`, with the head to sign against.
    """
    study = call.study
    try:
        settled = await unblindings.record(study, submission)
    except ConflictError as error:
        if error.code != "STALE":
            raise
        raise await run_in_threadpool(stale, study.ledger, submission, error) from error
    if isinstance(settled, Waits):
        return await run_in_threadpool(waits, call, settled)
    # A commit of this process is as new as a head must be that an answer names, and need not be read.
    head = None if settled.again else study.ledger.committed
    if head is None:
        head = await run_in_threadpool(study.ledger.store.head)
    return answer(call, recorded_members(settled), head, status=200 if settled.again else 201)


async def record_batch(call: Call) -> Response:
    """Record many signed statements in as few commits as possible; one outcome a line, in order."""
    check_content_type(call.request, JSON_LINES)
    body = await read_body(call.request, MAX_BATCH_BYTES)
    parsed = await run_in_threadpool(_parse_lines, body)
    submissions = [each for each in parsed if isinstance(each, Submission)]
    study = call.study
    outcomes = iter(await unblindings.record_page(study, submissions) if submissions else ())
    settled: list[Settled | Waits] = [
        next(outcomes) if isinstance(each, Submission) else each for each in parsed
    ]
    return await run_in_threadpool(_lines, study.ledger, parsed, settled)


def _parse_lines(body: bytes) -> list[Parsed]:
    """Parse every line by itself: one that is malformed has its own outcome, as every other."""
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if not 1 <= len(lines) <= MAX_BATCH_LINES:
        raise ProblemError("BATCH", 400)
    return [_parse_line(line) for line in lines]


def _parse_line(line: bytes) -> Parsed:
    try:
        return parse_submission(line)
    except LedgerError as error:
        return error


def _lines(ledger: Ledger, parsed: Sequence[Parsed], settled: Sequence[Settled | Waits]) -> Response:
    lines = bytearray()
    for submission, outcome in zip(parsed, settled, strict=True):
        lines += orjson.dumps(_outcome(ledger, submission, outcome)) + b"\n"
    headers = {**PRIVATE, **head_header(ledger.store.head())}
    return Response(bytes(lines), headers=headers, media_type=JSON_LINES)


def _outcome(ledger: Ledger, submission: Parsed, outcome: Settled | Waits) -> dict[str, Any]:
    if isinstance(outcome, Waits):
        return {"status": 202, **waiting_members(outcome)}
    if isinstance(outcome, Recorded):
        return {"status": 200 if outcome.again else 201, **recorded_members(outcome)}
    if isinstance(outcome, ConflictError) and outcome.code == "STALE" and isinstance(submission, Submission):
        outcome = stale(ledger, submission, outcome)
    if isinstance(outcome, LedgerError):
        return problem_members(outcome)
    raise outcome


async def prepare_statement(call: Call) -> Response:
    """Fill in what the log knows and seal what must be sealed; nothing is recorded."""
    check_content_type(call.request, JSON)
    body = parse_body(await read_body(call.request, MAX_JSON_BYTES))
    return await run_in_threadpool(_prepare, call, body)


async def put_attachment(call: Call) -> Response:
    """Keep the bytes of an attachment under their hash, to be named by a statement after."""
    sha256, kind = call.path("sha256"), media_type(call.request)
    if _SHA256.fullmatch(sha256) is None:
        raise ProblemError("NOT_FOUND", 404)
    if _MEDIA_TYPE.fullmatch(kind) is None:
        raise ProblemError("CONTENT_TYPE", 415)
    data = await read_body(call.request, MAX_ATTACHMENT_BYTES)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ProblemError("ATTACHMENT", 422)
    return await run_in_threadpool(_put_attachment, call, sha256, kind, data)


def recorded_members(recorded: Recorded) -> dict[str, Any]:
    value: dict[str, Any] = {
        "index": recorded.index,
        "event": recorded.event,
        "leaf": encode_base64(recorded.leaf),
        "receipt": recorded.receipt.decode(),
    }
    if recorded.breaches:
        value["breaches"] = list(recorded.breaches)
    if recorded.added:
        value["added"] = list(recorded.added)
    return value


def waiting_members(queued: Waits) -> dict[str, Any]:
    return {"event": queued.event, "state": "waiting"}


def waits(call: Call, queued: Waits) -> Response:
    """Answer for an emergency unblinding that is queued: durable, and shown at its regimen from now on."""
    return answer(call, waiting_members(queued), call.study.ledger.store.head(), status=202)


def stale(ledger: Ledger, submission: Submission, error: ConflictError) -> ProblemError:
    """Give the head to sign against: of the log, and of the statement's stream."""
    with ledger.store.snapshot() as reads:
        head = reads.head()
        seq, event = reads.stream_head(submission.statement.stream) or (0, "0" * 64)
    place = (error.seq, error.prev) if isinstance(error, StaleError) else (seq + 1, event)
    members = {"head": head.note.decode(), "seq": place[0], "prev": place[1], "seen": _seen(head)}
    return ProblemError("STALE", 409, field=error.field, members=members)


def _seen(head: Head) -> dict[str, Any]:
    return {"root": encode_base64(head.root), "size": head.size}


def _prepare(call: Call, body: Mapping[str, Any]) -> Response:
    require_members(body, {"action"}, {"open", "have"})
    action, opened = body["action"], body.get("open", {})
    if not isinstance(action, dict):
        raise FormatError("BODY", "expected an object", field="/action")
    if not isinstance(opened, dict):
        raise FormatError("BODY", "expected an object of values by path", field="/open")
    have = _have(body["have"]) if "have" in body else None
    ledger = call.study.ledger
    if not may_prepare(call.reader, action, ledger):
        raise ProblemError("FORBIDDEN", 403, field="/action/stream")
    prepared = call.study.unblindings.prepare(action, opened, have)
    parse_action(prepared.statement, opened)  # what can't be recorded for its form is not offered for signing
    asked = [each.members() for each in prompts_of(ledger, action, opened)]
    return answer(call, _prepared(prepared) | ({"prompts": asked} if asked else {}), ledger.store.head())


def _prepared(prepared: Prepared) -> dict[str, Any]:
    return {
        "statement": encode_base64(prepared.statement.body),
        "event": prepared.statement.event,
        "disclosures": dict(prepared.disclosures),
        "head": prepared.head.decode(),
        "consistency": [encode_base64(each) for each in prepared.consistency],
    }


def _have(value: Any) -> Seen:
    if not isinstance(value, dict) or value.keys() != {"root", "size"}:
        raise FormatError("BODY", "expected exactly root and size", field="/have")
    size, root = value["size"], value["root"]
    if type(size) is not int or not 0 <= size <= MAX_SIZE or not isinstance(root, str):
        raise FormatError("BODY", "expected a root in base64 and a size", field="/have")
    try:
        return Seen(root=parse_hash(root, what="the root", code="BODY"), size=size)
    except FormatError as error:
        raise FormatError("BODY", error.message, field="/have/root") from error


def may_prepare(reader: Reader, action: Mapping[str, Any], ledger: Ledger) -> bool:
    """Tell whether a reader may learn a stream's tag, and where it stands.

    Those who see it whole do, and those whose role signs this type there: who unblinds in an emergency signs
    for a stream that they do not read. `prepare` refuses what is no stream, so anything else passes here.
    """
    stream, type_, site = action.get("stream"), action.get("type"), action.get("site")
    if not isinstance(stream, str):
        return True
    if stream.startswith("participant/"):
        head = ledger.refresh().chain.head_of(stream)
        site = head.site if head.seq else site
    place = Place(
        stream=stream,
        type=type_ if isinstance(type_, str) else "",
        site=site if isinstance(site, str) else None,
    )
    return bool(allowed(reader, "prepare", place))


def _put_attachment(call: Call, sha256: str, kind: str, data: bytes) -> Response:
    startup = call.study.ledger.startup
    if startup.frozen:
        raise FrozenError(startup.code or "FROZEN", startup.message)
    store = call.study.ledger.store
    kept = store.attachment(sha256)
    if kept is not None and kept.media_type != kind:
        raise ProblemError("ATTACHMENT", 409)
    if kept is None:
        store.put_attachment(sha256, kind, data)
    value = {"media_type": kind, "sha256": sha256, "size": len(data)}
    return answer(call, value, store.head(), status=201 if kept is None else 200)


_SUBMISSION: Final = {"$ref": "#/components/schemas/Submission"}
_LINES: Final = {"type": "string", "format": "binary", "description": "a Submission on each line"}
_PREPARE: Final = {"$ref": "#/components/schemas/Prepare"}

OPERATIONS: Final = (
    Operation(
        name="record",
        method="POST",
        path="/statements",
        summary="Record a signed statement",
        text=(
            "No token: the signature is the authentication. Checks in this order: body, signature of the key "
            "named, known event (200, the first index and event), authority, id used by another statement, "
            "seq and prev (409 with the head to sign against), rules. While nothing can be recorded, an "
            "emergency unblinding.performed is queued, durably, and enters the log first afterwards (202); "
            "its regimen is shown to its signer."
        ),
        handler=record,
        body=(JSON, _SUBMISSION),
        answers={
            200: "recorded before; the same index and event, and a receipt",
            201: "recorded, with receipt; `breaches` and `added` where the commit holds more",
            202: "an emergency unblinding waits to be recorded; the same bytes give the receipt afterwards",
            401: "the signature does not hold, or the log does not know the key",
            409: "the stream has grown: `head`, `seen`, `seq` and `prev` to sign against",
            422: "refused, by the code",
        },
    ),
    Operation(
        name="record-batch",
        method="POST",
        path="/statements:batch",
        summary="Record many signed statements, a line each, in as few commits as possible",
        text=(
            f"JSON lines of what `record` takes, {MAX_BATCH_LINES} at most. Each line gets an outcome in its "
            "place: what `record` would have answered, with its `status`; one that is refused keeps no other "
            "from being recorded. Breaches are recorded behind all of them."
        ),
        handler=record_batch,
        body=(JSON_LINES, _LINES),
        answers={200: "one outcome a line, in the order of the lines"},
        media=JSON_LINES,
    ),
    Operation(
        name="prepare",
        method="POST",
        path="/statements:prepare",
        summary="Make the statement that would be next in its stream, to be checked and signed by the client",
        handler=prepare_statement,
        body=(JSON, _PREPARE),
        text="`prompts` are the study's edit checks that ask about what was entered; see `edit-check`.",
        answers={
            200: "the statement's bytes, its disclosures, and the head that it has seen",
            422: "nothing that could be signed: sealed paths, a value, or a tree that this log does not have",
        },
    ),
    Operation(
        name="put-attachment",
        method="PUT",
        path="/attachments/{sha256}",
        summary="Keep bytes under their hash, before a statement names them",
        handler=put_attachment,
        parameters=(path("sha256", "SHA-256 of the bytes, hex"),),
        body=("application/octet-stream", {"type": "string", "format": "binary"}),
        answers={
            200: "kept already",
            201: "kept",
            409: "kept already under another media type",
            422: "the bytes have another hash",
        },
    ),
)
