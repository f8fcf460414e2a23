"""Documented or red: what the stream really sends is what its AsyncAPI document says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.asyncapi import CONTROLS, LINE_CONTROLS, document
from api.frames import control, frame, line
from ledger.actions import all_specs
from ledger.delivery import signing
from ledger.demo import DemoReport
from ledger.directory import DATABASE
from ledger.relay.messages import Message
from ledger.store.sqlite import SqliteStore
from ledger.subscriber.sse import SseEvent, SseReader
from tests.api.client import BASE, Site
from tests.shared import ROOT

DOCUMENT: dict[str, Any] = orjson.loads(document())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
GOLDEN = sorted((ROOT / "tests" / "ledger" / "golden").glob("*.json"))
ANNOTATIONS = {"title", "description", "format", "contentEncoding", "x-sealed", "x-event", "summary"}


def test_what_else_brings_the_stream_is_described() -> None:
    """Webhooks and JetStream: channels, headers as they are sent, and no reference that leads nowhere."""
    headers = MESSAGES["delivery"]["headers"]["properties"]
    assert headers.keys() == signing.headers("e-1", 1, b"{}", [bytes(32)]).keys()
    message = Message(index=7, event="0" * 64, subject="trial.small.leaf", body=b"{}")
    assert MESSAGES["relayed"]["headers"]["properties"].keys() == message.headers("SMALL").keys()
    assert DOCUMENT["channels"]["nats"]["address"] == "{prefix}.{study}.{type}"
    for channel in DOCUMENT["channels"].values():
        assert {each["$ref"].rpartition("/")[2] for each in channel["messages"].values()} <= MESSAGES.keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["channel"]["$ref"].rpartition("/")[2] in DOCUMENT["channels"]


def broken(schema: Any, value: Any, where: str = "") -> Iterator[str]:
    """Yield where a value is not as a schema says, for the words of JSON Schema that the document uses."""
    for word, rule in schema.items():
        if word not in ANNOTATIONS:
            yield from (f"{where}: {word}{more}" for more in _WORDS[word](rule, value, schema))


def _reference(rule: str, value: Any, schema: Any) -> Iterator[str]:
    target: Any = DOCUMENT
    for step in rule.removeprefix("#/").split("/"):
        target = target[step]
    return broken(target, value)


def _properties(rule: Any, value: Any, schema: Any) -> Iterator[str]:
    for name in rule.keys() & value.keys():
        yield from broken(rule[name], value[name], f"/{name}")


def _others(rule: Any, value: Any, schema: Any) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys():
        if rule is False:
            yield f" {name}"
        else:
            yield from broken(rule, value[name], f"/{name}")


def _items(rule: Any, value: Any, schema: Any) -> Iterator[str]:
    if rule is False:
        yield from ["too many"] if len(value) > len(schema["prefixItems"]) else []
        return
    for each in value[len(schema.get("prefixItems", ())) :]:
        yield from broken(rule, each, "/*")


def _prefix(rule: Any, value: Any, schema: Any) -> Iterator[str]:
    for part, each in zip(rule, value, strict=False):
        yield from broken(part, each, "/*")


def _holds(test: Any) -> Any:
    return lambda rule, value, schema: iter(() if test(rule, value) else ("",))


def _is_of(rule: Any, value: Any) -> bool:
    kinds = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "null": value is None,
    }
    return any(kinds[each] for each in ([rule] if isinstance(rule, str) else rule))


_WORDS: dict[str, Any] = {
    "$ref": _reference,
    "properties": _properties,
    "additionalProperties": _others,
    "items": _items,
    "prefixItems": _prefix,
    "allOf": lambda rule, value, schema: (each for part in rule for each in broken(part, value)),
    "type": _holds(_is_of),
    "const": _holds(lambda rule, value: rule == value),
    "enum": _holds(lambda rule, value: value in rule),
    "pattern": _holds(lambda rule, value: re.search(rule, value) is not None),
    "required": _holds(lambda rule, value: set(rule) <= value.keys()),
    "minLength": _holds(lambda rule, value: len(value) >= rule),
    "maxLength": _holds(lambda rule, value: len(value) <= rule),
    "minItems": _holds(lambda rule, value: len(value) >= rule),
    "maxItems": _holds(lambda rule, value: len(value) <= rule),
    "minimum": _holds(lambda rule, value: value >= rule),
    "maximum": _holds(lambda rule, value: value <= rule),
    "uniqueItems": _holds(lambda rule, value: len({orjson.dumps(each) for each in value}) == len(value)),
}


def message_of(event: SseEvent) -> Any:
    """Return the documented message that an event is."""
    if event.id is None:
        return MESSAGES[event.event]
    return MESSAGES[orjson.loads(event.data)["type"].removeprefix("org.trial-ledger.")]


def undocumented(event: SseEvent) -> list[str]:
    """Return what an event has that its message does not say."""
    message = message_of(event)
    headers = {"event": event.event, **({"id": event.id} if event.id is not None else {})}
    return [
        *broken(message["headers"], headers),
        *broken(message["payload"], orjson.loads(event.data)),
    ]


def test_every_entry_of_the_demonstration_is_as_documented(demo: DemoReport) -> None:
    """Each entry whole and as its leaf, and each erasure's control event: a real course of a study."""
    store = SqliteStore.open(demo.directory / DATABASE)
    seen: set[str] = set()
    for entry in store.entries(0, store.head().size):
        framed = frame(entry, BASE)
        data = []
        for event in SseReader().feed(framed.whole + framed.leaf + framed.told):
            assert undocumented(event) == [], entry.index
            seen.add(event.event)
            data.append(event.data)
        lined = line(entry, BASE)
        lines = (lined.whole + lined.leaf + lined.told).decode().splitlines()
        assert lines[:2] == data[:2]
        for told in lines[2:]:
            assert list(broken(MESSAGES["line.erased"]["payload"], orjson.loads(told))) == []
    store.close()
    assert len(seen) > 100


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_type_has_its_message(path: Path) -> None:
    """The example of each type fits the `data` of its message."""
    message = MESSAGES[path.stem]
    statement = message["payload"]["properties"]["data"]["properties"]["statement"]
    _, own = statement["allOf"]
    data = orjson.loads(path.read_bytes())["data"]
    assert list(broken(own["properties"]["data"], data)) == []


