"""Restricted canonical JSON: vectors first, then laws."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, unicode14
from ledger.canonical import Keys, decode, encode
from ledger.errors import FormatError
from tests.shared import SHARED, VECTORS, needs_shared

FORMAT: dict[str, Any] = json.loads((VECTORS / "record-format.json").read_text())
JCS = SHARED / "vectors/public/jcs-cyberphone/testdata"


def is_taken(data: bytes, keys: Keys = Keys.STATEMENT) -> bool:
    try:
        decode(data, keys=keys)
    except FormatError as error:
        return error.code != "CANONICAL"  # a refusal with any other code is none
    return True


def canonical_text(text: str) -> bool:
    try:
        canonical.check_string(text)
    except FormatError:
        return False
    return True


def _came_later(point: int) -> bool:
    return any(first <= point <= last for first, last in unicode14.UNASSIGNED)


def judged_by_unicodedata(character: str) -> bool:
    """Return what the page says of one character, by Python's own tables, which may know later ones."""
    if character in "\n\t\u200c\u200d":
        return True
    if unicodedata.unidata_version != unicode14.VERSION and _came_later(ord(character)):
        return False
    return unicodedata.category(character) not in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}


# Vectors


@pytest.mark.parametrize("name", FORMAT["canonical"])
def test_canonical_vector_round_trips(name: str) -> None:
    """Each document that the format's vectors call canonical is taken and written back as it was."""
    data = FORMAT["canonical"][name].encode()
    assert encode(decode(data)) == data


@pytest.mark.parametrize("name", FORMAT["not_canonical"])
def test_not_canonical_vector_is_refused(name: str) -> None:
    """Each document that the format's vectors call not canonical is refused with the code CANONICAL."""
    data = FORMAT["not_canonical"][name].encode("utf-8", "surrogatepass")
    assert not is_taken(data)


@pytest.mark.parametrize("position", range(len(FORMAT["events"])))
def test_vector_statements_and_leaves_are_canonical(position: int) -> None:
    """The signed statements and the leaves of the vectors are their own encodings."""
    event = FORMAT["events"][position]
    for member in ("statement", "leaf"):
        data = event[member].encode()
        assert encode(decode(data)) == data


@needs_shared
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_rfc8785_outputs_break_a_restriction_each(name: str) -> None:
    """The public RFC 8785 outputs are RFC 8785, yet each has keys, floats or text that the format refuses."""
    data = (JCS / f"output/{name}.json").read_bytes()
    assert rfc8785.dumps(json.loads(data)) == data
    assert not is_taken(data)


@needs_shared
def test_restricted_part_of_rfc8785_outputs_is_taken() -> None:
    """What the restrictions leave of the public RFC 8785 inputs is encoded as the public outputs have it."""
    arrays = json.loads((JCS / "input/arrays.json").read_text())
    assert encode(arrays[0]) == b"56"
    values = json.loads((JCS / "input/values.json").read_text())
    assert encode(values["literals"]) == b"[null,true,false]"
    weird = json.loads((JCS / "input/weird.json").read_text())
    texts = [text for text in weird if canonical_text(text)]
    assert {"1", "\n", "</script>", "\u00f6", "\u20ac", "\U0001f602"} <= set(texts)
    assert encode(texts) == rfc8785.dumps(texts)


# Numbers, nesting, keys


@pytest.mark.parametrize("number", [0, 1, -1, 2**53 - 1, -(2**53) + 1])
def test_integers_of_53_bits_round_trip(number: int) -> None:
    """The greatest and the least integer are inside the range."""
    assert decode(encode({"n": number})) == {"n": number}


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**64, 2**70, -(2**70)])
def test_integer_beyond_53_bits_is_refused_both_ways(number: int) -> None:
    """An integer that a double would round is refused when writing and when reading, with its pointer."""
    with pytest.raises(FormatError, match="CANONICAL at /data/n") as refused:
        encode({"data": {"n": number}})
    assert refused.value.field == "/data/n"
    assert not is_taken(b'{"data":{"n":%d}}' % number)


@pytest.mark.parametrize(
    "text", ["1.0", "1.5", "-0", "-0.0", "0.0", "1e400", "1E2", "Infinity", "-Infinity", "01"]
)
def test_numbers_that_are_no_plain_integers_are_refused(text: str) -> None:
    """Floats, exponents, minus zero and leading zeros have no place."""
    assert not is_taken(b'{"n":%b}' % text.encode())
    assert not is_taken(text.encode())


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        b"bytes",
        {1: "x"},
        {"a": {"b"}},
        {"a": object()},
        {None: 1},
        "\ud800",
        {"a": "\udfff"},
    ],
)
def test_values_without_an_encoding_are_refused(value: object) -> None:
    """What JSON libraries would rewrite, such as floats, sets and other keys, is refused instead."""
    with pytest.raises(FormatError) as refused:
        encode(value)
    assert refused.value.code == "CANONICAL"


