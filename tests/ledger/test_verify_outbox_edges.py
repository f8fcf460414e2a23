"""The auditor's own copies against a log (§4, §10): each difference by code, index and file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.checkpoint import parse_body
from ledger.leaf import Leaf, parse_leaf
from ledger.merkle import MemoryHashes, leaf_hash, prove_inclusion
from ledger.note import parse_note
from ledger.proof import format_receipt
from ledger.statement import parse_statement
from ledger.tiles import decode_entries
from ledger.verify.findings import Finding
from ledger.verify.outbox import check_outbox
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Roots
from tests.ledger.verifying import MINIMAL, minimal

NOTE = (MINIMAL / "checkpoint").read_bytes()
HEAD = parse_body(parse_note(NOTE).text)
LEAVES = decode_entries((MINIMAL / "tile" / "entries" / "000.p" / "11").read_bytes(), HEAD.size)
STATEMENTS = (MINIMAL / "payloads" / "000.p" / "11").read_bytes().split(b"\n")[:-1]
HASHES = MemoryHashes([leaf_hash(leaf) for leaf in LEAVES])
LAST = parse_leaf(LEAVES[10])
STREAM = parse_statement(STATEMENTS[10]).stream


def receipt(index: int) -> bytes:
    """Write the receipt of a leaf under the bundle's checkpoint."""
    return format_receipt(LEAVES[index], index, prove_inclusion(index, HEAD.size, HASHES), NOTE)


class Log:
    """A log to compare an outbox with: the public bundle's, with differences."""

    def __init__(self) -> None:
        self.checkpoint = HEAD
        self.at = dict(enumerate(parse_leaf(leaf) for leaf in LEAVES))
        self.known = {leaf.statement: index for index, leaf in self.at.items()}
        self.tags: dict[str, str] = {}
        self.hashes = [leaf_hash(leaf) for leaf in LEAVES]

    def compare(self, outbox: Path) -> list[tuple[str, int | None, str | None]]:
        """Return what is found."""
        events, roots, found = KeyTable(32), Roots(), list[Finding]()
        for event, index in self.known.items():
            events.add(bytes.fromhex(event), index)
        for value in self.hashes:
            roots.append(value)
        check_outbox(
            minimal(outbox=outbox), self.checkpoint, roots, events, self._leaf_at, self.tags, found.append
        )
        return [(each.code, each.index, each.file) for each in found]

    def _leaf_at(self, index: int) -> Leaf | None:
        return self.at.get(index)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An outbox with the newest statement and its receipt."""
    (tmp_path / "a.json").write_bytes(STATEMENTS[10])
    (tmp_path / "b.tlog-proof").write_bytes(receipt(10))
    return tmp_path


def test_what_was_recorded_is_found(outbox: Path) -> None:
    """Every statement and receipt of the log; files of other kinds are left alone."""
    for index in range(HEAD.size):
        (outbox / f"{index}.json").write_bytes(STATEMENTS[index])
        (outbox / f"{index}.tlog-proof").write_bytes(receipt(index))
    (outbox / "0.txt").write_bytes(b"\xff")
    assert Log().compare(outbox) == []


def test_what_was_never_recorded(outbox: Path) -> None:
    """Neither the statement nor the receipt has its event in the log."""
    log = Log()
    del log.known[LAST.statement]
    (outbox / "0.txt").write_bytes(b"")
    assert log.compare(outbox) == [
        ("OUTBOX_MISSING", None, "a.json"),
        ("OUTBOX_MISSING", None, "b.tlog-proof"),
    ]


def test_what_stands_elsewhere(outbox: Path) -> None:
    """A receipt promises a place; the statement alone does not."""
    log = Log()
    log.known[LAST.statement], log.at[3] = 3, LAST
    assert log.compare(outbox) == [("OUTBOX_MISSING", 3, "b.tlog-proof")]


def test_a_receipt_of_another_history(outbox: Path) -> None:
    """Its head is of a size that this log has, with another root; of a larger log nothing can be said."""
    log = Log()
    log.hashes[4] = bytes(32)
    assert log.compare(outbox) == [("PREVIOUS", None, "b.tlog-proof")]
    log.checkpoint = replace(HEAD, size=10)
    assert log.compare(outbox) == []


def test_a_receipt_of_another_log(outbox: Path) -> None:
    """The origin of its head is not the one that is judged."""
    log = Log()
    log.checkpoint = replace(HEAD, origin="ledger.example/other")
    assert log.compare(outbox) == [("OUTBOX_FORM", None, "b.tlog-proof")]


@pytest.mark.parametrize(
    "changes",
    [{"cls": "restricted"}, {"site": "SA-09"}, {"stream": "ab" * 32}],
    ids=lambda each: next(iter(each)),
)
def test_labels_that_were_not_signed(outbox: Path, changes: dict[str, str]) -> None:
    """A leaf under another class, site or tag is told at its index, beside the file that shows it."""
    log = Log()
    log.at[10] = replace(LAST, **changes)  # type: ignore[arg-type]
    assert log.compare(outbox) == [("LABELS", 10, "a.json")]


def test_a_stream_that_is_shown_under_another_tag(outbox: Path) -> None:
    """What is kept is of a stream that this bundle shows, and bears another tag."""
    log = Log()
    log.tags = {STREAM: LAST.stream}
    assert log.compare(outbox) == []
    log.tags = {STREAM: "ab" * 32}
    assert log.compare(outbox) == [("TWO_TAGS", 10, "a.json")]


def test_a_leaf_without_form_is_told_elsewhere(outbox: Path) -> None:
    """Its labels can't be compared."""
    log = Log()
    del log.at[10]
    assert log.compare(outbox) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.json", b""),
        ("x.json", STATEMENTS[10] + b"\n"),
        ("x.json", b" " * 32_769),
        ("x.tlog-proof", STATEMENTS[10]),
        ("x.tlog-proof", receipt(10)[:-1]),
        ("x.tlog-proof", receipt(10).replace(b"index 10", b"index 9")),
    ],
)
def test_what_is_neither_statement_nor_receipt(outbox: Path, name: str, data: bytes) -> None:
    """It is told by its name, and the other files are compared."""
    (outbox / name).write_bytes(data)
    assert Log().compare(outbox) == [("OUTBOX_FORM", None, name)]


def test_what_can_not_be_read(outbox: Path) -> None:
    """A directory of such a name is no statement."""
    (outbox / "x.json").mkdir()
    assert Log().compare(outbox) == [("OUTBOX_FORM", None, "x.json")]
