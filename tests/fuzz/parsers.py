"""Every parser of the formats, as a function of bytes, with seeds and what always holds.

A target raises nothing for any bytes but what is a defect: errors of the project's own family are caught
here, and what a parser took must come out of its formatter as it went in.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger import canonical
from ledger.canonical import Keys
from ledger.checkpoint import check_published, format_body, parse_body
from ledger.envelope import EventHash, event_hash, pae
from ledger.errors import LedgerError
from ledger.keys import KeyId, KeySignature, check_signature, load_public_key
from ledger.leaf import encode_leaf, parse_leaf
from ledger.lines import encode_base64
from ledger.merkle import Frontier, MemoryHashes, leaf_hash, prove_inclusion
from ledger.note import format_note, format_vkey, parse_note, parse_vkey
from ledger.policy import format_policy, parse_policy
from ledger.proof import (
    add_checkpoint_body,
    check_receipt,
    format_receipt,
    parse_add_checkpoint,
    parse_receipt,
)
from ledger.sealing import make_disclosure, open_disclosure
from ledger.statement import parse_statement
from ledger.study.definition import load
from ledger.submission import format_submission, parse_submission
from ledger.tiles import decode_entries, encode_entries, entries_path, parse_path, payload_path, tile_path
from ledger.times import check_clinical, format_instant, parse_instant
from ledger.verify.bundle import ZipBundle
from ledger.webauthn import challenge_of, signed_bytes
from tests.attacks.mutators_zip import Entry, pack
from tests.shared import ROOT, VECTORS

MINIMAL: Final = VECTORS / "bundle-minimal"
ENTRIES: Final = (MINIMAL / "tile" / "entries" / "000.p" / "11").read_bytes()
NOTE: Final = (MINIMAL / "checkpoint").read_bytes()
POLICY: Final = (VECTORS / "bundle-minimal.policy").read_bytes()
LEAVES: Final = decode_entries(ENTRIES, 11)
STATEMENTS: Final = (MINIMAL / "payloads" / "000.p" / "11").read_bytes().splitlines()
LOG_KEYS: Final = parse_policy(POLICY).log_keys
EVENT: Final = EventHash("ab" * 32)
RP_ID: Final = "ledger.example"
SITE: Final = "https://ledger.example"
_DEFINITION: Final = ROOT / "ledger" / "study" / "definitions" / "nct06414356.json"
_GENERATOR: Final = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
P256_DER: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + _GENERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One parser: what is done with any bytes, and bytes that it takes or nearly takes."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def attempt(target: Target, data: bytes) -> bool:
    """Give bytes to a target; return whether it took them.

    Raises:
        Exception: whatever is a defect: an error that is not of the project's family, or a broken round trip.
    """
    try:
        target.run(data)
    except LedgerError:
        return False
    return True


def _canonical(data: bytes) -> None:
    for keys in Keys:
        try:
            value = canonical.decode(data, keys=keys)
        except LedgerError:
            continue
        assert canonical.encode(value, keys=keys) == data


def _statement(data: bytes) -> None:
    statement = parse_statement(data)
    assert statement.body == data
    assert statement.event == event_hash(data)


def _leaf(data: bytes) -> None:
    assert encode_leaf(parse_leaf(data)) == data


def _note(data: bytes) -> None:
    assert format_note(parse_note(data)) == data
    check_published(data, LOG_KEYS)
    assert data == NOTE or data.startswith(NOTE.partition(b"\n\n")[0])


def _vkey(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert format_vkey(parse_vkey(text)) == text


def _checkpoint(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert format_body(parse_body(text)) == text


def _receipt(data: bytes) -> None:
    receipt = parse_receipt(data)
    assert format_receipt(receipt.leaf, receipt.index, receipt.proof, receipt.note) == data
    leaf, _ = check_receipt(data, LOG_KEYS)
    assert encode_leaf(leaf) in LEAVES


def _consistency(data: bytes) -> None:
    proof = parse_add_checkpoint(data)
    assert add_checkpoint_body(proof.old_size, proof.proof, proof.note) == data


def _tiles(data: bytes) -> None:
    count = data[0] if data else 0
    leaves = decode_entries(data[1:], count)
    if leaves:
        assert encode_entries(leaves) == data[1:]


def _tile_path(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    path = parse_path(text)
    write = {"entries": entries_path, "payloads": payload_path}.get(path.kind)
    again = write(path.n, path.width) if write else tile_path(path.level, path.n, path.width)
    assert again == text


def _frontier(data: bytes) -> None:
    assert Frontier.from_bytes(data).to_bytes() == data


def _policy(data: bytes) -> None:
    policy = parse_policy(data)
    assert parse_policy(format_policy(policy)) == policy


def _submission(data: bytes) -> None:
    submission = parse_submission(data)
    assert parse_submission(format_submission(submission)) == submission


def _webauthn(data: bytes) -> None:
    """Read authenticatorData of 37 bytes or more, then clientDataJSON."""
    size = 37 + (data[0] if data else 0)
    ad, cd = data[1 : 1 + size], data[1 + size :]
    signed_bytes(EVENT, ad, cd, origins=[SITE], rp_id=RP_ID)
    assert challenge_of(EVENT).encode() in cd or b"\\u" in cd


def _keys(data: bytes) -> None:
    """Load a key, and check a signature by it that nobody made."""
    algorithms = ("ed25519", "es256", "webauthn-es256", "ml-dsa-65")
    alg = algorithms[data[0] % 4] if data else "none"
    spki, sig = data[1:92] if "es256" in alg else data[1:45], data[92:]
    passkey = alg == "webauthn-es256"
    key = load_public_key(alg, spki, origins=[SITE] if passkey else [], rp_id=RP_ID if passkey else None)
    body = pae(b"{}")
    given = KeySignature(alg=alg, key=KeyId(key.id), sig=sig, ad=sig if passkey else None, cd=b"{}")
    check_signature(key, body, EVENT, given)
    raise AssertionError("a signature that nobody made holds")


def _disclosure(data: bytes) -> None:
    open_disclosure(data.decode("utf-8", "replace"))


def _times(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        check_clinical(text)
    except LedgerError:
        return
    assert text.isascii()
    assert format_instant(parse_instant(text)) == text


def _definition(data: bytes) -> None:
    load(data)


def _zip(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        bundle = ZipBundle(Path(file.name))
        try:
            for name in bundle.names():
                content = bundle.read(name, max_bytes=len(data))
                assert len(content) == bundle.size(name)
                try:
                    assert b"".join(line + b"\n" for line in bundle.lines(name)) == content
                except LedgerError:
                    continue
        finally:
            bundle.close()


def _client_data(**changes: object) -> bytes:
    members = {"type": "webauthn.get", "challenge": challenge_of(EVENT), "origin": SITE, "crossOrigin": False}
    return json.dumps({**members, **changes}).encode()


def _assertion(flags: int = 5) -> bytes:
    return b"\0" + hashlib.sha256(RP_ID.encode()).digest() + bytes([flags]) + bytes(4) + _client_data()


def _submitted() -> bytes:
    statement = parse_statement(STATEMENTS[4])
    value = {
        "payload": encode_base64(statement.body),
        "payloadType": "application/vnd.trial-ledger.statement.v1+json",
        "signatures": [
            {"keyid": ref.id, "sig": encode_base64(bytes(64))} for ref in (statement.key, *statement.with_)
        ],
        "disclosures": {},
    }
    return json.dumps(value).encode()


def _receipt_of(index: int) -> bytes:
    proof = prove_inclusion(index, len(LEAVES), MemoryHashes([leaf_hash(leaf) for leaf in LEAVES]))
    return format_receipt(LEAVES[index], index, proof, NOTE)


_SMALL: Final = b'{"data":{"note":"\xc3\xa9","n":[1,-2,null,true]},"sealed":{"/data/arm":"x"}}'

_DISCLOSURE: Final = make_disclosure(
    bytes(32), "0199f0c2-7a50-7c3e-8f57-5d0b7f0fffff", "/data/arm", "A"
).encode()

TARGETS: Final[dict[str, Target]] = {
    "canonical": Target(run=_canonical, seeds=(*STATEMENTS[:3], *LEAVES[:2], _SMALL)),
    "statement": Target(run=_statement, seeds=tuple(STATEMENTS)),
    "leaf": Target(run=_leaf, seeds=tuple(LEAVES)),
    "note": Target(run=_note, seeds=(NOTE,)),
    "vkey": Target(run=_vkey, seeds=tuple(format_vkey(key).encode() for key in LOG_KEYS)),
    "checkpoint": Target(run=_checkpoint, seeds=(NOTE.partition(b"\n\n")[0] + b"\n",)),
    "receipt": Target(run=_receipt, seeds=(_receipt_of(3), _receipt_of(10))),
    "consistency": Target(run=_consistency, seeds=(add_checkpoint_body(5, [bytes(32)] * 4, NOTE),)),
    "tiles": Target(run=_tiles, seeds=(b"\x0b" + ENTRIES, b"\x01\0\1x")),
    "tile-path": Target(
        run=_tile_path, seeds=(b"tile/0/000.p/11", b"tile/entries/x001/x234/067", b"payloads/000")
    ),
    "frontier": Target(run=_frontier, seeds=(Frontier().to_bytes(), (5).to_bytes(8, "big") + bytes(64))),
    "policy": Target(run=_policy, seeds=(POLICY, b"group both all W1\n\tquorum none\n")),
    "submission": Target(run=_submission, seeds=(_submitted(),)),
    "webauthn": Target(run=_webauthn, seeds=(_assertion(), _assertion(0x85))),
    "keys": Target(
        run=_keys,
        seeds=(
            b"\0" + bytes.fromhex("302a300506032b6570032100") + b"\x03" * 32 + bytes(47) + bytes(64),
            b"\1" + P256_DER + b"\1" * 64,
            b"\2" + P256_DER + bytes.fromhex("3006020101020101"),
        ),
    ),
    "disclosure": Target(run=_disclosure, seeds=(_DISCLOSURE,)),
    "times": Target(
        run=_times,
        seeds=(b"2024-06-03T10:00:52.000000Z", b"2024-06", b"2024-06-03T10:00:00.5+02:00", b"2024-02-29"),
    ),
    "definition": Target(run=_definition, seeds=(_DEFINITION.read_bytes(),)),
    "zip": Target(
        run=_zip,
        seeds=(
            pack([Entry(name=b"a", data=b"x\n"), Entry(name=b"b/c", data=b"")]),
            pack([Entry(name=b"a", data=b"x", extra=b"\1\0\0\0")]),
        ),
    ),
}
"""Every parser by its name."""
