"""The pages and the stream of a study in its second epoch say what they are the pages of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.directory import read_config
from tests.api.client import bearer, token
from tests.ledger.epoch_story import STUDY, Epochs, go_on, make_old
from tests.ledger.small_ledger import SITE
from tests.ledger.write_path import VITALS

BASE: Final = f"/v1/studies/{STUDY}"
NAME: Final = f"{SITE}-001"
TOKENS: Final = (token("auditor", "auditor"),)


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two epochs, with vital signs of a participant of the old one recorded in the new one."""
    place = tmp_path_factory.mktemp("epochs")
    two = go_on(make_old(place / "old"), place)
    at = two.new.now()
    bedside = ("bchan", "coordinator", "authorship")
    two.new.say("v", *bedside, "vital_signs.recorded", f"participant/{NAME}", VITALS, occurred_at=at)
    yield two
    two.close()


@pytest.fixture(scope="module")
def new(epochs: Epochs) -> Iterator[TestClient]:
    """A client of the second epoch."""
    with _serve(epochs, "e2") as http:
        yield http


def _serve(epochs: Epochs, name: str) -> TestClient:
    made = epochs.new if name == "e2" else epochs.old
    settings = replace(read_config(epochs.place / name), tokens=TOKENS)
    study = OpenStudy(config=settings, ledger=made.ledger, directory=epochs.place / name)
    return TestClient(create_app([study]), headers=bearer("auditor"))


@pytest.mark.parametrize(
    "path", ["/participants", f"/participants/{NAME}", f"/participants/{NAME}/timeline", "/audit-trail"]
)
def test_an_answer_says_what_its_log_continues(epochs: Epochs, new: TestClient, path: str) -> None:
    """Nobody takes a list that is empty in this log for one that is empty in the study."""
    said = epochs.handover.continues
    answer = new.get(BASE + path)
    assert answer.status_code == 200
    assert answer.headers["ledger-continues"] == f"{said.ledger_id} {said.size}"
    expected = {"ledger_id": said.ledger_id, "origin": said.origin, "size": said.size}
    assert answer.json()["continues"] == expected


@pytest.mark.parametrize("name", [NAME, f"{SITE}-002"])
def test_a_participant_of_the_older_log_is_one_here(epochs: Epochs, new: TestClient, name: str) -> None:
    """On the list and by themselves, with what the older log says below 0 and without links to it."""
    listed = new.get(f"{BASE}/participants").json()["participants"]
    assert name in [row["participant"] for row in listed]
    answer = new.get(f"{BASE}/participants/{name}")
    assert answer.json()["registrations"][0]["log"] == epochs.handover.continues.origin
    page = new.get(f"{BASE}/participants/{name}.html")
    assert page.status_code == 200
    assert "in the log that this one continues" in page.text
    assert "/events/-" not in page.text


@pytest.mark.parametrize("path", ["/audit-trail", "/projections/visits", "/participants"])
def test_a_page_and_a_file_of_a_later_epoch_say_so(epochs: Epochs, new: TestClient, path: str) -> None:
    """At its foot, where the head stands; the file in its name."""
    said = epochs.handover.continues
    page = new.get(f"{BASE}{path}.html").text
    assert f"This log goes on from {said.size} entries of <code>{said.origin}</code>" in page
    assert f'filename="{STUDY}-e2-' in new.get(f"{BASE}{path}.csv").headers["Content-Disposition"]


def test_a_first_log_says_nothing(epochs: Epochs) -> None:
    """The frozen epoch is read by a service of its own, and holds its participants."""
    with _serve(epochs, "old") as http:
        answer = http.get(f"{BASE}/participants")
        assert answer.json()["count"] == 2
        assert "ledger-continues" not in answer.headers
        assert "continues" not in answer.json()
        assert "goes on from" not in http.get(f"{BASE}/participants.html").text


def test_the_stream_of_a_second_epoch_begins_at_its_own_index_0(epochs: Epochs, new: TestClient) -> None:
    """Catch-up lines are dense from 0; the old log's stream goes on at the old directory."""
    lines = new.get(f"{BASE}/stream.jsonl?after=-1")
    assert lines.headers["ledger-continues"]
    told = [orjson.loads(line) for line in lines.text.splitlines()]
    found = [int(each["sequence"]) for each in told if "sequence" in each]
    assert found == list(range(epochs.new.ledger.store.head().size))
