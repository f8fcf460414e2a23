"""What the holder of a randomization list does away from the server, and what of it the server gets (§8).

    committed = read_committed(bundle, "main")        # parameters, seeds' hashes, beacon: from an export
    made = make(committed, seeds, block_sizes)        # the seeds come from the contributors, not the server
    upload = seal_slots(made, committed, slot_key)    # root, c_i, proofs, and one sealed slot for each index

A slot holds arm and salt, sealed (HPKE: X25519, HKDF-SHA256, AES-256-GCM) to the server's slot key and bound
to origin, list and index. The server opens one when it answers a request; until then nothing of the list is
plain on it. Whoever has the server's key-encryption key could open all of them: the list is secret from
people, as long as that key is.

Left out on purpose: who may sign what (`authorisation`), and how slots are kept and drawn (`allocation`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ledger import canonical
from ledger.checkpoint import Checkpoint, parse_body
from ledger.errors import FormatError, LedgerError, ProofError
from ledger.lines import encode_base64, parse_base64
from ledger.note import check_note, parse_note, parse_vkey
from ledger.statement import Statement
from ledger.study.lists import (
    ListEntry,
    RandomizationList,
    Slot,
    build_list,
    check_slot,
    commitment,
    draw_list,
    list_seed,
    prove_slots,
)
from ledger.verify.bundle import Bundle, open_bundle
from ledger.verify.findings import Finding
from ledger.verify.form import parse_entry, read_payloads
from ledger.verify.tree import Roots, check_tree, chunks, read_leaves

CODE: Final = "RANDOMIZATION_LIST"
LIST_FORMAT: Final = "trial-ledger-list-v1"
SLOTS_FORMAT: Final = "trial-ledger-slots-v1"
MAX_FILE_BYTES: Final = 1 << 30

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CHECKPOINT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What the log says of a list before it is made; `seeds` are the committed hashes, in their order."""

    origin: str
    parameters: Mapping[str, Any]
    seeds: tuple[str, ...]
    beacon: bytes

    @property
    def name(self) -> str:
        """The list's name."""
        name: str = self.parameters["list"]
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A list with what it was drawn from; all of it is the holder's alone."""

    list: RandomizationList
    seeds: tuple[bytes, ...] = field(repr=False)
    block_sizes: tuple[int, ...] = field(repr=False)


def read_committed(path: Path, name: str, witnessed: bytes | None = None) -> Committed:
    """Read a list's parameters and beacon from an export of the study that was verified before.

    `witnessed` is the checkpoint with the line of the witness, where the parameters name one.

    Raises:
        FormatError: what is missing, or does not hold together.
        SignatureError: the witness's line does not hold.
    """
    bundle = open_bundle(path)
    try:
        head = parse_body(parse_note(bundle.read("checkpoint", max_bytes=_CHECKPOINT_BYTES)).text)
        roots = check_tree(bundle, head, _refuse)
        told = [s for s in _statements(bundle, head) if s.stream == f"randomization/{name}"]
    finally:
        bundle.close()
    parameters = next((s.data for s in told if s.type == "randomization.parameters_committed"), None)
    if parameters is None:
        raise FormatError(CODE, "expected the list's parameters in the bundle")
    seeds = {s.event: s.data["sha256"] for s in told if s.type == "randomization.seed_committed"}
    return Committed(
        origin=head.origin,
        parameters=parameters,
        seeds=tuple(seeds[event] for event in parameters["contributors"]),
        beacon=_beacon(parameters, roots, head.origin, witnessed),
    )


def make(
    committed: Committed,
    seeds: Iterable[bytes],
    block_sizes: Sequence[int],
    first: Sequence[ListEntry] = (),
) -> Made:
    """Draw the list; the seeds are put into the committed order by their hashes.

    Raises:
        FormatError: a seed is missing or strange, or no list can be drawn.
    """
    by_hash = {hashlib.sha256(seed).hexdigest(): seed for seed in seeds}
    if by_hash.keys() != set(committed.seeds):
        raise FormatError(CODE, "expected exactly the seeds that were committed to")
    ordered = tuple(by_hash[digest] for digest in committed.seeds)
    made = draw_list(
        committed.origin,
        committed.parameters,
        seeds=ordered,
        beacon=committed.beacon,
        block_sizes=block_sizes,
        first=first,
    )
    return Made(list=made, seeds=ordered, block_sizes=tuple(block_sizes))


