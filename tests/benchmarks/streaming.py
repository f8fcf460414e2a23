"""The stream: how soon an entry is there, how many deliveries, how fast a catch-up, what a stalled one costs.

    python -m tests.benchmarks.streaming [--quick] [--directory DIR]

Everything that is compared is taken in one run, in turns, so that other work on the machine falls on both.
Times are from the acknowledgement that a writer gets to the moment at which a subscriber has the bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import h11

from api.audience import Filter, audience
from api.catching_up import page
from api.recorder import Recorder
from api.routes.stream import events
from api.serve import settle
from api.tailer import Grown, Tailer
from ledger.committer import Ledger
from ledger.store.port import Store
from ledger.store.postgres import PostgresStore
from ledger.store.sqlite import SqliteStore
from projections.reader import Reader
from tests.api.client import complete_directory
from tests.api.streaming import served
from tests.api.test_tailer import always
from tests.benchmarks import umadb
from tests.benchmarks.report import heading
from tests.benchmarks.trial import open_trial, participant_id, signed_vital_signs
from tests.ledger.small_ledger import SmallLedger
from tests.postgres_server import OWNER, Unavailable, running

SOURCE: Final = "/v1/studies/small"
TOKEN: Final = "auditor"
EVERYBODY: Final = audience(Reader(role="auditor"), Filter(types=frozenset(), participant=None))
PARTICIPANTS: Final = 8
PER_COMMIT: Final = 250
PAGE: Final = 500
STALLED: Final = 4
SUBSCRIBERS: Final = 100
Parts = Sequence[Sequence[bytes]]
ENTRY: Final = b'\n{"specversion"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    size: int
    latencies: int
    deliveries: int
    rounds: int


FULL: Final = Plan(size=20_000, latencies=400, deliveries=4_000, rounds=5)
QUICK: Final = Plan(size=1_500, latencies=40, deliveries=500, rounds=2)


def main() -> None:
    """Run all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.streaming", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds over a small log")
    parser.add_argument("--only", choices=("latency", "deliveries", "catch-up", "stalled"))
    parser.add_argument("--directory", type=Path, help="where the files go (default: the system's choice)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trial-ledger-bench-", dir=arguments.directory) as made:
        run(Path(made), quick=arguments.quick, only=arguments.only)


def run(directory: Path, *, quick: bool, only: str | None = None) -> None:
    """Measure over one log, which is filled first."""
    plan = QUICK if quick else FULL
    trial = open_trial(directory / "streamed", PARTICIPANTS)
    complete_directory(trial, directory / "streamed")
    _grow(trial, plan.size)
    settle()  # as the service does
    parts = {
        "latency": lambda: latency(trial, directory / "streamed", plan),
        "deliveries": lambda: deliveries(trial, plan),
        "catch-up": lambda: catch_up(trial, directory, plan),
        "stalled": lambda: stalled(trial, directory / "streamed", plan),
    }
    for name, part in parts.items():
        if only in (None, name):
            part()
    trial.ledger.close()


# How soon


