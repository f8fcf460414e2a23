"""A verifier as one would write it first: `json`, `rfc8785`, `cryptography`, and nothing of this project.

It judges the same bundles by the same page (record-format.md §1-§5, §9): bytes canonical and closed, every
leaf hashed to the signed root and compared with the level-0 tiles, statements of their hash, labels, `seq`,
`prev`, tags, `seen`, ids used once, keys enrolled and live, every Ed25519 signature, disclosed lines. It
leaves out what takes a catalogue: the form of `data` by type, roles and grades, rules; of a withheld
statement it compares the leaf with its line, no more. So it does less than `trial-ledger verify` does, and
where the two are compared, the comparison is in its favour.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

WIDTH: Final = 256
PAYLOAD_TYPE: Final = "application/vnd.trial-ledger.statement.v1+json"
LEAF_MEMBERS: Final = {"at", "class", "index", "payload_type", "sigs", "site", "statement", "stream", "v"}
REQUIRED: Final = {
    "v", "log", "id", "type", "schema", "class", "stream", "tag", "seq", "prev", "occurred_at", "signed_at",
    "actor", "key", "meaning", "seen", "data",
}  # fmt: skip
OPTIONAL: Final = {"site", "protocol", "originator", "with", "reason", "sealed"}
HEX: Final = re.compile("[0-9a-f]{64}")
UUID7: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class WrongError(Exception):
    """The bundle is not what it should be."""


def verify(bundle: Path) -> int:
    """Verify a study's bundle; return how many signatures held."""
    return _Verifier(bundle).run()


def tile_name(number: int) -> str:
    """Write a tile's number as c2sp.org/tlog-tiles does."""
    text = f"{number % 1000:03}"
    while number := number // 1000:
        text = f"x{number % 1000:03}/{text}"
    return text