def commit_action(made: Made, committed: Committed) -> dict[str, Any]:
    """Return the action by which the holder commits to the list."""
    data = {
        "beacon": encode_base64(committed.beacon),
        "list": committed.name,
        "root": encode_base64(made.list.root),
        "size": made.list.size,
    }
    return _action("randomization.list_committed", committed, data)


def opening_action(made: Made, committed: Committed) -> dict[str, Any]:
    """Return the action by which the list is opened once the database is locked: until then a secret."""
    data = {
        "block_sizes": list(made.block_sizes),
        "list": committed.name,
        "seeds": [encode_base64(seed) for seed in made.seeds],
    }
    return _action("randomization.list_opened", committed, data)


def write_list(made: Made, committed: Committed) -> bytes:
    """Write the list for its holder, who needs it again for a second stage."""
    entries = [{"arm": entry.arm, "stratum": entry.stratum} for entry in made.list.entries]
    return canonical.encode(
        {
            "beacon": encode_base64(committed.beacon),
            "block_sizes": list(made.block_sizes),
            "entries": entries,
            "format": LIST_FORMAT,
            "list": committed.name,
            "origin": committed.origin,
            "root": encode_base64(made.list.root),
            "seeds": [encode_base64(seed) for seed in made.seeds],
        }
    )


def read_list(data: bytes) -> tuple[ListEntry, ...]:
    """Read the entries of a list that `write_list` wrote, and hold them to its root.

    Raises:
        FormatError: not such a list, or one that was changed.
    """
    try:
        value: Any = canonical.decode(data)
        entries = tuple(ListEntry(stratum=each["stratum"], arm=each["arm"]) for each in value["entries"])
        seeds = [parse_base64(text, what="a seed", code=CODE) for text in value["seeds"]]
        beacon = parse_base64(value["beacon"], what="the beacon", code=CODE)
        seed = list_seed(value["origin"], value["list"], seeds, beacon)
        root = build_list(value["origin"], value["list"], seed, entries).root
        whole = value["format"] == LIST_FORMAT and encode_base64(root) == value["root"]
    except (KeyError, TypeError, LedgerError) as error:
        raise FormatError(CODE, "expected a list as make-list writes it") from error
    if not whole:
        raise FormatError(CODE, "expected entries that give the list's root")
    return entries


def slot_private_key(secret: bytes) -> X25519PrivateKey:
    """Derive the server's slot key from its secret, which only the server has."""
    return X25519PrivateKey.from_private_bytes(hmac.digest(secret, b"trial-ledger/slot-key/v1", "sha256"))


def slot_key(secret: bytes) -> str:
    """Return the public slot key in base64, for the list's holder."""
    return encode_base64(slot_private_key(secret).public_key().public_bytes_raw())


def seal_slots(made: Made, committed: Committed, to: str) -> bytes:
    """Write what the server gets: for each index the commitment, its proof and the sealed slot.

    Raises:
        FormatError: not a slot key.
    """
    raw = parse_base64(to, what="the slot key", code=CODE)
    if len(raw) != 32:
        raise FormatError(CODE, "expected a slot key of 32 bytes")
    key = X25519PublicKey.from_public_bytes(raw)
    slots = []
    for slot in prove_slots(made.list):
        plain = canonical.encode({"arm": slot.arm, "salt": slot.salt.hex()})
        plain += bytes(-len(plain) % 256)  # its length would tell the arm
        info = _info(committed.origin, committed.name, slot.index)
        slots.append(
            {
                "commitment": slot.commitment.hex(),
                "index": slot.index,
                "proof": [encode_base64(node) for node in slot.proof],
                "sealed": encode_base64(_SUITE.encrypt(plain, key, info)),
                "stratum": slot.stratum,
            }
        )
    value = {"format": SLOTS_FORMAT, "list": committed.name, "origin": committed.origin, "slots": slots}
    return canonical.encode(value)


