"""Randomization lists that anyone can make again: record-format §8, byte for byte.

    seed    = SHA-256("trial-ledger/list/v1\\0" ‖ origin ‖ "\\0" ‖ list ‖ "\\0" ‖ seeds ‖ beacon)
    numbers = ChaCha20 keystream (RFC 8439), key seed, counter and nonce zero, as big-endian u32
    salt_i  = HMAC-SHA256(HMAC-SHA256(seed, "trial-ledger/list-salt/v1"), u32be(i))
    c_i     = SHA-256("trial-ledger/allocation/v1\\0" ‖ origin ‖ "\\0" ‖ list ‖ "\\0" ‖ u32be(i) ‖ salt_i
                      ‖ JCS({"arm","stratum"}))
    root    = RFC 6962 tree over c_0 … c_n-1, the 32 bytes of c_i as leaf data

Index i runs through all strata, these in ascending order of their UTF-8 bytes. Making a list needs the seed
and tells every allocation, so it is done away from the server, or once the list is opened; checking that a
commitment is the list's needs the root alone.

Left out on purpose: where seeds and the beacon come from, who signs them, and how slots are kept sealed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from ledger import canonical, merkle
from ledger.errors import FormatError, ProofError

PERMUTED_BLOCKS: Final = "permuted-blocks/1"
SECOND_STAGE: Final = "second-stage/1"
CONTINUE: Final = "continue"
"""What a second-stage entry says of those who go on as they were."""
MAX_ENTRIES: Final = 1 << 20
SEED_BYTES: Final = 32

CODE: Final = "RANDOMIZATION_LIST"
SLOT_CODE: Final = "RANDOMIZATION_SLOT"

_KEYSTREAM_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """One allocation of a list."""

    stratum: str
    arm: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One entry with what proves it. Salt and arm open the allocation, and are not shown in `repr`."""

    index: int
    stratum: str
    arm: str = field(repr=False)
    salt: bytes = field(repr=False)
    commitment: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomizationList:
    """A whole list. Entries, salts and commitments go by index; the root commits to all of them."""

    name: str
    entries: tuple[ListEntry, ...] = field(repr=False)
    salts: tuple[bytes, ...] = field(repr=False)
    commitments: tuple[bytes, ...] = field(repr=False)
    root: bytes

    @property
    def size(self) -> int:
        """Number of entries, all strata together."""
        return len(self.entries)


