"""`make soak-stream`: many subscribers over HTTP, a writer at full speed, a server that is ended meanwhile.

    python -m tests.soak.subscribers [--subscribers 200] [--entries 12000] [--restarts 3]

The writer is a process of its own on the same ledger, so it goes on while the server is away: ended in turns
by SIGKILL, and by SIGTERM, which lets it drain, each time when all are connected again. Subscribers are of
two roles, so of two audiences; some stop reading for a while, some ask for what they have had already. Each
keeps the next index and a hash over all that it took, once each. In the end every hash is that of the whole
log as its role sees it, read at once as JSON lines; and a `trial-ledger subscribe` beside them has verified
signatures, authority and tree on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import http.client
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from ledger.directory import DATABASE, open_ledger
from ledger.errors import StoreError
from ledger.keys import Ed25519SigningKey
from ledger.prepare import Signer
from ledger.sources import SystemSources
from ledger.store.sqlite import SqliteStore
from tests.api.client import complete_directory
from tests.api.streaming import Served, served
from tests.api.test_serve import COMMAND
from tests.benchmarks.trial import NURSE, open_trial, participant_id, signed_vital_signs
from tests.ledger.small_ledger import SmallLedger, seed

PARTICIPANTS: Final = 8
PER_COMMIT: Final = 25
ROLES: Final = ("auditor", "elsewhere")
PATIENCE_S: Final = 900
PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much: subscribers, entries to record while they follow, and ends of the server among them."""

    subscribers: int
    entries: int
    restarts: int
    verifying: bool


@dataclass(slots=True, kw_only=True)
class Follower:
    """One subscriber: the next index, a hash over everything before it, and what it was told."""

    number: int
    url: str
    next: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def role(self) -> str:
        """Whose token it brings."""
        return ROLES[self.number % 4 == 3]

    @property
    def had(self) -> tuple[int, str]:
        """How many entries it has, and their hash."""
        return self.next, self.digest.hexdigest()

    def take(self, event: bytes) -> None:
        """Take one event in: the next entry, or one that was had; anything else is a gap."""
        lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if not line.startswith(b":"))
        if b"id" not in lines:
            self.told[lines.get(b"event", b"comment").decode()] += 1
            return
        index = int(lines[b"id"])
        if index > self.next:
            raise RuntimeError(f"a gap: expected {self.next}, got {index}")
        if index < self.next:
            self.told["twice"] += 1
            return
        self.digest.update(lines[b"data"] + b"\n")
        self.next += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it."""

    size: int
    bytes_: int
    took_s: float
    rate: float
    told: Counter[str]
    verified: str


def soak(directory: Path, plan: Plan) -> Outcome:
    """Run it below a directory; return figures once every subscriber has everything.

    Raises:
        RuntimeError: a gap, another hash than that of the log, or a finding of the verifying subscriber.
    """
    ledger = directory / "ledger"
    trial = open_trial(ledger, PARTICIPANTS)
    complete_directory(trial, ledger)
    policy = trial.write_policy(directory / "policy")
    begun_with = trial.ledger.store.head().size
    trial.ledger.close()
    begun = time.monotonic()
    with served(ledger) as server, contextlib.ExitStack() as beside:
        verifying = (
            beside.enter_context(_verifying(server.url, directory, policy)) if plan.verifying else None
        )
        followers, rate = asyncio.run(_run(server, ledger, begun_with, plan))
        took_s = time.monotonic() - begun
        truth = {role: _truth(server.url, role) for role in ROLES}
        wrong = [each.number for each in followers if each.had != truth[each.role][:2]]
        if wrong:
            raise RuntimeError(f"subscribers {wrong} have something else than the log")
        size = truth[ROLES[0]][0]
        verified = _ended(verifying, size) if verifying is not None else ""
    told = sum((each.told for each in followers), Counter[str]())
    sent = sum(truth[each.role][2] for each in followers)
    return Outcome(size=size, bytes_=sent, took_s=took_s, rate=rate, told=told, verified=verified)


async def _run(server: Served, ledger: Path, begun_with: int, plan: Plan) -> tuple[list[Follower], float]:
    followers = [Follower(number=number, url=server.url) for number in range(plan.subscribers)]
    final: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(_follow(each, final)) for each in followers]
    words = ("-m", "tests.soak.subscribers", "--write", str(ledger), "--entries", str(plan.entries))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writer = await asyncio.create_subprocess_exec(sys.executable, *words, **pipes)
    assert writer.stdin is not None
    assert writer.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        for number in range(plan.restarts):
            await _until(ledger, begun_with + plan.entries * (number + 1) // (plan.restarts + 1))
            while any(each.told["connected"] <= number for each in followers):
                await asyncio.sleep(0.05)
            how = signal.SIGTERM if number % 2 else signal.SIGKILL
            await asyncio.to_thread(server.stop, how)
            await asyncio.to_thread(server.start)
        writer.stdin.close()
        rate = float(await writer.stdout.read() or 0)
        if await writer.wait():
            raise RuntimeError("the writer failed")
        final.set_result(_size(ledger))
        await asyncio.gather(*tasks)
    return followers, rate


async def _follow(follower: Follower, final: asyncio.Future[int]) -> None:
    """Connect again and again until everything is there."""
    while not _done(follower, final):
        with contextlib.suppress(OSError):
            await _connected(follower, final)
        await asyncio.sleep(random.uniform(0.05, 0.4))  # noqa: S311  not a secret


async def _connected(follower: Follower, final: asyncio.Future[int]) -> None:
    parts = urlsplit(follower.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=PIECE_BYTES)
    again = 5 if follower.number % 5 == 0 else 0  # asks for some that it had
    place = f"Last-Event-ID: {max(follower.next - 1 - again, 0)}\r\n" if follower.next else ""
    # HTTP/1.0, so that the body comes as it is, without chunks.
    request = f"GET {parts.path}/stream HTTP/1.0\r\nHost: here\r\nAuthorization: Bearer {follower.role}\r\n"
    writer.write(f"{request}{place}\r\n".encode())
    try:
        if b" 200 " not in (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]:
            return
        follower.told["connected"] += 1
        held = b""
        while not _done(follower, final):
            piece = await _piece(reader)
            if not piece:
                return
            if follower.number % 10 == 9 and random.random() < 0.02:  # noqa: S311  reads nothing for a while
                await asyncio.sleep(2)
            *events, held = (held + piece).split(b"\n\n")
            for event in events:
                follower.take(event)
    except asyncio.IncompleteReadError:
        return
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _piece(reader: asyncio.StreamReader) -> bytes:
    """Return what came; a comment after a second, so that whoever waits looks whether that was all."""
    try:
        async with asyncio.timeout(1):
            return await reader.read(PIECE_BYTES)
    except TimeoutError:
        return b":\n\n"


def _done(follower: Follower, final: asyncio.Future[int]) -> bool:
    return final.done() and follower.next >= final.result()


async def _until(ledger: Path, size: int) -> None:
    while await asyncio.to_thread(_size, ledger) < size:
        await asyncio.sleep(0.05)


def _size(ledger: Path) -> int:
    store = SqliteStore.open(ledger / DATABASE)
    try:
        return store.head().size
    finally:
        store.close()


def _truth(url: str, role: str) -> tuple[int, str, int]:
    """Read the whole log at once, as a role sees it: entries, hash, bytes."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    connection.request("GET", f"{parts.path}/stream.jsonl", headers={"Authorization": f"Bearer {role}"})
    lines = connection.getresponse().read().splitlines(keepends=True)
    connection.close()
    entries = [line for line in lines if not line.startswith(b'{"control"')]
    end = orjson.loads(lines[-1])
    if end["control"] != "end" or end["size"] != len(entries):
        raise RuntimeError("the range was cut off")
    return len(entries), hashlib.sha256(b"".join(entries)).hexdigest(), sum(map(len, entries))


