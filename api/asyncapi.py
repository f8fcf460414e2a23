"""The AsyncAPI 3 document of the stream: written from the catalogue of actions and the frames of `frames`.

Two channels: the stream, with one message for each type and schema of action, one for a leaf alone, one for
each control event; and the catch-up in JSON lines, whose lines are the stream's data and controls of its own.
What else brings the same entries, webhooks and JetStream, is in `asyncapi_deliveries`.
The shape of an action's `data` is derived from its class, as in the OpenAPI document, so nothing is kept by
hand beside the code but the control events; a test compares those with what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from api.asyncapi_deliveries import deliveries
from api.frames import LEAF, LEAF_TYPE, TYPE_PREFIX
from api.operations import BASE
from ledger import canonical
from ledger.actions import ActionSpec, all_specs, json_schema
from ledger.checkpoint import ORIGIN_PATTERN
from ledger.leaf import CLASSES, MAX_SIGNATURES
from ledger.members import ALGORITHMS, MAX_WITH_KEYS, MEANINGS, ORIGINATOR_KINDS

VERSION: Final = "1"
STREAM: Final = f"{BASE}/stream"
_TEXT: Final = {"type": "string"}
_BASE64: Final = {"type": "string", "contentEncoding": "base64"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_BEFORE: Final = {"type": "integer", "minimum": -1}
_HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_DECIMAL: Final = {"type": "string", "pattern": "^(?:0|[1-9][0-9]{0,15})$"}
_INSTANT: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}


_UNTIL: Final = {"type": "string", "description": "last index to send; default: all there are"}


def _closed(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """Describe an object with exactly these members; those named may be absent."""
    return {
        "type": "object",
        "required": sorted(properties.keys() - set(optional)),
        "properties": dict(properties),
        "additionalProperties": False,
    }


CONTROLS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "caught-up": (
        "Everything that the log holds now was sent: `size` entries, those left out by a filter included.",
        _closed({"size": _COUNT}),
    ),
    "fell-behind": (
        "The subscriber is too slow for what is kept in memory; nothing is left out, the store has it.",
        _closed({"after": _BEFORE, "size": _COUNT}),
    ),
    "checkpoint": (
        "A published checkpoint: a C2SP signed note over the tree of the first `size` leaves.",
        _closed({"size": _COUNT, "root": _BASE64, "note": _TEXT}),
    ),
    "erased": (
        "Whoever holds sealed values with these digests destroys them, as the statement of `index` orders.",
        _closed({"index": _COUNT, "statement": _HEX, "digests": {"type": "array", "items": _TEXT}}),
    ),
    "server-draining": (
        "The server ends this stream; connect again with `Last-Event-ID`.",
        _closed({"after": _BEFORE}),
    ),
    "access-ended": (
        "The reader may not have this stream any more, or not as before: authenticate anew, then connect.",
        _closed({"after": _BEFORE}),
    ),
}
"""What is sent beside entries, without an id of its own: what it says, and the schema of its data."""

LINE_CONTROLS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "end": (
        "All lines of the range were sent: go on after `after`; the log had `size` entries.",
        {"after": _BEFORE, "size": _COUNT},
    ),
    "checkpoint": (
        CONTROLS["checkpoint"][0],
        CONTROLS["checkpoint"][1]["properties"],
    ),
    "erased": (CONTROLS["erased"][0], CONTROLS["erased"][1]["properties"]),
    "server-draining": ("The server ends this answer early: go on after `after`.", {"after": _BEFORE}),
    "access-ended": (CONTROLS["access-ended"][0], {"after": _BEFORE}),
}
"""The lines of a catch-up that are no entries: what they say, and their members beside `control`."""


@lru_cache(maxsize=1)
def document() -> bytes:
    """Write the document: same code, same bytes."""
    messages, lines = _messages(), _lines()
    more = deliveries(lines["line"]["payload"], CONTROLS["checkpoint"][1])
    value = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "trial-ledger",
            "version": VERSION,
            "description": (
                "Server-Sent Events, at least once, in index order, without a gap. `id` is the index, "
                "`event` the action type, `data` a CloudEvents 1.0 event. Statement and leaf are canonical "
                "JSON (RFC 8785, restricted): encoded again they give the signed and the committed bytes, so "
                "each event can be verified. Control events have no id."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": STREAM,
                "description": "The entries of one study that the reader may see, the leaves of all others.",
                "parameters": {"study": {"description": "id of the study"}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            },
            "lines": {
                "address": f"{STREAM}.jsonl",
                "description": (
                    "What is there already, as JSON lines, and then the end; also at the address of the "
                    "stream with `Accept: application/jsonl` or `application/x-ndjson`. `Link` with "
                    '`rel="next"` names where to go on. An answer without the line `end` was cut off.'
                ),
                "parameters": {"study": {"description": "id of the study"}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in lines},
            },
            **more["channels"],
        },
        "operations": {
            "follow": {
                "action": "send",
                "channel": {"$ref": "#/channels/stream"},
                "summary": "Every entry in index order, each verifiable from the stream alone",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
                "bindings": {"http": _binding()},
            },
            "catchUp": {
                "action": "send",
                "channel": {"$ref": "#/channels/lines"},
                "summary": "A range of entries that are there already",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
                "bindings": {"http": _binding(until=_UNTIL)},
            },
            **more["operations"],
        },
        "components": {
            "messages": {**messages, **lines, **more["messages"]},
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _binding(**more: Mapping[str, str]) -> dict[str, Any]:
    query = {
        "after": {"type": "string", "description": "index after which to begin, -1 for all, head for new"},
        "types": {"type": "string", "description": "action types, separated by commas"},
        "participant": {"type": "string", "description": "only the stream of this participant"},
        **more,
    }
    return {"method": "GET", "query": {"type": "object", "properties": query}, "bindingVersion": "0.3.0"}


def _messages() -> dict[str, Any]:
    messages = {_name(spec): _entry(spec) for spec in all_specs()}
    messages[f"{LEAF}.v1"] = _message(
        LEAF,
        "An entry whose statement the reader may not see: its leaf alone, without a subject.",
        _cloud_event(LEAF_TYPE, _closed({"leaf": _ref("Leaf")}), subject=False),
        has_id=True,
    )
    for kind, (text, schema) in CONTROLS.items():
        messages[kind] = _message(kind, text, schema, has_id=False)
    return messages


def _lines() -> dict[str, Any]:
    entries = [{"$ref": f"#/components/messages/{name}/payload"} for name in _entries()]
    found: dict[str, Any] = {
        "line": {
            "name": "line",
            "summary": "An entry: what the stream has as `data`. It has `specversion`, and no `control`.",
            "payload": {"oneOf": entries},
        }
    }
    for kind, (text, members) in LINE_CONTROLS.items():
        payload = _closed({"control": {"const": kind}, **members})
        found[f"line.{kind}"] = {"name": kind, "summary": text, "payload": payload}
    return found


def _entries() -> list[str]:
    return [*(_name(spec) for spec in all_specs()), f"{LEAF}.v1"]


def _entry(spec: ActionSpec) -> dict[str, Any]:
    statement = {
        "allOf": [
            _ref("Statement"),
            {
                "properties": {
                    "type": {"const": spec.type},
                    "schema": {"const": spec.schema},
                    "data": _ref(_name(spec)),
                }
            },
        ]
    }
    payload = _cloud_event(
        f"{TYPE_PREFIX}{_name(spec)}", _closed({"statement": statement, "leaf": _ref("Leaf")}), subject=True
    )
    return _message(spec.type, (spec.action.__doc__ or "").strip(), payload, has_id=True)


def _message(kind: str, text: str, payload: Mapping[str, Any], *, has_id: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"event": {"const": kind}}
    if has_id:
        fields["id"] = {**_DECIMAL, "description": "index in the log"}
    return {"name": kind, "summary": text, "headers": _closed(fields), "payload": dict(payload)}


def _cloud_event(type_: str, data: Mapping[str, Any], *, subject: bool) -> dict[str, Any]:
    members: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": {**_HEX, "description": "event hash"},
        "source": {**_TEXT, "description": "the study's address"},
        "type": {"const": type_},
        "time": _INSTANT,
        "sequence": _DECIMAL,
        "datacontenttype": {"const": "application/json"},
        "data": dict(data),
    }
    if subject:
        members["subject"] = {"type": "string", "description": "the stream"}
    return _closed(members)


def _schemas() -> dict[str, Any]:
    return {**entry_schemas(), **{_name(spec): json_schema(spec) for spec in all_specs()}}


def entry_schemas() -> dict[str, Any]:
    """Return the schemas of a leaf and of a statement, which are formats of the record."""
    key = _closed({"alg": {"enum": sorted(ALGORITHMS)}, "id": _TEXT})
    signature = _closed(
        {"alg": {"enum": sorted(ALGORITHMS)}, "key": _TEXT, "sig": _BASE64, "ad": _BASE64, "cd": _BASE64},
        "ad",
        "cd",
    )
    leaf = {
        "at": _INSTANT,
        "class": {"enum": list(CLASSES)},
        "index": _COUNT,
        "payload_type": _TEXT,
        "sigs": {"type": "array", "items": signature, "minItems": 1, "maxItems": MAX_SIGNATURES},
        "site": _TEXT,
        "statement": _HEX,
        "stream": _HEX,
        "v": {"const": 1},
    }
    return {
        "Leaf": {"description": "record format §4", **_closed(leaf)},
        "Statement": {"description": "record format §2", **_statement(key)},
    }


def _statement(key: Mapping[str, Any]) -> dict[str, Any]:
    originator = _closed({"id": _TEXT, "kind": {"enum": sorted(ORIGINATOR_KINDS)}, "source": _TEXT}, "source")
    members = {
        "v": {"const": 1},
        "log": {"type": "string", "pattern": f"^{ORIGIN_PATTERN}$"},
        "id": _TEXT,
        "type": _TEXT,
        "schema": {"type": "integer", "minimum": 1},
        "class": {"enum": list(CLASSES)},
        "stream": {"type": "string", "pattern": f"^{canonical.STREAM_PATTERN}$"},
        "tag": _HEX,
        "seq": {"type": "integer", "minimum": 1},
        "prev": _HEX,
        "site": _TEXT,
        "protocol": _TEXT,
        "occurred_at": _TEXT,
        "signed_at": _INSTANT,
        "actor": _closed({"id": _TEXT, "name": _TEXT, "organisation": _TEXT, "role": _TEXT}),
        "originator": originator,
        "key": dict(key),
        "with": {"type": "array", "items": dict(key), "minItems": 1, "maxItems": MAX_WITH_KEYS},
        "meaning": {"enum": sorted(MEANINGS)},
        "reason": _closed({"code": _TEXT}),
        "seen": _closed({"root": _BASE64, "size": _COUNT}),
        "data": {"type": "object"},
        "sealed": {"type": "object", "additionalProperties": _TEXT},
    }
    return _closed(members, "site", "protocol", "originator", "with", "reason", "sealed")


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(spec: ActionSpec) -> str:
    return f"{spec.type}.v{spec.schema}"
