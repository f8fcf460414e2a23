"""The quick way through a statement (`ledger.plain`) against the long one: part of it, the same values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from ledger import canonical, plain
from ledger.envelope import event_hash
from ledger.errors import FormatError
from ledger.statement import Statement, _has_class, _parse, load_statement, parse_statement, read_plain
from tests.fuzz.mutation import mutate
from tests.ledger.test_actions import SPECS, golden
from tests.ledger.test_actions import statement as action_of
from tests.ledger.test_statement import DIGEST, statement

SEED = 20_261_122
CASES = 12_000

VARIED: tuple[dict[str, Any], ...] = (
    {},
    {"occurred_at": "2026-01-05T08:00:00+02:00"},
    {"occurred_at": "2026-01-05T08:00:00.5Z", "protocol": "2.0 (amendment 1)"},
    {"occurred_at": "2026-01-05T08:00:00Z", "originator": {"id": "SA-01-001", "kind": "participant"}},
    {"occurred_at": "2026-01-05T08:00:00Z", "reason": {"code": "typo"}, "sealed": {"/reason/text": DIGEST}},
    {"occurred_at": "2026-01-05T08:00:00Z", "with_": [{"alg": "es256", "id": "sha256:" + "01" * 32}]},
    {"occurred_at": "2026-01-05T08:00:00Z", "data": {"a": [1, -2, True, None, {"b": 'é \\ " \n'}], "b": {}}},
    {"occurred_at": "2026-01-05T08:00:00Z", "seq": 1, "prev": "0" * 64, "schema": 2},
    {"occurred_at": "2024"},
    {"occurred_at": "2024-02"},
    {"occurred_at": "2024-02-29"},
    {"occurred_at": "2024-02", "originator": {"id": "pilot", "kind": "system", "source": "DM {7}, row 7"}},
    {"sealed": {"/data/a": DIGEST, "/data/b": DIGEST}},
    {"data": {"a": [{"b": 1}]}, "sealed": {"/data/a/0/c": DIGEST, "/data/c": DIGEST}},
)
"""What a statement can have beside what it must."""

TRICKS = (
    b'},"id":"', b'"data":{', b',"class":"control"', b'"x":1.5,', b'"x":1,', b"1e3", b"-0", b"\\u0061",
    b"\\u0000", b"\\ud800", b'"sealed":{},', b'"A":1,', b"9007199254740993", b"2026-02-30", b"0000-01-01",
    b"T24:00:00", b"-00:00", b"\xc2\x85", b"e\xcc\x81", b"\x7f", b"[" * 20 + b"]" * 20, b',"with":[]', b" ",
    b'"2026-02-30"', b'"2026-1"', b'"kind":"robot"', b'"/data/a":"', b'"source":"",',
)  # fmt: skip


def _bases() -> Iterator[bytes]:
    for changes in VARIED:
        yield canonical.encode(statement(**changes))
    for name, known in SPECS.items():
        data, opened = golden(name)
        yield action_of(known, data, set(opened) - {"/reason/text"}, reason=known.reason_required).body


BASES = tuple(_bases())


def _long(body: bytes) -> Statement | None:
    try:
        return _parse(body, event_hash(body))
    except FormatError:
        return None


def _changed(dice: random.Random) -> bytes:
    body = dice.choice(BASES)
    if dice.random() < 0.5:
        return mutate(dice, body)
    at, trick = dice.randrange(len(body)), dice.choice(TRICKS)
    if dice.random() < 0.5:  # beside something that stands there
        at = body.find(dice.choice((b'"', b",", b"{", b":", b"}")), at) + dice.randint(0, 1)
    return body[:at] + trick + body[at + dice.choice((0, 0, len(trick))) :]


def test_statements_of_every_type_go_the_quick_way() -> None:
    """Nothing that is right takes the long way, partial dates and originators among them."""
    assert [n for n, body in enumerate(BASES) if read_plain(body, event_hash(body)) is None] == []


@pytest.mark.parametrize("body", BASES, ids=range(len(BASES)))
def test_what_was_taken_is_loaded_as_it_was_read(body: bytes) -> None:
    """Loading judges nothing again and gives the same members, the quick way and the long."""
    event = event_hash(body)
    assert plain.load(body) is not None
    assert load_statement(body, event) == read_plain(body, event)


@pytest.mark.parametrize(
    "time", ["0000", "2026-13", "2026-00", "2026-02-29", "2026-02-29T08:00:00Z", "2026-1"]
)
def test_a_day_that_the_calendar_does_not_have_goes_the_long_way(time: str) -> None:
    """A partial time names a year, month or day that there is."""
    body = canonical.encode(statement(occurred_at="2026-02"))
    assert plain.split(body, shaped=False) is not None
    assert plain.split(body.replace(b'"2026-02"', f'"{time}"'.encode()), shaped=False) is None


@pytest.mark.parametrize("body", BASES, ids=range(len(BASES)))
def test_the_quick_way_gives_what_the_long_way_gives(body: bytes) -> None:
    """Both ways give the same statement, member by member."""
    event = event_hash(body)
    assert (read_plain(body, event) or _parse(body, event)) == _parse(body, event)


def test_what_the_quick_way_takes_the_long_way_takes_too() -> None:
    """Of any bytes, changed at random or by a trick, nothing more is taken, and nothing is read otherwise."""
    assert compare(random.Random(SEED), CASES) > CASES // 50  # noqa: S311  reproducible


def compare(dice: random.Random, cases: int) -> int:
    """Compare both ways on so many changed statements; return how many both took."""
    both = 0
    for _ in range(cases):
        body = _changed(dice)
        event = event_hash(body)
        quick = read_plain(body, event)
        if quick is not None:
            assert quick == _long(body), body
            both += 1
    return both


@pytest.mark.parametrize(
    "data", [b'{"a":1.5}', b'{"A":1}', b'{"a":9007199254740993}', b'{"a":' * 17 + b"1" + b"}" * 17]
)
def test_the_shape_of_data_can_be_left_to_the_caller(data: bytes) -> None:
    """Who asks for it gets data of a shape that the format does not have; nobody else does."""
    body = canonical.encode(statement(**VARIED[1])).replace(b'"data":{}', b'"data":' + data)
    assert read_plain(body, event_hash(body), shaped=True) is not None
    assert read_plain(body, event_hash(body)) is None
    with pytest.raises(FormatError) as caught:
        parse_statement(body)
    assert caught.value.code == "CANONICAL"


def test_a_class_that_the_type_does_not_have_goes_the_long_way() -> None:
    """The class is compared with the type's, and a control statement never stands in a salted stream."""
    assert _has_class("vital_signs.recorded", "participant/SA-01-001", "open")
    assert not _has_class("vital_signs.recorded", "participant/SA-01-001", "restricted")
    assert not _has_class("account.created", "participant/SA-01-001", "control")


