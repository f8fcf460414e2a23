"""Kill what stands between a ledger and JetStream, at random, and count what arrives.

    python -m tests.soak.relay [--seconds 60] [--kills 20] [--seed 1]

A real nats-server on files, the served ledger, and the relay between them, each a process that is killed with
SIGKILL at random and started again, while two people keep recording over HTTP and hand in again whatever was
not acknowledged. At the end JetStream must hold every entry of the log once and in order, every acknowledged
one among them, and a consumer verifies them all up to the newest checkpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.committer import Ledger
from ledger.directory import open_ledger
from ledger.envelope import event_hash
from ledger.errors import ConflictError, StoreError
from ledger.relay.consuming import Consumed, consume
from ledger.relay.jetstream import Address
from ledger.sources import SystemSources
from ledger.submission import format_submission
from ledger.subscriber.events import Verified
from tests.api.client import VITALS, write_directory
from tests.api.streaming import Served
from tests.ledger.nats_server import BINARY, NatsServer
from tests.ledger.small_ledger import SmallLedger

COMMAND: Final = Path(sys.executable).with_name("trial-ledger")
PARTICIPANTS: Final = ("SA-01-001", "SA-01-002")
STREAM: Final = "SOAK"
PAUSE_S: Final = (0.0, 1.5)
DOWN_S: Final = (0.0, 0.5)
SETTLE_S: Final = 60.0


class RelayProcess:
    """The relay as an operator runs it; what it tells is counted."""

    def __init__(self, source: str, nats: str, token: Path) -> None:
        self._words = [COMMAND, "relay", "nats", source, "--token-file", token, "--server", nats]
        self._words += ["--stream", STREAM, "--create", "--json"]
        self._process: subprocess.Popen[str] | None = None
        self.told: Counter[str] = Counter()

    def start(self) -> None:
        """Start it."""
        process = self._process = subprocess.Popen(self._words, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def stop(self, how: signal.Signals = signal.SIGKILL) -> int | None:
        """End it; return how it ended, if it had ended before."""
        process, self._process = self._process, None
        if process is None:
            return None
        before = process.poll()
        process.send_signal(how)
        process.wait()
        return before

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                with suppress(json.JSONDecodeError):
                    self.told[json.loads(line)["relay"]] += 1
                    continue
                self.told[line.strip()] += 1


class Writer(threading.Thread):
    """One person who records over HTTP, and hands in again until it is acknowledged."""

    def __init__(self, made: SmallLedger, directory: Path, url: str, participant: str) -> None:
        super().__init__(name=participant)
        self._made, self._directory, self._url = made, directory, url
        self._participant = participant
        self.ending = threading.Event()
        self.acknowledged: dict[int, str] = {}
        self.again = 0

    def run(self) -> None:
        """Record until told to end."""
        ledger = open_ledger(self._directory, None, SystemSources())
        try:
            while not self.ending.is_set():
                self._record(ledger)
        finally:
            ledger.close()

    def _record(self, ledger: Ledger) -> None:
        action = {
            "type": "vital_signs.recorded",
            "stream": f"participant/{self._participant}",
            "role": "coordinator",
            "data": VITALS,
            "site": "SA-01",
            "protocol": "1.0",
        }
        try:
            submission = self._made.people["bchan"].submission(ledger, action, {})
        except (StoreError, ConflictError):
            return
        body, name = format_submission(submission), event_hash(submission.statement.body)
        while (answer := self._hand_in(body)) is None:
            self.again += 1
            time.sleep(0.05)
        if answer["event"] == name:
            self.acknowledged[answer["index"]] = name

    def _hand_in(self, body: bytes) -> Any:
        """Return what was acknowledged; None where nobody answered."""
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"{parts.path}/statements", body, headers)
            answer = connection.getresponse()
            value = json.loads(answer.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return None
        finally:
            connection.close()
        if answer.status >= 500:
            return None
        return value if answer.status in (200, 201) else {"event": ""}


@dataclass(slots=True)
class Soak:
    """One run: what was killed, what was written, what arrived."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[int, str] = field(default_factory=dict)
    handed_in_again: int = 0
    told: Counter[str] = field(default_factory=Counter)
    size: int = 0
    seconds: float = 0.0


