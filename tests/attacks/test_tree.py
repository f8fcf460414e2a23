"""Tiles, entry bundles and proofs that say something else than the leaves (§4, §5, §9)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.errors import ProofError
from ledger.merkle import (
    MemoryHashes,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    tree_root,
)
from ledger.proof import add_checkpoint_body, check_receipt, parse_receipt
from ledger.recorded import receipt_of
from tests.attacks.mutators_log import Check, copied
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import ORIGIN, SmallLedger
from tests.ledger.verifying import found, judge, problems

ENTRIES, TILE, PAYLOADS = "tile/entries/000.p/51", "tile/0/000.p/51", "payloads/000.p/51"
SIZE = 21
LEAVES = [leaf_hash(bytes([number])) for number in range(SIZE)]
HASHES = MemoryHashes(LEAVES)
ROOT = tree_root(LEAVES)

Proof = list[bytes]
BENT: dict[str, Callable[[Proof], Proof]] = {
    "a hash more": lambda proof: [*proof, bytes(32)],
    "the last again": lambda proof: [*proof, proof[-1]],
    "one before": lambda proof: [bytes(32), *proof],
    "a hash less": lambda proof: proof[:-1],
    "without the first": lambda proof: proof[1:],
    "two change places": lambda proof: [proof[1], proof[0], *proof[2:]],
    "turned round": lambda proof: proof[::-1],
    "empty": lambda proof: [],
    "a short hash": lambda proof: [proof[0][:31], *proof[1:]],
    "one bit": lambda proof: [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]],
}


@pytest.fixture
def change(forged: Forgery, made: SmallLedger, tmp_path: Path) -> Callable[..., Any]:
    """Write the bundle, change the bytes of one file, and judge it."""

    def run(name: str, edit: Callable[[bytes], bytes]) -> Any:
        place = forged.write(tmp_path / "changed")
        (place / name).write_bytes(edit((place / name).read_bytes()))
        return judge(place, made.policy)

    return run


# Files of the tree


@pytest.mark.parametrize("at", [0, 17, 50])
def test_lying_tile(change: Callable[..., Any], at: int) -> None:
    """A tile with another hash than the leaf's is found at that leaf, and nothing else is drowned by it."""
    report = change(TILE, lambda data: data[: 32 * at] + bytes(32) + data[32 * at + 32 :])
    assert problems(report) == {"TILE"}
    assert found(report, "TILE") == [at]


@pytest.mark.parametrize("length", [0, 31, 32 * 50, 32 * 51 + 1, 32 * 52])
def test_tile_of_another_length(change: Callable[..., Any], length: int) -> None:
    """A tile has 32 bytes for each hash of its width."""
    assert problems(change(TILE, lambda data: (data + bytes(32))[:length])) == {"TILE"}


