"""Attachments, kept proofs of forks and of consistency: each by code, index and file (§4, §5, §9)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.attachments import MAX_ATTACHMENT_BYTES
from ledger.checkpoint import Checkpoint, publish, sign_head
from ledger.errors import FormatError
from ledger.merkle import MemoryHashes, leaf_hash, prove_consistency, tree_root
from ledger.note import CosignatureSigner, NoteSigner
from ledger.proof import add_checkpoint_body
from ledger.statement import parse_statement
from ledger.verify.files import AttachmentsJudge, check_forks, check_proofs
from ledger.verify.findings import Finding
from ledger.verify.tree import Roots
from tests.ledger.verifying import MINIMAL

ORIGIN = "ledger.example/files"
LOG, PQ = NoteSigner(ORIGIN, bytes(32)), CosignatureSigner(ORIGIN, bytes(32))
HASHES = [leaf_hash(bytes([number])) for number in range(9)]
STATEMENT = parse_statement((MINIMAL / "payloads" / "000.p" / "11").read_bytes().split(b"\n")[3])
SCAN, OTHER = b"a scan", b"another"
Told = list[tuple[str, int | None, str | None]]


class Files:
    """A bundle in memory."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.limits: set[int] = set()

    def names(self) -> list[str]:
        """List the names."""
        return sorted(self.files)

    def size(self, name: str) -> int:
        """Return a size."""
        return len(self.files[name])

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a file's bytes; one of the name `torn` can't be read."""
        self.limits.add(max_bytes)
        if self.files[name] == b"torn":
            raise FormatError("ZIP_FORM", "torn", field=name)
        return self.files[name]

    def lines(self, name: str) -> Iterator[bytes]:
        """Nothing asks."""
        raise AssertionError("nothing asks for it")

    def close(self) -> None:
        """Nothing is open."""


def sha256(data: bytes) -> str:
    """Return the hash that names bytes."""
    return hashlib.sha256(data).hexdigest()


def at(data: bytes) -> str:
    """Return the file's name of an attachment."""
    return f"attachments/{sha256(data)}"


def naming(*named: tuple[bytes, int]) -> Any:
    """Make a statement that names attachments, each with a size."""
    listed = [{"media_type": "text/plain", "sha256": sha256(data), "size": size} for data, size in named]
    return replace(STATEMENT, data={"files": listed}, body=b'{"media_type":')


def judged(files: dict[str, bytes], *statements: Any) -> Told:
    """Judge statements in order, then the end."""
    found: list[Finding] = []
    judge = AttachmentsJudge(Files(**files), found.append)
    for index, statement in enumerate(statements, start=4):
        judge.judge(index, statement)
    judge.finish()
    return [(each.code, each.index, each.file) for each in found]


def test_what_is_named_is_there() -> None:
    """Once or twice, with its size; a statement that names none asks for none."""
    files = {at(SCAN): SCAN, "scope.json": b"{}"}
    assert judged(files, naming((SCAN, 6)), STATEMENT, naming((SCAN, 6))) == []


def test_what_nothing_names_is_told_by_its_name() -> None:
    """In the order of names, at the end."""
    files = {at(SCAN): SCAN, at(OTHER): OTHER}
    assert judged(files, STATEMENT) == [("FILE_EXTRA", None, name) for name in sorted(files)]


@pytest.mark.parametrize(
    ("files", "statements", "told"),
    [
        ({}, [naming((SCAN, 6))], [("ATTACHMENT_MISSING", 4, at(SCAN))]),
        ({at(SCAN): SCAN}, [naming((SCAN, 7))], [("ATTACHMENT", 4, at(SCAN))]),
        ({at(SCAN): OTHER}, [naming((SCAN, 7))], [("ATTACHMENT", 4, at(SCAN))]),
        ({at(SCAN): b"torn"}, [naming((SCAN, 6))], [("ZIP_FORM", 4, at(SCAN))]),
        ({at(SCAN): SCAN}, [naming((SCAN, 6)), naming((SCAN, 7))], [("ATTACHMENT", 5, at(SCAN))]),
        ({at(SCAN): SCAN}, [naming((SCAN, MAX_ATTACHMENT_BYTES + 1))], [("ATTACHMENT", 4, at(SCAN))]),
        ({}, [naming((SCAN, MAX_ATTACHMENT_BYTES))], [("ATTACHMENT_MISSING", 4, at(SCAN))]),
        ({at(OTHER): OTHER}, [naming((SCAN, 6), (OTHER, 7))], [("ATTACHMENT_MISSING", 4, at(SCAN))]),
    ],
)
def test_an_attachment_is_of_its_hash_and_size(
    files: dict[str, bytes], statements: list[Any], told: Told
) -> None:
    """At the statement that names it."""
    assert judged(files, *statements) == told