def soak(directory: Path, *, seconds: float, kills: int, seed: int) -> Soak:
    """Run until both the time is up and enough was killed, and judge; asserts what must hold."""
    dice = random.Random(seed)  # noqa: S311  which process dies next is no secret
    made = write_directory(directory / "ledger")
    token = directory / "token"
    token.write_text("auditor\n")
    nats, server = NatsServer(directory / "js"), Served(directory / "ledger")
    relay = RelayProcess(server.url, nats.url, token)
    run = Soak(told=relay.told)
    began = time.monotonic()
    writers = [Writer(made, directory / "ledger", server.url, each) for each in PARTICIPANTS]
    victims: dict[str, NatsServer | Served | RelayProcess] = {"nats": nats, "ledger": server, "relay": relay}
    try:
        for victim in victims.values():
            victim.start()
        for writer in writers:
            writer.start()
        while time.monotonic() - began < seconds or sum(run.kills.values()) < kills:
            time.sleep(dice.uniform(*PAUSE_S))
            name = dice.choice(sorted(victims))
            ended = victims[name].stop(signal.SIGKILL)
            assert ended is None, f"the relay gave up with {ended}: {dict(relay.told)}"
            run.kills[name] += 1
            time.sleep(dice.uniform(*DOWN_S))
            victims[name].start()
        for writer in writers:
            writer.ending.set()
        for writer in writers:
            writer.join()
            run.acknowledged |= writer.acknowledged
            run.handed_in_again += writer.again
        _judge(run, made, directory / "ledger", nats)
    finally:
        for writer in writers:
            writer.ending.set()
        for victim in victims.values():
            victim.stop(signal.SIGKILL)
    run.seconds = time.monotonic() - began
    return run


def _judge(run: Soak, made: SmallLedger, directory: Path, nats: NatsServer) -> None:
    """Wait until the relay has nothing left, and compare what arrived with the log and what was signed."""
    ledger = open_ledger(directory, None, SystemSources())
    try:
        ledger.publish()
        store = ledger.store
        head = store.head()
        found, entries = _arrived(made, nats, head.size)
        log = [entry.event for entry in store.entries(0, head.size)]
    finally:
        ledger.close()
    arrived = [each.index for each in entries]
    assert arrived == list(range(head.size)), f"a gap or a duplicate: {len(arrived)} of {head.size}"
    assert [each.entry.event for each in entries] == log, "other entries than the log's"
    assert all(log[index] == event for index, event in run.acknowledged.items()), "an acknowledged one lost"
    assert {each.verified for each in entries} == {"yes"}
    assert (found.root, found.confirmed) == (head.root, head.size), "not the log's tree"
    run.size = head.size


def _arrived(made: SmallLedger, nats: NatsServer, size: int) -> tuple[Consumed, list[Verified]]:
    address = Address(server=nats.url, stream=STREAM, prefix="trial")
    until = time.monotonic() + SETTLE_S
    while True:
        entries: list[Verified] = []
        found = asyncio.run(consume(address, made.policy, entries.append))
        if found.confirmed >= size or time.monotonic() > until:
            return found, entries
        time.sleep(0.25)


def main() -> None:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(prog="soak-relay")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    if not BINARY.exists():
        sys.exit("nats-server is not installed")
    directory = Path(tempfile.mkdtemp(prefix="soak-relay-"))
    try:
        run = soak(directory, seconds=wanted.seconds, kills=wanted.kills, seed=wanted.seed)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    killed = ", ".join(f"{name} {count}" for name, count in sorted(run.kills.items()))
    print(f"{run.seconds:.0f} s, killed {sum(run.kills.values())} times ({killed})")
    print(f"acknowledged {len(run.acknowledged)}, handed in again {run.handed_in_again} times")
    print(f"the relay told: {', '.join(f'{what} {count}' for what, count in sorted(run.told.items()))}")
    print(
        f"JetStream holds {run.size} entries, each once, in order, all verified up to the newest checkpoint"
    )


if __name__ == "__main__":
    main()
