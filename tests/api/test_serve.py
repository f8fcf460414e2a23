"""The real server: ports, streams through curl, and a clean end."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.commands import _tell_pages
from api.serve import listen
from ledger.authorisation import check_signatures
from ledger.authority import INITIAL, evolve
from ledger.checkpoint import check_published
from ledger.committer import Ledger
from ledger.directory import DATABASE, open_ledger
from ledger.entry import Entry, Index
from ledger.envelope import event_hash
from ledger.leaf import parse_leaf
from ledger.merkle import leaf_hash, tree_root
from ledger.note import VerifierKey
from ledger.signing.settings import SigningSettings
from ledger.sources import SystemSources
from ledger.statement import parse_statement
from ledger.store.sqlite import SqliteStore
from ledger.submission import Submission, format_submission
from tests.api.client import STREAM, VITALS, open_study, write_directory
from tests.ledger.small_ledger import SmallLedger, make

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

TIMEOUT_S = 60
VISIT = {"visit": "screening", "mode": "in_person", "source": {"kind": "esource"}}
COMMAND = Path(sys.executable).with_name("trial-ledger")


class Following:
    """A `curl -N` on a stream, read line by line, and stopped by its own process."""

    def __init__(self, url: str, *, who: str = "auditor", last: int | None = None) -> None:
        headers = ["-H", f"Authorization: Bearer {who}"]
        if last is not None:
            headers += ["-H", f"Last-Event-ID: {last}"]
        self.process = subprocess.Popen(
            ["curl", "-sN", "--max-time", str(TIMEOUT_S), *headers, url], stdout=subprocess.PIPE, text=True
        )
        self.events: list[dict[str, str]] = []

    def read(self, until: Any) -> list[dict[str, str]]:
        """Read events until one is what is waited for; return all so far."""
        assert self.process.stdout is not None
        event: dict[str, str] = {}
        for line in self.process.stdout:
            if line == "\n":
                self.events.append(event)
                if until(event):
                    return self.events
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.rstrip("\n").partition(": ")
                event[name] = value
        return self.events

    def stop(self) -> None:
        """End curl in the middle of whatever it is doing."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def serving(*directories: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `trial-ledger serve` on a free port; yield the process and its URL."""
    process = subprocess.Popen(
        [COMMAND, "serve", *directories, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        first = process.stdout.readline()
        found = re.search(r"on (http://127\.0\.0\.1:\d+)$", first.strip())
        assert found is not None, first + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A closed ledger in a directory of its own, with people who can sign."""
    small = write_directory(tmp_path / "ledger")
    small.ledger.close()
    return small


def ids(events: list[dict[str, str]]) -> list[int]:
    return [int(event["id"]) for event in events if "id" in event]


def measurement(made: SmallLedger, ledger: Ledger, type_: str = "vital_signs.recorded") -> Submission:
    """Return a signed record of a participant, ready to be recorded."""
    value = {
        "type": type_,
        "stream": STREAM,
        "role": "coordinator",
        "data": VITALS if type_ == "vital_signs.recorded" else VISIT,
        "site": "SA-01",
        "protocol": "1.0",
    }
    return made.people["bchan"].submission(ledger, value, {})


def write(made: SmallLedger, directory: Path, count: int) -> int:
    """Record as another process would, with the directory opened once more; end with a visit.

    Returns the size of the log.
    """
    ledger = open_ledger(directory, None, SystemSources())
    try:
        for _ in range(count):
            ledger.record(measurement(made, ledger))
        ledger.record(measurement(made, ledger, "visit.started"))
        return ledger.store.head().size
    finally:
        ledger.close()


def verify_from_stream(events: list[dict[str, str]], root: bytes) -> None:
    """Check every event with nothing but what the stream carried: bytes, hashes, signatures, tree."""
    authority = INITIAL
    hashes = []
    for number, event in enumerate(event for event in events if "id" in event):
        cloud = orjson.loads(event["data"])
        statement = orjson.dumps(cloud["data"]["statement"], option=orjson.OPT_SORT_KEYS)
        leaf = orjson.dumps(cloud["data"]["leaf"], option=orjson.OPT_SORT_KEYS)
        entry = Entry(
            index=Index(number),
            leaf=parse_leaf(leaf),
            event=event_hash(statement),
            statement=parse_statement(statement),
        )
        assert entry.leaf.index == number == int(event["id"]) == int(cloud["sequence"])
        assert entry.leaf.statement == entry.event == cloud["id"]
        assert entry.statement is not None
        assert event["event"] == entry.statement.type
        assert cloud["type"] == f"org.trial-ledger.{entry.statement.type}.v{entry.statement.schema}"
        assert (cloud["subject"], cloud["time"]) == (entry.statement.stream, entry.leaf.at)
        check_signatures(authority, entry.statement, entry.leaf)
        authority = evolve(authority, entry)
        hashes.append(leaf_hash(leaf))
    assert tree_root(hashes) == root


def _is_visit_or_after(index: int, event: dict[str, str]) -> bool:
    return event["event"] == "visit.started" or int(event.get("id", "-1")) > index


def test_a_stream_resumes_without_gap_or_duplicate_while_a_writer_records(
    made: SmallLedger, tmp_path: Path
) -> None:
    """curl is cut off again and again and goes on with Last-Event-ID; all of it verifies from the stream."""
    directory = tmp_path / "ledger"
    events: list[dict[str, str]] = []
    sizes: list[int] = []
    connections = 0
    with serving(directory) as (_, url):
        writer = threading.Thread(target=lambda: sizes.append(write(made, directory, 40)))
        writer.start()
        while not events or events[-1]["event"] != "visit.started":
            last = ids(events)[-1] if events else -1
            connections += 1
            following = Following(f"{url}/v1/studies/small/stream", last=last if events else None)
            got = following.read(partial(_is_visit_or_after, last + 8))
            following.stop()
            events += [event for event in got if "id" in event]
        writer.join()
        following = Following(f"{url}/v1/studies/small/stream", last=ids(events)[-1])
        rest = following.read(lambda event: event["event"] == "caught-up")
        events += [event for event in rest if "id" in event]
        following.stop()
    assert connections > 3
    assert ids(events) == list(range(sizes[0]))
    store = SqliteStore.open(directory / DATABASE)
    root = store.head().root
    store.close()
    verify_from_stream(events, root)


def test_a_running_server_records_what_is_handed_in_and_streams_it(made: SmallLedger, tmp_path: Path) -> None:
    """A statement handed in over HTTP arrives at a subscriber who asked for what is new."""
    directory = tmp_path / "ledger"
    with serving(directory) as (_, url):
        base = f"{url}/v1/studies/small"
        following = Following(f"{base}/stream?after=head")
        following.read(lambda event: event["event"] == "caught-up")
        ledger = open_ledger(directory, None, SystemSources())
        body = format_submission(measurement(made, ledger))
        ledger.close()
        answer = subprocess.run(
            [
                "curl",
                "-s",
                "-H",
                "Content-Type: application/json",
                "--data-binary",
                "@-",
                f"{base}/statements",
            ],
            input=body,
            capture_output=True,
            check=True,
        )
        recorded = orjson.loads(answer.stdout)
        events = following.read(lambda event: event.get("id") == str(recorded["index"]))
        following.stop()
    assert orjson.loads(events[-1]["data"])["id"] == recorded["event"]


def test_the_server_drains_publishes_and_ends_cleanly(made: SmallLedger, tmp_path: Path) -> None:
    """On SIGTERM a stream ends with server-draining, the process with 0, and the head is published."""
    directory = tmp_path / "ledger"
    with serving(directory) as (process, url):
        following = Following(f"{url}/v1/studies/small/stream?after=head")
        following.read(lambda event: event["event"] == "caught-up")
        size = write(made, directory, 0)
        process.send_signal(signal.SIGTERM)
        events = following.read(lambda _: False)
        assert events[-1]["event"] == "server-draining"
        assert following.process.wait(TIMEOUT_S) == 0
        following.stop()
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr is not None
        lines = [orjson.loads(line) for line in process.stderr]
        assert {line["level"] for line in lines} == {"info"}
    ledger = open_ledger(directory, None, SystemSources())
    latest = ledger.checkpoints.latest()
    keys: tuple[VerifierKey, ...] = ledger.signers.verifier_keys
    ledger.close()
    assert latest is not None
    assert check_published(latest[1], keys).size == size


def test_no_answer_waits_for_its_head_to_be_acknowledged() -> None:
    """The event loop sets TCP_NODELAY on connections of a socket that names its protocol alone."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_one_process_serves_several_studies(tmp_path: Path) -> None:
    """Each directory's study stands under its own address; the port asked for as 0 is printed."""
    for study in ("one", "two"):
        write_directory(tmp_path / study, study=study).ledger.close()
    with serving(tmp_path / "one", tmp_path / "two") as (process, url):
        assert process.stdout is not None
        printed = [process.stdout.readline().strip() for _ in range(3)]
        assert printed == [f"{url}/v1/studies/one/pages", f"{url}/v1/studies/two/pages", f"{url}/docs"]
        for study in ("one", "two"):
            answer = subprocess.run(
                ["curl", "-s", f"{url}/v1/studies/{study}/livez"], capture_output=True, text=True, check=True
            )
            assert orjson.loads(answer.stdout) == {"alive": True}


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [(["nowhere"], "LEDGER_MISSING", 3), (["ledger", "--host", "192.0.2.1"], "ADDRESS", 3)],
)
def test_what_cannot_be_served_is_said_with_its_code(
    made: SmallLedger, tmp_path: Path, arguments: list[str], code: str, exit_code: int
) -> None:
    """A missing ledger and an address that can't be had: one line, an exit code, no trace."""
    done = subprocess.run(
        [COMMAND, "serve", *arguments, "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code
    assert code in done.stderr
    assert "Traceback" not in done.stderr


def test_pages_on_which_nobody_can_sign_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `[signing]` the service lets no page ask, and the command that serves them says so."""
    study = open_study(make(tmp_path / "small"))
    _tell_pages([study])
    assert "no [signing] in ledger.toml" in capsys.readouterr().err
    signing = SigningSettings(rp_id="sign.example", origins=("https://sign.example",))
    _tell_pages([replace(study, config=replace(study.config, signing=signing))])
    assert "no [signing]" not in capsys.readouterr().err
