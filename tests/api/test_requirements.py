"""What the rules ask of every door at once (docs/part-11.md): the blind holds at each of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.frames import frame
from api.routes.stream import Filter, renderer
from api.study import OpenStudy
from ledger.committer import Ledger
from ledger.demo import DemoReport
from ledger.demo.report import DEMO_ROLES, token_text
from ledger.directory import open_ledger, read_config
from ledger.sources import SystemSources
from ledger.store.port import StoredEntry
from projections.reader import Reader
from tests.api.client import bearer

SEALED = {"sealed": "treatment"}
EVERYTHING = Filter(types=frozenset(), participant=None)
Served = tuple[TestClient, Ledger, str]


@pytest.fixture(scope="module")
def served(demo: DemoReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demonstration behind the application, in a copy: exports are recorded."""
    place = tmp_path_factory.mktemp("served") / "ledger"
    shutil.copytree(demo.directory, place, ignore=shutil.ignore_patterns("export", "policy"))
    ledger = open_ledger(place, None, SystemSources())
    study = OpenStudy(config=read_config(place), ledger=ledger)
    with TestClient(create_app([study])) as http:
        yield http, ledger, f"/v1/studies/{study.config.study}"
    ledger.close()


def treated(ledger: Ledger, participant: str) -> list[StoredEntry]:
    """Return the entries of a participant that seal something under `treatment`."""
    entries = ledger.store.stream_entries(f"participant/{participant}")
    return [
        entry
        for entry in entries
        if any(kept.scope == "treatment" for kept in ledger.store.disclosures(entry.event))
    ]


def openings(ledger: Ledger, entries: list[StoredEntry]) -> list[str]:
    """Open what is sealed under `treatment`, as nobody who is blinded can."""
    return [
        ledger.data_keys.open(each.event, each.path, each.stream, each.scope, each.nonce, each.ciphertext)
        for entry in entries
        for each in ledger.store.disclosures(entry.event)
        if each.scope == "treatment"
    ]


def sealed_values(lines: list[dict[str, Any]], field: str) -> list[Any]:
    """Return the new values of a field in lines of the trail."""
    return [change["new"] for line in lines for change in line["changes"] if change["field"] == field]


@pytest.mark.parametrize("role", DEMO_ROLES)
def test_no_door_shows_a_treatment_to_who_is_blinded(served: Served, role: str) -> None:
    """Views, lists, trail, events, stream and export: sealed in each, opened in none (E6(R3) 4.1)."""
    http, ledger, base = served
    person = "SA-01-002"
    entries = treated(ledger, person)
    assert {entry.type for entry in entries} >= {"participant.randomized", "dose.administered"}
    secrets = openings(ledger, entries)
    paths = [
        "/participants",
        f"/participants/{person}",
        f"/participants/{person}/timeline",
        f"/participants/{person}/history/participant.randomized/data/arm",
        f"/audit-trail?participant={person}&limit=1000",
        f"/audit-trail.csv?participant={person}&limit=1000",
        "/projections/enrolment",
        "/projections/breaches",
        *(f"/events/{entry.index}" for entry in entries),
        f"/export?scope=participant:{person}",
    ]
    for path in paths:
        answer = http.get(base + path, headers=bearer(token_text(role)))
        assert answer.status_code == 200, path
        assert not any(secret.encode() in answer.content for secret in secrets), path
        assert not any(secret in str(answer.headers) for secret in secrets), path
    reader = Reader(role=role)
    shown = renderer(reader, EVERYTHING, ledger.store)([frame(entry, base) for entry in entries])
    assert not any(secret.encode() in shown for secret in secrets)
    lines = http.get(f"{base}/audit-trail?participant={person}&limit=1000", headers=bearer(token_text(role)))
    for field in ("/data/arm", "/data/amounts"):
        found = sealed_values(lines.json()["lines"], field)
        assert found
        assert all(value == SEALED for value in found)
