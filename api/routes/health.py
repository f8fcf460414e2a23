"""Is the process alive, is it ready, and its counts: for whoever routes requests to it and watches over it.

No study is named to strangers: at the root `readyz` says how many are not ready and why, under a study's own
address it says why that one is not.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import Counter
from typing import Final

import orjson
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from api.answers import JSON, head_header
from api.call import Call
from api.operations import Operation
from api.problems import CHALLENGE, ProblemError, public_code
from api.study import ServedStudy
from ledger.errors import LedgerError
from ledger.store.port import Head

FOLD_WAIT_S: Final = 0.25
"""How long a probe waits for a first reading of the log, so that a short one is never told as not ready."""

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def livez(call: Call) -> Response:
    """Answer as long as the process answers at all."""
    headers = head_header(call.served.ledger.store.head()) if call.served is not None else {}
    return Response(b'{"alive":true}', headers=headers, media_type=JSON)


def readyz(call: Call) -> Response:
    """Answer whether every study can be read and written to, with the codes of those that can't."""
    studies = [call.served] if call.served is not None else list(call.request.app.state.studies.values())
    heads: list[Head] = []
    warnings: Counter[str] = Counter()
    waiting: list[ProblemError] = []
    for study in studies:
        try:
            heads.append(check_ready(study))
            warnings.update(study.configured.warnings())
        except ProblemError as error:
            waiting.append(error)
    if waiting:
        codes = dict(Counter(error.code for error in waiting))
        members = {"studies": len(studies), "not_ready": codes}
        raise ProblemError(waiting[0].code, 503, headers={"Retry-After": "1"}, members=members)
    headers = head_header(heads[0]) if call.served is not None else {}
    value = {"ready": True, "studies": len(heads)} | ({"warnings": dict(warnings)} if warnings else {})
    return Response(orjson.dumps(value), headers=headers, media_type=JSON)


def check_ready(study: ServedStudy) -> Head:
    """Return a study's head.

    Raises:
        ProblemError: with the reason, where it can't be written to or read: DRAINING, FOLDING, what froze it
            at start-up, CHECKPOINT_FAILED, STORAGE_DAMAGED, or what its store says.
    """
    if study.tailer.draining:
        raise ProblemError("DRAINING", 503)
    startup = study.ledger.startup
    if startup.frozen:
        raise ProblemError(public_code(startup.code), 503)
    if study.unpublished is not None:
        raise ProblemError("CHECKPOINT_FAILED", 503)
    if study.audit is not None and study.audit.damage:
        raise ProblemError("STORAGE_DAMAGED", 503)
    if not study.folded.wait(FOLD_WAIT_S):
        raise ProblemError("FOLDING", 503)
    try:
        return study.ledger.store.head()
    except LedgerError as error:
        raise ProblemError(error.code, 503) from error


def metrics(call: Call) -> Response:
    """Write the counts for who may read them: with the token, or on this machine where there is none."""
    _check_reader(call.request)
    return Response(call.request.app.state.metrics.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _check_reader(request: Request) -> None:
    """Let in who brings the token. Without one set, this machine alone, and nobody whom a proxy brings.

    A proxy on this machine makes everybody look local. Those that say what they do are refused here; one that
    doesn't has to refuse the address itself, or a token is set (docs/operating.md).
    """
    operating = request.app.state.operating
    if operating.metrics_token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = operating.metrics_token.encode()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), expected):
            raise ProblemError("UNAUTHENTICATED", 401, headers=CHALLENGE)
        return
    forwarded = any(name in request.headers for name in FORWARDED)
    if forwarded or not _is_local(request):
        raise ProblemError("FORBIDDEN", 403)


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _pair(name: str, summary: str, handler: object, answers: dict[int, str]) -> tuple[Operation, Operation]:
    operations = [
        Operation(
            name=operation,
            method="GET",
            path=f"/{name}",
            summary=summary,
            handler=handler,  # type: ignore[arg-type]
            twins=("json",),
            answers=answers,
            in_study=operation != name,
        )
        for operation in (name, f"study-{name}")
    ]
    return operations[0], operations[1]


OPERATIONS: Final = (
    *_pair("livez", "Is the process alive", livez, {200: "it is"}),
    *_pair(
        "readyz",
        "Can every study be read and written to; warnings where one runs otherwise than its log says",
        readyz,
        {
            200: "it can; `warnings` are codes with how many studies they are of",
            503: "the code says what is wrong: frozen, busy, draining, folding",
        },
    ),
    Operation(
        name="metrics",
        method="GET",
        path="/metrics",
        summary="Counts in Prometheus' text format, for the operator",
        text="With the operator's token, or from the machine itself where none is set; never with a study's.",
        handler=metrics,
        answers={200: "the counts", 401: "not the operator's token", 403: "asked from elsewhere"},
        media="text/plain",
        in_study=False,
    ),
)
