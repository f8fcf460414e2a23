"""Is the process alive, is it ready: for whoever routes requests to it. No study is named to strangers."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.responses import Response

from api.answers import JSON, head_header
from api.call import Call
from api.operations import Operation
from api.problems import ProblemError
from api.study import ServedStudy
from ledger.errors import LedgerError
from ledger.store.port import Head


def livez(call: Call) -> Response:
    """Answer as long as the process answers at all."""
    headers = head_header(call.served.ledger.store.head()) if call.served is not None else {}
    return Response(b'{"alive":true}', headers=headers, media_type=JSON)


def readyz(call: Call) -> Response:
    """Answer whether every study can be read and written to, with the code of the first that can't."""
    studies = [call.served] if call.served is not None else list(call.request.app.state.studies.values())
    heads = [check_ready(study) for study in studies]
    headers = head_header(heads[0]) if call.served is not None else {}
    return Response(orjson.dumps({"ready": True, "studies": len(heads)}), headers=headers, media_type=JSON)


def check_ready(study: ServedStudy) -> Head:
    """Return a study's head.

    Raises:
        ProblemError: with the reason, where it can't be written to or read.
    """
    if study.tailer.draining:
        raise ProblemError("DRAINING", 503)
    startup = study.ledger.startup
    if startup.frozen:
        raise ProblemError(startup.code or "FROZEN", 503)
    if study.unpublished is not None:
        raise ProblemError("CHECKPOINT_FAILED", 503)
    try:
        return study.ledger.store.head()
    except LedgerError as error:
        raise ProblemError(error.code, 503) from error


def _pair(name: str, summary: str, handler: object, answers: dict[int, str]) -> tuple[Operation, Operation]:
    operations = [
        Operation(
            name=operation,
            method="GET",
            path=f"/{name}",
            summary=summary,
            handler=handler,  # type: ignore[arg-type]
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
        "Can every study be read and written to",
        readyz,
        {200: "it can", 503: "the code says what is wrong: frozen, busy, draining"},
    ),
)
