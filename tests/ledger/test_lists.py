"""Randomization lists against the format's vectors, and the laws that any list keeps (record-format §8)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FormatError, ProofError
from ledger.study import lists
from ledger.study.lists import CONTINUE, ListEntry, Numbers, RandomizationList
from tests.shared import VECTORS

DOCUMENT = json.loads((VECTORS / "record-format.json").read_bytes())
VECTOR: dict[str, Any] = DOCUMENT["randomization"]
ORIGIN: str = DOCUMENT["origin"]
SEED = hashlib.sha256(b"a seed of tests").digest()


def vector_list(name: str) -> dict[str, Any]:
    return next(row for row in VECTOR["lists"] if row["list"] == name)


def vector_seed(name: str) -> bytes:
    seeds = [hashlib.sha256(label.encode()).digest() for label in VECTOR["seed_labels"]]
    return lists.list_seed(ORIGIN, name, seeds, bytes.fromhex(VECTOR["beacon"]))


def main_list() -> RandomizationList:
    seed = vector_seed("main")
    entries = lists.permuted_blocks(
        seed,
        arms=dict(VECTOR["arms"]),
        strata=VECTOR["strata"],
        block_sizes=VECTOR["block_sizes"],
        slots=VECTOR["slots"],
    )
    return lists.build_list(ORIGIN, "main", seed, entries)


def second_list() -> RandomizationList:
    seed = vector_seed("stage2")
    entries = lists.second_stage(
        seed,
        first=main_list().entries,
        from_arms=VECTOR["from_arms"],
        arms=dict(VECTOR["second_arms"]),
        block_sizes=VECTOR["second_block_sizes"],
    )
    return lists.build_list(ORIGIN, "stage2", seed, entries)


@pytest.mark.parametrize("name", ["main", "stage2"])
def test_seed_is_the_vectors(name: str) -> None:
    """Contributors' seeds, beacon, origin and list name give the seed of the vectors."""
    assert vector_seed(name).hex() == vector_list(name)["seed"]


@pytest.mark.parametrize(("name", "made"), [("main", main_list), ("stage2", second_list)])
def test_list_is_the_vectors(name: str, made: Any) -> None:
    """Entries, commitments and root of both algorithms are those of the vectors, one by one."""
    found = made()
    expected = vector_list(name)
    assert [[entry.stratum, entry.arm] for entry in found.entries] == expected["entries"]
    assert [each.hex() for each in found.commitments] == expected["commitments"]
    assert found.root.hex() == expected["root"]


def test_every_slot_proves_itself() -> None:
    """Each slot of both lists opens under the list's root and size."""
    for made in (main_list(), second_list()):
        slots = lists.prove_slots(made)
        assert [slot.index for slot in slots] == list(range(made.size))
        for slot in slots:
            lists.check_slot(slot.commitment, slot.index, made.size, made.root, slot.proof)
            lists.check_opening(ORIGIN, made.name, slot, size=made.size, root=made.root)


