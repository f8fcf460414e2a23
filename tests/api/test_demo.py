"""The demonstration over HTTP: what each role reads of a whole study."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import PERMITTED
from api.call import CSV_LIMIT
from api.frames import frame
from api.prepared import PREPARED
from api.routes.stream import Filter, renderer
from api.study import OpenStudy
from ledger.demo.report import DemoReport
from ledger.directory import open_ledger, read_config
from ledger.roles import ROLES
from ledger.sources import SystemSources
from projections.reader import Reader
from projections.reports import REPORTS
from projections.signed import COLUMNS as SIGNED
from tests.api.client import bearer, token
from tests.api.shapes import broken
from tests.shared import ROOT

READERS = sorted(PERMITTED["event"])


@pytest.fixture(scope="module")
def study(demo: DemoReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStudy]:
    """A copy of the demonstration, opened as the service does, with a token for each role."""
    directory: Path = tmp_path_factory.mktemp("served") / "ledger"
    shutil.copytree(demo.directory, directory, ignore=shutil.ignore_patterns("export"))
    ledger = open_ledger(directory, None, SystemSources())
    persons = ledger.refresh().authority.persons.values()
    held = {role: person.id for person in persons for role in person.roles}
    tokens = (
        *(token(role, role, f"sa01-{role}", ["SA-01"]) for role in sorted(ROLES)),
        *(token(f"held-{role}", role, person) for role, person in held.items()),
    )
    yield OpenStudy(config=replace(read_config(directory), tokens=tokens), ledger=ledger)
    ledger.close()


@pytest.fixture(scope="module")
def http(study: OpenStudy) -> Iterator[TestClient]:
    """A client of the demonstration."""
    with TestClient(create_app([study]), base_url="http://demo/v1/studies/nct06414356/") as client:
        yield client


@pytest.mark.parametrize("role", READERS)
def test_no_read_opens_an_allocation(study: OpenStudy, http: TestClient, role: str) -> None:
    """The arm comes out of no read that does not say what for, for unblinded roles neither."""
    entries = study.ledger.store.entries(0, 10**6)
    randomized = [entry for entry in entries if entry.type == "participant.randomized"]
    assert len(randomized) >= 30
    for entry in randomized[:2]:
        value = http.get(f"events/{entry.index}", headers=bearer(role)).json()
        assert "/data/arm" not in value.get("open", {})
        assert "arm" not in value.get("statement", {}).get("data", {})
        name = entry.stream.partition("/")[2]
        view = http.get(f"participants/{name}", headers=bearer(role))
        if view.status_code == 200:
            assert '"arm":{"sealed":"treatment"}' in view.text


def test_the_stream_of_a_site_is_whole_and_tells_nothing_of_others(study: OpenStudy) -> None:
    """Every index arrives; what belongs to another site arrives as its leaf, without a participant's id."""
    entries = study.ledger.store.entries(0, 10**6)
    reader = Reader(role="coordinator", person="sa01-coordinator", sites=frozenset({"SA-01"}))
    show = renderer(reader, Filter(types=frozenset(), participant=None), study.ledger.store)
    foreign = {
        entry.stream
        for entry in entries
        if entry.stream.startswith("participant/") and not entry.stream.startswith("participant/SA-01-")
    }
    assert foreign
    for entry in entries:
        sent = show([frame(entry, "/v1/studies/x")])
        assert sent.count(b"\nid: %d\n" % entry.index) == 1
        if entry.stream in foreign:
            assert sent.startswith(b"event: leaf\n")
            assert entry.stream.partition("/")[2].encode() not in sent


