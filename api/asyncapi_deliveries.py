"""What else brings the stream's entries, for its AsyncAPI document: webhooks, and NATS JetStream.

Both carry the JSON that the stream has as `data`, in messages of their own headers (docs/webhooks.md,
docs/nats.md). Where a webhook goes is its receiver's affair, so its channel has no address (AsyncAPI 3.0.0,
"Channel Object").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.delivery import signing
from ledger.relay import messages

_TEXT: Final = {"type": "string"}
_DECIMAL: Final = {"type": "string", "pattern": "^(?:0|[1-9][0-9]{0,15})$"}


def deliveries(payload: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return channels, operations and messages; `payload` is an entry's, `checkpoint` a checkpoint's."""
    found = {
        "delivery": _message("One entry, signed as Standard Webhooks 1.0 says.", payload, _webhook()),
        "relayed": _message("One entry, CloudEvents 1.0 in structured mode.", payload, _nats()),
        "relayed.checkpoint": _message("The newest published checkpoint.", checkpoint, {}),
    }
    study = {"study": {"description": "id of the study, `_` for a dot"}}
    prefix = {"prefix": {"description": "first word of the subjects, `trial` by default"}}
    channels: dict[str, dict[str, Any]] = {
        "webhook": {
            "address": None,
            "description": "The receiver's URL: one POST for each entry, in index order, at least once.",
            "messages": _named("delivery"),
        },
        "nats": {
            "address": "{prefix}.{study}.{type}",
            "description": "JetStream: each entry once, at sequence index + 1.",
            "parameters": {**prefix, **study, "type": {"description": "action type, or `leaf`"}},
            "messages": _named("relayed"),
        },
        "natsCheckpoint": {
            "address": "{prefix}-checkpoint.{study}",
            "description": "JetStream: the newest published checkpoint alone.",
            "parameters": {**prefix, **study},
            "messages": _named("relayed.checkpoint"),
        },
    }
    told = {"deliver": "webhook", "relay": "nats", "relayCheckpoint": "natsCheckpoint"}
    operations = {
        name: {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": channels[channel]["description"],
        }
        for name, channel in told.items()
    }
    return {"channels": channels, "operations": operations, "messages": found}


def _webhook() -> dict[str, Any]:
    return {
        signing.ID: {**_TEXT, "description": "endpoint and index: the same at every attempt"},
        signing.TIMESTAMP: {**_DECIMAL, "description": "seconds, of this attempt"},
        signing.SIGNATURE: {**_TEXT, "description": "`v1a,<base64>`, Ed25519; two while a key is replaced"},
    }


def _nats() -> dict[str, Any]:
    return {
        "Content-Type": {"const": messages.CONTENT_TYPE},
        messages.MESSAGE_ID: {"type": "string", "description": "event hash"},
        messages.EXPECTED_STREAM: _TEXT,
        messages.EXPECTED_SEQUENCE: {
            **_DECIMAL,
            "description": "the entry's index",
        },
    }


def _message(summary: str, payload: Mapping[str, Any], headers: Mapping[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {"summary": summary, "payload": dict(payload)}
    if headers:
        value["headers"] = {"type": "object", "required": sorted(headers), "properties": dict(headers)}
    return value


def _named(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"}}
