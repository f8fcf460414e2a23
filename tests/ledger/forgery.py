"""What an operator can do who holds every key of the log: write any leaf, and sign the tree over it.

A `Forgery` starts from a real bundle and writes bundles whose checkpoint is well signed, so that only the
checks behind the log's signature can find what is wrong.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledger import canonical
from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.envelope import PAYLOAD_TYPE, event_hash, pae
from ledger.export import export_bundle
from ledger.keys import Ed25519SigningKey, SigningKey
from ledger.merkle import leaf_hash, tree_root
from ledger.service import new_stream
from ledger.statement import ZERO_HASH, class_of
from ledger.tiles import TILE_WIDTH, decode_entries, encode_entries, entries_path, payload_path, tile_path
from ledger.verify.options import Scope
from ledger.verify.tree import chunks
from tests.ledger.small_ledger import SmallLedger, seed

SERVICE_KEY = Ed25519SigningKey.from_seed(seed("service"))


def key_of(person: str) -> SigningKey:
    """Return a person's key."""
    return Ed25519SigningKey.from_seed(seed(person))


class Forgery:
    """A bundle in memory, entry by entry, and the small files beside it."""

    def __init__(self, made: SmallLedger, place: Path, role: str = "auditor") -> None:
        note = made.publish()
        export_bundle(
            made.ledger.store, made.ledger.data_keys, note, place, scope=Scope(kind="study"), role=role
        )
        size = made.ledger.store.head().size
        self.signers = made.ledger.signers
        self.leaves: list[bytes] = []
        self.payloads: list[bytes] = []
        for number, width in chunks(size):
            self.leaves += decode_entries((place / entries_path(number, width)).read_bytes(), width)
            self.payloads += (place / payload_path(number, width)).read_bytes().split(b"\n")[:-1]
        skip = ("tile", "payloads")
        self.files = {
            str(path.relative_to(place)): path.read_bytes()
            for path in sorted(place.rglob("*"))
            if path.is_file() and path.relative_to(place).parts[0] not in skip
        }

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.leaves)

    def statement(self, index: int) -> dict[str, Any]:
        """Return the statement of an index as JSON."""
        value: dict[str, Any] = json.loads(self.payloads[index])
        return value

    def leaf(self, index: int) -> dict[str, Any]:
        """Return the leaf of an index as JSON."""
        value: dict[str, Any] = json.loads(self.leaves[index])
        return value

    def set_leaf(self, position: int, /, **changes: Any) -> None:
        """Change members of a leaf."""
        self.leaves[position] = canonical.encode({**self.leaf(position), **changes})

    def root(self, size: int) -> str:
        """Return the root of the first leaves in base64."""
        return base64.b64encode(tree_root(leaf_hash(leaf) for leaf in self.leaves[:size])).decode()

    def draft(self, like: int, **changes: Any) -> dict[str, Any]:
        """Write a statement that would follow in its stream, like an existing one but for the changes."""
        value = {**self.statement(like), **changes}
        stream = value["stream"]
        same = [at for at in range(self.size) if self.statement(at)["stream"] == stream]
        defaults: dict[str, Any] = {
            "id": f"0199f0c2-7a50-7c3e-8f57-5d0b7f0{self.size:05x}",
            "seq": len(same) + 1,
            "prev": event_hash(self.payloads[same[-1]]) if same else ZERO_HASH,
            "seen": {"root": self.root(self.size), "size": self.size},
            "class": class_of(value["type"], stream),
        }
        if same:
            defaults["tag"] = self.statement(same[-1])["tag"]
        elif not stream.startswith(("participant/", "access/", "pharmacy/", "safety")):
            defaults["tag"] = new_stream(stream, _NO_SOURCES).tag
        value.update({key: item for key, item in defaults.items() if key not in changes})
        return {key: item for key, item in value.items() if item is not None}

    def append(
        self,
        statement: Mapping[str, Any],
        keys: Sequence[SigningKey],
        **leaf: Any,
    ) -> int:
        """Add a statement with signatures by these keys; `leaf` overrides members of its leaf."""
        body = canonical.encode(dict(statement))
        sigs = [
            {"alg": key.alg, "key": key.id, "sig": base64.b64encode(key.sign(pae(body))).decode()}
            for key in keys
        ]
        value = {
            "at": self.leaf(self.size - 1)["at"],
            "class": statement["class"],
            "index": self.size,
            "payload_type": PAYLOAD_TYPE,
            "sigs": sigs,
            "site": statement.get("site", ""),
            "statement": event_hash(body),
            "stream": statement["tag"],
            "v": 1,
            **leaf,
        }
        self.leaves.append(canonical.encode(value))
        self.payloads.append(body)
        return self.size - 1

    def write(self, place: Path) -> Path:
        """Write the bundle with a tree, tiles and checkpoint that fit its leaves."""
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        files = dict(self.files)
        for number, width in chunks(self.size):
            start = number * TILE_WIDTH
            files[entries_path(number, width)] = encode_entries(self.leaves[start : start + width])
            lines = self.payloads[start : start + width]
            files[payload_path(number, width)] = b"".join(line + b"\n" for line in lines)
            files[tile_path(0, number, width)] = b"".join(hashes[start : start + width])
        full = self.size // TILE_WIDTH
        if full:
            roots = [tree_root(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(full)]
            files[tile_path(1, 0, full)] = b"".join(roots)
        origin = self.signers.head.key.name
        head = sign_head(Checkpoint(origin=origin, size=self.size, root=tree_root(hashes)), self.signers.head)
        files["checkpoint"] = publish(head, self.signers.published, 1_717_400_000)
        scope = json.loads(files["scope.json"])
        files["scope.json"] = canonical.encode({**scope, "size": self.size})
        for name, data in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return place


class _NoSources:
    """Unsalted streams need no randomness."""

    def now_us(self) -> int:
        return 0

    def random_bytes(self, count: int) -> bytes:
        raise AssertionError(f"asked for {count} random bytes")


_NO_SOURCES = _NoSources()