@pytest.mark.parametrize("stream", ["participant/", "person/", "site/", "study/x"])
def test_a_stream_has_its_name_the_quick_way_too(stream: str) -> None:
    """A kind without the name that it needs, or with one that it does not have, is not taken."""
    body = canonical.encode(statement(**VARIED[1]))
    assert plain.split(body, shaped=False) is not None
    named = b'"stream":"' + str(statement()["stream"]).encode() + b'"'
    assert named in body
    assert plain.split(body.replace(named, f'"stream":"{stream}"'.encode()), shaped=False) is None


def test_data_as_deep_as_the_format_allows_go_the_quick_way() -> None:
    """The deepest statement that is right is taken, and one level more is not."""
    deepest: Any = 1
    for _ in range(canonical.MAX_DEPTH - 2):  # the statement is one level, its data another
        deepest = [deepest]
    body = canonical.encode(statement(**{**VARIED[1], "data": {"a": deepest}}))
    assert plain.split(body, shaped=False) is not None
    assert plain.split(body.replace(b'"a":[', b'"a":[[').replace(b"]},", b"]]},", 1), shaped=False) is None


def test_the_code_of_a_reason_is_not_sealed_the_quick_way() -> None:
    """It stands in the plain object, so nothing may be sealed in its place."""
    value = statement(**VARIED[4])
    assert plain.split(canonical.encode(value), shaped=False) is not None
    value["sealed"] = {"/reason/code": DIGEST, "/reason/text": DIGEST}
    assert plain.split(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), shaped=False) is None


def test_a_long_head_goes_the_long_way() -> None:
    """What is looked up by its bytes is short, so that a stranger can't fill the memory."""
    name = "n" * plain.MAX_HEAD_BYTES
    value = statement(**VARIED[1])
    value["actor"]["name"] = name
    assert plain.split(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), shaped=True) is None
