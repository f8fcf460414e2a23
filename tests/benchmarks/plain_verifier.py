"""A verifier as one would write it first: `json`, `rfc8785`, `cryptography`, and nothing of this project.

It judges the same bundles by the same page (record-format.md §1-§7, §9), entry by entry: bytes canonical and
closed, every leaf hashed to the signed root and compared with the level-0 tiles, statements of their hash and
of their form, data of the form of their type (`plain_form`, by the published catalogue), labels, `seq`,
`prev`, tags by their salts, `seen`, ids used once, events named that stand before, keys, persons and roles as
of the index (`plain_authority`), every Ed25519 signature, disclosed lines, values that ought to be open,
digests used once; of a withheld statement that it may be withheld, and its leaf. That is integrity and
completeness, which `trial-ledger verify` judges too. It leaves out what has little or no part in a bundle of
one study in which all is right: the lines of single control types, randomization, epochs, ES256, WebAuthn and
ML-DSA, and to say what is wrong, and where, in words.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.benchmarks.plain_authority import Authority
from tests.benchmarks.plain_form import (
    HEX,
    INSTANT,
    Types,
    WrongError,
    check_restrictions,
    check_statement,
    expect,
    references,
    text,
)

WIDTH: Final = 256
PAYLOAD_TYPE: Final = "application/vnd.trial-ledger.statement.v1+json"
LEAF_MEMBERS: Final = {"at", "class", "index", "payload_type", "sigs", "site", "statement", "stream", "v"}
UNSALTED: Final = ("study", "site/", "person/", "randomization/")


def verify(bundle: Path, catalogue: Mapping[str, Any], role: str) -> int:
    """Verify a study's bundle for a role, by the published catalogue; return how many signatures held."""
    return _Verifier(bundle, catalogue, role).run()


def tile_name(number: int) -> str:
    """Write a tile's number as c2sp.org/tlog-tiles does."""
    text = f"{number % 1000:03}"
    while number := number // 1000:
        text = f"x{number % 1000:03}/{text}"
    return text


