"""The stream over HTTP: ranges as JSON lines, and readers whose rights end."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from starlette.requests import Request

from api import catching_up
from api.asyncapi import LINE_CONTROLS
from api.audience import Filter, audience
from api.call import enter
from api.operations import Operation
from api.routes import stream as route
from api.routes.stream import OPERATIONS, Streaming, events
from api.tailer import Tailer
from ledger.merkle import leaf_hash, tree_root
from projections.reader import Reader
from tests.api.client import BASE, PARTICIPANT, Site, config
from tests.api.test_asyncapi import MESSAGES, broken
from tests.api.test_tailer import AUDITOR, EVERYTHING, SOURCE, grow
from tests.ledger.small_ledger import SmallLedger, make

LINES = f"{BASE}/stream.jsonl"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A small ledger of the test's own."""
    small = make(tmp_path / "ledger", participants=1)
    yield small
    small.ledger.close()


def lines(site: Site, path: str = "/stream.jsonl", who: str = "auditor", **headers: str) -> Any:
    """Read a range; return the answer and its lines."""
    answer = site.get(path, who, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return answer, [orjson.loads(each) for each in answer.content.splitlines()]


def size_of(site: Site) -> int:
    return site.made.ledger.store.head().size


# JSON lines


def test_all_that_is_there_comes_as_lines_and_then_the_end(site: Site) -> None:
    """Each entry once and in order, as documented; the last line and `Link` say where to go on."""
    answer, found = lines(site)
    size = size_of(site)
    assert [each["sequence"] for each in found[:size]] == [str(index) for index in range(size)]
    for each in found[:size]:
        name = each["type"].removeprefix("org.trial-ledger.")
        assert list(broken(MESSAGES[name]["payload"], each)) == []
    for each in found[size:]:
        assert list(broken(MESSAGES[f"line.{each['control']}"]["payload"], each)) == []
    assert found[-1] == {"control": "end", "after": size - 1, "size": size}
    assert answer.headers["Ledger-Head"].split()[0] == str(size)
    assert answer.headers["Link"] == f'<{LINES}?after={size - 1}>; rel="next"'


def test_leaves_of_a_range_hash_to_the_checkpoint_that_comes_with_it(own_site: Site) -> None:
    """What a reader needs to check a catch-up is in it."""
    own_site.made.publish()
    _, found = lines(own_site)
    [checkpoint] = [each for each in found if each.get("control") == "checkpoint"]
    leaves = [orjson.dumps(each["data"]["leaf"], option=orjson.OPT_SORT_KEYS) for each in found[:-2]]
    assert checkpoint["size"] == len(leaves)
    assert base64.b64decode(checkpoint["root"]) == tree_root(map(leaf_hash, leaves))


@pytest.mark.parametrize(
    ("accept", "as_lines"),
    [
        ("application/jsonl", True),
        ("application/x-ndjson", True),
        ("application/x-ndjson;q=0.9, text/event-stream;q=0.1", True),
    ],
)
def test_lines_are_asked_for_by_a_header_too(site: Site, accept: str, as_lines: bool) -> None:
    """The address of the stream with `Accept` is that of its twin."""
    _, found = lines(site, "/stream", Accept=accept)
    assert found == lines(site)[1]


@pytest.mark.parametrize("accept", ["", "*/*", "text/event-stream", "text/event-stream, application/jsonl"])
def test_who_does_not_name_lines_first_gets_events(site: Site, accept: str) -> None:
    """A browser's event source, and curl, get the stream."""
    [operation] = OPERATIONS
    assert not route._wants_lines(_call(site, operation, accept))
    assert route._wants_lines(_call(site, operation, f"application/jsonl, {accept}"))


def test_a_range_is_after_one_index_and_until_another(site: Site) -> None:
    """`after` is exclusive, `until` inclusive, `Last-Event-ID` wins; the link goes on where it ends."""
    answer, found = lines(site, "/stream.jsonl?after=3&until=6")
    assert [each["sequence"] for each in found[:-1]] == ["4", "5", "6"]
    assert found[-1] == {"control": "end", "after": 6, "size": size_of(site)}
    following = urlsplit(re.findall("<([^>]*)>", answer.headers["Link"])[0])
    assert parse_qs(following.query) == {"after": ["6"]}
    _, found = lines(site, "/stream.jsonl?after=1&until=6", **{"Last-Event-ID": "4"})
    assert [each["sequence"] for each in found[:-1]] == ["5", "6"]
    for path in ("/stream.jsonl?after=head", "/stream.jsonl?after=9&until=4"):
        _, found = lines(site, path)
        assert [each["control"] for each in found if each["control"] != "checkpoint"] == ["end"]


def test_lines_are_of_what_the_reader_sees_and_asked_for(site: Site) -> None:
    """Leaves alone where the count must stay whole, nothing under a filter."""
    index = site.made.at[f"registered {PARTICIPANT}"]
    _, found = lines(site, who="elsewhere")
    assert found[index]["type"] == "org.trial-ledger.leaf.v1"
    assert found[index].keys() & {"subject"} == set()
    assert PARTICIPANT.encode() not in orjson.dumps(found[index])
    _, found = lines(site, f"/stream.jsonl?participant={PARTICIPANT}&types=participant.registered")
    assert [each.get("subject") for each in found if "subject" in each] == [f"participant/{PARTICIPANT}"]


@pytest.mark.parametrize("path", ["/stream", "/stream.jsonl"])
def test_a_participant_who_is_unknown_or_not_yours_is_answered_the_same(site: Site, path: str) -> None:
    """UNKNOWN_PARTICIPANT: a stream that waits for a misspelt number would wait for ever."""
    asked = [("NO-SUCH", "auditor"), ("NO-SUCH", "elsewhere"), (PARTICIPANT, "elsewhere")]
    answers = [site.get(f"{path}?participant={each}", who) for each, who in asked]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "UNKNOWN_PARTICIPANT")] * 3
    problems = [{**each.json(), "instance": None, "request_id": None} for each in answers[1:]]
    assert problems[0] == problems[1]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/stream.jsonl?until=x", 400, "QUERY"),
        ("/stream?until=3", 400, "QUERY"),
        ("/stream.jsonl?after=100000", 409, "CURSOR_AHEAD"),
        ("/stream.jsonl?types=no.such", 400, "QUERY"),
    ],
)
def test_ranges_that_are_none(site: Site, path: str, status: int, code: str) -> None:
    """Refused with a code; a stream without end has no `until`."""
    answer = site.get(path, "auditor")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("ending", ["access-ended", "server-draining"])
