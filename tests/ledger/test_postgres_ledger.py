"""A ledger over PostgreSQL: the same log as over SQLite, read by every command, nothing lost in a crash."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.committer import Ledger
from ledger.directory import CONFIG, open_ledger, read_config
from ledger.errors import ConflictError, RefusedError, StoreError
from ledger.fsck import check_storage
from ledger.sources import SystemSources
from ledger.store.postgres import PostgresStore
from tests.api.client import BASE, TOKENS, bearer
from tests.ledger.on_schema import new_store, write_directory
from tests.ledger.small_ledger import DEFINITION, SITE, make
from tests.ledger.test_cli import run
from tests.ledger.test_crash import Acknowledged, check_after, kill, nurse, take
from tests.ledger.test_recorder import TrialLog
from tests.ledger.write_path import HOUR, VITALS, open_stores, register, vitals_action
from tests.postgres_server import OWNER, PostgresServer

KILLS: Final = 6
PATIENCE_S: Final = 60.0
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.ledger.write_path", "ledger.store.postgres"])


@pytest.fixture(scope="module")
def played(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small ledger that was played over PostgreSQL and closed."""
    directory = tmp_path_factory.mktemp("postgres") / "played"
    made = make(directory, store=new_store(postgres, "played"))
    write_directory(made, directory, postgres.url("played"))
    made.ledger.close()
    return directory


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a ledger with participants to record for, closed, clock at the present."""
    directory = tmp_path_factory.mktemp("postgres") / "shared"
    made = make(directory, participants=0, store=new_store(postgres, "shared"))
    made.sources.advance(2 * HOUR)
    for number in (1, 2, 3):
        register(made, f"{SITE}-{number:03}")
    made.ledger.close()
    return directory


# The same log


def test_the_log_is_the_same_as_over_sqlite(played: Path, tmp_path: Path) -> None:
    """From the same statements, clock and keys come the same leaves, heads and root, byte for byte."""
    made = make(tmp_path / "sqlite")
    with closing(PostgresStore.open(read_config(played).store)) as store:
        size = made.ledger.store.head().size
        assert store.head() == made.ledger.store.head()
        assert store.entries(0, size) == made.ledger.store.entries(0, size)
        assert store.streams() == made.ledger.store.streams()
    made.ledger.close()


def test_storage_is_sound(played: Path) -> None:
    """fsck reads everything again over PostgreSQL and finds nothing."""
    with closing(open_ledger(played, None, SystemSources())) as ledger:
        assert not ledger.startup.frozen, ledger.startup.message
        assert check_storage(ledger) == []


@pytest.mark.parametrize(
    "command",
    [
        ["fsck", "DIR"],
        ["trail", "DIR", "--format", "csv"],
        ["replay", "DIR", f"{SITE}-001", "--json"],
        ["report", "DIR", "visits"],
        ["rebuild", "DIR"],
        ["prove", "DIR", "3"],
        ["trust", "DIR"],
    ],
    ids=lambda words: words[0],
)
def test_every_reading_command_reads_it(played: Path, command: list[str]) -> None:
    """What reads a ledger asks the store that the directory names."""
    done = run(*[str(played) if word == "DIR" else word for word in command])
    assert (done.code, done.err) == (0, "")
    assert done.out
    assert not (played / "ledger.db").exists()


def test_an_export_is_verified(played: Path, tmp_path: Path) -> None:
    """The bundle of a ledger over PostgreSQL passes the offline judge."""
    assert run("export", played, tmp_path / "bundle").code == 0
    (tmp_path / "policy").write_text(run("trust", played).out, encoding="utf-8")
    verdict = run("verify", tmp_path / "bundle", "--policy", tmp_path / "policy")
    assert verdict.code == 0, verdict.out + verdict.err


def test_the_library_reads_it_too(played: Path) -> None:
    """The recorder over the same tables opens a URL as it opens a file."""
    url = read_config(played).store
    with TrialLog({"PERSISTENCE_MODULE": "ledger.store.recorder", "LEDGER_DB": url}) as app:
        assert app.recorder.max_notification_id() == app.recorder.select_notifications(1, 9999)[-1].id
        app.close()


def test_http_reads_it_too(played: Path) -> None:
    """The interface answers from a schema as from a file."""
    config = replace(read_config(played), tokens=TOKENS)
    with (
        closing(open_ledger(played, None, SystemSources())) as ledger,
        TestClient(create_app([OpenStudy(config=config, ledger=ledger)])) as http,
    ):
        for path in ("/participants", "/audit-trail?limit=5", "/checkpoint"):
            answer = http.get(BASE + path, headers=bearer("auditor"))
            assert answer.status_code == 200, answer.text


# Commands that make one


def test_init_makes_a_ledger_in_a_schema(postgres: PostgresServer, tmp_path: Path) -> None:
    """`init --store` makes schema and tables as their owner; only the writer's URL is kept."""
    url, owner, place = postgres.url("inited"), postgres.url("inited", OWNER), tmp_path / "ledger"
    study = ["--study", DEFINITION, "--person", "root1", "--name", "R. Holder", "--organisation", "Sponsor"]
    init = ["init", place, *study, "--plain-keys", "--store", url]
    lacking = run(*init)
    assert (lacking.code, lacking.err.split(":")[1]) == (2, " STORE_URL")
    done = run(*init, "--store-owner", owner)
    assert done.code == 0, done.err
    assert read_config(place).store == url
    assert OWNER not in (place / CONFIG).read_text()
    assert run("fsck", place).code == 0
    migrated = run("migrate", place, "--store-owner", owner, "--json")
    assert (migrated.code, migrated.out.strip()) == (0, '{"applied":[]}')
    told = run("migrate", place, "--store-owner", owner)
    assert (told.code, told.out) == (0, "applied  nothing: the tables are of this version\n")
    again = run("init", tmp_path / "other", *study, "--plain-keys", "--store", url, "--store-owner", owner)
    assert (again.code, again.err.split(":")[1]) == (3, " STORE_EXISTS")
    assert not (tmp_path / "other").exists()


