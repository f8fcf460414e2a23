"""What became of an edit check's question, recorded before the record that it was about (FDA 2024 Q13).

`POST /statements:prepare` answers the questions about what was entered. Whoever was asked says here what
became of one: `confirmed`, `changed` to a value that is kept, or `abandoned`. The question is asked again by
the service itself, so that nothing is recorded that no check has asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import answer
from api.body import JSON, MAX_JSON_BYTES, check_content_type, read_body, require_members
from api.call import Call
from api.operations import Operation
from api.problems import ProblemError
from api.prompts import prompts_of
from api.routes.recording import may_prepare
from ledger.errors import FormatError
from ledger.submission import parse_body

ANSWERS: Final = ("changed", "confirmed", "abandoned")
_MEMBERS: Final = frozenset({"action", "check", "path", "answer"})
_OPTIONAL: Final = frozenset({"open", "kept"})


async def edit_check(call: Call) -> Response:
    """Record one question with what was entered and what became of it."""
    check_content_type(call.request, JSON)
    body = parse_body(await read_body(call.request, MAX_JSON_BYTES))
    return await run_in_threadpool(_record, call, body)


def _record(call: Call, body: Mapping[str, Any]) -> Response:
    require_members(body, _MEMBERS, _OPTIONAL)
    action, opened = body["action"], body.get("open", {})
    if not isinstance(action, dict) or not isinstance(opened, dict):
        raise FormatError("BODY", "expected objects", field="/action")
    said = body["answer"]
    if said not in ANSWERS:
        raise FormatError("BODY", f"expected one of {', '.join(ANSWERS)}", field="/answer")
    if ("kept" in body) != (said == "changed"):
        raise ProblemError("KEPT", 422, field="/kept")
    ledger = call.study.ledger
    if not may_prepare(call.reader, action, ledger):
        raise ProblemError("FORBIDDEN", 403, field="/action/stream")
    asked = next(
        (
            each
            for each in prompts_of(ledger, action, opened)
            if each.check == body["check"] and each.path == body["path"]
        ),
        None,
    )
    if asked is None:
        raise ProblemError("NOT_ASKED", 422, field="/check")
    kept = {"changed": body.get("kept"), "confirmed": asked.entered}.get(said)
    data = {
        "answer": said,
        "check": asked.check,
        "path": asked.path,
        "type": action["type"],
        "who": call.reader.person or "",
    }
    sealed = {"/data/entered": asked.entered, "/data/kept": kept, "/data/prompt": asked.text}
    index = ledger.attest_prompt(action["stream"], data, sealed, schema=asked.schema)
    return answer(call, {"index": index}, ledger.store.head(), status=201)


_BODY: Final = {
    "type": "object",
    "required": sorted(_MEMBERS),
    "properties": {
        "action": {"type": "object", "description": "as it was given to prepare"},
        "open": {"type": "object", "description": "values to seal, by path, as they were given to prepare"},
        "check": {"type": "string"},
        "path": {"type": "string", "description": "of the value that was asked about"},
        "answer": {"type": "string", "enum": list(ANSWERS)},
        "kept": {"description": "the value after, where it was changed"},
    },
    "additionalProperties": False,
}

OPERATIONS: Final = (
    Operation(
        name="edit-check",
        method="POST",
        path="/edit-checks",
        summary="Record an edit check's question: what was entered, the words, what became of it",
        text="At most 20 an hour are recorded for each person, the rest counted: `index` is null then.",
        handler=edit_check,
        body=(JSON, _BODY),
        answers={
            201: "recorded as edit_check.fired, or counted",
            409: "the stream has grown meanwhile: ask again",
            422: "no check asks that of this record, or it can't be recorded",
        },
    ),
)
