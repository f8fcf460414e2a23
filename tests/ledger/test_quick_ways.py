"""Quick ways to read what nearly always looks the same, each held against the long way."""

from __future__ import annotations

import base64
import marshal
import random
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import pytest

from ledger import canonical
from ledger.actions.fields import Code, Decimal
from ledger.actions.shapes import MAX_KNOWN, MAX_SAID, MOST_KNOWN, kind_of, members_of, object_kind
from ledger.canonical import Keys
from ledger.errors import FormatError
from ledger.merkle import tree_root
from ledger.sealing import _open_plain, make_disclosure, open_disclosure
from ledger.verify.sidecars import _plain
from ledger.verify.tree import full_root
from tests.fuzz.mutation import mutate

SEED = 20_261_123
CASES = 4_000
ID = "01a20542-b98f-77fc-abac-de35bd7724e8"
PATH = "/data/texts"
SALT = bytes(range(32))
VALUES: tuple[Any, ...] = (
    None,
    "",
    "text",
    'é "quoted" \n',
    7,
    True,
    [],
    [{"field": "a", "text": "b"}],
    {"a": [1]},
)


def _encoded(members: bytes) -> str:
    return base64.urlsafe_b64encode(members).rstrip(b"=").decode()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_disclosure_of_its_place_opens_the_quick_way(value: object) -> None:
    """Whatever the value, none that is right takes the long way."""
    assert _open_plain(make_disclosure(SALT, ID, PATH, value), ID, PATH) == (value,)


def test_what_opens_the_quick_way_opens_the_long_way_too() -> None:
    """Of disclosures changed at random nothing more is taken, and nothing is read otherwise."""
    dice = random.Random(SEED)  # noqa: S311  reproducible
    bodies = [base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)) for made in map(_made, VALUES)]
    both = 0
    for _ in range(CASES):
        disclosure = _encoded(mutate(dice, dice.choice(bodies)))
        quick = _open_plain(disclosure, ID, PATH)
        if quick is not None:
            opened = open_disclosure(disclosure)
            assert (opened.statement_id, opened.path, opened.value) == (ID, PATH, quick[0])
            both += 1
    assert both > CASES // 50


def _made(value: object) -> str:
    return make_disclosure(SALT, ID, PATH, value)


@pytest.mark.parametrize(
    "value",
    [
        b"1.5",
        b" 1",
        b"1]",
        b'{"A":1}',
        b"9007199254740993",
        b"[" * 16 + b"]" * 16,
        b'"\\u0000"',
        b'"\\u0061"',
    ],
)
def test_a_value_that_the_format_does_not_have_is_refused_both_ways(value: bytes) -> None:
    """Floats, spaces, keys, integers, depth and escapes are judged as in the whole."""
    salt = _encoded(SALT).encode()
    disclosure = _encoded(b'["%b","%b","%b",%b]' % (salt, ID.encode(), PATH.encode(), value))
    assert _open_plain(disclosure, ID, PATH) is None
    with pytest.raises(FormatError) as caught:
        open_disclosure(disclosure)
    assert caught.value.code == "DISCLOSURE"


def test_a_line_of_openings_is_read_the_same_both_ways() -> None:
    """Of lines changed at random nothing more is taken the quick way, and nothing is read otherwise."""
    dice = random.Random(SEED)  # noqa: S311  reproducible
    line = b'{"index":1563,"open":{"/data/texts":"WyJid2NVUm1SRExI-_0"}}'
    assert _plain(line) == canonical.decode(line, keys=Keys.DISCLOSURES)
    both = 0
    for _ in range(CASES):
        changed = mutate(dice, line)
        quick = _plain(changed)
        if quick is not None:
            assert quick == canonical.decode(changed, keys=Keys.DISCLOSURES)
            both += 1
    assert both > CASES // 50


