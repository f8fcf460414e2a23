"""Lists over the study: participants, enrolment and breaches."""

from __future__ import annotations

from pathlib import Path

import orjson

from projections.breaches import BREACHES, breaches
from projections.enrolment import enrolment, participants
from projections.projection import replay_all
from projections.reader import Reader
from projections.runner import opened
from projections.status import PARTICIPANTS
from tests import scenario
from tests.projections.conftest import Told
from tests.projections.ledgers import store_of


def test_enrolment_counts_by_site_and_overall_as_known_then(tmp_path: Path, auditor: Reader) -> None:
    """Two participants, one randomized; before their registration nobody."""
    story = scenario.given_randomized()
    registered = len(story.log)
    scenario.given_consented(story, "SA-01-002")
    store = store_of(story, tmp_path / "ledger.db")
    now = enrolment(store, reader=auditor)
    assert list(now["sites"]) == ["SA-01", "SD-02"]
    assert now["sites"]["SA-01"] == now["overall"]
    reached = now["overall"]["reached"]
    assert (reached["registered"], reached["consented"], reached["randomized"]) == (2, 2, 1)
    assert now["overall"]["now"] == {"consented": 1, "randomized": 1}
    then = enrolment(store, reader=auditor, known=registered - 1)
    assert then["overall"]["now"] == {"randomized": 1}
    assert now["sites"]["SD-02"]["reached"]["registered"] == 0
    elsewhere = enrolment(store, reader=Reader(role="coordinator", sites=frozenset({"SD-02"})))
    assert (list(elsewhere["sites"]), elsewhere["overall"]["now"]) == (["SD-02"], {})
    store.close()


def test_kept_states_give_the_answers_of_a_replay(told: Told, auditor: Reader, tmp_path: Path) -> None:
    """The short way over projections.db and the long way over the log say the same."""
    with opened(tmp_path / "projections.db") as runner:
        runner.run(told.store)
        states = runner.states(PARTICIPANTS)
    assert participants(told.store, reader=auditor, states=states) == participants(told.store, reader=auditor)
    assert enrolment(told.store, reader=auditor, states=states) == enrolment(told.store, reader=auditor)
    (row,) = participants(told.store, reader=auditor)
    assert (row["status"], row["site"]) == ("withdrawn", "SA-01")
    assert participants(told.store, reader=Reader(role="list_holder")) == []


def test_the_index_of_a_status_moves_with_what_it_depends_on(tmp_path: Path) -> None:
    """A correction of a record that no status depends on moves nothing: not everybody sees that record."""
    story = scenario.given_consented()
    consented = len(story.log) - 1
    given = story.when(
        "vital_signs.recorded",
        {
            "measurements": [{"name": "heart_rate", "quantity": {"value": "64", "unit": "/min"}}],
            "source": {"kind": "esource"},
        },
    )
    story.given(
        "correction.made",
        {"statement": given.event, "path": "/data/source/kind", "old": "esource", "new": "paper"},
        reason="transcription",
    )
    store = store_of(story, tmp_path / "ledger.db")
    (row,) = participants(store, reader=Reader(role="unblinded_monitor"))
    assert row["status_index"] == row["milestones"]["consented"] <= consented
    store.close()


def test_breaches_tell_where_and_whether_they_are_open(told: Told, auditor: Reader) -> None:
    """Each breach has its rule's text and the statement; a reader elsewhere sees none."""
    found = breaches(told.store, told.story.conduct, reader=auditor)
    assert found[0]["rule"] == "LATE_ENTRY"
    assert found[0]["statement"]["type"] == "vital_signs.recorded"
    assert (found[0]["participant"], found[0]["site"], found[0]["section"]) == ("SA-01-001", "SA-01", "R1")
    assert all(each["recorded"] is not None for each in found)
    late = found[0]["found"]
    assert breaches(told.store, told.story.conduct, reader=auditor, known=late - 1) == []
    elsewhere = Reader(role="investigator", sites=frozenset({"SD-02"}))
    assert breaches(told.store, told.story.conduct, reader=elsewhere) == []


def test_recorded_breaches_are_kept_by_stream(told: Told) -> None:
    """The projection holds exactly the recorded ones."""
    states = replay_all(BREACHES, told.store, told.store.head().size)
    recorded = [
        (entry.index, orjson.loads(entry.statement)["data"]["rule"])
        for entry in told.store.entries(0, 1000)
        if entry.type == "breach.detected"
    ]
    kept = [(each["index"], each["rule"]) for state in states.values() for each in state["recorded"]]
    assert sorted(kept) == recorded
