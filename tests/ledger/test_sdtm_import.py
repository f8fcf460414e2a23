"""SDTM in: every row in an event, dates as partial as they are, breaches recorded, states as the source's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.actions.forms import FormRecorded
from ledger.actions.imported import UnblindingFormRecorded
from ledger.actions.registry import to_data
from ledger.cli.opening import make_key, new_keys
from ledger.committer import Ledger
from ledger.errors import FormatError, StoreError
from ledger.exports import has_named
from ledger.interchange.sdtm_check import compare, reconcile
from ledger.interchange.sdtm_events import Planned, day, plain_value
from ledger.interchange.sdtm_ledger import make_ledger, plan_all, record_all, record_files
from ledger.interchange.sdtm_mapping import left_columns
from ledger.interchange.sdtm_source import Row, Table, read_tables, refer, rows_of
from ledger.interchange.usdm import read_usdm
from ledger.sources import SystemSources
from ledger.statement import parse_statement
from ledger.study.definition import load
from projections.desk import Desk
from projections.reader import Reader
from projections.report import Report
from projections.reports import REPORTS
from tests.ledger.test_usdm import encoded, overlay, tiny
from tests.pilot import data_folder, take

SUBJECT = "T-S1-001"
FOLDER = data_folder()
needs_data = pytest.mark.skipif(FOLDER is None, reason="the extra cdisc is not installed: no real data")


def table(name: str, columns: str, *lines: str, by: str = "seq") -> Table:
    """Make a table of one subject from lines of values; an empty value is null, rows count from 1."""
    names = ("USUBJID", *columns.split())
    rows = tuple(
        Row(
            table=name,
            subject=SUBJECT,
            by=by,
            number=n,
            values=dict(zip(names, (SUBJECT, *(text or None for text in line.split("|"))), strict=True)),
        )
        for n, line in enumerate(lines, 1)
    )
    return Table(name=name, file=f"{name.lower()}.parquet", sha256="0" * 64, columns=names, rows=rows)


def tables() -> dict[str, Table]:
    """A study of one subject, with everything that data of real studies have."""
    made = (
        table(
            "DM",
            "SITEID AGE AGEU SEX RACE ARM ARMCD ACTARM ACTARMCD RFSTDTC RFPENDTC DMDTC STUDYID",
            "S1|44|YEARS|F|WHITE|Tablets|A|No tablets|B|2014-01-05|2014-02-01T11:45|2014-01-02|TINY",
            by="row",
        ),
        table(
            "SV",
            "VISIT SVSTDTC SVENDTC",
            "VISIT 1|2014-01-02|2014-01-02",
            "VISIT 2|2014-01-05|2014-01-05",
            "UNSCHEDULED 1.1|2014-01-07|2014-01-07",
            by="row",
        ),
        table(
            "VS",
            "VSTESTCD VSORRES VSORRESU VSSTAT VSDTC VISIT",
            "WEIGHT|150.0|LB||2014-01-02|VISIT 1",
            "PULSE|||NOT DONE|2014-01-02|VISIT 1",
            "TEMP|36.6|C||2014-01-02|VISIT 1",
        ),
        table(
            "LBCH",
            "LBTESTCD LBORRES LBORRESU LBDTC VISIT",
            "ALB|3.8|g/dL|2014-01-02T14:45|VISIT 1",
            "BILI|<0.2|mg/dL|2014-01-02T14:45|VISIT 1",
            "COLOR|N||2014-01-02T14:45|VISIT 1",
        ),
        table(
            "QSMM",
            "QSCAT QSTESTCD QSORRES QSSTAT QSDTC VISIT",
            "MMSE|MMITM1|7||2014-01-02|VISIT 1",
            "MMSE|MMITM1|8||2014-01-02|VISIT 1",
            "MMSE|MMITM2||NOT DONE|2014-01-02|VISIT 1",
        ),
        table("MH", "MHTERM MHSTDTC MHDTC", "Something long ago, in words|2003|2014-01-02"),
        table(
            "AE",
            "AETERM AESTDTC AEENDTC AEDTC AESEV AESER AEREL AEOUT",
            "Headache|2014-01|2014-01-06|2014-01-07|MILD|N|POSSIBLE|RECOVERED/RESOLVED",
            "Unknown begin|||2014-01-07|MILD|N||FATAL",
        ),
        table(
            "CM",
            "CMTRT CMCLAS CMDOSE CMDOSU CMSTDTC CMENDTC CMDTC",
            "ASPIRIN|NERVOUS SYSTEM|1|TABLET|2003|2014|2014-01-02",
            "TONIC|UNCODED|||||2014-01-02",
        ),
        table("EX", "EXTRT EXDOSE EXDOSU EXSTDTC", "PLACEBO|0|mg|2014-01-05"),
        table("SUPPAE", "RDOMAIN IDVAR IDVARVAL QNAM QVAL", "AE|AESEQ|1|AETRTEM|Y", by="row"),
        table(
            "DS",
            "DSCAT DSDECOD DSTERM DSSTDTC DSDTC VISIT",
            "DISPOSITION EVENT|LACK OF EFFICACY|IT DID NOT HELP, THEY SAID|2014-01-20|2014-01-20|VISIT 2",
        ),
    )
    return {each.name: each for each in made}


def definition() -> bytes:
    over = overlay() | {"late_entry_hours": {"value": 72, "source": "X"}}
    return encoded(dict(read_usdm(encoded(tiny()), over, {"S1": "Europe/Berlin"}).definition))


def planned(source: Mapping[str, Table]) -> list[Planned]:
    return plan_all(source, load(definition()))[SUBJECT]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The tiny study, imported."""
    sources, source = SystemSources(), tables()
    ledger, signer, _ = make_ledger(
        tmp_path_factory.mktemp("import") / "ledger",
        definition(),
        importer=("Importer", "Test"),
        keys=new_keys(sources),
        new_key=lambda holder: make_key("ed25519", sources, holder),
        passphrase=None,
        sources=sources,
        oldest=date(2014, 1, 1),
    )
    study = load(definition())
    events = plan_all(source, study)
    record_all(ledger, signer, study, events, {SUBJECT: "S1"}, lambda *_: None)
    record_files(ledger, signer, source.values(), events)
    yield ledger
    ledger.close()