class _Verifier:
    def __init__(self, bundle: Path, catalogue: Mapping[str, Any], role: str) -> None:
        self._bundle = bundle
        self._types: Types = {(each["type"], each["schema"]): each for each in catalogue["types"]}
        self._sight = catalogue["roles"][role]
        self._authority = Authority()
        self._tags = self._salted()
        self._digests: set[str] = set()
        self._unopened: set[str] = set()
        self._erased: set[str] = set()
        origin, size, root = (bundle / "checkpoint").read_text().split("\n")[:3]
        self._origin, self._size, self._root = origin, int(size), base64.b64decode(root)
        self._heads: dict[str, tuple[int, str, str | None, str | None]] = {}
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
        expect(self._unopened <= self._erased, "not opened")
        return self._held

    def _salted(self) -> dict[str, str]:
        salts = encoded((self._bundle / "streams.json").read_bytes())
        return {
            stream: hashlib.sha256(
                b"trial-ledger/stream/v1\x00" + bytes.fromhex(salt) + stream.encode()
            ).hexdigest()
            for stream, salt in salts.items()
        }

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
        expect(line["statement"] == leaf["statement"] and leaf["class"] == "restricted", "withheld")
        expect(line["why"] == "blinded" and leaf["stream"] not in self._tags.values(), "withheld")
        tag = leaf["stream"]
        seq, _, stream, _ = self._heads.get(tag, (0, "0" * 64, None, None))
        self._heads[tag] = (seq + 1, leaf["statement"], stream, leaf["site"])
        self._events.add(leaf["statement"])
        for sig in leaf["sigs"]:
            key = self._authority.keys[sig["key"]]
            expect(key["alg"] == sig["alg"] and not key["retired"], "withheld key")

    def _place(self, index: int, leaf: Any) -> None:
        expect(set(leaf) == LEAF_MEMBERS and type(leaf["v"]) is int and leaf["v"] == 1, "leaf")
        expect(leaf["index"] == index and leaf["at"] >= self._at, "order")
        expect(text(leaf["at"], INSTANT) and text(leaf["statement"], HEX), "leaf")
        expect(leaf["payload_type"] == PAYLOAD_TYPE and text(leaf["stream"], HEX), "leaf")
        self._at = leaf["at"]

    def _entry(self, index: int, leaf: Any, payload: bytes, opening: Any) -> None:
        self._place(index, leaf)
        message = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
        event = hashlib.sha256(message).hexdigest()
        expect(event == leaf["statement"], "statement hash")
        statement = canonical(payload)
        check_statement(statement, self._types)
        known = self._types[statement["type"], statement["schema"]]
        expect(statement["log"] == self._origin, "log")
        labels = (statement["class"], statement.get("site", ""), statement["tag"])
        expect(labels == (leaf["class"], leaf["site"], leaf["stream"]), "labels")
        self._linkage(index, statement, event)
        expect(
            all(each in self._events for each in references(known["data"], statement["data"])), "reference"
        )
        self._events.add(event)
        self._authority.judge(statement, known)
        self._authority.bring(statement)
        self._signatures(statement, leaf["sigs"], message)
        self._authority.fold(statement)
        if statement["type"] == "personal_data.erased":
            self._erased.update(statement["data"]["digests"])
        self._openings(statement, known, opening.get("open", {}))

    def _linkage(self, index: int, statement: Any, event: str) -> None:
        tag, stream, site = statement["tag"], statement["stream"], statement.get("site")
        if not stream.startswith(UNSALTED):
            expect(self._tags[stream] == tag, "tag")
        else:
            unsalted = hashlib.sha256(b"trial-ledger/stream/v1\x00" + bytes(32) + stream.encode())
            expect(unsalted.hexdigest() == tag, "tag")
        seq, prev, known, there = self._heads.get(tag, (0, "0" * 64, stream, site))
        expect((statement["seq"], statement["prev"]) == (seq + 1, prev), "linkage")
        expect(known in (None, stream) and site == there, "stream")
        if statement["type"] == "participant.transferred":
            site = statement["data"]["to"]
        self._heads[tag] = (seq + 1, event, stream, site)
        expect(statement["id"] not in self._ids and event not in self._events, "used twice")
        self._ids.add(statement["id"])
        size = statement["seen"]["size"]
        expect(size <= index and base64.b64decode(statement["seen"]["root"]) == self._roots[size], "seen")
        key = statement["key"]["id"]
        expect(size >= self._seen.get(key, 0), "seen back")
        self._seen[key] = size

    def _signatures(self, statement: Any, sigs: Sequence[Any], message: bytes) -> None:
        wanted = [statement["key"], *statement.get("with", [])]
        expect(
            [(sig["alg"], sig["key"]) for sig in sigs] == [(ref["alg"], ref["id"]) for ref in wanted], "set"
        )
        for sig in sigs:
            if sig["alg"] == "ed25519":
                expect(set(sig) == {"alg", "key", "sig"}, "signature")
                public = self._authority.keys[sig["key"]]["public"]
                assert isinstance(public, Ed25519PublicKey)
                try:
                    public.verify(base64.b64decode(sig["sig"], validate=True), message)
                except InvalidSignature:
                    raise WrongError("signature") from None
                self._held += 1

    def _openings(self, statement: Any, known: Mapping[str, Any], opened: Any) -> None:
        for path, digest in statement.get("sealed", {}).items():
            scope = "freetext" if path == "/reason/text" else known["sealed"][path]
            if path not in opened and self._sees(scope):
                self._unopened.add(digest)
            expect(digest not in self._digests, "digest")
            self._digests.add(digest)
        for path, disclosure in opened.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode()).digest()).rstrip(b"=")
            expect(statement["sealed"][path] == digest.decode(), "disclosure")
            padded = disclosure + "=" * (-len(disclosure) % 4)
            salt, name, where, _ = canonical(base64.urlsafe_b64decode(padded))
            expect((name, where, len(salt)) == (statement["id"], path, 43), "disclosure")

    def _sees(self, scope: str) -> bool:
        return self._sight.get(scope) in (True, "all")


def canonical(data: bytes) -> Any:
    """Parse bytes that are the one encoding of what they say (record-format.md §1)."""
    value = encoded(data)
    check_restrictions(value)
    return value


def encoded(data: bytes) -> Any:
    """Parse bytes that are the RFC 8785 encoding of what they say."""
    value = json.loads(data)
    expect(rfc8785.dumps(value) == data, "canonical")
    return value
