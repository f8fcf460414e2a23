"""The OpenAPI 3.1 document: written from the declared operations and from the catalogue of actions.

Nothing here is kept by hand beside the code: operations come from `operations`, who may ask from the table of
roles, the shape of every action's `data` from its class. The same code gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from api.answer_shapes import BASE64, HASH, TEXT
from api.auth import ANYBODY, PERMITTED
from api.openapi_answers import COMPONENTS, schema_of
from api.openapi_examples import examples_of
from api.operations import BASE, Operation, Parameter, path
from api.problems import MEDIA_TYPE
from ledger.actions import all_specs, json_schema
from ledger.statement import ALGORITHMS

VERSION: Final = "1"
_STUDY: Final = path("study", "id of the study")
_CONVERTER = re.compile(r":[a-z]+}")
_TWINS: Final = {
    "json": "application/json",
    "csv": "text/csv",
    "html": "text/html",
    "jsonl": "application/jsonl",
    "pdf": "application/pdf",
    "zip": "application/zip",
}
_NEGOTIATED: Final = frozenset({"start", "study-start"})
"""Operations whose answer is a page where `Accept` names one."""
_TOO_MUCH: Final = "the body is larger than allowed"


def document(operations: Sequence[Operation]) -> bytes:
    """Write the document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        for twin in (None, *operation.twins):
            address = _CONVERTER.sub("}", operation.address) + (f".{twin}" if twin else "")
            paths.setdefault(address, {})[operation.method.lower()] = _operation(operation, twin)
    value = {
        "openapi": "3.1.0",
        "info": {
            "title": "trial-ledger",
            "version": VERSION,
            "description": (
                f"Each study stands under `{BASE}`. "
                "What GET answers HEAD does too, but for what is recorded when it leaves and the stream. "
                "Bodies are not compressed. "
                "JSON in requests has no fractions, duplicate members or integers beyond 2^53. "
                "What the shape of an answer names stays; more members may come beside it. "
                "Errors are RFC 9457 problems with a stable `type` and `code`; of a GET a page where "
                "`Accept` names text/html, and at `.html` unless it names JSON. "
                "Every answer of a study carries `Ledger-Head: <size> <root>`; `ETag` is of the "
                "last index that changed the answer, and of this reader alone."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": _security_schemes(),
            "responses": {"Problem": _problem_response()},
            "schemas": {
                **_schemas(),
                **COMPONENTS,
                **{_name(spec): json_schema(spec) for spec in all_specs()},
            },
        },
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _operation(operation: Operation, twin: str | None) -> dict[str, Any]:
    roles = PERMITTED[operation.name]
    declared = (*((_STUDY,) if operation.in_study else ()), *operation.parameters)
    value: dict[str, Any] = {
        "operationId": operation.name + (f".{twin}" if twin else ""),
        "summary": operation.summary,
        "tags": ["study" if operation.in_study else "service"],
        "parameters": [
            {
                "name": each.name,
                "in": each.where,
                "required": each.required or each.where == "path",
                "description": each.text,
                "schema": _taken(each, twin),
            }
            for each in declared
        ],
        "responses": _responses(operation, twin),
        "security": [] if roles is ANYBODY else [{"token": []}, {"session": []}],
        "x-roles": sorted(roles),
    }
    if operation.text:
        value["description"] = operation.text
    if operation.body is not None:
        media_type, schema = operation.body
        content: dict[str, Any] = {"schema": dict(schema)}
        if examples := examples_of(operation.name):
            content["examples"] = examples
        value["requestBody"] = {"required": True, "content": {media_type: content}}
    return value


def _taken(parameter: Parameter, twin: str | None) -> dict[str, Any]:
    """Return the schema of a parameter: a page's form sends empty fields too, which say nothing (`call`)."""
    if twin == "html" and parameter.where == "query":
        return {"anyOf": [dict(parameter.schema), {"const": ""}]}
    if twin == "csv" and parameter.name == "limit":  # clients send defaults, and a CSV has more rows
        return {name: value for name, value in parameter.schema.items() if name != "default"}
    return dict(parameter.schema)


def _responses(operation: Operation, twin: str | None) -> dict[str, Any]:
    responses: dict[str, Any] = {"default": {"$ref": "#/components/responses/Problem"}}
    answers = dict(operation.answers)
    if operation.in_study:
        answers.setdefault(404, "no such study")
    if PERMITTED[operation.name] is not ANYBODY:
        answers.setdefault(401, "no valid token")
        answers.setdefault(403, "not open to this role or site")
    if any(each.where == "query" for each in operation.parameters):
        answers.setdefault(400, "a parameter is unknown, given twice or malformed")
    if operation.body is not None:
        answers |= {
            400: "the body is malformed",
            413: _TOO_MUCH,
            415: "another content type, or a compressed body",
        }
        answers.setdefault(503, "frozen or busy; the code says which")
    for status, text in sorted(answers.items()):
        responses[str(status)] = _response(operation, twin, status, text)
    return responses


def _response(operation: Operation, twin: str | None, status: int, text: str) -> dict[str, Any]:
    if status in (204, 304):
        return {"description": text}
    if status >= 400:
        content = _problem_content(operation.method)
        shape = schema_of(operation.name, status, MEDIA_TYPE)
        return {"description": text, "content": content | ({MEDIA_TYPE: {"schema": shape}} if shape else {})}
    media_type = _TWINS[twin] if twin else operation.media
    shape = schema_of(operation.name, status, media_type)
    content = {media_type: {"schema": dict(shape)} if shape else {}}
    response: dict[str, Any] = {"description": text, "content": content}
    if operation.name in _NEGOTIATED:
        response["content"]["text/html"] = {}
    if operation.in_study:
        response["headers"] = {"Ledger-Head": {"description": "size and root", "schema": TEXT}}
    return response


def _security_schemes() -> Mapping[str, Any]:
    return {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "a service's token, session_… of a login, an assertion, or the provider's token",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-ledger-{study}",
            "description": "of a login; an unsafe method needs a same-origin request or Ledger-Request",
        },
    }


def _problem_response() -> dict[str, Any]:
    return {"description": "what went wrong, by its code", "content": _problem_content("GET")}


def _problem_content(method: str) -> dict[str, Any]:
    """Return the forms of a problem: what is read has a page too, for who asks for one."""
    content: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return content | ({"text/html": {}} if method == "GET" else {})


def _schemas() -> Mapping[str, Any]:
    signature = {
        "type": "object",
        "required": ["keyid", "sig"],
        "description": "ad and cd are those of a passkey's assertion, and of no other signature",
        "properties": {"keyid": TEXT, "sig": BASE64, "ad": BASE64, "cd": BASE64},
        "dependentRequired": {"ad": ["cd"], "cd": ["ad"]},
        "additionalProperties": False,
    }
    seen = {
        "type": "object",
        "required": ["root", "size"],
        "properties": {"root": HASH, "size": {"type": "integer", "minimum": 0}},
        "additionalProperties": False,
    }
    return {
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "code"],
            "properties": {
                "type": {"type": "string", "description": "urn:trial-ledger:problem:<code>"},
                "title": TEXT,
                "status": {"type": "integer"},
                "code": {"type": "string", "pattern": "^[A-Z0-9_]+$"},
                "field": {"type": "string", "description": "place of a member, never its value"},
            },
            "additionalProperties": {"description": "what a code brings: the columns that there are, a head"},
        },
        "Submission": {
            "description": "A DSSE envelope with disclosures beside it; at most 96 KiB.",
            "type": "object",
            "required": ["payload", "payloadType", "signatures"],
            "properties": {
                "payload": BASE64,
                "payloadType": {"const": "application/vnd.trial-ledger.statement.v1+json"},
                "signatures": {
                    "description": f"of key, then of each of with; by {', '.join(sorted(ALGORITHMS))}",
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 9,
                    "items": signature,
                },
                "disclosures": {
                    "description": "D by path, exactly the sealed paths",
                    "type": "object",
                    "additionalProperties": TEXT,
                },
            },
            "additionalProperties": False,
        },
        "Prepare": {
            "type": "object",
            "required": ["action"],
            "properties": {
                "action": {
                    "description": "a statement's members without seq, prev, seen, tag and sealed",
                    "type": "object",
                },
                "open": {"description": "values to seal, by path", "type": "object"},
                "have": seen,
            },
            "additionalProperties": False,
        },
    }


def _name(spec: Any) -> str:
    return f"{spec.type}.v{spec.schema}"
