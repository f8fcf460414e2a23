"""Proofs of forks in an export: what proves one speaks against the log, what proves none does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, sign_head
from ledger.note import NoteSigner
from ledger.verify.report import Report
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make, seed
from tests.ledger.verifying import found, judge, problems


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger."""
    ledger = make(tmp_path_factory.mktemp("ledger") / "d")
    yield ledger
    ledger.ledger.close()


@pytest.fixture
def with_fork(made: SmallLedger, tmp_path: Path) -> Callable[..., Report]:
    """Verify an export that holds a note as proof of a fork."""

    def run(note: bytes, name: str | None = None) -> Report:
        written = Forgery(made, tmp_path / "b").write(tmp_path / "w")
        (written / "forks").mkdir()
        (written / "forks" / (name or hashlib.sha256(note).hexdigest())).write_bytes(note)
        return judge(written, made.policy)

    return run


def note_of(made: SmallLedger, size: int, root: bytes, signer: NoteSigner | None = None) -> bytes:
    """Sign a tree head."""
    head = Checkpoint(origin=ORIGIN, size=size, root=root)
    return sign_head(head, signer or made.ledger.signers.head)


def test_fork_that_the_log_signed(made: SmallLedger, with_fork: Callable[..., Report]) -> None:
    """Another root that the log's own key signed is a fork, with the last index that it covers."""
    report = with_fork(note_of(made, 7, bytes(32)))
    assert found(report, "FORK") == [6]
    assert problems(report) == {"FORK"}


@pytest.mark.parametrize("kind", ["same tree", "larger", "another key", "another name", "junk"])
def test_proof_that_proves_none(made: SmallLedger, with_fork: Callable[..., Report], kind: str) -> None:
    """What is no proof accuses nobody."""
    forgery_root = made.ledger.store.head().root
    size = made.ledger.store.head().size
    fork = note_of(made, 7, bytes(32))
    report = {
        "same tree": lambda: with_fork(note_of(made, size, forgery_root)),
        "larger": lambda: with_fork(note_of(made, size + 1, bytes(32))),
        "another key": lambda: with_fork(note_of(made, 7, bytes(32), NoteSigner(ORIGIN, seed("thief")))),
        "another name": lambda: with_fork(fork, "ab" * 32),
        "junk": lambda: with_fork(b"junk"),
    }[kind]()
    assert problems(report) == {"FORK_UNFOUNDED"}