def latency(trial: SmallLedger, directory: Path, plan: Plan) -> None:
    """Print how long after the acknowledgement subscribers have an entry."""
    heading("Acknowledgement to subscriber, one entry at a time (asked: p50 of 0.2 ms, 10 in process)")
    print("  below zero: a subscriber had it before the writer was told")
    _times("10 subscribers, in process", asyncio.run(_in_process(trial, 10, plan.latencies)))
    _times("100 subscribers, in process", asyncio.run(_in_process(trial, 100, plan.latencies // 2)))
    other = SqliteStore.open(directory / "ledger.db")
    found = asyncio.run(_of_another(trial, other, plan.latencies // 2))
    other.close()
    _times("10 subscribers, recorded by another process (SQLite)", found)
    _postgres(directory.parent, plan)


def _postgres(directory: Path, plan: Plan) -> None:
    name = "10 subscribers, recorded by another process (PostgreSQL)"
    try:
        with running(connections=30) as server:
            url = server.url("streamed")
            store = PostgresStore.create(url, server.url("streamed", OWNER))
            trial = open_trial(directory / "postgres", 2, store)
            other = PostgresStore.open(url)
            found = asyncio.run(_of_another(trial, other, plan.latencies // 2))
            other.close()
            trial.ledger.close()
    except Unavailable as reason:
        print(f"  {name:58} not measured: {reason}")
        return
    _times(name, found)


async def _in_process(trial: SmallLedger, subscribers: int, count: int) -> list[float]:
    recorder = Recorder(trial.ledger)
    submissions = iter(signed_vital_signs(trial, participant_id(1), count))

    async def record() -> int:
        return (await recorder.record(next(submissions))).index

    found = await _soon(trial.ledger, subscribers, count, record)
    recorder.close()
    return found


async def _of_another(trial: SmallLedger, other: Store, count: int) -> list[float]:
    """Follow a store opened once more, as another process has it, while the first one is written to."""
    submissions = iter(signed_vital_signs(trial, participant_id(2), count))
    following = copy.copy(trial.ledger)
    following.store = other

    async def record() -> int:
        return (await asyncio.to_thread(trial.ledger.record, next(submissions))).index

    return await _soon(following, 10, count, record)


async def _soon(
    ledger: Ledger, subscribers: int, count: int, record: Callable[[], Awaitable[int]]
) -> list[float]:
    tailer = Tailer(ledger, SOURCE)
    await tailer.start()
    arrived: list[dict[int, float]] = [{} for _ in range(subscribers)]
    tasks = [asyncio.create_task(_note(tailer, each)) for each in arrived]
    while tailer.subscribers < subscribers:
        await asyncio.sleep(0.01)
    acknowledged: dict[int, float] = {}
    for _ in range(count):
        index = await record()
        acknowledged[index] = time.perf_counter()
        await asyncio.sleep(0.004)
    while any(len(each) < count for each in arrived):
        await asyncio.sleep(0.01)
    await tailer.stop()
    await asyncio.gather(*tasks)
    return [each[index] - at for each in arrived for index, at in acknowledged.items()]


async def _note(tailer: Tailer, arrived: dict[int, float]) -> None:
    async for chunk in events(tailer, EVERYBODY, tailer.size, hold=always, promised=0):
        at = time.perf_counter()
        arrived.update((index, at) for index in indexes(chunk))


def indexes(chunk: bytes) -> Iterator[int]:
    """Yield the indexes of the entries in a chunk of the stream."""
    for event in chunk.split(b"\n\n"):
        _, found, rest = event.partition(b"\nid: ")
        if found:
            yield int(rest.partition(b"\n")[0])


def _times(name: str, found_s: Sequence[float]) -> None:
    """Print median and tail."""
    cuts = statistics.quantiles(found_s, n=100)
    print(f"  {name:58} p50 {cuts[49] * 1e3:7.3f} ms   p99 {cuts[98] * 1e3:7.3f} ms   of {len(found_s):,}")


# How many


class Sink:
    """A subscriber's end of a connection: for each write an HTTP chunk and a system call, as served."""

    def __init__(self, null: int) -> None:
        self._null = null
        self._http = h11.Connection(h11.SERVER)
        self._http.receive_data(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        self._http.next_event()
        self._http.send(h11.Response(status_code=200, headers=[("Transfer-Encoding", "chunked")]))
        self.received = 0

    async def write(self, chunk: bytes) -> None:
        """Write, and count."""
        os.write(self._null, self._http.send(h11.Data(data=chunk)) or b"")
        self.received += len(chunk)


class Bare(Sink):
    """Counts, and writes nothing: the handing over alone."""

    async def write(self, chunk: bytes) -> None:
        self.received += len(chunk)


def deliveries(trial: SmallLedger, plan: Plan) -> None:
    """Print deliveries a second to 100 subscribers, against a queue for each of them."""
    heading("Deliveries to 100 subscribers that keep up (asked, written: 5 x a queue per subscriber)")
    pieces = Tailer(trial.ledger, SOURCE)._load(EVERYBODY, 0, plan.deliveries)
    null = os.open(os.devnull, os.O_WRONLY)
    for kind, name in ((Sink, "written"), (Bare, "handed over")):
        for batch in (1, 16, 256):
            count = min(plan.deliveries, 20 * batch)
            rings, queues = [], []
            for _ in range(plan.rounds):
                sinks = [kind(null) for _ in range(SUBSCRIBERS)]
                rings.append(asyncio.run(_by_ring(trial.ledger, pieces[:count], batch, sinks)))
                sinks = [kind(null) for _ in range(SUBSCRIBERS)]
                queues.append(asyncio.run(_by_queue(pieces[:count], batch, sinks)))
            _ratio(f"{name}, committed by {batch:>4}:", rings, queues)
    rings, queues = [], []
    for _ in range(plan.rounds):
        sinks = [Sink(null) for _ in range(SUBSCRIBERS)]
        rings.append(asyncio.run(_by_ring(trial.ledger, pieces, 1, sinks, thread=True)))
        sinks = [Sink(null) for _ in range(SUBSCRIBERS)]
        queues.append(asyncio.run(_by_queue(pieces, 1, sinks, thread=True)))
    _ratio("written, one by one out of a thread:", rings, queues)
    os.close(null)


def _ratio(name: str, rings: Sequence[float], queues: Sequence[float]) -> None:
    ratios = sorted(ring / queue for ring, queue in zip(rings, queues, strict=True))
    print(
        f"  {name:38} ring {statistics.median(rings):>11,.0f}/s   "
        f"queues {statistics.median(queues):>9,.0f}/s   "
        f"{statistics.median(ratios):5.1f} x   ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    )


def _hand_over(loop: asyncio.AbstractEventLoop, put: Callable[[Sequence[bytes]], None], parts: Parts) -> None:
    """Hand parts over in a thread, one by one, as the tailer does: it does not wait for the event loop."""
    for part in parts:
        loop.call_soon_threadsafe(put, part)
        time.sleep(0)  # as if the next were read first: whoever wants to run may


async def _publish(put: Callable[[Sequence[bytes]], None], parts: Parts, *, thread: bool) -> None:
    """Give parts out: each when the last was taken by everybody, or out of a thread."""
    if thread:
        await asyncio.to_thread(_hand_over, asyncio.get_running_loop(), put, parts)
        return
    for part in parts:
        put(part)
        await asyncio.sleep(0)


async def _by_ring(
    ledger: Ledger, pieces: Sequence[bytes], batch: int, sinks: Sequence[Sink], *, thread: bool = False
) -> float:
    tailer = Tailer(ledger, SOURCE)
    wanted = sum(map(len, pieces))
    tasks = [asyncio.create_task(_take(tailer, sink)) for sink in sinks]
    while tailer.subscribers < len(sinks):
        await asyncio.sleep(0)

    def put(part: Sequence[bytes]) -> None:
        tailer._publish(Grown(size=tailer.size + len(part), pieces={EVERYBODY: part}, control=False))

    begun = time.perf_counter()
    await _publish(put, [pieces[at : at + batch] for at in range(0, len(pieces), batch)], thread=thread)
    while any(sink.received < wanted for sink in sinks):
        await asyncio.sleep(0)
    took_s = time.perf_counter() - begun
    tailer.drain()
    await asyncio.gather(*tasks)
    return len(pieces) * len(sinks) / took_s


async def _take(tailer: Tailer, sink: Sink) -> None:
    async for chunk in events(tailer, EVERYBODY, 0, hold=always, promised=1 << 40):
        await sink.write(chunk)


async def _by_queue(
    pieces: Sequence[bytes], batch: int, sinks: Sequence[Sink], *, thread: bool = False
) -> float:
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in sinks]

    async def take(queue: asyncio.Queue[bytes], sink: Sink) -> None:
        for _ in pieces:
            await sink.write(await queue.get())

    tasks = [asyncio.create_task(take(*each)) for each in zip(queues, sinks, strict=True)]
    await asyncio.sleep(0)

    def put(part: Sequence[bytes]) -> None:
        for piece in part:
            for queue in queues:
                queue.put_nowait(piece)

    begun = time.perf_counter()
    await _publish(put, [pieces[at : at + batch] for at in range(0, len(pieces), batch)], thread=thread)
    await asyncio.gather(*tasks)
    return len(pieces) * len(sinks) / (time.perf_counter() - begun)


# How fast what is there already


def catch_up(trial: SmallLedger, directory: Path, plan: Plan) -> None:
    """Print how fast a range is read as JSON lines, against UmaDB's read of events with the same bytes."""
    size = trial.ledger.store.head().size
    heading(f"Catch-up of {size:,} entries as JSON lines")
    try:
        beside = umadb.Beside(directory / "umadb", trial.ledger.store)
    except umadb.Unavailable as reason:
        print(f"  UmaDB: not measured: {reason}")
        beside = None
    inside, over, other = [], [], []
    with served(directory / "streamed") as server:
        for _ in range(plan.rounds):
            inside.append(_rate(size, lambda: _inside(trial.ledger, size)))
            over.append(_rate(size, lambda: _over_http(server.url, size)))
            if beside is not None:
                other.append(size / beside.read_s(size))
    if beside is not None:
        beside.close()
    for name, rates in (("in process", inside), ("over HTTP", over), ("UmaDB, its client's read", other)):
        if rates:
            print(f"  {name:30} {statistics.median(rates):>10,.0f} events/s   at best {max(rates):>9,.0f}")
    for name, rates in (("in process", inside), ("over HTTP", over)):
        if other:
            ratio = statistics.median(mine / theirs for mine, theirs in zip(rates, other, strict=True))
            print(f"  {name} against UmaDB: {ratio:.2f} x")


def _rate(size: int, work: Callable[[], int]) -> float:
    begun = time.perf_counter()
    found = work()
    if found != size:
        raise RuntimeError(f"expected {size} entries, got {found}")
    return size / (time.perf_counter() - begun)


def _inside(ledger: Ledger, size: int) -> int:
    return sum(page(ledger, EVERYBODY, SOURCE, at, at + PAGE).count(b"\n") for at in range(0, size, PAGE))


def _over_http(url: str, size: int) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    connection.request("GET", f"{parts.path}/stream.jsonl", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    found, before = 0, b"\n"
    while piece := answer.read(262_144):
        found += (before + piece).count(ENTRY) - before.count(ENTRY)
        before = piece[-len(ENTRY) :]
    connection.close()
    return found


# What a stalled one costs


def stalled(trial: SmallLedger, directory: Path, plan: Plan) -> None:
    """Print the times of 10 subscribers over HTTP, alone and beside some that take nothing."""
    heading(f"10 subscribers over HTTP, recorded by another process, beside {STALLED} that read nothing")
    with served(directory) as server:
        for stuck, name in ((0, "alone"), (STALLED, "beside the stalled"), (0, "alone again")):
            found = asyncio.run(_over_sockets(trial, server.url, stuck, plan.latencies // 2))
            _times(name, found)


async def _over_sockets(trial: SmallLedger, url: str, stuck: int, count: int) -> list[float]:
    submissions = iter(signed_vital_signs(trial, participant_id(3), count))
    held = [await _open(url, "-1") for _ in range(stuck)]  # read by nobody: more than they hold
    arrived: list[dict[int, float]] = [{} for _ in range(10)]
    streams = [await _open(url, "head") for _ in arrived]
    tasks = [
        asyncio.create_task(_read(reader, each)) for (reader, _), each in zip(streams, arrived, strict=True)
    ]
    acknowledged: dict[int, float] = {}
    for _ in range(count):
        index = (await asyncio.to_thread(trial.ledger.record, next(submissions))).index
        acknowledged[index] = time.perf_counter()
        await asyncio.sleep(0.01)
    while any(max(acknowledged) not in each for each in arrived):
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _, writer in (*held, *streams):
        writer.close()
    return [each[index] - at for each in arrived for index, at in acknowledged.items()]


async def _open(url: str, after: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
    writer.write(
        f"GET {parts.path}/stream?after={after} HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    if after == "head":
        await reader.readuntil(b"event: caught-up\n")
    return reader, writer


async def _read(reader: asyncio.StreamReader, arrived: dict[int, float]) -> None:
    while line := await reader.readline():
        if line.startswith(b"id: "):
            arrived[int(line[4:])] = time.perf_counter()


def _grow(trial: SmallLedger, size: int) -> None:
    """Record vital signs, a participant's page at a time, until the log has `size` entries."""
    turn = 0
    while (missing := size - trial.ledger.store.head().size) > 0:
        name = participant_id(1 + turn % PARTICIPANTS)
        trial.ledger.record_all(signed_vital_signs(trial, name, min(PER_COMMIT, missing)))
        turn += 1
    trial.publish()


if __name__ == "__main__":
    main()
