"""The demonstration over HTTP: what each role reads of a whole study."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import PERMITTED
from api.frames import frame
from api.routes.stream import Filter, renderer
from api.study import OpenStudy
from ledger.demo.report import DemoReport
from ledger.directory import open_ledger, read_config
from ledger.roles import ROLES
from ledger.sources import SystemSources
from projections.reader import Reader
from tests.api.client import bearer, token

READERS = sorted(PERMITTED["event"])


@pytest.fixture(scope="module")
def study(demo: DemoReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStudy]:
    """A copy of the demonstration, opened as the service does, with a token for each role."""
    directory: Path = tmp_path_factory.mktemp("served") / "ledger"
    shutil.copytree(demo.directory, directory, ignore=shutil.ignore_patterns("export"))
    ledger = open_ledger(directory, None, SystemSources())
    tokens = tuple(token(role, role, f"sa01-{role}", ["SA-01"]) for role in sorted(ROLES))
    yield OpenStudy(config=replace(read_config(directory), tokens=tokens), ledger=ledger)
    ledger.close()


@pytest.fixture(scope="module")
def http(study: OpenStudy) -> Iterator[TestClient]:
    """A client of the demonstration."""
    with TestClient(create_app([study]), base_url="http://demo/v1/studies/nct06414356/") as client:
        yield client


@pytest.mark.parametrize("role", READERS)
def test_no_read_opens_an_allocation(study: OpenStudy, http: TestClient, role: str) -> None:
    """The arm comes out of no read, for unblinded roles neither: its opening is an event of its own."""
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
        assert sent.endswith(b"id: %d\n\n" % entry.index)
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
