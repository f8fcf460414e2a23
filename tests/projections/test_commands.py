"""The commands, run as people run them, on a ledger's directory."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from pathlib import Path

import orjson
import pytest

from ledger.cli.app import run
from ledger.directory import CONFIG, DATABASE, open_store
from ledger.fold import LogFold, StoreReader
from projections.participant import participant_view
from projections.reader import Reader
from projections.reports import REPORTS
from projections.runner import FILE
from projections.signed import COLUMNS as SIGNED
from tests.projections.ledgers import eventful, store_of
from tests.scenario import PARTICIPANT


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger's directory as far as reading needs it."""
    path = tmp_path_factory.mktemp("ledger")
    (path / CONFIG).write_text('origin = "ledger.example/rules"\nstudy = "nct06414356"\n')
    store_of(eventful(), path / DATABASE).close()
    return path


def test_replay_prints_a_view_and_its_json(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Both say the status; JSON has the whole view."""
    assert run(["replay", str(directory), PARTICIPANT]) == 0
    assert b"withdrawn" in capfdbinary.readouterr().out
    assert run(["replay", str(directory), PARTICIPANT, "--known", "56", "--json"]) == 0
    view = orjson.loads(capfdbinary.readouterr().out)
    assert (view["status"], view["known"]) == ("on treatment", 56)
    assert run(["replay", str(directory), PARTICIPANT, "--true", "2025-02-01", "--json"]) == 0
    assert orjson.loads(capfdbinary.readouterr().out)["status"] == "randomized"


def test_a_replay_reads_no_further_than_the_index_asked_for(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What it shows is what a fold of the whole log shows of that index."""
    reader = Reader(role="auditor")
    with contextlib.closing(open_store(directory)) as store, store.snapshot() as reads:
        whole = LogFold(StoreReader(reads))
        whole.catch_up(reads, reads.size)
        for known in ("1", "56", str(reads.size - 1)):
            expected = participant_view(reads, PARTICIPANT, reader=reader, known=known, conduct=whole.conduct)
            asked = ["replay", str(directory), PARTICIPANT, "--known", known, "--json"]
            assert run(asked) == (1 if expected is None else 0)
            printed = capfdbinary.readouterr().out
            assert (orjson.loads(printed) if printed else None) == expected


def test_trail_is_written_in_every_format(directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Table, CSV, JSON and a workbook of the same three corrections."""
    asked = ["trail", str(directory), "--participant", PARTICIPANT, "--type", "correction.made"]
    assert run([*asked, "--format", "json"]) == 0
    lines = orjson.loads(capfdbinary.readouterr().out)
    assert len(lines) == 3
    assert run([*asked, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline="")))
    assert [(row["old"], row["new"]) for row in rows][:2] == [("72", "82"), ("82", "28")]
    assert run([*asked, "--format", "xlsx"]) == 0
    with zipfile.ZipFile(io.BytesIO(capfdbinary.readouterr().out)) as book:
        assert book.testzip() is None
    assert run([*asked, "--since", str(lines[2]["index"])]) == 0
    assert capfdbinary.readouterr().out.count(b"correction.made") <= 1


def test_a_report_is_written_in_every_format_and_of_one_participant(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """CSV, JSON and workbook hold the same rows; a filter leaves those of a site or participant."""
    asked = ["report", str(directory), "visits"]
    assert run([*asked, "--format", "json"]) == 0
    rows = orjson.loads(capfdbinary.readouterr().out)
    assert {row["participant"] for row in rows} == {PARTICIPANT}
    assert run([*asked, "--format", "csv", "--participant", PARTICIPANT]) == 0
    header, *lines = csv.reader(io.StringIO(capfdbinary.readouterr().out.decode(), newline=""))
    expected = list(REPORTS["visits"].columns)
    assert (header, len(lines)) == ([*expected, *SIGNED] if "index" in expected else expected, len(rows))
    for missing in (["--participant", "SA-01-999"], ["--site", "SA-09"]):
        assert run([*asked, *missing, "--format", "json"]) == 0
        assert orjson.loads(capfdbinary.readouterr().out) == []
    assert run([*asked, "--format", "xlsx"]) == 0
    with zipfile.ZipFile(io.BytesIO(capfdbinary.readouterr().out)) as book:
        assert b'name="visits"' in book.read("xl/workbook.xml")
        assert book.read("xl/worksheets/sheet1.xml").count(b"<row ") == len(rows) + 1
    assert run(["report", str(directory)]) == 0
    assert b"trail-coverage" in capfdbinary.readouterr().out


def test_a_report_that_a_role_does_not_see_says_so(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """On standard error, for an empty answer would read as if there were nothing."""
    asked = ["report", str(directory), "pharmacy", "--format", "json"]
    assert run([*asked, "--role", "coordinator"]) == 0
    assert b"coordinator sees nothing of the records of the pharmacies" in capfdbinary.readouterr().err
    assert run([*asked, "--role", "unblinded_pharmacist"]) == 0
    assert b"sees nothing" not in capfdbinary.readouterr().err


def test_who_signed_stands_beside_each_row_and_record(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A report's rows and a replay's records have printed name, role and meaning (21 CFR 11.50)."""
    assert run(["report", str(directory), "trail-review", "--format", "json"]) == 0
    for row in orjson.loads(capfdbinary.readouterr().out):
        assert row["signed_name"]
        assert row["signed_meaning"]
        assert row["recorded_utc"].endswith("Z")
    assert run(["replay", str(directory), PARTICIPANT]) == 0
    assert ", authorship)" in capfdbinary.readouterr().out.decode()


def test_rebuild_builds_and_builds_again(directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """It says how many entries were folded, the same each time."""
    for _ in range(2):
        assert run(["rebuild", str(directory), "--json"]) == 0
        assert orjson.loads(capfdbinary.readouterr().out)["entries"] > 60
    assert (directory / FILE).is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trail", "DIR", "--participant", "SA-01-999"], "the log has no participant SA-01-999"),
        (["trail", "DIR", "--type", "visit.complete"], "the catalogue has no type visit.complete"),
        (["trail", "DIR", "--type", "archive.sealed"], "nothing of it is recorded"),
        (["report", "DIR", "visits", "--site", "SA-09"], "the log has no site SA-09"),
    ],
)
def test_an_empty_answer_says_why_it_may_be_empty(
    directory: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str], said: str
) -> None:
    """A misspelt name is told apart from a thing of which nothing is recorded, on standard error."""
    assert run([each.replace("DIR", str(directory)) for each in [*arguments, "--format", "csv"]]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out.count(b"\r\n") == 1
    assert said in printed.err.decode()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["replay", "DIR", "SA-01-999"], 1, "PARTICIPANT_UNKNOWN"),
        (["replay", "DIR", PARTICIPANT, "--known", "99999"], 2, "KNOWN"),
        (["replay", "DIR", PARTICIPANT, "--known", "soon"], 2, "KNOWN"),
        (["replay", "DIR", PARTICIPANT, "--true", "soon"], 2, "TRUE"),
        (["replay", "DIR", PARTICIPANT, "--role", "nobody"], 2, "ROLE"),
        (["report", "DIR", "visits", "--known", "99999"], 2, "KNOWN"),
        (["trail", "DIR", "--since", "soon"], 2, "SINCE"),
        (["trail", "DIR", "--until", "soon"], 2, "UNTIL"),
        (["trail", "DIR", "--role", "nobody"], 2, "ROLE"),
        (["trail", "DIR", "--format", "pdf"], 2, "usage"),
        (["trail", "DIR/none"], 3, "LEDGER_MISSING"),
        (["report", "DIR", "weather"], 2, "REPORT"),
        (["report", "DIR", "training-log", "--site", "SA-01"], 2, "FILTER"),
        (["rebuild", "DIR/none"], 3, "LEDGER_MISSING"),
    ],
)
def test_what_cannot_be_answered_leaves_one_line_and_a_code(
    directory: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    """Exit codes are those of interfaces.md, and nothing is printed as if it were an answer."""
    assert run([each.replace("DIR", str(directory)) for each in arguments]) == code
    printed = capfdbinary.readouterr()
    assert printed.out == b""
    assert said in printed.err.decode()