class Numbers:
    """The numbers that a seed stands for, drawn one after the other. Record-format §8.2."""

    __slots__ = ("_buffer", "_keystream", "_position")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise FormatError(CODE, f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
        # The first 4 of these 16 bytes are RFC 8439's block counter, little-endian, the others its nonce.
        self._keystream = Cipher(ChaCha20(seed, bytes(16)), mode=None).encryptor()
        self._buffer = b""
        self._position = 0

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1, each equally likely; takes at least one u32, for 1 too."""
        if not 1 <= bound <= 1 << 32:
            raise FormatError(CODE, f"expected a bound from 1 to 2^32, got {bound}")
        limit = (1 << 32) - (1 << 32) % bound
        while (number := self._u32()) >= limit:
            pass
        return number % bound

    def _u32(self) -> int:
        if self._position == len(self._buffer):
            self._buffer = self._keystream.update(bytes(_KEYSTREAM_CHUNK))
            self._position = 0
        self._position += 4
        return int.from_bytes(self._buffer[self._position - 4 : self._position], "big")


def list_seed(origin: str, name: str, contributions: Sequence[bytes], beacon: bytes) -> bytes:
    """Derive the seed of a list from the contributors' 32-byte seeds, in committed order, and the beacon.

    Raises:
        FormatError: a contribution or the beacon is not 32 bytes, or a name holds a zero byte.
    """
    for each in (*contributions, beacon):
        if len(each) != SEED_BYTES:
            raise FormatError(CODE, f"expected seeds and a beacon of {SEED_BYTES} bytes, got {len(each)}")
    return hashlib.sha256(
        _named("trial-ledger/list/v1", origin, name) + b"".join(contributions) + beacon
    ).digest()


def permuted_blocks(
    seed: bytes, *, arms: Mapping[str, int], strata: Collection[str], block_sizes: Sequence[int], slots: int
) -> tuple[ListEntry, ...]:
    """Make the entries of `permuted-blocks/1`: `slots` for each stratum; `arms` maps an arm to its ratio.

    Raises:
        FormatError: parameters by which no list can be made.
    """
    if slots < 1 or not strata or slots * len(strata) > MAX_ENTRIES:
        raise FormatError(CODE, f"expected from 1 to {MAX_ENTRIES} slots in all strata")
    if len(set(strata)) != len(strata):
        raise FormatError(CODE, "expected each stratum once")
    blocks = _Blocks(Numbers(seed), arms, block_sizes)
    return tuple(
        ListEntry(stratum=stratum, arm=arm)
        for stratum in sorted(strata, key=str.encode)
        for arm in blocks.take(slots)
    )


def second_stage(
    seed: bytes,
    *,
    first: Sequence[ListEntry],
    from_arms: Collection[str],
    arms: Mapping[str, int],
    block_sizes: Sequence[int],
) -> tuple[ListEntry, ...]:
    """Make the entries of `second-stage/1`: one for each entry of the `first` list, in its order.

    Raises:
        FormatError: parameters by which no list can be made.
    """
    if not from_arms or not first or len(first) > MAX_ENTRIES:
        raise FormatError(CODE, "expected a first list and the arms that are allocated again")
    again: dict[str, int] = dict.fromkeys((entry.stratum for entry in first), 0)
    for entry in first:
        again[entry.stratum] += entry.arm in from_arms
    blocks = _Blocks(Numbers(seed), arms, block_sizes)
    drawn = {stratum: iter(blocks.take(again[stratum])) for stratum in sorted(again, key=str.encode)}
    return tuple(
        ListEntry(
            stratum=entry.stratum, arm=next(drawn[entry.stratum]) if entry.arm in from_arms else CONTINUE
        )
        for entry in first
    )


def draw_list(
    origin: str,
    parameters: Mapping[str, Any],
    *,
    seeds: Sequence[bytes],
    beacon: bytes,
    block_sizes: Sequence[int],
    first: Sequence[ListEntry] = (),
) -> RandomizationList:
    """Draw the list that committed parameters, seeds and beacon stand for; whoever has them draws the same.

    `parameters` are the data of `randomization.parameters_committed`, `first` the entries of the list that a
    second stage builds upon.

    Raises:
        FormatError: what no list can be drawn from.
    """
    seed = list_seed(origin, parameters["list"], seeds, beacon)
    arms = dict(parameters["arms"])
    if parameters["algorithm"] == SECOND_STAGE:
        entries = second_stage(
            seed, first=first, from_arms=parameters["from_arms"], arms=arms, block_sizes=block_sizes
        )
    else:
        entries = permuted_blocks(
            seed,
            arms=arms,
            strata=parameters["strata"],
            block_sizes=block_sizes,
            slots=parameters["slots"],
        )
    return build_list(origin, parameters["list"], seed, entries)


def build_list(origin: str, name: str, seed: bytes, entries: Sequence[ListEntry]) -> RandomizationList:
    """Commit to entries: their salts, commitments and root; O(n)."""
    key = hmac.digest(seed, b"trial-ledger/list-salt/v1", "sha256")
    salts = tuple(hmac.digest(key, _u32be(index), "sha256") for index in range(len(entries)))
    commitments = tuple(
        commitment(origin, name, index, salt, entry)
        for index, (salt, entry) in enumerate(zip(salts, entries, strict=True))
    )
    return RandomizationList(
        name=name,
        entries=tuple(entries),
        salts=salts,
        commitments=commitments,
        root=merkle.tree_root(merkle.leaf_hash(each) for each in commitments),
    )


def commitment(origin: str, name: str, index: int, salt: bytes, entry: ListEntry) -> bytes:
    """Compute c_i: what is published of an entry before it is used."""
    allocation = canonical.encode({"arm": entry.arm, "stratum": entry.stratum})
    head = _named("trial-ledger/allocation/v1", origin, name)
    return hashlib.sha256(head + _u32be(index) + salt + allocation).digest()


def prove_slots(made: RandomizationList) -> tuple[Slot, ...]:
    """Take a list apart into one slot for each index, each with its inclusion proof; O(n log n)."""
    reader = merkle.MemoryHashes([merkle.leaf_hash(each) for each in made.commitments])
    return tuple(
        Slot(
            index=index,
            stratum=entry.stratum,
            arm=entry.arm,
            salt=made.salts[index],
            commitment=made.commitments[index],
            proof=tuple(merkle.prove_inclusion(index, made.size, reader)),
        )
        for index, entry in enumerate(made.entries)
    )


def check_slot(value: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the 32-byte commitment `value` stands at `index` of the committed list.

    Raises:
        ProofError: `RANDOMIZATION_SLOT`.
    """
    if len(value) != hashlib.sha256().digest_size:
        raise ProofError(SLOT_CODE, f"expected a commitment of 32 bytes, got {len(value)}")
    try:
        merkle.check_inclusion(merkle.leaf_hash(value), index, size, root, proof)
    except ProofError as error:
        raise ProofError(SLOT_CODE, error.message) from None


def check_opening(origin: str, name: str, slot: Slot, *, size: int, root: bytes) -> None:
    """Check that an opened slot is what the list committed to: arm, stratum and index by salt and proof.

    Raises:
        ProofError: `RANDOMIZATION_SLOT`. The message names no arm.
    """
    check_slot(slot.commitment, slot.index, size, root, slot.proof)
    entry = ListEntry(stratum=slot.stratum, arm=slot.arm)
    if commitment(origin, name, slot.index, slot.salt, entry) != slot.commitment:
        raise ProofError(SLOT_CODE, "expected the allocation that the commitment was made of")


def stratum_indexes(strata: Collection[str], slots: int, stratum: str) -> range:
    """Return the indexes of a stratum in the order of their use.

    Raises:
        FormatError: the list has no such stratum.
    """
    if stratum not in strata:
        raise FormatError(CODE, "expected a stratum of the list", field="stratum")
    start = sorted(strata, key=str.encode).index(stratum) * slots
    return range(start, start + slots)


class _Blocks:
    """Permuted blocks, one after the other, from one series of numbers."""

    def __init__(self, numbers: Numbers, arms: Mapping[str, int], block_sizes: Sequence[int]) -> None:
        if not arms or CONTINUE in arms or any(ratio < 1 for ratio in arms.values()):
            raise FormatError(CODE, f"expected arms with ratios of at least 1, none named {CONTINUE}")
        whole = sum(arms.values())
        if not block_sizes or any(size < 1 or size % whole for size in block_sizes):
            raise FormatError(
                CODE, f"expected block sizes that are multiples of {whole}, the sum of the ratios"
            )
        if max(block_sizes) > MAX_ENTRIES:
            raise FormatError(CODE, f"expected block sizes up to {MAX_ENTRIES}")
        self._numbers = numbers
        self._sizes = block_sizes
        self._smallest = [arm for arm in sorted(arms, key=str.encode) for _ in range(arms[arm])]

    def take(self, count: int) -> list[str]:
        """Draw whole blocks until there are `count` arms; the last block is cut."""
        taken: list[str] = []
        while len(taken) < count:
            taken += self._block()
        return taken[:count]

    def _block(self) -> list[str]:
        below = self._numbers.below
        size = self._sizes[below(len(self._sizes))]
        block = self._smallest * (size // len(self._smallest))
        for i in range(size - 1, 0, -1):  # Fisher-Yates
            j = below(i + 1)
            block[i], block[j] = block[j], block[i]
        return block


def _named(label: str, origin: str, name: str) -> bytes:
    """Join label, origin and list name, each ended by a zero byte, which none of them may hold."""
    if "\0" in origin or "\0" in name:
        raise FormatError(CODE, "expected an origin and a list name without a zero byte")
    return f"{label}\0{origin}\0{name}\0".encode()


def _u32be(number: int) -> bytes:
    return number.to_bytes(4, "big")