class _Verifier:
    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        origin, size, root = (bundle / "checkpoint").read_text().split("\n")[:3]
        self._origin, self._size, self._root = origin, int(size), base64.b64decode(root)
        self._keys: dict[str, Any] = {}
        self._retired: set[str] = set()
        self._heads: dict[str, tuple[int, str, str | None]] = {}
        self._seen: dict[str, int] = {}
        self._ids: set[str] = set()
        self._events: set[str] = set()
        self._roots = [hashlib.sha256(b"").digest()]
        self._peaks: list[tuple[int, bytes]] = []
        self._at = ""
        self._held = 0

    def run(self) -> int:
        """Read everything once, in index order."""
        openings = self._lines("disclosures.jsonl")
        withheld = self._lines("withheld.jsonl")
        for index, (leaf, payload) in enumerate(self._entries()):
            self._grow(leaf)
            parsed = canonical(leaf)
            if payload:
                self._entry(index, parsed, payload, openings.get(index, {}))
            else:
                self._withheld(index, parsed, withheld[index])
        expect(self._roots[-1] == self._root, "root")
        return self._held

    def _lines(self, name: str) -> dict[int, Any]:
        lines = (canonical(line) for line in (self._bundle / name).read_bytes().splitlines())
        return {line["index"]: line for line in lines}

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        for number in range(-(-self._size // WIDTH)):
            width = min(WIDTH, self._size - number * WIDTH)
            name = tile_name(number) + ("" if width == WIDTH else f".p/{width}")
            data = (self._bundle / "tile/entries" / name).read_bytes()
            leaves, at = [], 0
            while at < len(data):
                length = int.from_bytes(data[at : at + 2], "big")
                leaves.append(data[at + 2 : at + 2 + length])
                at += 2 + length
            tile = (self._bundle / "tile/0" / name).read_bytes()
            hashes = b"".join(hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves)
            expect(len(leaves) == width and tile == hashes, "tile")
            payloads = (self._bundle / "payloads" / name).read_bytes().split(b"\n")
            expect(payloads.pop() == b"" and len(payloads) == width, "payloads")
            yield from zip(leaves, payloads, strict=True)

    def _grow(self, leaf: bytes) -> None:
        """Add a leaf to the tree and keep the root of the new size (RFC 6962 §2.1)."""
        size, value = 1, hashlib.sha256(b"\x00" + leaf).digest()
        while self._peaks and self._peaks[-1][0] == size:
            value = hashlib.sha256(b"\x01" + self._peaks.pop()[1] + value).digest()
            size *= 2
        self._peaks.append((size, value))
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = hashlib.sha256(b"\x01" + peak + root).digest()
        self._roots.append(root)

    def _withheld(self, index: int, leaf: Any, line: Any) -> None:
        self._place(index, leaf)
        expect(line["statement"] == leaf["statement"] and leaf["class"] != "control", "withheld")
        tag = leaf["stream"]
        seq, _, stream = self._heads.get(tag, (0, "0" * 64, None))
        self._heads[tag] = (seq + 1, leaf["statement"], stream)
        self._events.add(leaf["statement"])

    def _place(self, index: int, leaf: Any) -> None:
        expect(set(leaf) == LEAF_MEMBERS and leaf["v"] == 1, "leaf")
        expect(leaf["index"] == index and leaf["at"] >= self._at, "order")
        expect(INSTANT.fullmatch(leaf["at"]) is not None, "at")
        self._at = leaf["at"]

    def _entry(self, index: int, leaf: Any, payload: bytes, opening: Any) -> None:
        self._place(index, leaf)
        message = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
        event = hashlib.sha256(message).hexdigest()
        expect(event == leaf["statement"], "statement hash")
        statement = canonical(payload)
        expect(set(statement) >= REQUIRED and set(statement) <= REQUIRED | OPTIONAL, "members")
        expect(statement["v"] == 1 and statement["log"] == self._origin, "log")
        expect(UUID7.fullmatch(statement["id"]) is not None and HEX.fullmatch(statement["prev"]), "form")
        labels = (statement["class"], statement.get("site", ""), statement["tag"])
        expect(labels == (leaf["class"], leaf["site"], leaf["stream"]), "labels")
        self._linkage(index, statement, event)
        self._signatures(statement, leaf["sigs"], message)
        self._openings(statement, opening.get("open", {}))

    def _linkage(self, index: int, statement: Any, event: str) -> None:
        tag, stream = statement["tag"], statement["stream"]
        seq, prev, known = self._heads.get(tag, (0, "0" * 64, stream))
        expect((statement["seq"], statement["prev"]) == (seq + 1, prev), "linkage")
        expect(known in (None, stream), "stream")
        self._heads[tag] = (seq + 1, event, stream)
        expect(statement["id"] not in self._ids and event not in self._events, "used twice")
        self._ids.add(statement["id"])
        self._events.add(event)
        size = statement["seen"]["size"]
        expect(size <= index and base64.b64decode(statement["seen"]["root"]) == self._roots[size], "seen")
        key = statement["key"]["id"]
        expect(size >= self._seen.get(key, 0), "seen back")
        self._seen[key] = size

    def _signatures(self, statement: Any, sigs: Sequence[Any], message: bytes) -> None:
        for key in _brought(statement):
            if key["alg"] == "ed25519" and key["id"] not in self._keys:
                spki = base64.b64decode(key["spki"])
                expect(key["id"] == "sha256:" + hashlib.sha256(spki).hexdigest(), "key id")
                self._keys[key["id"]] = load_der_public_key(spki)
        wanted = [statement["key"], *statement.get("with", [])]
        expect(
            [(sig["alg"], sig["key"]) for sig in sigs] == [(ref["alg"], ref["id"]) for ref in wanted], "set"
        )
        for sig in sigs:
            expect(sig["key"] not in self._retired, "retired")
            if sig["alg"] == "ed25519":
                public = self._keys[sig["key"]]
                assert isinstance(public, Ed25519PublicKey)
                public.verify(base64.b64decode(sig["sig"], validate=True), message)
                self._held += 1
        if statement["type"] == "key.revoked":
            self._retired.add(statement["data"]["key"])
        if statement["type"] == "key.rotated":
            self._retired.add(statement["data"]["replaces"])

    def _openings(self, statement: Any, opened: Any) -> None:
        for path, disclosure in opened.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode()).digest()).rstrip(b"=")
            expect(statement["sealed"][path] == digest.decode(), "disclosure")
            padded = disclosure + "=" * (-len(disclosure) % 4)
            salt, name, where, _ = canonical(base64.urlsafe_b64decode(padded))
            expect((name, where, len(salt)) == (statement["id"], path, 43), "disclosure")


def canonical(data: bytes) -> Any:
    """Parse bytes that are the RFC 8785 encoding of what they say."""
    value = json.loads(data)
    expect(rfc8785.dumps(value) == data, "canonical")
    return value


def expect(holds: object, what: str) -> None:
    """Refuse a bundle of which something does not hold."""
    if not holds:
        raise WrongError(what)


def _brought(statement: Any) -> Sequence[Any]:
    if statement["type"] in ("ledger.opened", "policy.changed"):
        return [root["key"] for root in statement["data"].get("root_keys", ())]
    if statement["type"] in ("key.enrolled", "key.rotated"):
        return [statement["data"]["key"]]
    return []
