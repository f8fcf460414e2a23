"""The pages and the stream of a study in its second epoch say what they are the pages of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.directory import open_ledger, read_config
from ledger.fold import StoreReader
from ledger.rules.signing import signed_digest
from tests.api.client import bearer, token
from tests.api.shapes import broken
from tests.ledger.epoch_story import STUDY, Epochs, go_on, make_old
from tests.ledger.small_ledger import ORIGIN, SITE
from tests.ledger.write_path import VITALS

BASE: Final = f"/v1/studies/{STUDY}"
NAME: Final = f"{SITE}-001"
TOKENS: Final = (token("auditor", "auditor"), token("elsewhere", "coordinator", sites=("SA-02",)))


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two epochs, with vital signs of a participant of the old one recorded in the new one."""
    place = tmp_path_factory.mktemp("epochs")
    two = go_on(make_old(place / "old"), place)
    at = two.new.now()
    bedside = ("bchan", "coordinator", "authorship")
    two.new.say("v", *bedside, "vital_signs.recorded", f"participant/{NAME}", VITALS, occurred_at=at)
    _set_apart(place)  # before anything is served: a checkpoint may be published while it is copied
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


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/participants", "/participants"),
        ("/participants/{participant}", f"/participants/{NAME}"),
        ("/participants/{participant}/timeline", f"/participants/{NAME}/timeline"),
        ("/audit-trail", "/audit-trail"),
        ("/events/{event}", "/events/3"),
        ("/projections/{name}", "/projections/breaches"),
        ("/projections/{name}", "/projections/enrolment"),
        ("/projections/{name}", "/projections/visits"),
    ],
)
def test_answers_of_a_later_epoch_have_their_shape(new: TestClient, path: str, place: str) -> None:
    """What the older log brings, and that there is one, is in the document."""
    assert broken(f"GET {path}", 200, new.get(BASE + place).json()) == []


@pytest.mark.parametrize("path", ["/audit-trail", "/projections/visits", "/participants"])
def test_a_page_and_a_file_of_a_later_epoch_say_so(epochs: Epochs, new: TestClient, path: str) -> None:
    """At its foot, where the head stands; the file in its name."""
    said = epochs.handover.continues
    page = new.get(f"{BASE}{path}.html").text
    assert f"This log goes on from {said.size} entries of <code>{said.origin}</code>" in page
    assert f'filename="{STUDY}-e2-' in new.get(f"{BASE}{path}.csv").headers["Content-Disposition"]


def test_the_audit_trail_is_of_both_logs(epochs: Epochs, new: TestClient) -> None:
    """Who opens a participant's trail sees the whole history, each line with its log."""
    said = epochs.handover.continues
    lines = new.get(f"{BASE}/audit-trail", params={"participant": NAME}).json()["lines"]
    older = [line for line in lines if line["index"] < 0]
    told = epochs.old.ledger.store.stream_entries(f"participant/{NAME}")
    assert [line["event"] for line in older] == [entry.event for entry in told]
    assert {line["log"] for line in older} == {said.origin}
    page = new.get(f"{BASE}/audit-trail.html", params={"participant": NAME}).text
    assert f"in the older log {said.origin}" in page
    assert "/events/-" not in page
    file = new.get(f"{BASE}/audit-trail.csv", params={"participant": NAME}).text.splitlines()
    assert file[0].endswith(",event,log")
    assert sum(row.endswith(f",{said.origin}") for row in file) > 0


@pytest.mark.parametrize("sort", [{}, {"order": "newest"}, {"sort": "name"}])
def test_pages_of_the_trail_lead_from_one_log_to_the_other(
    epochs: Epochs, new: TestClient, sort: dict[str, str]
) -> None:
    """By `Link`, each line once; the cursor is below 0 in the older log."""
    found: list[int] = []
    answer = new.get(f"{BASE}/audit-trail", params={"limit": 9, **sort})
    while True:
        found += [line["index"] for line in answer.json()["lines"]]
        if "next" not in answer.links:
            break
        answer = new.get(answer.links["next"]["url"])
    size = epochs.new.ledger.store.head().size
    assert min(found) == -epochs.handover.continues.size
    assert len(found) == len(set(found))
    assert set(range(-epochs.handover.continues.size, size)) >= set(found)


def test_what_is_to_be_signed_is_of_both_logs(epochs: Epochs, new: TestClient) -> None:
    """The digest is that by which the rules judge the signature, and its lines are all that it covers."""
    said = new.get(f"{BASE}/participants/{NAME}/signing-scope").json()
    stream = f"participant/{NAME}"
    judged = StoreReader(epochs.new.ledger.store).entries_of(stream)
    assert said["sha256"] == signed_digest(judged, "participant", None, said["upto"])
    older = epochs.old.ledger.store.stream_entries(stream)
    assert said["statements"] == len(older) + len(epochs.new.ledger.store.stream_entries(stream))
    assert [line["log"] for line in said["lines"] if "log" in line] == [ORIGIN] * len(older)


def test_a_reader_of_another_site_gets_nothing_of_the_older_log(new: TestClient) -> None:
    """Neither the participant's lines nor that there is one."""
    other = bearer("elsewhere")
    lines = new.get(f"{BASE}/audit-trail", headers=other).json()["lines"]
    assert not [line for line in lines if line["participant"]]
    answer = new.get(f"{BASE}/audit-trail", params={"participant": NAME}, headers=other)
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_PARTICIPANT")


@pytest.mark.parametrize("after", ["-0", "-x", "--1", "1-", "-999999"])
def test_a_cursor_is_an_index(new: TestClient, after: str) -> None:
    """One below 0 is written as a number is, and is one that an older log has."""
    answer = new.get(f"{BASE}/audit-trail", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (400, "QUERY")


def test_a_log_says_what_it_continues_where_that_is_not_at_hand(epochs: Epochs) -> None:
    """Leaf 0 says it, though `ledger.toml` names no directory."""
    ledger = open_ledger(epochs.place / "apart", None, epochs.new.sources)
    try:
        settings = replace(read_config(epochs.place / "e2"), tokens=TOKENS, continues=None)
        study = OpenStudy(config=settings, ledger=ledger, directory=None)
        said = epochs.handover.continues
        with TestClient(create_app([study]), headers=bearer("auditor")) as http:
            answer = http.get(f"{BASE}/audit-trail")
            assert answer.headers["ledger-continues"] == f"{said.ledger_id} {said.size}"
            assert answer.json()["continues"]["origin"] == said.origin
            assert answer.json()["lines"][0]["index"] == 0
            assert "They are not at hand here" in http.get(f"{BASE}/audit-trail.html").text
            assert "-e2-" in http.get(f"{BASE}/audit-trail.csv").headers["Content-Disposition"]
    finally:
        ledger.close()


def _set_apart(epochs: Path) -> None:
    """Copy the second epoch's directory, without the place of the first."""
    place = epochs / "apart"
    shutil.copytree(epochs / "e2", place)
    file = place / "ledger.toml"
    head, _, rest = file.read_text().partition("[continues]")
    assert rest
    _, bracket, others = rest.partition("\n[")
    file.write_text(head + bracket.strip() + others)


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
