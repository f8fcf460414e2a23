"""Counts for the operator: who may read them, what they say, and what they never say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api.app import OPERATIONS
from api.metrics import OF_STUDIES, PREFIX
from api.operating import Operating
from ledger.actions import all_specs
from ledger.errors import StoreError
from ledger.roles import ROLES
from ledger.rules.codes import codes
from tests.api.client import BASE, PARTICIPANT, Site, bearer
from tests.api.operations import app_in
from tests.ledger.small_ledger import SmallLedger, make
from tests.shared import ROOT

LOCAL = "127.0.0.1"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger of the test's own."""
    made = make(tmp_path / "ledger", participants=1)
    yield made
    made.ledger.close()


def read(http: TestClient) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix(PREFIX), *(sample.labels[name] for name in sorted(sample.labels))): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_operation_and_class_of_status(made: SmallLedger) -> None:
    """With the time until the answer began."""
    with app_in(made, Operating(), LOCAL) as http:
        for _ in range(3):
            http.get(f"{BASE}/participants", headers=bearer("coordinator"))
        http.get(f"{BASE}/participants")
        http.get("/nothing")
        found = read(http)
    assert found["requests_total", "participants", "2xx"] == 3
    assert found["requests_total", "participants", "4xx"] == 1
    assert found["requests_total", "none", "4xx"] == 1
    assert found["request_seconds_count", "participants"] == 4
    assert found["requests_running",] == 0


def test_commits_are_counted_with_their_entries_and_waits(made: SmallLedger) -> None:
    """Two statements in a commit each: sizes, seconds, and the wait for the lock."""
    with app_in(made, Operating(), LOCAL) as http:
        site = Site(http, made)
        before = made.ledger.store.head().size
        for _ in range(2):
            assert site.hand_in(site.vitals()).status_code == 201
        found = read(http)
        size = made.ledger.store.head().size
    assert found["commit_entries_count", "small"] == 2
    assert found["commit_entries_sum", "small"] == size - before
    assert found["lock_wait_seconds_count", "small"] == found["commit_seconds_count", "small"] == 2
    assert found["lock_wait_seconds_sum", "small"] <= found["commit_seconds_sum", "small"]
    assert found["head_entries", "small"] == size


def test_the_state_of_a_study_is_read_at_the_scrape(made: SmallLedger) -> None:
    """Head, checkpoint, lag and readiness; a store that can't answer leaves out what it would have said."""
    with app_in(made, Operating(), LOCAL) as http:
        study = http.app.state.studies["small"]  # type: ignore[attr-defined]
        study.folded.wait()
        found = read(http)
        told = {name for name, *study in found if study == ["small"]}
        assert told >= OF_STUDIES.keys() - {"tailer_lag_entries"}  # nobody follows the stream
        assert (found["readable", "small"], found["frozen", "small"]) == (1, 0)
        assert found["webhooks_parked", "small"] == 0
        assert (found["fold_lag_entries", "small"], found["stream_subscribers", "small"]) == (0, 0)

        def fail() -> None:
            raise StoreError("STORE_IO", "gone")

        head, study.ledger.store.head = study.ledger.store.head, fail
        found = read(http)
        assert found["readable", "small"] == 0
        assert ("head_entries", "small") not in found
        study.ledger.store.head = head


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (LOCAL, {}, 200),
        ("::1", {}, 200),
        ("192.0.2.1", {}, 403),
        ("testclient", {}, 403),
        (LOCAL, {"X-Forwarded-For": "192.0.2.1"}, 403),
        (LOCAL, {"Forwarded": "for=192.0.2.1"}, 403),
        (LOCAL, {"Via": "1.1 proxy"}, 403),
        ("192.0.2.1", bearer("auditor"), 403),
        ("192.0.2.1", {"X-Forwarded-For": LOCAL}, 403),
    ],
)
def test_without_a_token_this_machine_alone_reads(
    made: SmallLedger, address: str, headers: dict[str, str], status: int
) -> None:
    """Nobody from elsewhere, nobody whom a proxy brings, and no token of a study."""
    with app_in(made, Operating(), address) as http:
        assert http.get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("192.0.2.1", bearer("operator"), 200),
        ("192.0.2.1", {"Authorization": "bearer operator"}, 200),
        (LOCAL, {}, 401),
        (LOCAL, bearer("auditor"), 401),
        (LOCAL, {"Authorization": "Basic operator"}, 401),
        (LOCAL, bearer("operator2"), 401),
        (LOCAL, {"Authorization": b"Bearer \xff"}, 401),
    ],
)
def test_with_a_token_it_alone_counts(
    made: SmallLedger, address: str, headers: dict[str, str], status: int
) -> None:
    """From anywhere, this machine included."""
    with app_in(made, Operating(metrics_token="operator"), address) as http:
        assert http.get("/metrics", headers=headers).status_code == status


def test_no_label_tells_of_anybody(made: SmallLedger) -> None:
    """No action type, participant, site, person, role, arm or rule is a name, a label or a value of one."""
    with app_in(made, Operating(), LOCAL) as http:
        site = Site(http, made)
        site.hand_in(site.vitals())
        http.get(f"{BASE}/participants/{PARTICIPANT}", headers=bearer("coordinator"))
        text = http.get("/metrics").text
    operations = {operation.name for operation in OPERATIONS}
    labels = set(re.findall(r'="([^"]*)"', text)) - operations
    assert labels <= {"small", "2xx", "3xx", "4xx", "5xx", "rate", "busy", "none", "+Inf"} | {
        value for value in labels if re.fullmatch(r"[0-9.e+]+", value)
    }
    told = re.findall(r"[A-Za-z][A-Za-z0-9_.-]+", text)
    forbidden = {spec.type for spec in all_specs()} | codes().keys() | {PARTICIPANT, "SA-01", "bchan"}
    assert forbidden.isdisjoint(told)
    assert (ROLES - operations).isdisjoint(labels)


def test_every_metric_is_in_the_manual(made: SmallLedger) -> None:
    """Documented or red, process figures left out."""
    with app_in(made, Operating(), LOCAL) as http:
        http.get("/livez")
        text = http.get("/metrics").text
    served = {name for name in re.findall(r"(?m)^# TYPE (\S+?)(?:_total)? ", text) if name.startswith(PREFIX)}
    manual = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = manual.partition("## Metrics")[2].partition("\n## ")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)`", section)) == served