@contextmanager
def _verifying(url: str, directory: Path, policy: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a subscriber that verifies as it reads, and keeps its position."""
    token = directory / "token"
    token.write_text(ROLES[0])
    words = ["--token-file", token, "--policy", policy, "--state", directory / "position"]
    process = subprocess.Popen(
        [COMMAND, "subscribe", url, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _ended(process: subprocess.Popen[str], size: int) -> str:
    """Wait until it has the last entry, end it, and return its last word."""
    assert process.stdout is not None
    count = 0
    for line in process.stdout:
        index, *_, verified = line.split()
        if int(index) != count or verified not in ("yes", "only"):
            raise RuntimeError(f"the verifying subscriber said: {line}")
        count += 1
        if count == size:
            break
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_S)
    if process.returncode or count != size:
        raise RuntimeError(f"the verifying subscriber ended with {process.returncode}: {told}")
    return told.splitlines()[-1]


def write(ledger: Path, entries: int) -> None:
    """Record so many entries at least, and until standard input ends, as fast as it goes; print entries/s."""
    told = threading.Thread(target=sys.stdin.buffer.read, daemon=True)
    told.start()
    opened = open_ledger(ledger, None, SystemSources())
    nurse = Signer(Ed25519SigningKey.from_seed(seed(NURSE)), NURSE, "B. Chan", "Site SA-01")
    trial = SmallLedger(ledger=opened, sources=None, ledger_id="", people={NURSE: nurse}, at={})  # type: ignore[arg-type]
    begun = time.monotonic()
    start = size = opened.store.head().size
    turn = 0
    while size < start + entries or told.is_alive():
        name = participant_id(1 + turn % PARTICIPANTS)
        try:
            opened.record_all(signed_vital_signs(trial, name, PER_COMMIT))
        except StoreError as error:
            if error.code != "STORE_BUSY":
                raise
            continue
        turn += 1
        size = opened.store.head().size
    print((size - start) / (time.monotonic() - begun))
    opened.close()


def main() -> None:
    """Run it, or be its writer."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.subscribers", description=__doc__)
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--entries", type=int, default=12_000)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write is not None:
        write(given.write, given.entries)
        return
    plan = Plan(subscribers=given.subscribers, entries=given.entries, restarts=given.restarts, verifying=True)
    with tempfile.TemporaryDirectory(prefix="trial-ledger-soak-") as made:
        found = soak(Path(made), plan)
    deliveries = found.size * plan.subscribers
    print(f"{plan.subscribers} subscribers, {found.size:,} entries, {plan.restarts} ends of the server:")
    print(f"  each has every entry once, in order, and the same bytes: {deliveries:,} deliveries")
    print(f"  written at {found.rate:,.0f} entries/s, from beginning to end of the writer")
    print(
        f"  all had it after {found.took_s:.1f} s: {deliveries / found.took_s:,.0f} deliveries/s, "
        f"{found.bytes_ / found.took_s / 2**20:,.0f} MiB/s"
    )
    print("  told: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(found.told.items())))
    print(f"  the verifying subscriber: {found.verified}")


if __name__ == "__main__":
    main()