@pytest.mark.parametrize(
    "change",
    [
        {"arm": "another"},
        {"stratum": "SD-02"},
        {"salt": bytes(32)},
        {"index": 8},
        {"commitment": bytes(32)},
        {"commitment": b"short"},
        {"proof": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_slot_does_not_open(change: dict[str, Any]) -> None:
    """A slot with any part changed is not the one that was committed to."""
    made = main_list()
    slot = replace(lists.prove_slots(made)[7], **change)
    with pytest.raises(ProofError) as caught:
        lists.check_opening(ORIGIN, "main", slot, size=made.size, root=made.root)
    assert caught.value.code == "RANDOMIZATION_SLOT"


def test_a_slot_belongs_to_its_origin_and_list() -> None:
    """The same slot does not open under another origin or another list's name."""
    made = main_list()
    slot = lists.prove_slots(made)[0]
    for origin, name in ((ORIGIN + "x", "main"), (ORIGIN, "main2")):
        with pytest.raises(ProofError):
            lists.check_opening(origin, name, slot, size=made.size, root=made.root)


def test_slots_do_not_show_their_allocation() -> None:
    """Neither arm nor salt stands in the text of a slot, nor entries in that of a list."""
    made = main_list()
    slot = lists.prove_slots(made)[0]
    assert slot.arm not in repr(slot)
    assert repr(slot.salt) not in repr(slot)
    assert "magnesium" not in repr(made)


def test_numbers_are_the_keystream() -> None:
    """Numbers are ChaCha20's keystream from counter and nonce zero, in big-endian u32, past any chunk."""
    keystream = Cipher(ChaCha20(SEED, bytes(16)), mode=None).encryptor().update(bytes(4 * 3000))
    numbers = Numbers(SEED)
    words = [int.from_bytes(keystream[at : at + 4], "big") for at in range(0, len(keystream), 4)]
    assert [numbers.below(1 << 32) for _ in range(3000)] == words


def test_numbers_above_the_limit_are_passed_over() -> None:
    """A u32 at or above the largest multiple of the bound is not used: no remainder is more likely."""
    bound = (1 << 31) + 1  # close to every second u32 is above its largest multiple
    numbers, raw = Numbers(SEED), Numbers(SEED)
    words = [raw.below(1 << 32) for _ in range(64)]
    used = [word for word in words if word < bound]
    assert 16 < len(used) < 48
    assert [numbers.below(bound) for _ in used] == used


def test_a_bound_of_one_takes_a_number() -> None:
    """Drawing below 1 gives 0 and still takes one u32, as the format's rule reads."""
    numbers, raw = Numbers(SEED), Numbers(SEED)
    second = [raw.below(1 << 32) for _ in range(2)][1]
    assert (numbers.below(1), numbers.below(1 << 32)) == (0, second)


ARMS = st.dictionaries(st.text("abcdé+", min_size=1, max_size=4), st.integers(1, 3), min_size=1, max_size=4)
STRATA = st.lists(st.text("SAé-01", min_size=1, max_size=4), min_size=1, max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.binary(min_size=32, max_size=32),
    arms=ARMS,
    strata=STRATA,
    multiples=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    slots=st.integers(1, 40),
)
def test_blocks_are_balanced(
    seed: bytes, arms: dict[str, int], strata: list[str], multiples: list[int], slots: int
) -> None:
    """Each stratum has its slots, in ascending order, and is never further from its ratios than one block."""
    sizes = [multiple * sum(arms.values()) for multiple in multiples]
    entries = lists.permuted_blocks(seed, arms=arms, strata=strata, block_sizes=sizes, slots=slots)
    assert [entry.stratum for entry in entries] == [
        stratum for stratum in sorted(strata, key=str.encode) for _ in range(slots)
    ]
    for stratum in strata:
        indexes = lists.stratum_indexes(strata, slots, stratum)
        assert {entries[index].stratum for index in indexes} == {stratum}
        found = Counter(entries[index].arm for index in indexes)
        for arm, ratio in arms.items():
            assert abs(found[arm] * sum(arms.values()) - slots * ratio) <= max(sizes) * sum(arms.values())


@settings(max_examples=40, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), slots=st.integers(1, 40))
def test_second_stage_follows_the_first(seed: bytes, slots: int) -> None:
    """Who was not in `from_arms` continues; those who were are allocated in balanced blocks, by stratum."""
    first = lists.permuted_blocks(
        seed, arms={"a": 1, "b": 1, "c": 1}, strata=["X", "Y"], block_sizes=[3, 6], slots=slots
    )
    second = lists.second_stage(seed, first=first, from_arms=["c"], arms={"a": 1, "b": 1}, block_sizes=[2])
    assert [entry.stratum for entry in second] == [entry.stratum for entry in first]
    for stratum in ("X", "Y"):
        pairs = [(one.arm, two.arm) for one, two in zip(first, second, strict=True) if one.stratum == stratum]
        assert {two for one, two in pairs if one != "c"} <= {CONTINUE}
        again = Counter(two for one, two in pairs if one == "c")
        assert set(again) <= {"a", "b"}
        assert abs(again["a"] - again["b"]) <= 1  # whole blocks of two, the last cut


def test_a_ratio_of_two_is_kept() -> None:
    """With ratios 2:1 a list of whole blocks holds twice as many of the first arm."""
    entries = lists.permuted_blocks(SEED, arms={"a": 2, "b": 1}, strata=["X"], block_sizes=[3, 6], slots=300)
    found = Counter(entry.arm for entry in entries)
    assert abs(found["a"] - 200) <= 4


GOOD: dict[str, Any] = {"arms": {"a": 1, "b": 1}, "strata": ["X"], "block_sizes": [2, 4], "slots": 4}


@pytest.mark.parametrize(
    "change",
    [
        {"arms": {}},
        {"arms": {"a": 0, "b": 2}},
        {"arms": {"a": 1, CONTINUE: 1}},
        {"strata": []},
        {"strata": ["X", "X"]},
        {"block_sizes": []},
        {"block_sizes": [2, 3]},
        {"block_sizes": [0]},
        {"block_sizes": [1 << 21]},
        {"slots": 0},
        {"slots": (1 << 20) + 1},
        {"slots": 1 << 19, "strata": ["X", "Y", "Z"]},
    ],
    ids=str,
)
def test_impossible_parameters_are_refused(change: dict[str, Any]) -> None:
    """Parameters by which no list can be made are refused before a number is drawn."""
    with pytest.raises(FormatError) as caught:
        lists.permuted_blocks(SEED, **{**GOOD, **change})
    assert caught.value.code == "RANDOMIZATION_LIST"


def test_a_second_stage_needs_a_first() -> None:
    """A second stage over no list, or for no arm, is refused."""
    first = [ListEntry(stratum="X", arm="a")]
    for given_first, from_arms in (([], ["a"]), (first, [])):
        with pytest.raises(FormatError):
            lists.second_stage(SEED, first=given_first, from_arms=from_arms, arms={"b": 1}, block_sizes=[1])


def test_seeds_have_one_length() -> None:
    """Contributions, beacon and seed are 32 bytes, and no name holds the separator."""
    for seeds, beacon in (([bytes(31)], bytes(32)), ([bytes(32)], b"")):
        with pytest.raises(FormatError):
            lists.list_seed(ORIGIN, "main", seeds, beacon)
    with pytest.raises(FormatError):
        lists.list_seed(ORIGIN, "ma\0in", [bytes(32)], bytes(32))
    with pytest.raises(FormatError):
        Numbers(bytes(16))


def test_a_stratum_that_is_not_the_lists_is_refused() -> None:
    """Indexes are asked for strata of the list alone."""
    with pytest.raises(FormatError):
        lists.stratum_indexes(["X"], 3, "Y")


def test_each_contribution_and_its_place_matter() -> None:
    """Swapped contributions, another beacon or another list name give another seed."""
    one, two, beacon = bytes(32), bytes([1]) * 32, bytes([2]) * 32
    seeds = {
        lists.list_seed(ORIGIN, "main", [one, two], beacon),
        lists.list_seed(ORIGIN, "main", [two, one], beacon),
        lists.list_seed(ORIGIN, "main", [one, two], bytes(32)),
        lists.list_seed(ORIGIN, "main2", [one, two], beacon),
        lists.list_seed(ORIGIN + "x", "main", [one, two], beacon),
    }
    assert len(seeds) == 5