def test_bytes_are_read_back_where_they_are_right() -> None:
    """Else it is as if they were not there."""
    bundle = Files(**{at(SCAN): SCAN, at(OTHER): SCAN, at(b"torn"): b"torn"})
    judge = AttachmentsJudge(bundle, lambda _: None)
    assert judge.read(sha256(SCAN)) == SCAN
    assert [judge.read(sha256(data)) for data in (OTHER, b"torn", b"none")] == [None, None, None]
    assert bundle.limits == {MAX_ATTACHMENT_BYTES}


def head(size: int, root: bytes | None = None, signer: NoteSigner = LOG) -> bytes:
    """Sign a head."""
    known = tree_root(HASHES[:size]) if root is None else root
    return sign_head(Checkpoint(origin=signer.key.name, size=size, root=known), signer)


def roots(size: int = 9) -> Roots:
    """Return the roots of the log."""
    made = Roots()
    for value in HASHES[:size]:
        made.append(value)
    return made


STRANGER = NoteSigner(ORIGIN, b"1" * 32)


@pytest.mark.parametrize(
    ("note", "name", "code", "index"),
    [
        (head(5, bytes(32)), None, "FORK", 4),
        (head(9, bytes(32)), None, "FORK", 8),
        (head(5), None, "FORK_UNFOUNDED", None),
        (head(10, bytes(32)), None, "FORK_UNFOUNDED", None),
        (head(5, bytes(32)), "ab" * 32, "FORK_UNFOUNDED", None),
        (head(5, bytes(32), STRANGER), None, "FORK_UNFOUNDED", None),
        (b"torn", None, "FORK_UNFOUNDED", None),
    ],
)
def test_what_is_kept_as_proof_of_a_fork(note: bytes, name: str | None, code: str, index: int | None) -> None:
    """The log's own signature over another root of a size that this log has, under the note's own hash."""
    found: list[Finding] = []
    file = f"forks/{name or sha256(note)}"
    check_forks(Files(**{file: note, "forks/x": b"x"}), [LOG.key], roots(), found.append)
    assert [(each.code, each.index, each.file) for each in found] == [(code, index, file)]


CHECKPOINT = Checkpoint(origin=ORIGIN, size=9, root=tree_root(HASHES))
NOTE = publish(sign_head(CHECKPOINT, LOG), [PQ], 1)


def proof(old: int, said: int | None = None, note: bytes = NOTE) -> bytes:
    """Write the consistency proof from an old size, which may say another one."""
    hashes = prove_consistency(old, 9, MemoryHashes(HASHES))
    return add_checkpoint_body(old if said is None else said, hashes, note)


@pytest.mark.parametrize(
    ("name", "data", "right"),
    [
        ("consistency/5", proof(5), True),
        ("consistency/9", proof(9), True),
        ("consistency/1", proof(1), True),
        ("consistency/5", proof(4), False),
        ("consistency/5", proof(4, 5), False),
        ("consistency/5", proof(5, note=head(9)), False),
        ("consistency/5", proof(5)[:-1], False),
        ("consistency/5", b"torn", False),
        ("consistency/10", b"x", True),
        ("consistency/05", b"x", True),
    ],
)
def test_a_kept_proof_of_consistency(name: str, data: bytes, right: bool) -> None:
    """From the size of its name to this checkpoint's exact bytes; of other names nothing is read."""
    found: list[Finding] = []
    check_proofs(Files(**{name: data}), CHECKPOINT, NOTE, roots(), found.append)
    told = [(each.code, each.index, each.file) for each in found]
    assert told == ([] if right else [("CONSISTENCY", None, name)])
