"""Strict text, one spelling for each value: numbers, base64, hashes, lines."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.lines import (
    counted,
    decode_text,
    encode_base64,
    parse_base64,
    parse_decimal,
    parse_hash,
    parse_head_lines,
    parse_proof,
    split_lines,
)

ROOT = bytes(range(32))
HASH = b64encode(ROOT).decode()
HEAD = f"ledger.example/one\n7\n{HASH}\n"


def refused() -> pytest.RaisesExc[FormatError]:
    """Expect a refusal with the code that the caller gave."""
    return pytest.raises(FormatError, match=r"^GIVEN: ")


@pytest.mark.parametrize("number", [0, 1, 9, 10, 2**53 - 1])
def test_a_number_has_one_spelling(number: int) -> None:
    """Every number up to the largest index is read back from its digits."""
    assert parse_decimal(str(number), what="a number", code="GIVEN") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "01",
        "00",
        " 1",
        "1 ",
        "1\n",
        "1_0",
        "0x1",
        "1.0",
        "1e3",
        "²",
        "١",
        str(2**53),
        "9" * 19,
    ],
)
def test_other_spellings_of_a_number_are_refused(text: str) -> None:
    """No sign, no zero before it, no digit of another script, nothing around it, and none too large."""
    with refused():
        parse_decimal(text, what="a number", code="GIVEN")


def test_what_is_counted_is_one_or_many() -> None:
    """For people: one entry, no entries, thousands in groups."""
    found = [counted(number, "entry", "entries") for number in (0, 1, 2, 12_399)]
    assert found == ["0 entries", "1 entry", "2 entries", "12,399 entries"]


def test_a_number_has_a_limit_of_the_callers() -> None:
    """The limit itself is taken, and what is longer than 2^63 - 1 is not even converted."""
    largest = 2**63 - 1
    assert parse_decimal(str(largest), what="a number", code="GIVEN", maximum=largest) == largest
    assert parse_decimal("7", what="a number", code="GIVEN", maximum=7) == 7
    for text, maximum in (
        ("8", 7),
        (str(largest + 1), largest),
        ("1" + "0" * 19, 10**30),
        (str(2**53), 2**53 - 1),
    ):
        with refused():
            parse_decimal(text, what="a number", code="GIVEN", maximum=maximum)


@given(st.binary(max_size=40))
def test_base64_is_read_back(data: bytes) -> None:
    """What is written is the standard alphabet with padding, and is read back."""
    text = encode_base64(data)
    assert text == b64encode(data).decode()
    assert parse_base64(text, what="the data", code="GIVEN") == data


@pytest.mark.parametrize(
    "text", ["A", "AA", "AAA", "AB==", "AAB=", "AA==\n", " AA==", "__-_", "é===", "AAAA====", "=A=="]
)
def test_other_spellings_of_base64_are_refused(text: str) -> None:
    """Padding as it belongs, zero trailing bits, no other alphabet, no blank."""
    with refused():
        parse_base64(text, what="the data", code="GIVEN")


def test_a_hash_has_32_bytes() -> None:
    """One byte less or more is no hash, and a text that is no base64 is none either."""
    assert parse_hash(HASH, what="a hash", code="GIVEN") == ROOT
    for text in ("", "AAAA", encode_base64(bytes(31)), encode_base64(bytes(33)), HASH[:-1]):
        with refused():
            parse_hash(text, what="a hash", code="GIVEN")


def test_a_proof_has_at_most_so_many_hashes() -> None:
    """As many as the caller allows are taken, in their order; one more is refused, and so is a broken one."""
    other = encode_base64(ROOT[::-1])
    assert parse_proof([], maximum=0, code="GIVEN") == ()
    assert parse_proof([HASH, other], maximum=2, code="GIVEN") == (ROOT, ROOT[::-1])
    for lines in ([HASH] * 3, [HASH, "AAAA"], [HASH, "!"]):
        with refused():
            parse_proof(lines, maximum=2, code="GIVEN")


def test_text_is_utf_8_of_a_bounded_length() -> None:
    """Bytes are counted, not characters; the limit itself is taken."""
    assert decode_text("é".encode(), maximum=2, code="GIVEN") == "é"
    for data, maximum in (("é".encode(), 1), (b"\xff", 9), (b"\xed\xa0\x80", 9)):
        with refused():
            decode_text(data, maximum=maximum, code="GIVEN")


def test_every_line_ends_in_a_line_feed() -> None:
    """The last one too; an empty line is a line."""
    assert split_lines("one\n\nthree\n", code="GIVEN") == ["one", "", "three"]
    assert split_lines("\n", code="GIVEN") == [""]
    for text in ("", "one", "one\ntwo"):
        with refused():
            split_lines(text, code="GIVEN")


def test_a_tree_head_has_three_lines() -> None:
    """Origin, size and root, and nothing besides."""
    assert parse_head_lines(HEAD, code="GIVEN") == ("ledger.example/one", 7, ROOT)
    origin, size, root, _ = HEAD.split("\n")
    for lines in (
        [origin, size],
        [origin, size, root, ""],
        [origin, size, root, "extension"],
        ["", size, root],
        [origin, "07", root],
        [origin, size, "AAAA"],
    ):
        with refused():
            parse_head_lines("".join(f"{line}\n" for line in lines), code="GIVEN")
    with refused():
        parse_head_lines(HEAD[:-1], code="GIVEN")
