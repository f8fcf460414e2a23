"""Pre-authentication encoding and event hashes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import keys
from ledger.envelope import PAYLOAD_TYPE, event_hash, pae
from tests.shared import SHARED, VECTORS, needs_shared

FORMAT: dict[str, Any] = json.loads((VECTORS / "record-format.json").read_text())


@pytest.mark.parametrize("position", range(len(FORMAT["events"])))
def test_vector_statements_have_their_event_hashes(position: int) -> None:
    """The event hash of each vector's statement is the one that the vector names."""
    event = FORMAT["events"][position]
    assert event_hash(event["statement"].encode()) == event["event"]


@needs_shared
def test_dsse_vector_has_its_encoding_and_signature() -> None:
    """The vector of DSSE's own page gives its bytes, and its ES256 key signs them as published."""
    vector = json.loads((SHARED / "vectors/public/dsse/pae-vector.json").read_text())
    encoded = pae(vector["payload"].encode(), vector["payload_type"])
    assert encoded == vector["pae"].encode()
    signing = keys.Es256SigningKey.from_seed(int(vector["key"]["d"]).to_bytes(32, "big"))
    x, y = (int(vector["key"][name]).to_bytes(32, "big") for name in "xy")
    assert signing.public.point == b"\x04" + x + y
    published = base64.b64decode(vector["signature_b64"])
    r, s = published[:32], int.from_bytes(published[32:], "big")
    low_s = min(s, keys.P256_ORDER - s)
    assert signing.sign(encoded) == r + low_s.to_bytes(32, "big")


def test_encoding_counts_bytes_not_characters() -> None:
    """Lengths are those of the UTF-8 bytes, in decimal digits."""
    assert pae("í".encode()) == f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} 2 í".encode()
    assert pae(b"") == f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} 0 ".encode()


@given(st.tuples(st.text(), st.binary()), st.tuples(st.text(), st.binary()))
def test_encoding_tells_types_and_bodies_apart(first: tuple[str, bytes], second: tuple[str, bytes]) -> None:
    """No two pairs of type and body share an encoding."""
    assert (pae(first[1], first[0]) == pae(second[1], second[0])) == (first == second)