def open_slots(data: bytes, secret: bytes, origin: str, root: bytes, size: int) -> tuple[str, list[Slot]]:
    """Open an upload on the server: every slot stands in the committed list and opens to its commitment.

    Raises:
        FormatError: not such a file, of another ledger, or not all slots of the list.
        ProofError: a slot is not of the committed list.
    """
    value: Any = canonical.decode(data)
    if not isinstance(value, dict) or value.get("format") != SLOTS_FORMAT or value.get("origin") != origin:
        raise FormatError(CODE, "expected slots for this ledger as make-list writes them")
    name, key = str(value["list"]), slot_private_key(secret)
    try:
        slots = [_open_slot(each, key, origin, name, number) for number, each in enumerate(value["slots"])]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(CODE, "expected slots as make-list writes them") from error
    if len(slots) != size:
        raise FormatError(CODE, f"expected {size} slots, got {len(slots)}")
    for slot in slots:
        check_slot(slot.commitment, slot.index, size, root, slot.proof)
    return name, slots


def _open_slot(value: Mapping[str, Any], key: X25519PrivateKey, origin: str, name: str, index: int) -> Slot:
    sealed = parse_base64(value["sealed"], what="a slot", code=CODE)
    try:
        plain = _SUITE.decrypt(sealed, key, _info(origin, name, index))
    except InvalidTag as error:
        raise FormatError(CODE, "expected slots that are sealed to this server") from error
    opened: Any = canonical.decode(plain.rstrip(b"\0"))
    arm, salt = str(opened["arm"]), bytes.fromhex(opened["salt"])
    made = commitment(origin, name, index, salt, ListEntry(stratum=value["stratum"], arm=arm))
    if value["index"] != index or made.hex() != value["commitment"]:
        raise ProofError("RANDOMIZATION_SLOT", "a slot does not open to its commitment")
    proof = tuple(parse_base64(node, what="a proof", code=CODE) for node in value["proof"])
    return Slot(index=index, stratum=value["stratum"], arm=arm, salt=salt, commitment=made, proof=proof)


def _info(origin: str, name: str, index: int) -> bytes:
    return f"trial-ledger/slot-upload/v1\0{origin}\0{name}\0{index}".encode()


def _action(type_: str, committed: Committed, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": type_,
        "stream": f"randomization/{committed.name}",
        "role": "list_holder",
        "meaning": "authorship",
        "data": dict(data),
    }


def _refuse(found: Finding) -> None:
    raise FormatError(CODE, f"the bundle does not hold: {found.code}; verify it first")


def _statements(bundle: Bundle, head: Checkpoint) -> Iterable[Statement]:
    for number, width in chunks(head.size):
        leaves, payloads = read_leaves(bundle, number, width), read_payloads(bundle, number, width, _refuse)
        for position, (leaf, payload) in enumerate(zip(leaves, payloads, strict=True)):
            statement = parse_entry(number * 256 + position, leaf, payload).statement
            if statement is not None:
                yield statement


def _beacon(parameters: Mapping[str, Any], roots: Roots, origin: str, witnessed: bytes | None) -> bytes:
    """Return the beacon: the root of the size named or, with a witness, the hash of its signature there."""
    size = parameters["beacon_size"]
    if size > roots.size:
        raise FormatError(CODE, f"expected a bundle of {size} entries or more")
    if "beacon_witness" not in parameters:
        return roots.at(size)
    if witnessed is None:
        raise FormatError(CODE, f"expected the witness's checkpoint of size {size}")
    note = parse_note(witnessed)
    body = parse_body(note.text)
    if (body.origin, body.size, body.root) != (origin, size, roots.at(size)):
        raise FormatError(CODE, f"expected the witness's checkpoint of this log at size {size}")
    (checked,) = check_note(note, [parse_vkey(parameters["beacon_witness"])])
    return hashlib.sha256(checked.signature).digest()
