"""Between which times each event was signed, as `verify --times` writes it."""

from __future__ import annotations

import json
from pathlib import Path

from ledger.leaf import parse_leaf
from ledger.note import Ed25519Cosigner, Note, NoteSignature, format_note, format_vkey
from ledger.policy import parse_policy
from ledger.statement import parse_statement
from ledger.tiles import decode_entries, entries_path, payload_path
from ledger.verify.brackets import witnessed_at
from ledger.verify.judge import verify
from ledger.verify.main import main
from ledger.verify.report import EXIT_USAGE
from tests.ledger.small_ledger import seed
from tests.ledger.verifying import MINIMAL, MINIMAL_POLICY, minimal

TEXT = "ledger.example/minimal\n1\n" + "A" * 43 + "=\n"


def _rows(place: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in place.read_text(encoding="ascii").splitlines()]


def test_each_event_was_signed_after_the_last_leaf_that_its_signer_had_seen(tmp_path: Path) -> None:
    """Each line has the entry's own time and that of the last leaf below `seen`, which is not later."""
    report = verify(MINIMAL, minimal(times=tmp_path / "times.jsonl"))
    size = int(report.facts["size"])
    leaves = decode_entries((MINIMAL / entries_path(0, size)).read_bytes(), size)
    lines = (MINIMAL / payload_path(0, size)).read_bytes().split(b"\n")
    ats = [parse_leaf(leaf).at for leaf in leaves]
    expected = []
    for index, body in enumerate(lines[:size]):
        row: dict[str, object] = {"index": index, "recorded": ats[index]}
        seen = parse_statement(body).seen.size if body else 0
        if seen:
            row["seen"] = ats[seen - 1]
        expected.append(row)
    assert _rows(tmp_path / "times.jsonl") == expected
    assert sum("seen" in row for row in expected) >= size // 2
    assert all(str(row.get("seen", "")) <= str(row["recorded"]) for row in expected)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """The file for the times is a new one."""
    (tmp_path / "times").write_text("kept")
    arguments = [str(MINIMAL), "--policy", str(MINIMAL_POLICY), "--times", str(tmp_path / "times")]
    assert main(arguments) == EXIT_USAGE
    assert (tmp_path / "times").read_text() == "kept"


def test_the_latest_of_the_witnesses_counts() -> None:
    """A witness whose clock was set back proves nothing that the others don't."""
    signers = [Ed25519Cosigner(f"witness.example/{name}", seed(name)) for name in ("w1", "w2")]
    lines = [f"witness w{n} {format_vkey(each.key)}" for n, each in enumerate(signers)]
    policy = parse_policy("\n".join([*lines, "group all all w0 w1", "quorum all", ""]).encode())
    signatures: tuple[NoteSignature, ...] = tuple(
        each.sign(TEXT, time_s) for each, time_s in zip(signers, (1_000, 1_767_225_600), strict=True)
    )
    note = format_note(Note(text=TEXT, signatures=signatures))
    assert witnessed_at(note, policy) == "2026-01-01T00:00:00.000000Z"
    assert witnessed_at(note, parse_policy(b"quorum none\n")) is None