def test_every_row_is_in_an_event_and_no_other(imported: Ledger) -> None:
    """Counts by table are those of the files, name by name; one row less in the file is found."""
    counts = reconcile(imported, tables(), {SUBJECT})
    assert all(count.agrees for count in counts)
    assert {count.table: count.rows for count in counts}["VS"] == 3
    fewer, more = tables(), tables()
    fewer["VS"] = replace(fewer["VS"], rows=fewer["VS"].rows[:2])
    again = replace(more["VS"].rows[0], number=9)
    more["VS"] = replace(more["VS"], rows=(*more["VS"].rows, again))
    assert {c.table: (c.lacking, c.strange) for c in reconcile(imported, fewer, {SUBJECT})}["VS"] == (0, 1)
    assert {c.table: (c.lacking, c.strange) for c in reconcile(imported, more, {SUBJECT})}["VS"] == (1, 0)


@pytest.mark.parametrize(
    ("name", "column", "value", "what"),
    [
        ("DM", "ARM", "No tablets", "ARM"),
        ("DM", "ACTARM", "Tablets", "ACTARM"),
        ("DM", "RFSTDTC", "2014-01-06", "RFSTDTC"),
        ("DM", "RFPENDTC", "2014-02-01", "RFPENDTC"),
        ("DM", "SITEID", "S2", "site"),
        ("DS", "DSDECOD", "COMPLETED", "disposition"),
        ("DS", "DSSTDTC", "2014-01-21", "day of disposition"),
    ],
)
def test_state_is_compared_with_the_source(
    imported: Ledger, name: str, column: str, value: str, what: str
) -> None:
    """Arm, dates and disposition agree; each value of the source that were another is named."""
    assert compare(imported, tables(), {SUBJECT}) == []
    other = tables()
    (row,) = other[name].rows
    other[name] = replace(other[name], rows=(replace(row, values={**row.values, column: value}),))
    assert [each.what for each in compare(imported, other, {SUBJECT})] == [what]


@pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))
def test_every_report_reads_an_imported_study(imported: Ledger, report: Report) -> None:
    """What another system did not ask is no obstacle to any question asked here."""
    desk = Desk(imported.store, reader=Reader(role="inspector"))
    assert all(row.keys() == report.columns.keys() for row in report.rows(desk))


def test_nothing_is_made_up_and_its_lack_is_recorded(imported: Ledger) -> None:
    """No consent, no approval, no activation in the data: breaches, and not one of the importer's own."""
    state = imported.refresh().conduct.state(SUBJECT)
    assert state is not None
    found = {breach.rule for breach in state.breaches}
    assert {"CONSENT_MISSING", "IRB_MISSING", "SITE_NOT_ACTIVE"} <= found
    assert found.isdisjoint({"LATE_ENTRY", "NOT_DELEGATED", "NOT_TRAINED", "SIGNED_AT_APART"})
    assert (state.consents, state.randomized) == ((), False)


def test_a_site_without_a_stream_of_its_own_is_known_by_its_records(imported: Ledger) -> None:
    """An export of one site can be asked for: the labels on the leaves name it."""
    entries = imported.store.entries(0, imported.store.head().size)
    sites = {orjson.loads(entry.leaf)["site"] for entry in entries} - {""}
    assert sites
    for site in sites:
        assert imported.store.stream_head(f"site/{site}") is None
        assert has_named(imported.store, "site", site)
    assert not has_named(imported.store, "site", "elsewhere")


def test_files_are_recorded_with_hash_and_mapping(imported: Ledger) -> None:
    """Each file: its hash, the version of the mapping, rows and events; and who stands behind the rows."""
    kept = imported.store.entries(0, imported.store.head().size)
    entries = [parse_statement(entry.statement) for entry in kept]
    files = {s.data["file"]: s.data for s in entries if s.type == "data.imported"}
    assert set(files) == {each.file for each in tables().values()}
    vitals = files["vs.parquet"]
    assert (vitals["rows"], vitals["statements"], vitals["left"]) == (3, 2, 0)
    assert vitals["mapping_version"] == "sdtm-1"
    assert {s.originator.id for s in entries if s.originator is not None} == {"site-S1"}
    (weighed,) = (s for s in entries if s.type == "vital_signs.recorded")
    assert weighed.originator is not None
    assert weighed.originator.source == f"sdtm-1 VS {SUBJECT} seq 1,3"


def test_partial_dates_stay_partial() -> None:
    """A month, a year, a day with a time without zone: none is padded, none is dropped."""
    events = planned(tables())
    plain = {event.action.spec.type: to_data(event.action)[0] for event in events}
    assert plain["medication.started"]["start"] == "2003"
    assert plain["medication.stopped"]["stop"] == "2014"
    assert plain["adverse_event.reported"]["onset"] == "2014-01"
    (sample,) = (event for event in events if event.action.spec.type == "lab_result.received")
    assert sample.occurred == "2014-01-02"
    assert plain["lab_result.received"]["sample"] == "LBCH-0-2014-01-02T1445"


def test_rows_that_lack_something_become_forms() -> None:
    """Not done, below detection, begun nobody knows when, not planned: kept as written, in a form."""
    forms = [e for e in planned(tables()) if isinstance(e.action, FormRecorded)]
    kept = {(row.table, row.number): e.action for e in forms for row in e.rows}
    assert {("VS", 2), ("LBCH", 2), ("AE", 2), ("CM", 2), ("SV", 3), ("MH", 1)} <= set(kept)
    held = kept["LBCH", 2]
    assert isinstance(held, FormRecorded)
    assert "<0.2" in {text.text for text in held.texts or ()}


def test_what_tells_the_treatment_is_sealed() -> None:
    """Arms and exposures stand nowhere but in the sealed list of their form."""
    actions = [e.action for e in planned(tables())]
    sealed = [action for action in actions if isinstance(action, UnblindingFormRecorded)]
    told = {text.text for action in sealed for text in action.treatment or ()}
    assert {"Tablets", "No tablets", "PLACEBO", "0"} <= told
    others = json.dumps([to_data(action) for action in actions if action not in sealed])
    assert "No tablets" not in others
    assert "PLACEBO" not in others


