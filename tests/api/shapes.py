"""The shapes of the OpenAPI document, closed: a member of an answer that the document does not name is wrong.

broken("GET /participants", 200, answer.json())        # what is not as the document says; [] where all is
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from api.app import OPERATIONS
from api.openapi import document
from api.operations import BASE

DOCUMENT: Final[dict[str, Any]] = orjson.loads(document(OPERATIONS))


def broken(operation: str, status: int, value: Any, media_type: str = "application/json") -> list[str]:
    """Return what of an answer is not as the document says; `operation` is method and path below a study."""
    method, _, path = operation.partition(" ")
    answer = DOCUMENT["paths"][BASE + path][method.lower()]["responses"][str(status)]
    return told(answer["content"][media_type]["schema"], value)


def told(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Return what of a value is not as a schema of the document says."""
    errors = _judge(orjson.dumps(schema)).iter_errors(value)
    return [f"{each.instance_path}: {each.message[:300]}" for each in errors]


@lru_cache
def _judge(schema: bytes) -> Any:
    components = {"schemas": {name: closed(each) for name, each in DOCUMENT["components"]["schemas"].items()}}
    return jsonschema_rs.Draft202012Validator({**closed(orjson.loads(schema)), "components": components})


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no members but those named, where it says nothing of others."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    if schema.get("type") == "object" and "properties" in schema and "required" in schema:
        inner.setdefault("additionalProperties", False)
    return inner
