"""Salted disclosures: made, opened strictly, and bound to their place."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.sealing import (
    Disclosure,
    check_disclosure,
    digest,
    is_digest,
    make_disclosure,
    open_disclosure,
)

STATEMENT_ID = "0199f0c2-7a50-7c3e-8f57-5d0b7f00000a"
PATH = "/data/arm"
SALT = bytes(range(32))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def disclosure_of(document: object) -> str:
    """Encode any JSON as a disclosure, whether it is one or not."""
    return b64(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


def code_of(disclosure: str) -> str | None:
    try:
        open_disclosure(disclosure)
    except FormatError as error:
        return error.code
    return None


def test_disclosure_has_the_bytes_of_the_page() -> None:
    """D is base64url of a canonical array of salt, statement id, pointer, value; its digest is SHA-256."""
    disclosure = make_disclosure(SALT, STATEMENT_ID, PATH, "magnesium")
    text = f'["{b64(SALT)}","{STATEMENT_ID}","/data/arm","magnesium"]'
    assert disclosure == b64(text.encode())
    assert digest(disclosure) == b64(hashlib.sha256(disclosure.encode()).digest())


@given(
    st.binary(min_size=32, max_size=32),
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.text("aé ☃", max_size=5)
    | st.lists(st.none(), max_size=3),
)
def test_disclosure_opens_to_what_was_sealed(salt: bytes, value: Any) -> None:
    """Opening gives salt, statement id, pointer and value back; null and lists are values like any other."""
    disclosure = make_disclosure(salt, STATEMENT_ID, PATH, value)
    assert open_disclosure(disclosure) == Disclosure(salt, STATEMENT_ID, PATH, value)
    assert (
        check_disclosure(disclosure, statement_id=STATEMENT_ID, path=PATH, expected=digest(disclosure))
        == value
    )
    assert is_digest(digest(disclosure))


@pytest.mark.parametrize(
    "document",
    [
        [b64(SALT), STATEMENT_ID, PATH],
        [b64(SALT), STATEMENT_ID, PATH, "x", "y"],
        [],
        {"salt": b64(SALT)},
        "x",
        None,
        [b64(SALT[:31]), STATEMENT_ID, PATH, "x"],
        [b64(SALT + b"x"), STATEMENT_ID, PATH, "x"],
        [b64(SALT) + "=", STATEMENT_ID, PATH, "x"],
        [b64(SALT)[:-1] + "9", STATEMENT_ID, PATH, "x"],
        ["", STATEMENT_ID, PATH, "x"],
        [None, STATEMENT_ID, PATH, "x"],
        [b64(SALT), STATEMENT_ID.upper(), PATH, "x"],
        [b64(SALT), STATEMENT_ID.replace("-7c3e-", "-4c3e-"), PATH, "x"],
        [b64(SALT), 7, PATH, "x"],
        [b64(SALT), STATEMENT_ID, "data/arm", "x"],
        [b64(SALT), STATEMENT_ID, "/data", "x"],
        [b64(SALT), STATEMENT_ID, "/actor/name", "x"],
        [b64(SALT), STATEMENT_ID, "/data/0", "x"],
        [b64(SALT), STATEMENT_ID, PATH, 1.5],
        [b64(SALT), STATEMENT_ID, PATH, {"A": 1}],
        [b64(SALT), STATEMENT_ID, PATH, "e\u0301"],
    ],
)
def test_document_that_is_no_disclosure_is_refused(document: object) -> None:
    """A disclosure has four members: 32 bytes of salt, a statement id, a pointer and a canonical value."""
    assert code_of(disclosure_of(document)) == "DISCLOSURE"


def test_encoding_of_a_disclosure_is_strict() -> None:
    """Padding, other alphabets, spaces and trailing bits would give one disclosure two digests."""
    disclosure = make_disclosure(SALT, STATEMENT_ID, PATH, "xx")
    assert len(disclosure) % 4 == 2  # so that the last digit has four trailing bits
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    trailing = disclosure[:-1] + digits[digits.index(disclosure[-1]) + 1]
    for wrong in (
        disclosure + "==",
        disclosure + "\n",
        " " + disclosure,
        trailing,
        disclosure[:-1],
        disclosure + "A",
        disclosure.replace(disclosure[5], "+", 1),
        disclosure.replace(disclosure[5], "é", 1),
        "",
    ):
        assert code_of(wrong) == "DISCLOSURE"


def test_disclosure_with_spaces_inside_is_refused() -> None:
    """The array is canonical JSON: one value has one disclosure for a salt."""
    spaced = json.dumps([b64(SALT), STATEMENT_ID, PATH, "x"])
    assert code_of(b64(spaced.encode())) == "DISCLOSURE"


@given(st.text(max_size=40) | st.binary(max_size=40).map(b64))
def test_any_text_opens_or_is_refused(text: str) -> None:
    """Whatever comes in, opening raises nothing but a format error."""
    assert code_of(text) in {None, "DISCLOSURE"}


def test_disclosure_fits_its_statement_and_member_only() -> None:
    """A disclosure is refused under another digest, another statement and another path."""
    disclosure = make_disclosure(SALT, STATEMENT_ID, PATH, "magnesium")
    other = make_disclosure(SALT, STATEMENT_ID, PATH, "ketamine")
    good = {"statement_id": STATEMENT_ID, "path": PATH, "expected": digest(disclosure)}
    assert check_disclosure(disclosure, **good) == "magnesium"
    for changes in (
        {"expected": digest(other)},
        {"expected": digest(disclosure) + "="},
        {"expected": "é"},
        {"statement_id": STATEMENT_ID[:-1] + "b"},
        {"path": "/data/arm_2"},
    ):
        with pytest.raises(FormatError) as refused:
            check_disclosure(disclosure, **{**good, **changes})
        assert refused.value.code == "DISCLOSURE"
        assert "magnesium" not in str(refused.value)


@pytest.mark.parametrize(
    ("statement_id", "path"), [(STATEMENT_ID[:-1] + "b", PATH), (STATEMENT_ID, "/data/arm_2")]
)
def test_a_foreign_disclosure_is_refused_by_its_pointer(statement_id: str, path: str) -> None:
    """A right digest over another statement's disclosure, or another member's, tells which member it is."""
    disclosure = make_disclosure(SALT, STATEMENT_ID, PATH, "magnesium")
    with pytest.raises(FormatError) as refused:
        check_disclosure(disclosure, statement_id=statement_id, path=path, expected=digest(disclosure))
    assert (refused.value.code, refused.value.field) == ("DISCLOSURE", path)


def test_equal_values_under_other_salts_have_other_digests() -> None:
    """Nobody can tell from two digests that two participants have one arm."""
    digests = {digest(make_disclosure(bytes([n]) * 32, STATEMENT_ID, PATH, "x")) for n in range(10)}
    assert len(digests) == 10


@pytest.mark.parametrize(
    ("salt", "statement_id", "path", "value", "code"),
    [
        (b"", STATEMENT_ID, PATH, "x", "DISCLOSURE"),
        (bytes(33), STATEMENT_ID, PATH, "x", "DISCLOSURE"),
        (SALT, "someone", PATH, "x", "DISCLOSURE"),
        (SALT, STATEMENT_ID, "/arm", "x", "DISCLOSURE"),
        (SALT, STATEMENT_ID, PATH, 1.5, "CANONICAL"),
        (SALT, STATEMENT_ID, PATH, "\u202e", "CANONICAL"),
    ],
)
def test_disclosure_that_could_not_be_opened_is_never_made(
    salt: bytes, statement_id: str, path: str, value: object, code: str
) -> None:
    """Making refuses what opening would refuse."""
    with pytest.raises(FormatError) as refused:
        make_disclosure(salt, statement_id, path, value)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text", ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "+" * 42 + "A", "A" * 43 + "\n"]
)
def test_text_that_is_no_digest_is_told(text: str) -> None:
    """A digest is 43 characters of base64url whose last two bits are zero."""
    assert is_digest("A" * 43)
    assert not is_digest(text)


@pytest.mark.parametrize(("levels", "is_taken"), [(15, True), (16, False)])
def test_what_is_too_deep_is_refused_where_it_is_checked(levels: int, is_taken: bool) -> None:
    """Beside the array around it a value has 15 levels, however quickly it is read."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    disclosure = disclosure_of([b64(SALT), STATEMENT_ID, PATH, value])
    place = {"statement_id": STATEMENT_ID, "path": PATH, "expected": digest(disclosure)}
    if is_taken:
        assert check_disclosure(disclosure, **place) == value
    else:
        with pytest.raises(FormatError) as refused:
            check_disclosure(disclosure, **place)
        assert (refused.value.code, refused.value.field) == ("DISCLOSURE", PATH)


@pytest.mark.parametrize("value", [1.5, 2**53, {"Key": 1}, {"a": [2**60]}])
def test_what_the_format_does_not_have_is_refused_where_it_is_checked(value: Any) -> None:
    """Values of other types, integers too large and other keys."""
    disclosure = disclosure_of([b64(SALT), STATEMENT_ID, PATH, value])
    with pytest.raises(FormatError) as refused:
        check_disclosure(disclosure, statement_id=STATEMENT_ID, path=PATH, expected=digest(disclosure))
    assert refused.value.code == "DISCLOSURE"