def test_lying_tile_and_checkpoint_over_it(forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """The log signs the root of tiles that its leaves do not hash to."""
    place = forged.write(tmp_path / "b")
    hashes = [leaf_hash(leaf) for leaf in forged.leaves]
    hashes[7] = bytes(32)
    (place / TILE).write_bytes(b"".join(hashes))
    head = sign_head(Checkpoint(origin=ORIGIN, size=forged.size, root=tree_root(hashes)), forged.signers.head)
    (place / "checkpoint").write_bytes(publish(head, forged.signers.published, 1_717_400_000))
    report = judge(place, made.policy)
    assert {"TILE", "ROOT"} <= problems(report)
    assert found(report, "TILE") == [7]


@pytest.mark.parametrize("byte", [0, 1, 2, 300, 20_000])
def test_bit_rot_in_a_stored_leaf(change: Callable[..., Any], byte: int) -> None:
    """One bit of an entry bundle."""
    report = change(ENTRIES, lambda data: data[:byte] + bytes([data[byte] ^ 4]) + data[byte + 1 :])
    assert problems(report) & {"ROOT", "ENTRY_BUNDLE"}
    assert report.exit_code == 1


@pytest.mark.parametrize("kind", ["cut", "longer", "entry more", "empty"])
def test_lying_entry_bundle(change: Callable[..., Any], kind: str) -> None:
    """An entry bundle splits into exactly its leaves."""
    edits = {
        "cut": lambda data: data[:-1],
        "longer": lambda data: data + b"\0",
        "entry more": lambda data: data + b"\0\1x",
        "empty": lambda _: b"",
    }
    report = change(ENTRIES, edits[kind])
    assert "ENTRY_BUNDLE" in problems(report)
    assert report.exit_code == 1


@pytest.mark.parametrize("kind", ["line more", "line less", "CRLF", "no LF at the end", "empty"])
def test_lines_of_payloads_split_otherwise(change: Callable[..., Any], kind: str) -> None:
    """One line for each leaf, ended by LF alone."""
    edits = {
        "line more": lambda data: data + b"\n",
        "line less": lambda data: data[: data[:-1].rindex(b"\n") + 1],
        "CRLF": lambda data: data.replace(b"\n", b"\r\n", 1),
        "no LF at the end": lambda data: data[:-1],
        "empty": lambda _: b"",
    }
    report = change(PAYLOADS, edits[kind])
    assert problems(report) & {"PAYLOAD_LINES", "STATEMENT_HASH"}
    assert report.exit_code == 1


def test_two_statements_change_lines(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each line is the statement of its own leaf."""
    first, second = made.at["vitals SA-01-001"], made.at["vitals SA-01-002"]
    forged.payloads[first], forged.payloads[second] = forged.payloads[second], forged.payloads[first]
    report = check(forged)
    assert found(report, "STATEMENT_HASH") == [first, second]


@pytest.mark.parametrize(
    "name",
    [
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/entries/000",
        "payloads/000",
        "tile/0/001.p/1",
        "tile/0/000.p/50",
        "tile/00/000.p/51",
    ],
)
def test_further_tile(forged: Forgery, check: Check, name: str) -> None:
    """A tile of another size, level or number could show another tree to another reader."""
    forged.files[name] = b"x"
    assert problems(check(forged)) == {"FILE_EXTRA"}


@pytest.mark.parametrize(
    "name",
    [ENTRIES, TILE, PAYLOADS, "scope.json", "streams.json", "withheld.jsonl", "disclosures.jsonl"],
)
def test_file_that_is_missing(forged: Forgery, made: SmallLedger, tmp_path: Path, name: str) -> None:
    """Each file of a bundle must be there."""
    place = forged.write(tmp_path / "b")
    (place / name).unlink()
    report = judge(place, made.policy)
    assert "FILE_MISSING" in problems(report)
    assert report.exit_code == 1


# Second preimages and proofs


def test_second_preimage_by_an_inner_node() -> None:
    """Two children of a node are no leaf: leaf and node hashes begin differently (RFC 6962 §2.1)."""
    inside = LEAVES[0] + LEAVES[1]
    assert leaf_hash(inside) != node_hash(LEAVES[0], LEAVES[1])
    proof = prove_inclusion(0, SIZE, HASHES)
    with pytest.raises(ProofError) as refused:
        check_inclusion(leaf_hash(inside), 0, 11, ROOT, proof[1:])
    assert refused.value.code == "INCLUSION_PROOF"


def test_second_preimage_by_a_doubled_last_leaf() -> None:
    """A tree with its last leaf twice has another root: nothing is filled up."""
    assert tree_root([*LEAVES, LEAVES[-1]]) != ROOT


@pytest.mark.parametrize("bent", BENT)
@pytest.mark.parametrize("index", [0, 5, 16])
def test_inclusion_proof_bent(bent: str, index: int) -> None:
    """A proof with hashes more, less, shuffled or changed proves nothing."""
    proof = prove_inclusion(index, SIZE, HASHES)
    changed = BENT[bent](proof)
    assert changed != proof
    with pytest.raises(ProofError) as refused:
        check_inclusion(LEAVES[index], index, SIZE, ROOT, changed)
    assert refused.value.code == "INCLUSION_PROOF"


@pytest.mark.parametrize("index", [1, 4, 20, 21, -1])
def test_inclusion_proof_for_another_place(index: int) -> None:
    """A proof is for one index."""
    proof = prove_inclusion(0, SIZE, HASHES)
    with pytest.raises(ProofError):
        check_inclusion(LEAVES[0], index, SIZE, ROOT, proof)


@pytest.mark.parametrize("bent", BENT)
@pytest.mark.parametrize("old", [3, 7, 13])
def test_consistency_proof_bent(bent: str, old: int) -> None:
    """The same for the proof that a log continues its past."""
    proof = prove_consistency(old, SIZE, HASHES)
    changed = BENT[bent](proof)
    assert changed != proof
    with pytest.raises(ProofError) as refused:
        check_consistency(old, tree_root(LEAVES[:old]), SIZE, ROOT, changed)
    assert refused.value.code == "CONSISTENCY_PROOF"


@pytest.mark.parametrize("kind", ["bent", "another size", "another checkpoint", "junk"])
def test_consistency_proof_in_a_bundle_bent(
    forged: Forgery, real: Forgery, check: Check, tmp_path: Path, kind: str
) -> None:
    """A proof that comes with a bundle has to hold over the bundle's own leaves."""
    note = (copied(real).write(tmp_path / "b") / "checkpoint").read_bytes()
    proof = prove_consistency(20, real.size, MemoryHashes([leaf_hash(leaf) for leaf in real.leaves]))
    bodies = {
        "bent": add_checkpoint_body(20, proof[::-1], note),
        "another size": add_checkpoint_body(21, proof, note),
        "another checkpoint": add_checkpoint_body(20, proof, note[:-2] + b"A\n"),
        "junk": b"junk",
    }
    forged.files["consistency/20"] = bodies[kind]
    assert problems(check(forged)) == {"CONSISTENCY"}


@pytest.mark.parametrize("kind", ["leaf", "index", "proof", "root"])
def test_receipt_bent(made: SmallLedger, kind: str) -> None:
    """A client's receipt is over one leaf, at one place, in one tree that the log signed."""
    receipt = receipt_of(made.ledger.store, 40)
    parsed = parse_receipt(receipt)
    other = base64.b64encode(parsed.leaf.replace(b'"index":40', b'"index":41'))
    bent = {
        "leaf": receipt.replace(base64.b64encode(parsed.leaf), other),
        "index": receipt.replace(b"\nindex 40\n", b"\nindex 41\n"),
        "proof": receipt.replace(base64.b64encode(parsed.proof[0]), base64.b64encode(bytes(32))),
        "root": receipt.replace(receipt.split(b"\n\n")[1].split(b"\n")[2], base64.b64encode(bytes(32))),
    }[kind]
    assert bent != receipt
    with pytest.raises(Exception) as refused:  # noqa: PT011  of two kinds, whose codes are asserted
        check_receipt(bent, made.policy.log_keys)
    assert getattr(refused.value, "code", None) in {"INCLUSION_PROOF", "NOTE_SIGNATURE"}