def test_a_store_that_is_no_store_is_refused_in_the_configuration(tmp_path: Path) -> None:
    """The configuration names its member."""
    (tmp_path / CONFIG).write_text('origin = "ledger.example/t"\nstudy = "T1"\nstore = "mysql://a/b"\n')
    done = run("trail", tmp_path)
    assert (done.code, done.err.startswith("error: CONFIG at store:")) == (3, True)


# Several processes, and crashes


def write_on(directory: Path, url: str, stream: str, pipe: Connection, first: int) -> None:
    """Record into a stream without end; tell of each record only once there is a receipt for it.

    When the store fails, the same statement is handed in again until it is known whether it was recorded.
    """
    pause = threading.Event()
    ledger = open_stores(directory, SystemSources(), store=PostgresStore.open(url))
    signer, number = nurse(), first

    def patiently(step: Callable[[], Any]) -> Any:
        while True:
            try:
                return step()
            except StoreError as error:
                pipe.send(error.code)
                pause.wait(0.02)

    while True:
        data = {**VITALS, "time_point": f"t{number}"}
        try:
            action = vitals_action(stream, data=data)
            submission = patiently(lambda action=action: signer.submission(ledger, action, {}))
            recorded = patiently(lambda submission=submission: ledger.record(submission))
        except (ConflictError, RefusedError):
            continue  # another process was faster: sign against the newest head
        pipe.send((recorded.index, recorded.event, recorded.receipt))
        number += 1


class Writer:
    """A writing process, and what it has acknowledged so far."""

    def __init__(self, directory: Path, url: str, stream: str, first: int = 0) -> None:
        self._here, there = PROCESSES.Pipe(duplex=False)
        self._process: Any = PROCESSES.Process(
            target=write_on, args=(directory, url, stream, there, first), daemon=True
        )
        self._process.start()
        there.close()
        self.acknowledged: Acknowledged = []
        self.failures: list[str] = []

    def hear(self, timeout_s: float) -> None:
        """Take one message if it comes in time."""
        if self._here.poll(timeout_s):
            self._sort(self._here.recv())

    def hear_until(self, condition: Callable[[], bool]) -> None:
        """Take messages until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            self.hear(0.05)

    def kill(self) -> None:
        """Kill the process and take what it had still told."""
        kill(self._process)
        for message in take(self._here):
            self._sort(message)
        self._here.close()

    def _sort(self, message: Any) -> None:
        if isinstance(message, str):
            self.failures.append(message)
        else:
            self.acknowledged.append(message)


def opened(directory: Path, url: str) -> Ledger:
    """Open the ledger once nobody writes any more: a killed process's last commit may still be coming in."""
    store = PostgresStore.open(url)
    with store.write():
        pass
    return open_stores(directory, SystemSources(), store=store)