def test_messages_are_those_that_can_be_sent() -> None:
    """Types and schemas of the catalogue, the leaf, control events that the code sends, and deliveries."""
    sources = [path.read_text() for path in (ROOT / "api").rglob("*.py")]
    sent = {kind for text in sources for kind in re.findall(r'\bcontrol\(\s*"([a-z-]+)"', text)}
    assert sent == CONTROLS.keys()
    types = {f"{spec.type}.v{spec.schema}" for spec in all_specs()}
    assert DOCUMENT["channels"]["stream"]["messages"].keys() == types | {"leaf.v1"} | sent
    lines = {kind for text in sources for kind in re.findall(r'\bcontrol_line\(\s*"([a-z-]+)"', text)}
    assert lines == LINE_CONTROLS.keys()
    named = {"line", *(f"line.{kind}" for kind in lines)}
    assert DOCUMENT["channels"]["lines"]["messages"].keys() == named
    elsewhere = {"delivery", "relayed", "relayed.checkpoint"}
    assert MESSAGES.keys() == types | {"leaf.v1"} | sent | named | elsewhere
    others = DOCUMENT["channels"].keys() - {"stream", "lines"}
    assert {kind for name in others for kind in DOCUMENT["channels"][name]["messages"]} == elsewhere


def test_control_events_are_as_documented() -> None:
    """What they carry, and that a member more or less is seen."""
    for kind, data in (
        ("caught-up", {"size": 0}),
        ("fell-behind", {"after": -1, "size": 3}),
        ("checkpoint", {"size": 3, "root": "AA==", "note": "…"}),
        ("erased", {"index": 3, "statement": "0" * 64, "digests": ["x"]}),
        ("server-draining", {"after": 2}),
        ("access-ended", {"after": 2}),
    ):
        [event] = SseReader().feed(control(kind, **data))
        assert undocumented(event) == []
        [event] = SseReader().feed(control(kind, **data, more=1))
        assert undocumented(event) != []


def test_every_reference_leads_somewhere() -> None:
    """No $ref hangs in the air."""
    for rule in set(re.findall(r'"\$ref":"#/([^"]+)"', document().decode())):
        target: Any = DOCUMENT
        for step in rule.split("/"):
            target = target[step]


def test_the_document_is_served_to_anybody(site: Site) -> None:
    """Under the root and under each study, the same bytes."""
    for address in ("/asyncapi.json", f"{BASE}/asyncapi.json"):
        answer = site.http.get(address)
        assert answer.status_code == 200
        assert answer.content == document()
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["channels"]["stream"]["address"] == "/v1/studies/{study}/stream"
