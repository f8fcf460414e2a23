"""What a report tells besides the great findings: notes, brackets, openings line by line, who is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger.authority import INITIAL, Authority, evolve
from ledger.envelope import event_hash
from ledger.exports import export_ledger
from ledger.fold import load_entry
from ledger.leaf import encode_leaf, parse_leaf
from ledger.note import Ed25519Cosigner, Note, format_note, format_vkey, parse_note
from ledger.policy import parse_policy
from ledger.verify.form import Examined, examine
from ledger.verify.judge import verify
from tests.attacks.mutators_scope import withhold
from tests.attacks.mutators_zip import Entry, pack
from tests.ledger.erasing import STUDY, backup, erase_identity
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SITE, SmallLedger, make, seed
from tests.ledger.verifying import MINIMAL, found, judge, minimal, problems
from tests.ledger.write_path import VITALS

CHECKED = "VERIFY.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger that nobody writes to."""
    small = make(tmp_path_factory.mktemp("told") / "d")
    yield small
    small.ledger.close()


def authority_of(made: SmallLedger) -> Authority:
    """Return who may do what as of the ledger's end."""
    authority = INITIAL
    for stored in made.ledger.store.entries(0, made.ledger.store.head().size):
        authority = evolve(authority, load_entry(stored))
    return authority


def test_times_say_by_when_a_witness_had_vouched(tmp_path: Path) -> None:
    """Every line has it, and it is the report's own: the one bound that does not rest on the log's clock."""
    signer = Ed25519Cosigner("witness.example/w", seed("w"))
    note = parse_note((MINIMAL / "checkpoint").read_bytes())
    bundle = tmp_path / "bundle"
    for path in MINIMAL.rglob("*"):
        if path.is_file():
            (bundle / path.relative_to(MINIMAL)).parent.mkdir(parents=True, exist_ok=True)
            (bundle / path.relative_to(MINIMAL)).write_bytes(path.read_bytes())
    signed = (*note.signatures, signer.sign(note.text, 1_800_000_000))
    (bundle / "checkpoint").write_bytes(format_note(Note(text=note.text, signatures=signed)))
    plain = minimal()
    witnessed = parse_policy(f"witness w {format_vkey(signer.key)}\nquorum w\n".encode())
    policy = replace(witnessed, ledger_id=plain.policy.ledger_id, log_keys=plain.policy.log_keys)
    report = verify(bundle, replace(plain, policy=policy, times=tmp_path / "times"))
    rows = [json.loads(line) for line in (tmp_path / "times").read_text().splitlines()]
    assert problems(report) == set()
    assert (
        {row["witnessed"] for row in rows}
        == {report.facts["witnessed_at"]}
        == {"2027-01-15T08:00:00.000000Z"}
    )


def test_a_missing_stamp_is_a_note_of_its_own() -> None:
    """Who brings an authority is told that there is no stamp, and everything else is judged all the same."""
    report = verify(MINIMAL, minimal(tsa=b"an authority"))
    (note,) = [each for each in report.notes if each.code == "STAMP_MISSING"]
    assert (note.file, note.detail) == ("checkpoint.tsr", "no time stamp was made")
    assert report.exit_code == 0


def test_a_checksum_of_what_is_not_judged_is_judged(tmp_path: Path) -> None:
    """A zip that holds other bytes than it says is not of the one form, whatever file it is in."""
    files = {
        str(path.relative_to(MINIMAL)): path.read_bytes() for path in MINIMAL.rglob("*") if path.is_file()
    }
    files[CHECKED] = b"how to verify"
    entries = [
        Entry(name=name.encode(), data=data, **({"crc": 7} if name == CHECKED else {}))  # type: ignore[arg-type]
        for name, data in sorted(files.items())
    ]
    (tmp_path / "b.zip").write_bytes(pack(entries))
    report = verify(tmp_path / "b.zip", minimal())
    assert [(each.code, each.file) for each in report.problems] == [("ZIP_FORM", CHECKED)]


def test_every_line_of_openings_is_taken(made: SmallLedger, tmp_path: Path) -> None:
    """Each value that a line opens is opened, not the first line's alone."""
    export_ledger(made.ledger, tmp_path / "b", scope=STUDY, role="investigator")
    lines = (tmp_path / "b" / "disclosures.jsonl").read_bytes().splitlines()
    report = judge(tmp_path / "b", made.policy, role="investigator")
    opened = sum(len(orjson.loads(line)["open"]) for line in lines)
    assert len(lines) > 1
    assert report.counts["sealed values opened here"] == opened
    assert problems(report) == set()


def test_an_erasure_waits_for_the_backups_that_hold_it(tmp_path: Path) -> None:
    """A backup from before the erasure and not destroyed is named; one from after holds nothing."""
    small = make(tmp_path / "d")
    backup(small, "B-1")
    erased, _ = erase_identity(small)
    backup(small, "B-2")
    export_ledger(small.ledger, tmp_path / "b", scope=STUDY, role="auditor")
    small.ledger.close()
    report = judge(tmp_path / "b", small.policy)
    (note,) = [each for each in report.notes if each.code == "ERASURE_PENDING"]
    assert note.index == erased.index
    assert "B-1" in note.detail
    assert "B-2" not in note.detail


def test_a_withheld_leaf_of_a_class_that_its_stream_lacks(made: SmallLedger, tmp_path: Path) -> None:
    """Labelled restricted at its first leaf, a participant's stream would hide it: those that follow tell."""
    forged = Forgery(made, tmp_path / "b")
    stream = f"participant/{SITE}-001"
    first, *following = (at for at in range(forged.size) if forged.statement(at)["stream"] == stream)
    forged.set_leaf(first, **{"class": "restricted"})
    withhold(forged, first, "blinded")
    report = judge(forged.write(tmp_path / "w"), made.policy)
    assert set(following) <= set(found(report, "LABELS"))


@pytest.mark.parametrize("known", [True, False])
def test_signatures_are_looked_at_where_the_keys_are_known(
    made: SmallLedger, tmp_path: Path, known: bool
) -> None:
    """Also of a statement whose data have no form; without the keys nothing is said of them yet."""
    forged = Forgery(made, tmp_path / "b")
    value = forged.draft(
        made.at["registered SA-01-001"], type="vital_signs.recorded", data={**VITALS, "extra": 1}
    )
    del value["sealed"]
    at = forged.append(value, [made.people["bchan"].key])
    leaf = parse_leaf(forged.leaves[at])
    assert leaf.statement == event_hash(forged.payloads[at])
    authority = authority_of(made) if known else INITIAL
    examined = examine(at, encode_leaf(leaf), forged.payloads[at], authority)
    assert isinstance(examined, Examined)
    assert examined.misformed is not None
    assert (examined.misformed.code, examined.checked, examined.unsigned) == ("DATA", known, None)
