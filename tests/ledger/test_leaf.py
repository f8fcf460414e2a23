"""The leaf's bytes, and the tag that a stream shows as."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical
from ledger.errors import FormatError
from ledger.keys import KeyId, KeySignature
from ledger.leaf import ZERO_SALT, Leaf, encode_leaf, is_salted, load_leaf, parse_leaf, stream_tag
from ledger.tiles import decode_entries
from tests.shared import VECTORS

FORMAT = json.loads((VECTORS / "record-format.json").read_bytes())
LEAVES = [event["leaf"].encode() for event in FORMAT["events"]]
SALT = bytes.fromhex(FORMAT["stream_salt_hex"])
MEMBERS: dict[str, Any] = json.loads(LEAVES[1])
ASSERTED = {
    "ad": "YWQ=",
    "alg": "webauthn-es256",
    "cd": "Y2Q=",
    "key": MEMBERS["sigs"][0]["key"],
    "sig": "c2ln",
}


def changed(**members: Any) -> bytes:
    """Write a leaf of the vectors, canonically, with other members."""
    return canonical.encode({**MEMBERS, **members})


def resigned(**members: Any) -> bytes:
    """Write it with other members of its one signature; None takes one away."""
    sig = {**MEMBERS["sigs"][0], **members}
    return changed(sigs=[{name: each for name, each in sig.items() if each is not None}])


def test_leaves_of_the_format() -> None:
    """The vectors' leaves are read, and written back byte for byte."""
    for event, data in zip(FORMAT["events"], LEAVES, strict=True):
        leaf = parse_leaf(data)
        assert encode_leaf(leaf) == data
        assert (leaf.statement, leaf.v) == (event["event"], 1)


def test_leaves_of_the_minimal_bundle() -> None:
    """So are those of the bundle."""
    for index, data in enumerate(
        decode_entries((VECTORS / "bundle-minimal/tile/entries/000.p/11").read_bytes(), 11)
    ):
        assert encode_leaf(parse_leaf(data)) == data
        assert parse_leaf(data).index == index


SIGNATURES = st.one_of(
    st.builds(
        KeySignature,
        alg=st.sampled_from(["ed25519", "es256", "ml-dsa-65"]),
        key=st.binary(min_size=32, max_size=32).map(lambda each: KeyId(f"sha256:{each.hex()}")),
        sig=st.binary(min_size=1, max_size=80),
        ad=st.none(),
        cd=st.none(),
    ),
    st.builds(
        KeySignature,
        alg=st.just("webauthn-es256"),
        key=st.just(KeyId("sha256:" + 64 * "0")),
        sig=st.binary(min_size=1, max_size=80),
        ad=st.binary(min_size=1, max_size=80),
        cd=st.binary(min_size=1, max_size=80),
    ),
)


@given(
    st.builds(
        Leaf,
        at=st.just("2026-01-05T08:00:02.000000Z"),
        cls=st.sampled_from(["control", "open", "restricted"]),
        index=st.integers(0, 2**53 - 1),
        payload_type=st.just(MEMBERS["payload_type"]),
        sigs=st.lists(SIGNATURES, min_size=1, max_size=9).map(tuple),
        site=st.sampled_from(["", "SA-01", "a._-"]),
        statement=st.binary(min_size=32, max_size=32).map(bytes.hex),
        stream=st.binary(min_size=32, max_size=32).map(bytes.hex),
        v=st.just(1),
    )
)
def test_every_leaf_is_canonical_and_read_back(leaf: Leaf) -> None:
    """The fast encoder writes what RFC 8785 and the project's own strict encoder write."""
    data = encode_leaf(leaf)
    value = orjson.loads(data)
    assert data == rfc8785.dumps(value) == canonical.encode(value)
    assert parse_leaf(data) == load_leaf(data) == leaf


def test_a_webauthn_signature_has_its_two_blobs() -> None:
    """`ad` and `cd` are there exactly for webauthn-es256."""
    (sig,) = parse_leaf(changed(sigs=[ASSERTED])).sigs
    assert (sig.ad, sig.cd, sig.sig) == (b"ad", b"cd", b"sig")
    for missing in ("ad", "cd"):
        with pytest.raises(FormatError, match="LEAF at sigs"):
            parse_leaf(changed(sigs=[{name: each for name, each in ASSERTED.items() if name != missing}]))
    with pytest.raises(FormatError, match="LEAF at sigs"):
        parse_leaf(resigned(ad="YWQ=", cd="Y2Q="))


REFUSED = {
    "extra_member": changed(note="x"),
    "array": b"[]",
    "v_2": changed(v=2),
    "v_true": changed(v=True),
    "index_negative": changed(index=-1),
    "index_true": changed(index=True),
    "index_text": changed(index="1"),
    "class_other": changed(**{"class": "secret"}),
    "class_list": changed(**{"class": []}),
    "class_null": changed(**{"class": None}),
    "at_not_text": changed(at=1),
    "payload_type_number": changed(payload_type=1),
    "sigs_empty": changed(sigs=[]),
    "sigs_object": changed(sigs={}),
    "sigs_ten": changed(sigs=MEMBERS["sigs"] * 10),
    "sig_text": changed(sigs=["x"]),
    "site_slash": changed(site="site/SA-01"),
    "site_long": changed(site="a" * 64),
    "site_null": changed(site=None),
    "statement_short": changed(statement="ab"),
    "statement_upper_case": changed(statement=MEMBERS["statement"].upper()),
    "stream_line_feed": changed(stream=MEMBERS["stream"] + "\n"),
    "alg_other": resigned(alg="rsa"),
    "alg_list": resigned(alg=[]),
    "alg_missing": resigned(alg=None),
    "key_missing": resigned(key=None),
    "key_bare": resigned(key="ab" * 32),
    "sig_missing": resigned(sig=None),
    "sig_empty": resigned(sig=""),
    "sig_url_alphabet": resigned(sig="__-_"),
    "sig_without_padding": resigned(sig="YQ"),
    "sig_trailing_bits": resigned(sig="YR=="),
    "sig_number": resigned(sig=1),
    "sig_extra": resigned(note="x"),
}