def test_the_counts_of_the_demonstration_are_read(demo: DemoReport, http: TestClient) -> None:
    """Enrolment over HTTP is what the demonstration says of itself, site by site."""
    value = orjson.loads(http.get("projections/enrolment", headers=bearer("auditor")).content)
    reached = value["sites"]["SA-01"]["reached"]
    rows = http.get("participants?limit=1000", headers=bearer("auditor")).json()["participants"]
    assert reached["registered"] == len(rows)
    assert reached["randomized"] == sum("randomized" in row["milestones"] for row in rows)
    assert 0 < len(rows) < demo.registered


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_report_is_answered_with_its_twin(http: TestClient, name: str) -> None:
    """JSON has the declared columns, CSV the same rows with who signed them; the document names both."""
    value = http.get(f"projections/{name}", headers=bearer("auditor")).json()
    table = http.get(f"projections/{name}.csv", headers=bearer("auditor")).text
    header, *rows = csv.reader(io.StringIO(table, newline=""))
    columns = REPORTS[name].columns
    assert header == [*columns, *(SIGNED if "index" in columns else ())]
    assert len(rows) == min(value["count"], CSV_LIMIT)
    assert len(value["rows"]) == min(value["count"], 1000)
    assert all(list(row) == list(columns) for row in value["rows"])
    document = http.get("openapi.json").json()["paths"]["/v1/studies/{study}/projections/{name}"]["get"]
    assert f"- `{name}`: {value['question']}" in document["description"]
    (declared,) = (each for each in document["parameters"] if each["name"] == "name")
    assert name in declared["schema"]["enum"]


def test_rows_are_narrowed_to_a_site_or_participant(http: TestClient) -> None:
    """Of rows that have the column; of others, or of another's site, it is a problem."""
    whole = http.get("projections/visits", headers=bearer("held-auditor")).json()["rows"]
    one = whole[0]
    for member in ("site", "participant"):
        rows = http.get(f"projections/visits?{member}={one[member]}", headers=bearer("held-auditor")).json()
        assert rows["rows"] == [row for row in whole if row[member] == one[member]]
    answer = http.get("projections/training-log?site=SA-01", headers=bearer("auditor"))
    assert (answer.status_code, answer.json()["code"]) == (400, "FILTER")
    assert http.get("projections/visits?site=SA-02", headers=bearer("coordinator")).status_code == 403
    assert http.get("projections/enrolment?participant=x", headers=bearer("auditor")).status_code == 400
    breaches = http.get("projections/breaches?site=SA-01", headers=bearer("held-auditor")).json()["breaches"]
    assert {breach["site"] for breach in breaches} == {"SA-01"}


def test_the_balance_is_told_to_who_may_open_the_doses(study: OpenStudy, http: TestClient) -> None:
    """The pharmacist's accountability reckons with opened doses, after a view that says so."""
    path = "projections/pharmacy?site=SA-01"
    sealed = http.get(path, headers=bearer("held-unblinded_pharmacist")).json()["rows"]
    doses = [row for row in sealed if row["type"] == "dose.prepared"]
    assert doses
    assert {row["product"] for row in doses} == {None}
    before = study.ledger.store.head().size
    answer = http.get(f"{path}&purpose=accountability", headers=bearer("held-unblinded_pharmacist"))
    opened = [row for row in answer.json()["rows"] if row["type"] == "dose.prepared"]
    assert all(row["product"] for row in opened)
    assert any(row["balance"] for row in opened)
    entry = study.ledger.store.entry(before)
    assert entry is not None
    view = orjson.loads(entry.statement)["data"]["view"]
    assert (view["projection"], view["id"], view["opened"]) == ("pharmacy", "SA-01", ["treatment"])
    blinded = http.get(f"{path}&purpose=accountability", headers=bearer("held-blinded_monitor"))
    assert blinded.json()["rows"] == []
    assert study.ledger.store.head().size == before + 1


