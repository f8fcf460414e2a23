"""Webhooks: propose an endpoint or another key, and see where each one is (Standard Webhooks 1.0).

What is proposed here does nothing by itself. Each answer has the action that an administrator prepares, signs
and records: only when that `configuration.changed` is in the log is the endpoint in force.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.answers import answer
from api.body import JSON, check_content_type, read_body, require_members
from api.call import Call
from api.columns import PARKED, WEBHOOKS
from api.operations import Operation, path
from api.problems import ProblemError
from api.tables import csv_text
from api.webhooks import Webhooks
from ledger.delivery.book import Book
from ledger.delivery.delivering import IN_FORCE, Ready, state_of
from ledger.delivery.endpoints import Endpoint, action, off, parse_endpoint, ranges, replay, rotation
from ledger.delivery.standing import Standing
from ledger.errors import FormatError
from ledger.sources import SystemSources
from ledger.submission import parse_body

MAX_BODY: Final = 16 * 1024
REFERENCE: Final = "webhook"
_PROPOSED: Final = {"url", "role", "person", "sites"}
_OPTIONAL: Final = {"types", "after", "endpoint"}


def listed(call: Call) -> Response:
    """List every endpoint: what was signed, what is kept, where it is."""
    webhooks = _webhooks(call)
    book, standings = webhooks.book(), webhooks.log.standings()
    proposed = {} if book is None else dict(book.proposals())
    names = sorted({*standings, *proposed})
    value = [_shown(webhooks, book, name, standings.get(name, Standing())) for name in names]
    return answer(call, value, call.study.ledger.store.head(), csv=csv_text(WEBHOOKS, value))


def parked(call: Call) -> Response:
    """List what an endpoint did not take for days, and the action that has it sent once more."""
    webhooks = _webhooks(call)
    name, _, book = _known(call, webhooks)
    kept = book.parked(name)
    rows = [{"index": each.index, "tries": each.tries, "trouble": each.trouble} for each in kept]
    value: dict[str, Any] = {"endpoint": name, "parked": rows}
    if kept:
        value["action"] = action(replay(name, *ranges([each.index for each in kept])), REFERENCE)
    return answer(call, value, call.study.ledger.store.head(), csv=csv_text(PARKED, rows))


async def propose(call: Call) -> Response:
    """Keep the configuration of a new endpoint, or another one of an endpoint that is there."""
    check_content_type(call.request, JSON)
    body = parse_body(await read_body(call.request, MAX_BODY))
    return await run_in_threadpool(_propose, call, body)


async def change(call: Call) -> Response:
    """Return the action that gives an endpoint another key, has entries sent again, or turns it off."""
    check_content_type(call.request, JSON)
    body = parse_body(await read_body(call.request, MAX_BODY))
    return await run_in_threadpool(_change, call, body)


def _propose(call: Call, body: dict[str, Any]) -> Response:
    require_members(body, _PROPOSED, _OPTIONAL)
    webhooks = _webhooks(call)
    book = webhooks.book(make=True)
    assert book is not None  # noqa: S101  it was made
    standing = Standing()
    if "endpoint" in body:
        standing = webhooks.log.standings().get(str(body["endpoint"]), standing)
        if standing.since < 0:
            raise ProblemError("WEBHOOK_UNKNOWN", 404, field="endpoint")
    name = str(body.get("endpoint", "")) or book.new_endpoint()
    value = {"types": [], "after": -1, **body, "endpoint": name}
    endpoint = parse_endpoint(value, webhooks.reach)
    if not webhooks.log.holds(endpoint):
        raise ProblemError("ROLE_NOT_HELD", 422, field="person")
    key = book.new_key(name) if not standing.keys else None
    book.propose(endpoint)
    shown = _proposed(endpoint, endpoint.changes(standing.digest, key))
    keys = [each.public for each in standing.keys[-1:]] if key is None else [key]
    return answer(call, {**shown, "public_keys": keys}, call.study.ledger.store.head(), status=201)


def _change(call: Call, body: dict[str, Any]) -> Response:
    webhooks = _webhooks(call)
    name, standing, book = _known(call, webhooks)
    match body:
        case {"key": "new"} if len(body) == 1 and standing.keys:
            public = book.new_key(name)
            changes, rest = rotation(name, standing.keys[-1].public, public), {"public_keys": [public]}
        case {"replay": [first, last]} if len(body) == 1 and _is_span(first, last):
            changes, rest = replay(name, (first, last)), {}
        case {"off": True} if len(body) == 1 and standing.digest is not None:
            changes, rest = off(name, standing.digest), {}
        case _:
            raise FormatError("BODY", 'expected {"key":"new"}, {"replay":[FIRST,LAST]} or {"off":true}')
    value = {"endpoint": name, "action": action(changes, REFERENCE), **rest}
    return answer(call, value, call.study.ledger.store.head(), status=201)


def _is_span(first: Any, last: Any) -> bool:
    return type(first) is int and type(last) is int and 0 <= first <= last


def _shown(webhooks: Webhooks, book: Book | None, name: str, standing: Standing) -> dict[str, Any]:
    now_us = SystemSources().now_us()
    value: dict[str, Any] = {
        "endpoint": name,
        "host": standing.host,
        "reader": standing.reader,
        "public_keys": list(standing.signing(now_us)),
        "state": "not kept here",
    }
    if book is None:
        return value
    found = state_of(book, webhooks.log.holds, webhooks.reach, name, standing, now_us)
    value["state"] = IN_FORCE if isinstance(found, Ready) else found
    value["parked"] = len(book.parked(name))
    value["places"] = [
        {"ordered": lane.ordered, "next": lane.next, "tries": lane.tries, "trouble": lane.trouble}
        for lane in book.lanes(name)
        if not lane.done
    ]
    return value


def _proposed(endpoint: Endpoint, changes: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "endpoint": endpoint.endpoint,
        "digest": endpoint.digest,
        "action": action(changes, REFERENCE),
    }


def _known(call: Call, webhooks: Webhooks) -> tuple[str, Standing, Book]:
    """Return the endpoint of the address, as the log has it, and the book."""
    name, book = call.path("endpoint"), webhooks.book()
    standing = webhooks.log.standings().get(name)
    if standing is None or book is None:
        raise ProblemError("WEBHOOK_UNKNOWN", 404)
    return name, standing, book


def _webhooks(call: Call) -> Webhooks:
    webhooks = call.study.webhooks
    if webhooks is None:
        raise ProblemError("WEBHOOKS_OFF", 404)
    return webhooks


_TEXT: Final = {"type": "string"}
_INDEX: Final = {"type": "integer", "minimum": 0}
_WORDS: Final = {"type": "array", "items": _TEXT}
_PROPOSAL: Final = {
    "type": "object",
    "required": sorted(_PROPOSED),
    "additionalProperties": False,
    "properties": {
        "url": {**_TEXT, "description": "https, without credentials and fragment"},
        "role": {**_TEXT, "description": "the role that it reads as"},
        "person": {**_TEXT, "description": "the account that holds it"},
        "sites": {**_WORDS, "description": "sites, or *"},
        "types": {**_WORDS, "description": "action types; none for all, with leaves in place of the rest"},
        "after": {"type": "integer", "minimum": -1, "description": "index after which to begin"},
        "endpoint": {**_TEXT, "description": "an endpoint that is there, to change it"},
    },
}
_CHANGE: Final = {
    "oneOf": [
        {
            "type": "object",
            "required": [name],
            "additionalProperties": False,
            "properties": {name: schema},
        }
        for name, schema in (
            ("key", {"const": "new"}),
            ("replay", {"type": "array", "items": _INDEX, "minItems": 2, "maxItems": 2}),
            ("off", {"const": True}),
        )
    ]
}
_UNKNOWN: Final = "no such endpoint"

OPERATIONS: Final = (
    Operation(
        name="webhooks",
        method="GET",
        path="/webhooks",
        summary="Every endpoint: whether it is in force, its keys, where it is, how much is parked",
        handler=listed,
        twins=("json", "csv"),
        answers={200: "the endpoints", 404: "this service sends no webhooks"},
    ),
    Operation(
        name="webhook-propose",
        method="POST",
        path="/webhooks",
        summary="Propose an endpoint; it is in force once an administrator's signed action is in the log",
        handler=propose,
        body=(JSON, _PROPOSAL),
        answers={
            201: "its id, its public key, and the action to prepare, sign and record",
            404: "no such endpoint to change",
            422: "a URL that no webhook goes to, or a role that the account does not hold",
        },
    ),
    Operation(
        name="webhook-change",
        method="POST",
        path="/webhooks/{endpoint}",
        summary="The action that rotates an endpoint's key, has entries sent again, or takes it out of force",
        handler=change,
        parameters=(path("endpoint", "id of an endpoint"),),
        body=(JSON, _CHANGE),
        answers={201: "the action to prepare, sign and record", 404: _UNKNOWN},
    ),
    Operation(
        name="webhook-parked",
        method="GET",
        path="/webhooks/{endpoint}/parked",
        summary="What an endpoint did not take for days, and the action that has it sent once more",
        handler=parked,
        parameters=(path("endpoint", "id of an endpoint"),),
        twins=("json", "csv"),
        answers={200: "entries by index", 404: _UNKNOWN},
    ),
)