def test_a_long_range_ends_early_with_its_word(made: SmallLedger, ending: str) -> None:
    """Between two pages: nothing more of the log, and where to go on."""

    async def story() -> list[bytes]:
        tailer = Tailer(made.ledger, SOURCE)
        size = made.ledger.store.head().size
        said: list[str] = []

        async def hold() -> bool:
            return not said

        body = catching_up.lines(tailer, made.ledger, audience(AUDITOR, EVERYTHING), range(size), size, hold)
        found = [await anext(body)]
        if ending == "server-draining":
            tailer.drain()
        else:
            said.append(ending)
        found += [each async for each in body]
        return found

    pages = range(0, made.ledger.store.head().size, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catching_up, "PAGE", pages.step)
        first, last = asyncio.run(story())
    assert len(first.splitlines()) == pages.step
    assert orjson.loads(last) == {"control": ending, "after": pages.step - 1}
    assert ending in LINE_CONTROLS


# Rights that end


async def until_ended(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


def test_who_loses_the_right_gets_no_more_frames(made: SmallLedger) -> None:
    """The entry that ends it, and what follows, does not reach the reader; the last word names the place."""

    async def story() -> tuple[int, bytes]:
        tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        held = [True]

        async def hold() -> bool:
            return held[0]

        stream = events(tailer, audience(AUDITOR, EVERYTHING), 0, hold=hold, promised=0)
        await anext(stream)
        size = tailer.size
        held[0] = False
        await asyncio.to_thread(grow, made, 1)
        rest = await until_ended(stream)
        await tailer.stop()
        return size, rest

    size, rest = asyncio.run(story())
    assert rest == b'event: access-ended\ndata: {"after":%d}\n\n' % (size - 1)


def test_rights_are_asked_again_after_what_may_change_them(own_site: Site, monkeypatch: Any) -> None:
    """A control entry, or the time: the same request is entered again, and a changed sight is no right."""
    study = own_site.http.app.state.studies["small"]  # type: ignore[attr-defined]
    [operation] = OPERATIONS
    call = _call(own_site, operation)
    rights = route.Rights(call)
    study.config = replace(study.config, tokens=())
    assert asyncio.run(rights.hold())
    study.tailer.controls += 1
    assert not asyncio.run(rights.hold())
    study.config = config(own_site.made)
    assert not asyncio.run(rights.hold())
    again = route.Rights(call)
    assert route.entitled(call)
    elsewhere = (replace(study.config.tokens[0], role="data_manager"),)
    study.config = replace(study.config, tokens=elsewhere)
    monkeypatch.setattr(route, "ASK_AGAIN_TICKS", 0)
    assert not asyncio.run(again.hold())


def _call(site: Site, operation: Operation, accept: str = "*/*") -> Any:
    """Return what a handler is called with for an auditor's request."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{BASE}/stream",
        "path_params": {"study": "small"},
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer auditor"), (b"accept", accept.encode())],
        "app": site.http.app,
        "state": {},
    }
    return enter(Request(scope), operation, None)


def test_who_takes_nothing_for_long_is_let_go(monkeypatch: Any) -> None:
    """A seat is given up when one write is not taken in time, and the events are closed."""
    closed: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    monkeypatch.setattr(route, "STALL_S", 0.01)
    asyncio.run(Streaming(body()).stream_response(send))
    assert closed == [True]


# Audiences


def test_readers_of_one_sight_are_one_audience() -> None:
    """Who they are counts only where their role sees its own; whatever else a reader has does."""
    nothing = Filter(types=frozenset(), participant=None)

    def same(one: Reader, other: Reader) -> bool:
        return audience(one, nothing) == audience(other, nothing)

    assert same(Reader(role="auditor", person="a"), Reader(role="auditor", person="b", opener=lambda *_: 1))
    assert not same(Reader(role="coordinator", person="a"), Reader(role="coordinator", person="b"))
    assert not same(Reader(role="participant", person="a"), Reader(role="participant", person="b"))
    assert not same(Reader(role="auditor"), Reader(role="inspector"))
    assert not same(Reader(role="auditor"), Reader(role="auditor", sites=frozenset({"SA-01"})))
    some = replace(nothing, types=frozenset({"visit.started"}))
    assert audience(AUDITOR, some) != audience(AUDITOR, nothing)