@pytest.fixture
def ended() -> Iterator[list[Writer]]:
    """Writers that are killed at the end, whatever happened to the test."""
    writers: list[Writer] = []
    yield writers
    for writer in writers:
        writer.kill()


def test_kills_in_a_row_lose_nothing_that_was_acknowledged(postgres: PostgresServer, shared: Path) -> None:
    """After each SIGKILL: every acknowledged event at its index, no gap, the root right, the start clean."""
    url, chance = postgres.url("shared"), random.Random(20_260_105)  # noqa: S311  moments, not secrets
    acknowledged: Acknowledged = []
    for number in range(KILLS):
        writer = Writer(shared, url, f"participant/{SITE}-001", first=number * 1_000)
        writer.hear_until(lambda writer=writer: len(writer.acknowledged) > 0)
        deadline = time.monotonic() + chance.uniform(0, 0.2)
        while (left := deadline - time.monotonic()) > 0:
            writer.hear(left)
        writer.kill()
        acknowledged += writer.acknowledged
        with closing(opened(shared, url)) as ledger:
            check_after(ledger, acknowledged, ledger.signers.verifier_keys)
            assert ledger.refresh().conduct.unrecorded() == ()
    assert len(acknowledged) >= KILLS


def test_two_processes_record_into_one_ledger(
    postgres: PostgresServer, shared: Path, ended: list[Writer]
) -> None:
    """Both go on at once, each under its own streams: all acknowledged, dense, in one chain."""
    url = postgres.url("shared")
    writers = [Writer(shared, url, f"participant/{SITE}-00{n}", first=50_000) for n in (2, 3)]
    ended.extend(writers)
    for writer in writers:
        writer.hear_until(lambda writer=writer: len(writer.acknowledged) >= 10)
    ended.clear()
    for writer in writers:
        writer.kill()
    everything = [*writers[0].acknowledged, *writers[1].acknowledged]
    assert len({index for index, _, _ in everything}) == len(everything)
    with closing(opened(shared, url)) as ledger:
        check_after(ledger, everything, ledger.signers.verifier_keys)
        assert ledger.refresh().conduct.unrecorded() == ()


def test_a_server_that_dies_loses_nothing_that_was_acknowledged(
    postgres: PostgresServer, shared: Path, ended: list[Writer]
) -> None:
    """`pg_ctl stop -m immediate` under two writers, twice: they go on, and each event is there once."""
    url = postgres.url("shared")
    writers = [Writer(shared, url, f"participant/{SITE}-00{n}", first=90_000) for n in (2, 3)]
    ended.extend(writers)
    for _ in range(2):
        for writer in writers:
            known, failed = len(writer.acknowledged), len(writer.failures)
            writer.hear_until(lambda writer=writer, known=known: len(writer.acknowledged) > known + 2)
        postgres.stop("immediate")
        for writer in writers:
            writer.hear_until(lambda writer=writer, failed=failed: len(writer.failures) > failed)
        postgres.start()
    for writer in writers:
        known = len(writer.acknowledged)
        writer.hear_until(lambda writer=writer, known=known: len(writer.acknowledged) > known + 2)
    ended.clear()
    for writer in writers:
        writer.kill()
    everything = [*writers[0].acknowledged, *writers[1].acknowledged]
    assert len({event for _, event, _ in everything}) == len(everything)
    with closing(opened(shared, url)) as ledger:
        check_after(ledger, everything, ledger.signers.verifier_keys)
        assert ledger.refresh().conduct.unrecorded() == ()
        assert check_storage(ledger) == []
