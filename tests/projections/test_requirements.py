"""What the rules ask of what is shown and kept, where it takes more than one projection (docs/part-11.md)."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from ledger.committer import Ledger
from ledger.demo import DemoReport
from ledger.directory import open_ledger
from ledger.fsck import check_storage
from ledger.lines import encode_base64
from ledger.sources import SystemSources
from ledger.statement import parse_statement
from ledger.store.port import StoredEntry
from projections.audit_trail import TrailFilter, trail
from projections.catalogue import KEPT
from projections.participant import participant_view
from projections.reader import Reader
from projections.render import print_table, to_csv, to_json, to_xlsx
from projections.runner import opened

AUDITOR = Reader(role="auditor")


@pytest.fixture(scope="module")
def ledger(demo: DemoReport) -> Iterator[Ledger]:
    """The demonstration's ledger, for reading."""
    ledger = open_ledger(demo.directory, None, SystemSources())
    yield ledger
    ledger.close()


def of_types(ledger: Ledger, *types: str) -> list[StoredEntry]:
    """Return every stored entry of some types, of all without one."""
    with ledger.store.snapshot() as reads:
        return list(reads.entries(0, reads.size, types or None))


def everything(ledger: Ledger, projections_file: Path) -> list[bytes]:
    """Return the exact bytes of every kept state, and of some participants' views."""
    with opened(projections_file) as runner:
        runner.rebuild(ledger.store)
        kept = [state for projection in KEPT for _, state in runner.dump(projection)]
    participants = sorted(each.id for each in ledger.refresh().conduct.participants())
    with ledger.store.snapshot() as reads:
        views = [participant_view(reads, name, reader=AUDITOR) for name in participants[::6]]
    assert all(views)
    return [*kept, *(orjson.dumps(view) for view in views)]


def test_a_copy_on_an_empty_machine_is_the_same_ledger(
    demo: DemoReport, ledger: Ledger, tmp_path: Path
) -> None:
    """Files put back elsewhere: the same root, sound storage, the same projections (11.10(c), EMA 6.12)."""
    place = tmp_path / "restored"
    shutil.copytree(demo.directory, place, ignore=shutil.ignore_patterns("export", "policy"))
    restored = open_ledger(place, None, SystemSources())
    try:
        assert not restored.startup.frozen
        assert encode_base64(restored.store.head().root) == demo.root
        assert check_storage(restored) == []
        assert everything(restored, tmp_path / "b.db") == everything(ledger, tmp_path / "a.db")
    finally:
        restored.close()


def test_name_time_and_meaning_are_in_every_form_of_the_trail(ledger: Ledger) -> None:
    """Table, CSV, JSON and workbook show who signed, when, and what the signature meant (11.50(b)).

    The record was signed at another time than it was taken in, so that neither time stands for the other.
    """
    type_ = "unblinding.performed"
    entries = [(each, parse_statement(each.statement)) for each in of_types(ledger, type_)]
    ((entry, statement),) = [(each, said) for each, said in entries if said.signed_at != each.at]
    found = trail(ledger.store, TrailFilter(type=type_), reader=Reader(role="inspector"), limit=9).lines
    lines = [line for line in found if line["index"] == entry.index]
    name, meaning, signed_at = statement.actor.name, statement.meaning, statement.signed_at
    (row, *_) = csv.DictReader(io.StringIO(to_csv(lines), newline=""))
    assert (row["name"], row["meaning"], row["signed_at"]) == (name, meaning, signed_at)
    assert row["recorded_utc"] == entry.at
    (again,) = orjson.loads(to_json(lines))
    assert (again["who"]["name"], again["meaning"], again["signed_at"]) == (name, meaning, signed_at)
    with zipfile.ZipFile(io.BytesIO(to_xlsx(lines))) as book:
        cells = book.read("xl/sharedStrings.xml").decode()
    assert all(f">{text}<" in cells for text in (name, meaning, signed_at))
    out = io.StringIO()
    print_table(lines, Console(file=out, width=400))
    assert all(
        text in out.getvalue() for text in (name, meaning, signed_at.replace("T", " ").replace("Z", " Z"))
    )


def test_originator_source_and_time_of_transfer_stand_in_the_trail(ledger: Ledger) -> None:
    """Where a datum comes from, when it was observed, and when it came into the ledger (FDA Q20, Q22).

    Each as the statement and the leaf have it: most are originated by somebody else than their signer.
    """
    lines = trail(ledger.store, TrailFilter(), reader=AUDITOR, limit=10_000).lines
    facts = [line for line in lines if line["source"] is not None]
    assert {line["source"]["kind"] for line in facts} >= {"esource", "paper"}
    signed = {each.index: (each, orjson.loads(each.statement)) for each in of_types(ledger)}
    for line in facts:
        entry, statement = signed[line["index"]]
        assert (line["recorded"]["utc"], line["originator"]) == (entry.at, statement.get("originator"))
        assert line["occurred"]["text"] is not None
    named = [line for line in lines if line["originator"] is not None]
    assert any(line["originator"] != line["who"]["id"] for line in named)
    header, *rows = csv.reader(io.StringIO(to_csv(named), newline=""))
    assert all(row[header.index("originator")] for row in rows)