def test_sixteen_levels_are_taken_and_seventeen_are_not() -> None:
    """The outermost array or object counts 1 and a scalar inside the innermost doesn't count."""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        assert is_taken(opening * 16 + b"1" + closing * 16)
        assert not is_taken(opening * 17 + b"1" + closing * 17)


def test_endless_nesting_is_refused_and_not_followed() -> None:
    """A document or a value nested without end is a format error, never a recursion error."""
    assert not is_taken(b"[" * 1_000_000)
    assert not is_taken(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(FormatError):
        encode(loop)


def test_keys_sort_whatever_their_order_was() -> None:
    """Encoding depends on the members, not on the order in which they were set."""
    assert encode({"b": 1, "a_": 2, "a": 3, "a1": 4}) == b'{"a":3,"a1":4,"a_":2,"b":1}'


@pytest.mark.parametrize("key", ["", "A", "1a", "_a", "a-b", "a.b", "é", "a" * 65, "a\n", "/data/x"])
def test_keys_outside_the_grammar_are_refused_at_every_level(key: str) -> None:
    """Only names of lower-case letters, digits and underscores are keys, and at most 64 of them."""
    for value in ({key: 1}, {"a": {key: 1}}, {"a": [{key: 1}]}, {"data": {"sealed": {key: 1}}}):
        with pytest.raises(FormatError):
            encode(value)
        assert not is_taken(rfc8785.dumps(value))


def test_key_of_64_characters_is_taken() -> None:
    """The grammar's longest key is a key."""
    assert is_taken(encode({"a" * 64: 1}))


@pytest.mark.parametrize("pointer", ["/data/arm", "/data/a/0/b", "/data/a/99999/b", "/reason/text"])
def test_sealed_takes_pointers(pointer: str) -> None:
    """The members of the top-level `sealed` are named by JSON Pointers below data and reason."""
    assert is_taken(encode({"sealed": {pointer: "x"}}))


@pytest.mark.parametrize(
    "pointer",
    [
        "data",
        "/data",
        "/data/",
        "/data/0",
        "/data/A",
        "/data/01/a",
        "/data/100000/a",
        "/data/a~1b",
        "/id/a",
        "/data/a/",
    ],
)
def test_sealed_refuses_other_keys(pointer: str) -> None:
    """A key of `sealed` that is no pointer to a member below data or reason is refused."""
    assert not is_taken(rfc8785.dumps({"sealed": {pointer: "x"}}))


def test_pointers_are_keys_only_where_the_document_has_them() -> None:
    """`open` has pointers in disclosures.jsonl alone, `sealed` elsewhere, and streams.json has stream ids."""
    opened = b'{"index":3,"open":{"/data/arm":"x"}}'
    assert is_taken(opened, Keys.DISCLOSURES)
    assert not is_taken(opened)
    assert not is_taken(b'{"sealed":{"/data/arm":"x"}}', Keys.DISCLOSURES)
    streams = b'{"participant/SA-01-007":"00","safety":"00"}'
    assert is_taken(streams, Keys.STREAMS)
    assert not is_taken(streams)
    assert not is_taken(b'{"elsewhere/x":"00"}', Keys.STREAMS)
    assert not is_taken(b'{"streams":{"/data/x":"00"}}', Keys.STREAMS)


def test_value_inside_sealed_has_ordinary_keys() -> None:
    """Pointers name the members of `sealed` and nothing below them."""
    assert is_taken(b'{"sealed":{"/data/x":{"a":1}}}')
    assert not is_taken(b'{"sealed":{"/data/x":{"/data/y":1}}}')


def test_size_limit_is_exact() -> None:
    """`max_bytes` takes a document of that size and refuses one byte more."""
    data = encode({"a": "x" * 100})
    assert decode(data, max_bytes=len(data)) == {"a": "x" * 100}
    with pytest.raises(FormatError):
        decode(data, max_bytes=len(data) - 1)


# Text


def test_tables_are_those_of_unicode_14() -> None:
    """The stored ranges are what a Python with Unicode 14.0 computes."""
    if unicodedata.unidata_version != unicode14.VERSION:
        pytest.skip("this Python has another version of Unicode")
    for category, table in (("Cf", unicode14.FORMAT), ("Cn", unicode14.UNASSIGNED)):
        points = {point for first, last in table for point in range(first, last + 1)}
        assert points == {p for p in range(0x110000) if unicodedata.category(chr(p)) == category}


def test_every_code_point_is_judged_as_the_page_says() -> None:
    """Alone in a string, a code point is taken exactly when its category, and NFC, allow it."""
    if unicodedata.unidata_version != unicode14.VERSION:
        pytest.skip("this Python has another version of Unicode")
    crowded, sparse = range(0x32000), range(0x32000, 0x110000, 251)
    wrong = [
        hex(point)
        for point in (*crowded, *range(0xE0000, 0xE0200), *sparse, 0x10FFFF)
        if canonical_text(chr(point))
        != (judged_by_unicodedata(chr(point)) and unicodedata.is_normalized("NFC", chr(point)))
    ]
    assert wrong == []


@pytest.mark.parametrize("point", [0x378, 0xFDD0, 0xFFFF, 0x2FFFF, 0x10FFFF, 0x1FAE8, 0x11F00, 0x0CF3])
def test_code_points_unassigned_in_unicode_14_are_refused(point: int) -> None:
    """Unassigned code points and noncharacters are refused; the last three were assigned in Unicode 15.0."""
    assert not is_taken(json.dumps({"a": chr(point)}, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("point", [0x0870, 0x1FAE0, 0x1DF00, 0xE000, 0x200C, 0x200D])
def test_code_points_assigned_in_unicode_14_are_taken(point: int) -> None:
    """The newest letters and symbols, private use and the two joiners are text; three came with 14.0."""
    assert is_taken(encode({"a": chr(point)}))


def test_escapes_do_not_hide_or_make_a_combination() -> None:
    """A combining mark after an escape composes with what the escape means, not with its last letter."""
    for text in ("\n\u0303", "\t\u0327", '"\u0303', "\\\u0303", "\\n\u0302"):
        legal = unicodedata.is_normalized("NFC", text)
        data = rfc8785.dumps({"a": text})
        assert is_taken(data) == legal
    assert is_taken(rfc8785.dumps({"a": "\n\u0303"}))
    assert not is_taken(rfc8785.dumps({"a": "\\n\u0303"}))


@pytest.mark.parametrize(
    "text", ["\b", "\f", "\r", "\x00", "\x1f", "\x7f", "\x80", "\x9f", "\\\\\r", 'a"\x1b']
)
def test_control_characters_are_refused_in_every_escape(text: str) -> None:
    """Every control but newline and tab is refused, however it is escaped and whatever stands before it."""
    assert not is_taken(rfc8785.dumps({"a": [text]}))
    with pytest.raises(FormatError) as refused:
        encode({"a": [text]})
    assert refused.value.field == "/a/0"


def test_backslashes_before_letters_are_no_escapes() -> None:
    """An escaped backslash followed by a letter that could end an escape is plain text."""
    for text in ("\\b", "\\r", "\\u0000", "\\\\f", '\\"', "C:\\new\\table"):
        assert decode(encode({"a": text})) == {"a": text}


def test_refusal_does_not_quote_the_document() -> None:
    """Messages carry the place of a fault and never the text that stands there."""
    with pytest.raises(FormatError) as refused:
        decode('{"name":"Jane Doe\u202e"}'.encode())
    assert refused.value.field == "/name"
    assert "Jane" not in str(refused.value)
    with pytest.raises(FormatError) as refused:
        decode(b'{"name":"Jane Doe}')
    assert "Jane" not in str(refused.value)


# Laws

names = st.from_regex(canonical.NAME_PATTERN, fullmatch=True)
texts = st.text(st.characters(codec="utf-8").filter(judged_by_unicodedata), max_size=20).map(
    lambda text: unicodedata.normalize("NFC", text)
)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(documents)
def test_encoding_is_that_of_rfc8785_and_round_trips(value: Any) -> None:
    """Under the restrictions the encoding is RFC 8785's, and decoding gives the value back."""
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data) == value


@given(st.text())
def test_any_string_is_judged_as_a_whole_as_it_is_alone(text: str) -> None:
    """A string is taken inside a document exactly when it is taken alone."""
    data = json.dumps(["x", text, "x"], ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    taken = canonical_text(text)
    assert taken == (
        all(judged_by_unicodedata(character) for character in text) and unicodedata.is_normalized("NFC", text)
    )
    assert is_taken(data) == taken


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ntu0e1.-a', max_size=30).map(str.encode))
def test_any_bytes_are_taken_only_as_their_own_encoding(data: bytes) -> None:
    """Decoding arbitrary bytes either refuses with a format error or gives what encodes to the same bytes."""
    try:
        value = decode(data)
    except FormatError:
        return
    assert encode(value) == data


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_changed_byte_never_reads_as_the_same_value(position: int, byte: int) -> None:
    """Two different byte strings never decode to one value."""
    original = FORMAT["events"][0]["statement"].encode()
    changed = bytearray(original)
    changed[position % len(changed)] = byte
    if bytes(changed) != original and is_taken(bytes(changed)):
        assert decode(bytes(changed)) != decode(original)