def test_a_question_answered_twice_gives_two_events() -> None:
    """Within one form each question stands once: neither answer is lost."""
    forms = [e for e in planned(tables()) if e.rows[0].table == "QSMM"]
    assert sorted(len(e.rows) for e in forms) == [1, 2]


def test_events_come_in_the_order_of_their_days() -> None:
    """Registration first, then by day; the end of participation is the last event of its day."""
    events = planned(tables())
    assert events[0].action.spec.type == "participant.registered"
    days = [event.occurred for event in events[1:]]
    assert days == sorted(days)


def test_columns_that_no_event_holds_are_named() -> None:
    """Each column is carried or has the reason why not."""
    left = left_columns(table("VS", "VSTESTCD VSLOC VSDY STUDYID", "A|EAR|1|T"))
    assert set(left) == {"VSLOC", "VSDY", "STUDYID", "USUBJID"}
    assert "place" in left["VSLOC"]


@given(st.sets(st.integers(min_value=1, max_value=5_000), min_size=1, max_size=80))
def test_references_name_exactly_their_rows(numbers: set[int]) -> None:
    """What is written for rows is read back as these rows."""
    rows = [Row(table="VS", subject="01-701-1015", by="seq", number=n, values={}) for n in numbers]
    assert set(rows_of(refer(rows))) == {row.key for row in rows}


@pytest.mark.parametrize(
    ("text", "plain"),
    [("7", "7"), ("Y", "y"), ("NOT DONE", "not_done"), ("2014-01", "2014-01"), ("2014-01-02T14:45", None),
     ("<0.2", None), ("IT DID NOT HELP AT ALL", None), ("-0", None)],
)  # fmt: skip
def test_plain_values_are_decimals_dates_and_short_terms(text: str, plain: str | None) -> None:
    """What is none of them is words, and sealed."""
    assert plain_value(text) == plain


def test_days_keep_their_precision() -> None:
    """A time of day is left out; what is no date is none."""
    assert [day(text) for text in ("2014", "2014-01", "2014-01-02T14:45", None, "")] == [
        "2014", "2014-01", "2014-01-02", None, None,
    ]  # fmt: skip


def test_foreign_sites_and_lacking_demographics_are_refused() -> None:
    """A subject of a site that the definition has not, or without demographics, is no participant."""
    other = tables()
    (row,) = other["DM"].rows
    other["DM"] = replace(other["DM"], rows=(replace(row, values={**row.values, "SITEID": "S9"}),))
    lacking: dict[str, Any] = {name: each for name, each in tables().items() if name != "DM"}
    for source in (other, lacking):
        with pytest.raises(FormatError) as raised:
            planned(source)
        assert raised.value.code == "SDTM"


def test_folder_without_tables_is_refused(tmp_path: Path) -> None:
    """Nothing to import is an error, not an empty ledger."""
    with pytest.raises(StoreError) as raised:
        read_tables(tmp_path)
    assert raised.value.code == "SOURCE_FILE"


@needs_data
def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    """A file that is not Parquet, and a folder without demographics: told by name, nothing is made."""
    (tmp_path / "dm.parquet").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"dm\.parquet"):
        read_tables(tmp_path)
    assert FOLDER is not None
    (tmp_path / "dm.parquet").write_bytes((FOLDER / "dm.parquet").read_bytes())
    with pytest.raises(FormatError, match="DS"):
        read_tables(tmp_path)
    assert take(tmp_path, FOLDER, "--subject", "nobody") == 2
    assert not (tmp_path / "ledger").exists()


@needs_data
def test_participants_of_the_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real data, six of 306 with every kind of end: imported, replayed, compared, exported, verified."""
    assert FOLDER is not None
    some = ("01-701-1015", "01-703-1175", "01-701-1211", "01-701-1057", "01-708-1372", "01-716-1024")
    given_ = [part for name in some for part in ("--subject", name)]
    report = tmp_path / "report.json"
    assert take(tmp_path, FOLDER, "--report", str(report), *given_) == 0
    done = json.loads(report.read_bytes())
    assert (done["compared"], done["differences"], done["verified"]) == (6, [], True)
    assert all(row["agrees"] for row in done["tables"])
    assert "CONSENT_MISSING" in done["breaches"]
    assert "rows a second" in capsys.readouterr().out
