"""The storage read again while a study is served, and the clock watched: what is found, and who is told."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.audit import Audit
from api.drift import Drift
from ledger.drift import ClockWatch
from ledger.fsck import Damage
from ledger.statement import parse_statement
from ledger.store.port import Reads
from ledger.store.startup import Startup
from projections.check import checker
from projections.runner import FILE, opened
from tests.api.client import BASE, open_study
from tests.behind import altering
from tests.ledger.small_ledger import SmallLedger, make

DAY_S = 86_400.0


@pytest.fixture
def made(tmp_path: Path) -> Iterator[SmallLedger]:
    """A small ledger."""
    made = make(tmp_path / "d")
    yield made
    made.ledger.close()


def audit_of(made: SmallLedger, *checkers: Callable[[Reads], list[Damage]], share: float = 1.0) -> Audit:
    """Return what reads a ledger's storage again, at full speed."""
    return Audit("small", made.ledger, DAY_S, checkers, share=share)


def change(made: SmallLedger, directory: Path, statement: str) -> None:
    """Change the store behind its triggers."""
    with altering(directory / "d" / "ledger.db") as store:
        store.execute(statement)


def test_a_pass_reads_everything_and_finds_nothing(made: SmallLedger) -> None:
    """All entries of a sound ledger, those of two steps and more."""
    passed = audit_of(made).run_once()
    assert passed is not None
    assert (passed.entries, passed.damage) == (made.ledger.store.head().size, ())


def test_what_is_recorded_meanwhile_is_read_too(made: SmallLedger) -> None:
    """A pass ends with the log as it is then."""
    audit = audit_of(made)
    data = {"date": "2024-06-04", "person": "bchan", "topic": "pump"}
    recorded = threading.Event()

    def between(_statement: object = None) -> bool:
        if not recorded.is_set():
            recorded.set()
            made.say("pump", "root", "root", "verification", "training.recorded", "person/bchan", data)
        return False

    audit._rest = between  # type: ignore[method-assign]
    passed = audit.run_once()
    assert passed is not None
    assert (passed.entries, passed.damage) == (made.at["pump"] + 1, ())


def test_damage_is_told_until_a_whole_pass_finds_none(made: SmallLedger, tmp_path: Path) -> None:
    """readyz answers 503 with a code and without what it is about; metrics count; repaired, it is ready."""
    audit = audit_of(made)
    with TestClient(create_app([open_study(made)]), client=("127.0.0.1", 1)) as http:
        http.app.state.studies["small"].audit = audit  # type: ignore[attr-defined]
        audit.run_once()
        assert http.get("/readyz").status_code == 200
        change(made, tmp_path, "UPDATE guards SET idx = idx + 1 WHERE kind = 'participant'")
        audit.run_once()
        answer = http.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "STORAGE_DAMAGED")
        assert http.get(f"{BASE}/readyz").json()["code"] == "STORAGE_DAMAGED"
        assert "SA-01" not in answer.text
        assert 'trial_ledger_audit_damage{study="small"} 2.0' in http.get("/metrics").text
        change(made, tmp_path, "UPDATE guards SET idx = idx - 1 WHERE kind = 'participant'")
        audit.run_once()
        assert http.get("/readyz").status_code == 200
        assert 'trial_ledger_audit_damage{study="small"} 0.0' in http.get("/metrics").text


def test_a_served_study_is_read_by_itself(made: SmallLedger) -> None:
    """The first pass begins when the log is folded, and asks further checkers at its end."""
    asked = threading.Event()

    def ask(reads: Reads) -> list[Damage]:
        asked.set()
        return []

    study = replace(open_study(made), audit_every_s=DAY_S, checkers=(ask,))
    with TestClient(create_app([study])):
        assert asked.wait(60)


def test_kept_projections_are_folded_again(made: SmallLedger, tmp_path: Path) -> None:
    """A kept state that the log does not give is damage."""
    with opened(tmp_path / "d" / FILE) as runner, made.ledger.store.snapshot() as reads:
        runner.run(reads)
    audit = audit_of(made, lambda reads: list(checker(tmp_path / "d")(reads)))
    first = audit.run_once()
    with closing(sqlite3.connect(tmp_path / "d" / FILE)) as connection, connection:
        connection.execute("UPDATE states SET state = CAST(state || ' ' AS BLOB)")
    connection.close()
    second = audit.run_once()
    assert first is not None
    assert second is not None
    assert (first.damage, {each.code for each in second.damage}) == ((), {"PROJECTION"})


def test_a_pass_keeps_to_its_share(made: SmallLedger) -> None:
    """A third of one core: it takes three times as long as it computes."""
    began, used = time.monotonic(), time.thread_time()
    audit_of(made, share=1 / 3).run_once()
    computed_s, took_s = time.thread_time() - used, time.monotonic() - began
    # What is compared at the end, after the last rest, is not followed by one.
    assert took_s > 2 * computed_s


def test_an_end_does_not_wait_for_the_pass(made: SmallLedger) -> None:
    """Told to end in the middle, a pass tells nothing."""
    audit = audit_of(made, share=1e-6)
    begun = threading.Event()
    begun.set()
    audit.start(begun)
    audit.stop()
    assert audit.passed is None


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def drift_of(made: SmallLedger, clock: Clock) -> Drift:
    """Return what watches it, beside a steady clock that stands."""
    return Drift("small", made.ledger, 1_000, ClockWatch(clock, lambda: 0))


def test_a_step_beyond_the_limit_is_recorded_once(made: SmallLedger, clock: Clock) -> None:
    """`clock.drifted` says which clock, by how much, beyond which limit."""
    drift = drift_of(made, clock)
    clock.us -= 7_200_000_000
    index = drift.ask()
    assert drift.ask() is None
    entry = made.ledger.store.entry(index or 0)
    assert entry is not None
    assert entry.type == "clock.drifted"
    assert parse_statement(entry.statement).data == {
        "clock": "service",
        "limit_ms": 1_000,
        "offset_ms": -7_200_000,
        "reference": "steady clock of the service's machine",
    }


def test_what_stays_within_the_limit_is_no_event(made: SmallLedger, clock: Clock) -> None:
    """A clock that is led back slowly is not recorded, however far it goes in all."""
    drift = drift_of(made, clock)
    for _ in range(5):
        clock.us += 1_000_000
        assert drift.ask() is None


def test_a_step_of_a_frozen_ledger_is_recorded_when_it_can_be(made: SmallLedger, clock: Clock) -> None:
    """Nothing is forgotten while nothing is recorded."""
    drift = drift_of(made, clock)
    open_ = made.ledger.startup
    made.ledger.startup = Startup(frozen=True, code="LOG_BEHIND_CHECKPOINT", message="behind")
    clock.us += 5_000_000
    assert drift.ask() is None
    made.ledger.startup = open_
    assert drift.ask() is not None