FIELDS = {
    "extra_member": None,
    "array": None,
    "payload_type_number": "payload_type",
    "alg_other": "sigs",
    "alg_list": "sigs",
    "alg_missing": "sigs",
    "key_missing": "sigs",
    "sig_text": "sigs",
    "sig_missing": "sigs",
    "sig_extra": "sigs",
    "sig_url_alphabet": None,
    "sig_without_padding": None,
    "sig_trailing_bits": None,
}
"""The member that a refusal names, where it is not the first word of its name."""


@pytest.mark.parametrize("name", REFUSED)
def test_other_leaves_are_refused(name: str) -> None:
    """Every member has one form, and there are no others; the refusal names the member."""
    with pytest.raises(FormatError, match=r"^LEAF\b") as caught:
        parse_leaf(REFUSED[name])
    assert caught.value.field == FIELDS.get(name, name.partition("_")[0])


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_every_member_is_needed(name: str) -> None:
    """A leaf without one of its members is refused."""
    with pytest.raises(FormatError, match=r"^LEAF\b"):
        parse_leaf(canonical.encode({key: each for key, each in MEMBERS.items() if key != name}))


@pytest.mark.parametrize("at", ["2026-01-05T08:00:02Z", "2026-02-30T08:00:02.000000Z", "2026-01-05"])
def test_a_leaf_has_a_real_time(at: str) -> None:
    """The time is of fixed width, and exists."""
    with pytest.raises(FormatError, match=r"^TIME\b"):
        parse_leaf(changed(at=at))


def test_only_canonical_bytes_are_a_leaf() -> None:
    """Another spelling of the same members is not the same leaf."""
    for data in (LEAVES[0] + b"\n", b" " + LEAVES[0], json.dumps(MEMBERS).encode(), b"", b"\xff"):
        with pytest.raises(FormatError, match=r"^CANONICAL\b"):
            parse_leaf(data)


def test_a_leaf_has_at_most_65535_bytes() -> None:
    """Nine of the longest signatures fit; one byte above the limit is refused."""
    leaf = parse_leaf(LEAVES[0])
    nine = replace(leaf, sigs=(replace(leaf.sigs[0], alg="ml-dsa-65", sig=bytes(3309)),) * 9)
    assert parse_leaf(encode_leaf(nine)) == nine
    blob = 65_535 - len(changed(sigs=[{**ASSERTED, "sig": ""}]))
    largest = changed(
        sigs=[{**ASSERTED, "sig": "A" * (blob - blob % 4), "ad": "YWQ="}], site="a" * (5 + blob % 4)
    )
    assert len(largest) == 65_535
    assert parse_leaf(largest).index == 1
    with pytest.raises(FormatError):
        parse_leaf(largest.replace(b'"site":"', b'"site":"a'))


def test_the_tag_of_the_format() -> None:
    """A participant's tag is that of the vectors, under the salt given there."""
    assert stream_tag("participant/SA-01-007", SALT) == MEMBERS["stream"]


def test_tags_without_a_secret() -> None:
    """Where the id is no secret the salt is 32 zero bytes, so that anyone can compute the tag."""
    for stream in ("study", "site/SA-01", "person/aruiz", "randomization/main"):
        assert not is_salted(stream)
        expected = hashlib.sha256(b"trial-ledger/stream/v1\x00" + bytes(32) + stream.encode()).hexdigest()
        assert stream_tag(stream, ZERO_SALT) == expected


@pytest.mark.parametrize("stream", ["safety", "pharmacy/SA-01", "participant/SA-01-007", "access/2026-01"])
def test_a_secret_stream_has_a_salt(stream: str) -> None:
    """A tag over the zero salt would tell whom it is about, and is refused."""
    assert is_salted(stream)
    assert stream_tag(stream, SALT) != stream_tag(stream, SALT[::-1])
    with pytest.raises(FormatError, match=r"^SALT\b"):
        stream_tag(stream, ZERO_SALT)


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33), SALT])
def test_a_public_stream_has_the_zero_salt(salt: bytes) -> None:
    """Any other salt is refused there."""
    with pytest.raises(FormatError, match=r"^SALT\b"):
        stream_tag("study", salt)


@pytest.mark.parametrize(
    "stream", ["", "Study", "site/", "site/-a", "patient/1", "study\n", "site/" + "a" * 64]
)
def test_other_stream_ids_are_refused(stream: str) -> None:
    """Only the format's streams have tags."""
    with pytest.raises(FormatError, match=r"^STREAM\b"):
        stream_tag(stream, ZERO_SALT)


def test_the_short_way_takes_nothing_that_the_long_way_refuses() -> None:
    """Of every leaf that differs in one byte from a common one, what is taken is canonical and read right."""
    data = LEAVES[1]
    for at in range(len(data)):
        for other in b'0A-/="\\{ \n\xff':
            altered = data[:at] + bytes([other]) + data[at + 1 :]
            try:
                leaf = parse_leaf(altered)
            except FormatError:
                continue
            assert canonical.encode(canonical.decode(altered)) == altered == encode_leaf(leaf)