ADDRESSES = sorted(
    {
        address
        for address in re.findall(r"`(/[^`]+)`", (ROOT / "docs" / "questions.md").read_text(encoding="utf-8"))
        if address.startswith(("/projections", "/participants", "/audit-trail"))
    }
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_question_of_the_page_of_questions_is_answered(http: TestClient, address: str) -> None:
    """Each address that docs/questions.md gives leads to what it says, for an auditor of every site."""
    if "certified-copy" in address:  # issuing one is an event, and takes a key of documents
        assert http.get(address[1:]).status_code == 401
        return
    answer = http.get(address[1:], headers=bearer("held-auditor"))
    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_the_prepared_questions_are_those_of_the_page(http: TestClient) -> None:
    """The start page has them as links, and docs/questions.md names each address or its report."""
    page = http.get("pages").text
    told = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    for asked in PREPARED.values():
        for question, address in asked:
            assert f'{address.replace("&", "&amp;")}">{question}</a>' in page
            assert http.get(address[1:], headers=bearer("held-auditor")).status_code == 200
            assert address.partition("?")[0] in told


def test_a_participant_is_replayed_by_a_slider_and_step_by_step(http: TestClient) -> None:
    """The slider spans the log, and the steps lead to the participant's records before and after."""
    rows = http.get("participants/SA-01-001/timeline", headers=bearer("held-auditor")).json()["timeline"]
    first, second, third = sorted(row["index"] for row in rows)[:3]
    page = http.get(f"participants/SA-01-001.html?known={second}", headers=bearer("held-auditor")).text
    size = http.get("checkpoint.json", headers=bearer("held-auditor")).json()["size"]
    assert f'<input type="range" name="known" min="0" max="{size - 1}" value="{second}">' in page
    assert f'SA-01-001.html?known={first}">Record before ({first})</a>' in page
    assert f'SA-01-001.html?known={third}">Record after ({third})</a>' in page
    true = http.get("participants/SA-01-001/timeline.html?true=2024-06-01", headers=bearer("held-auditor"))
    assert "true at 2024-06-01" in true.text


def test_the_page_of_a_report_is_narrowed_by_a_form(http: TestClient) -> None:
    """Its fields are those that the rows have, with what the reader sees on offer; empty ones ask nothing."""
    page = http.get("projections/visits.html?site=SA-01", headers=bearer("coordinator")).text
    assert '<input name="site" value="SA-01" list="sites">' in page
    assert "<option>SA-01-001</option>" in page
    assert "SD-02" not in page
    sent = http.get("projections/visits.html?site=SA-01&participant=&known=", headers=bearer("coordinator"))
    assert sent.status_code == 200
    for_programs = http.get("projections/visits?site=SA-01&participant=", headers=bearer("coordinator"))
    assert for_programs.status_code == 400
    trail = http.get("audit-trail.html?site=SA-01&actor=&since=&value=", headers=bearer("coordinator"))
    assert trail.status_code == 200
    assert 'name="site"' not in http.get("projections/roles-log.html", headers=bearer("held-auditor")).text


def test_what_a_whole_study_holds_of_a_participant_has_its_shape(http: TestClient) -> None:
    """All parts that a participant can have, and their lines in the trail, are as the document says."""
    who = bearer("held-unblinded_statistician")
    listed = http.get("participants?limit=1000", headers=who).json()
    assert broken("GET /participants", 200, listed) == []
    for name in [row["participant"] for row in listed["participants"]][::4]:
        for rest in ("", "/timeline"):
            value = http.get(f"participants/{name}{rest}", headers=who).json()
            assert broken(f"GET /participants/{{participant}}{rest}", 200, value) == [], name
    trail = http.get("audit-trail?limit=300&order=newest", headers=who).json()
    assert broken("GET /audit-trail", 200, trail) == []


@pytest.mark.parametrize("name", ["breaches", *list(REPORTS)[::3]])
def test_a_report_of_a_whole_study_has_its_shape(http: TestClient, name: str) -> None:
    """Rows, who signed what they rest on, and what is withheld."""
    query = "" if name == "breaches" else "?limit=20"
    value = http.get(f"projections/{name}{query}", headers=bearer("coordinator")).json()
    assert broken("GET /projections/{name}", 200, value) == []