def test_a_line_that_opens_two_members_takes_the_long_way() -> None:
    """Their order is judged there."""
    assert _plain(b'{"index":1,"open":{"/data/a":"WyJ","/data/b":"WyJ"}}') is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An inner object of short members, and one that is no text."""

    field: Code
    value: Decimal
    kind: Literal["plain", 1] | None = None


def test_an_inner_object_that_was_read_is_the_same_object_again() -> None:
    """What forms say again and again is read once."""
    kind = kind_of(Answer)
    first = kind.read({"field": "pulse", "value": "61"})
    assert kind.read({"field": "pulse", "value": "61"}) is first
    assert first == object_kind(Answer, members_of(Answer)).read({"field": "pulse", "value": "61"})


@pytest.mark.parametrize("kind", [True, 1.0, [1], {"a": 1}, None])
def test_nothing_is_taken_for_what_merely_equals_it(kind: object) -> None:
    """True equals 1 in Python, and not in a statement; what is no text is never remembered."""
    reader = kind_of(Answer)
    assert reader.read({"field": "pulse", "kind": 1, "value": "61"}).kind == 1
    with pytest.raises(FormatError):
        reader.read({"field": "pulse", "kind": kind, "value": "61"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """An object that has objects of its own."""

    name: Code
    answer: Answer | None = None
    other: Answer | None = None


def _sheet(**answer: object) -> dict[str, object]:
    return {"answer": {"field": "pulse", "value": "61", **answer}, "name": "first"}


def test_an_object_with_objects_of_its_own_is_read_once() -> None:
    """It is the same object again, and equals what the long way reads."""
    kind = kind_of(Sheet)
    first = kind.read(_sheet(kind=1))
    assert kind.read(_sheet(kind=1)) is first
    assert first == object_kind(Sheet, members_of(Sheet)).read(_sheet(kind=1))
    assert kind.read(_sheet()) is not first


@pytest.mark.parametrize("other", [True, 1.0, [1], (1,), {"a": 1}, None])
def test_no_object_is_taken_for_one_that_merely_equals_it(other: object) -> None:
    """What differs in the type of a value, however deep, is read anew and refused."""
    kind = kind_of(Sheet)
    assert kind.read(_sheet(kind=1)).answer.kind == 1
    assert kind.read(_sheet(kind="plain")).answer.kind == "plain"
    with pytest.raises(FormatError):
        kind.read(_sheet(kind=other))


@pytest.mark.parametrize("other", [1, "first", ["first"], None])
def test_what_is_no_object_is_not_remembered(other: object) -> None:
    """It is refused each time."""
    kind = kind_of(Sheet)
    for _ in range(2):
        with pytest.raises(FormatError):
            kind.read(other)


def test_objects_with_objects_are_forgotten_too() -> None:
    """So many are kept, and none that says much."""
    kind = kind_of(Sheet)
    first = kind.read(_sheet(value="0"))
    long = {"field": "f" * 64, "value": "1" + "0" * 17 + "." + "1" * 18}
    much = {"name": "n" * 64, "answer": long, "other": long}
    assert len(marshal.dumps(much, 2)) > MAX_SAID
    assert kind.read(much) is not kind.read(much)
    for number in range(1, MOST_KNOWN + 1):
        kind.read(_sheet(value=str(number)))
    assert kind.read(_sheet(value="0")) is not first


def test_what_is_long_or_many_is_not_kept() -> None:
    """Nobody can fill the memory: so many objects, of so many characters, and then anew."""
    kind = kind_of(Answer)
    long = {"field": "a" * 64, "kind": "plain", "value": "1" + "0" * 17 + "." + "1" * 18}
    assert sum(map(len, long.values())) <= MAX_KNOWN
    first = kind.read({"field": "first", "value": "0"})
    for number in range(MOST_KNOWN):
        kind.read({"field": "pulse", "value": str(number)})
    assert kind.read({"field": "first", "value": "0"}) is not first


def test_256_hashes_have_the_root_of_any_tree() -> None:
    """Level by level, or leaf by leaf."""
    hashes = [bytes([number]) * 32 for number in range(256)]
    assert full_root(hashes) == tree_root(hashes)


def test_a_line_of_the_pattern_is_canonical() -> None:
    """What the expression matches, the canonical encoder writes."""
    line = b'{"index":0,"open":{"/data/a":"_"}}'
    read = _plain(line)
    assert read is not None
    assert orjson.dumps(read, option=orjson.OPT_SORT_KEYS) == line
