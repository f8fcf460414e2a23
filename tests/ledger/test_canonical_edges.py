"""Canonical JSON in parts: shape and text judged apart, as the quick way through a statement does."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    Keys,
    _suspects,
    check_shape,
    check_text,
    decode,
    encode,
)
from ledger.errors import FormatError


def nested(levels: int) -> Any:
    """Return so many lists, one in the other."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def refusal(attempt: Any) -> tuple[str, str | None]:
    """Return code and field of what is refused."""
    with pytest.raises(FormatError) as caught:
        attempt()
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": [0, MAX_INTEGER + 1]}, "/a/1"),
        ({"a": {"b": -MAX_INTEGER - 1}}, "/a/b"),
        ({"a": 1.5}, "/a"),
        ([{"A": 1}], "/0"),
        ({"a": {"/data/x": "x"}}, "/a"),
        (1.5, ""),
    ],
)
def test_a_shape_is_refused_by_its_pointer(value: Any, field: str) -> None:
    """Integers of 53 bits, no floats, keys of one grammar; the pointer leads to what is wrong."""
    assert refusal(lambda: check_shape(value, 2)) == ("CANONICAL", field)
    check_shape({"a": [MAX_INTEGER, -MAX_INTEGER, True, None, "x", {}]}, 2)


@pytest.mark.parametrize("level", [1, 2, 16])
def test_a_member_is_as_deep_as_the_document_allows(level: int) -> None:
    """Sixteen levels in all, those above the member counted."""
    left = MAX_DEPTH - level + 1
    check_shape(nested(left), level)
    assert refusal(lambda: check_shape(nested(left + 1), level)) == ("CANONICAL", "/0" * left)


@pytest.mark.parametrize(
    ("value", "field"), [({"a": 1.5}, "/a"), ({"a": [{"b": float("nan")}]}, "/a/0/b"), ({"A": 1}, "")]
)
def test_a_whole_document_is_refused_by_its_pointer(value: Any, field: str) -> None:
    """The same holds for `encode`; of an offending key the object is named."""
    assert refusal(lambda: encode(value)) == ("CANONICAL", field)


@pytest.mark.parametrize(
    "body",
    ['"\\u0001"', '"\\b"', '"\\\\\\f"', '"e\u0301"', '"\u200b"', '"\x7f"', '"a\ufeff"', '"\U000e0001"'],
)
def test_a_text_that_nobody_sees_is_refused(body: str) -> None:
    """Control and format characters, and what is not in normal form C."""
    assert refusal(lambda: check_text(body.encode())) == ("CANONICAL", None)


@pytest.mark.parametrize(
    "body", ['"\\\\n\\"\\t\\\\"', '"é"', '"\u200d"', '{"a":"日本"}', '""', '"\U0001f600"']
)
def test_other_text_is_taken(body: str) -> None:
    """The four escapes, composed letters, the joiners, and what lies above the basic plane."""
    check_text(body.encode())


def test_the_first_offending_string_is_named() -> None:
    """In a list by its position, in an object by its key."""
    assert refusal(lambda: encode({"a": ["x", {"b": "\u200b"}]})) == ("CANONICAL", "/a/1/b")
    assert refusal(lambda: encode({"a": ("x", "\u0001")})) == ("CANONICAL", "/a/1")
    assert refusal(lambda: encode("\u0001")) == ("CANONICAL", "")
    assert refusal(lambda: decode(b'{"a":"\\u0001"}')) == ("CANONICAL", "/a")


def test_a_limit_of_bytes_is_exact() -> None:
    """As many as are allowed are read, one more is refused before it is parsed."""
    assert decode(b'"xy"', max_bytes=4) == "xy"
    assert refusal(lambda: decode(b'"xy"', max_bytes=3)) == ("CANONICAL", None)


def test_special_keys_stand_at_the_top_of_their_document() -> None:
    """Pointers in `sealed` of a statement and `open` of a disclosure, stream ids in streams.json."""
    for key, kind in (("sealed", Keys.STATEMENT), ("open", Keys.DISCLOSURES)):
        value = {key: {"/data/a": "x"}}
        assert decode(encode(value, keys=kind), keys=kind) == value
        for wrong, field in (({key: {"a": "x"}}, f"/{key}"), ({"in": value}, f"/in/{key}")):
            with pytest.raises(FormatError, match=rf"^CANONICAL at {field}:"):
                encode(wrong, keys=kind)
    streams = {"participant/x": "y"}
    assert decode(encode(streams, keys=Keys.STREAMS), keys=Keys.STREAMS) == streams
    assert refusal(lambda: encode({"plain": "y"}, keys=Keys.STREAMS)) == ("CANONICAL", "")
    assert refusal(lambda: encode(streams)) == ("CANONICAL", "")


def test_suspects_are_what_the_ranges_say_and_everything_above_the_basic_plane() -> None:
    """Only such characters are looked at one by one."""
    pattern = _suspects([(0x41, 0x42), (0x1F600, 0x1F601)])
    assert pattern.findall("@ABC\U0001f600\U0010ffff") == ["A", "B", "\U0001f600", "\U0010ffff"]
